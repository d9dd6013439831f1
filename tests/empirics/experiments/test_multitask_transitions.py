import math

import pytest

from dcrit.empirics.experiments.multitask_transitions import (
    MultitaskTransition,
    measure_multitask_transitions,
    multitask_of,
    multitask_transitions_stages,
)
from dcrit.empirics.runs.multitask import MultitaskConfig, beside_facts
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training.work import flops_of, work_of
from dcrit.theory.problems.problem import Problem
from tests.worlds.multitask import MultitaskWorld, facts_of

PROBLEM = Problem(modulus=19, width=16)


def template(n_facts: int = 0, pretraining: int = 0) -> MultitaskConfig:
    return beside_facts(PROBLEM, n_train=1, n_facts=n_facts, pretraining=pretraining)


def transitions(world: MultitaskWorld, *facts: int) -> list[MultitaskTransition]:
    wanted = [template(n) for n in facts]
    return measure_multitask_transitions(wanted, world.laboratory(), tolerance=0.05, budget=8, stage="sizes")


@pytest.mark.slow
def test_true_sizes_are_found_all_measured_together() -> None:
    world = MultitaskWorld(size=lambda config: 100.0 + facts_of(config))
    found = transitions(world, 0, 40, 80)
    for transition, size in zip(found, (100, 140, 180), strict=True):
        assert transition.measured.value == pytest.approx(size, rel=0.05)
        assert transition.measured.interval is not None
        assert size in transition.measured.interval
        draws = transition.log_size_draws(100)
        assert draws is not None
        assert draws.shape == (100,)
        assert {one.config.horizon for one in transition.outcomes} == {4000}
    assert world.stages == [f"sizes, round {k + 1}" for k in range(len(world.stages))]
    assert len({config.address for config in world.asked}) == len(world.asked)
    # The first round probes every set of tasks.
    assert {facts_of(config) for config in world.asked[:18]} == {0, 40, 80}
    assert {config.horizon for config in world.asked[:18]} == {400}


def test_a_task_that_is_never_learned_lies_beyond_what_was_tried() -> None:
    (never,) = transitions(MultitaskWorld(size=lambda _: math.inf), 40)
    assert never.measured.value is None
    assert never.is_beyond
    assert never.largest >= 0.9 * PROBLEM.n_pairs
    assert never.log_size_draws(10) is None


def test_phases_before_the_last_are_never_cut() -> None:
    probe = multitask_of(template(40, pretraining=500), RunConfig(problem=PROBLEM, n_train=77, seed=3, steps=400))
    assert [phase.steps for phase in probe.phases] == [500, 400]
    assert (probe.components[0].n_train, probe.components[1].n_train, probe.seed) == (77, 40, 3)


def test_work_is_bounded_by_runs_on_all_pairs() -> None:
    world = MultitaskWorld(size=lambda _: 100.0)
    transitions(world, 0)
    most = work_of(multitask_transitions_stages([template()], budget=8))
    assert flops_of(world.asked) <= most.flops
    assert len(world.asked) <= most.n_runs
