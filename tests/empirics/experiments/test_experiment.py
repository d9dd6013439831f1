"""The laboratory: which runs it asks for, and what it predicts."""

from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.runs.outcomes import outcome_of
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.calibrations.calibration import shipped_calibrations
from dcrit.theory.predictions.critical_size import predict_critical_size
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import World, no_multitask

PROBLEM = Problem(modulus=31, width=48)
CONFIGS = [RunConfig(problem=PROBLEM, n_train=200, seed=seed) for seed in range(4)]


def laboratory(world: World) -> Laboratory:
    return Laboratory(world, no_multitask, shipped_calibrations())


def test_blocks_come_back_as_they_were_asked_for_in_one_sweep() -> None:
    world = World()
    bench = laboratory(world)
    blocks = [CONFIGS[:1], [], CONFIGS[1:]]
    found = bench.blocks(blocks, stage="blocks")
    assert [[run.config for run in block] for block in found] == blocks
    assert world.stages == ["blocks"]
    assert bench.outcomes(blocks, stage="outcomes") == [[outcome_of(run) for run in block] for block in found]


def test_a_prediction_is_the_calibrations_own_and_none_where_none_speaks() -> None:
    calibration = next(one for one in shipped_calibrations() if one.covers(PROBLEM))
    bench = laboratory(World())
    assert bench.predict(PROBLEM) == predict_critical_size(PROBLEM, calibration)
    assert Laboratory(World(), no_multitask, []).predict(PROBLEM) is None
