"""Designs of all experiments: what they train at most, what they refuse, and that each is known by one name."""

import math
import re
from dataclasses import asdict, replace
from typing import Any, get_args

import pytest

from dcrit.empirics.experiments import capacities, competition, dynamics_points
from dcrit.empirics.experiments.capacities import CapacitiesDesign
from dcrit.empirics.experiments.competition import CompetitionDesign
from dcrit.empirics.experiments.dynamics_points import DynamicsDesign
from dcrit.empirics.experiments.experiment import Experiment, SuiteName
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.experiments.transitions import TransitionsDesign, advance_together, transitions_stages
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.empirics.training.work import flops_of, work_of
from dcrit.figures import FIGURES
from dcrit.theory.calibrations.calibration import shipped_calibrations
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import World, no_multitask

EXPERIMENTS: list[Experiment[Any, Any]] = list(
    {id(one.experiment): one.experiment for one in FIGURES.values()}.values()
)
DESIGNS = [(one, suite) for one in EXPERIMENTS for suite in one.designs]
PROBLEMS = (Problem(modulus=31, width=48), Problem(modulus=31, width=64))


def test_experiments_have_names_of_their_own() -> None:
    names = [one.name for one in EXPERIMENTS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("experiment", "suite"), DESIGNS, ids=lambda value: getattr(value, "name", value))
def test_every_design_has_a_known_suite_and_takes_work(experiment: Experiment[Any, Any], suite: SuiteName) -> None:
    assert suite in get_args(SuiteName)
    work = experiment.work(suite)
    assert all(math.isfinite(value) and value > 0 for value in asdict(work).values())
    assert work.n_ensembles <= work.n_runs
    assert max(work.longest, work.flops) <= work.cost


def test_work_is_counted_over_all_steps() -> None:
    config = RunConfig(problem=PROBLEMS[0], n_train=100, seed=0, steps=7)
    assert flops_of([]) == 0
    assert flops_of([config]) == 6 * 100 * 31 * 48 * 7
    assert flops_of([config, replace(config, seed=1, start="generalized")]) == 3 * flops_of([config])


SMALL: list[tuple[Experiment[Any, Any], Any]] = [
    (competition.EXPERIMENT, CompetitionDesign(problems=PROBLEMS, seeds=2)),
    (capacities.EXPERIMENT, CapacitiesDesign(problems=PROBLEMS[:1])),
    (dynamics_points.EXPERIMENT, DynamicsDesign(problems=PROBLEMS, seeds=2)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("experiment", "design"), SMALL, ids=[one.name for one, _ in SMALL])
def test_no_experiment_trains_more_than_it_says(experiment: Experiment[Any, Any], design: Any) -> None:
    world = World()
    experiment.measure(design, Laboratory(world, no_multitask, shipped_calibrations()))
    trained = flops_of(world.asked)
    most = work_of(experiment.stages(design))
    assert 0 < trained <= most.flops
    assert len({one.address for one in world.asked}) <= most.n_runs


@pytest.mark.parametrize("design", [CompetitionDesign, DynamicsDesign])
@pytest.mark.parametrize("seeds", [0, -1])
def test_a_design_without_seeds_is_refused(design: Any, seeds: int) -> None:
    with pytest.raises(ValueError, match=f"^seeds must be an integer of at least 1, got {seeds}"):
        design(problems=PROBLEMS, seeds=seeds)
    with pytest.raises(ValueError, match=r"^seeds must"):
        CapacitiesDesign(problems=PROBLEMS, seeds=seeds)


def test_capacities_are_measured_at_the_calibrations_widths_unless_told_otherwise() -> None:
    family = PROBLEMS[0]
    for design, widths in (
        (CapacitiesDesign(problems=(family,)), family.family.capacity_widths),
        (CapacitiesDesign(problems=(family,), widths=(1, 3)), (1, 3)),
    ):
        (designs,) = design.designs().values()
        assert [one.problem for one in designs] == [replace(family, width=width) for width in widths]


@pytest.mark.parametrize(
    ("widths", "message"),
    [((), "widths must hold at least one width, got ()"), ((4, 0), "widths must be an integer of at least 1, got 0")],
)
def test_bad_widths_of_capacities_are_refused(widths: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        CapacitiesDesign(problems=PROBLEMS, widths=widths)


@pytest.mark.parametrize("field", [{"tolerance": 0.0}, {"budget": -1.0}, {"first_seed": -1}, {"steps": -1}])
def test_a_bad_design_of_transitions_is_refused_where_it_is_made(field: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(field))} must"):
        TransitionsDesign(problems=PROBLEMS, **field)


@pytest.mark.parametrize("field", [{"tolerance": 0.0}, {"budget": -1.0}])
def test_a_bad_design_of_the_competition_is_refused_where_it_is_made(field: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(field))} must"):
        CompetitionDesign(problems=PROBLEMS, **field)


def test_transitions_share_their_settings() -> None:
    design = TransitionsDesign(problems=PROBLEMS, tolerance=0.1, budget=5.0, steps=100, first_seed=3)
    for problem, one in zip(PROBLEMS, design.designs(), strict=True):
        assert (one.problem, one.tolerance, one.budget, one.steps, one.first_seed) == (problem, 0.1, 5.0, 100, 3)
    # Six probes of a tenth, then four full runs on all pairs but one, in two rounds.
    stages = transitions_stages(design)
    assert [len(stage.runs) for stage in stages] == [12, 4, 4]
    probes = sum(one.n_train for one in stages[0].known if isinstance(one, RunConfig)) * 10 / 2
    expected = [6 * 31 * one.width * (probes + 4 * 100 * 960) for one in PROBLEMS]
    assert work_of(stages).flops == pytest.approx(sum(expected))


def test_transitions_advance_round_by_round_together() -> None:
    loose, tight = (
        TransitionsDesign(problems=(problem,), tolerance=1e-6, budget=budget).designs()[0]
        for problem, budget in zip(PROBLEMS, (2.6, 4.6), strict=True)
    )
    sizes: list[list[Problem]] = []

    class Watched(World):
        def __call__(self, configs: Any, /, *, stage: str) -> list[Run]:
            sizes.append([config.problem for config in configs])
            return super().__call__(configs, stage=stage)

    world = Watched()
    found = advance_together([loose, tight], world)
    first, second = PROBLEMS
    # Six short probes each, then two full runs a round while the budget lasts.
    assert sizes == [[first] * 6 + [second] * 6, [first] * 2 + [second] * 2, [second] * 2]
    assert world.stages == [f"critical sizes, round {k}" for k in (1, 2, 3)]
    assert [len(outcomes) for outcomes in found] == [8, 10]
    assert [{o.config.problem for o in outcomes} for outcomes in found] == [{first}, {second}]
    assert advance_together([], World()) == []
