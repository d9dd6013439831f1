from dataclasses import replace

import pytest

from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.experiments.size_series import MODEL_SIZES, MODULI
from dcrit.empirics.experiments.transitions import SeriesDesign, TransitionsDesign, measure, measure_transitions, stages
from dcrit.empirics.training.work import work_of
from dcrit.theory.calibrations.calibration import shipped_calibrations
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import World, half_accuracy_size, no_multitask
from tests.worlds.transitions import with_width

EXPERIMENTS = (MODEL_SIZES, MODULI)


def laboratory(world: World) -> Laboratory:
    return Laboratory(world, no_multitask, shipped_calibrations())


def test_every_problem_of_every_series_is_measured_beside_its_prediction() -> None:
    world = World()
    series = tuple(
        TransitionsDesign(problems=tuple(with_width(Problem(modulus=31, activation=activation), 48, 64)))
        for activation in ("square", "relu")
    )
    found = measure(SeriesDesign(series=series), laboratory(world))
    assert [[one.problem for one in made] for made in found] == [list(design.problems) for design in series]
    for one in (one for made in found for one in made):
        assert one.measured.value == pytest.approx(half_accuracy_size(one.problem), rel=0.06)
        assert one.predicted is not None
        assert one.predicted.value is not None


def test_series_ask_for_the_runs_that_each_would_ask_for_alone() -> None:
    together, alone = World(), World()
    series = tuple(TransitionsDesign(problems=(one, replace(one, task="sub"))) for one in (Problem(modulus=31),) * 1)
    measure(SeriesDesign(series=series), laboratory(together))
    measure_transitions(series[0], laboratory(alone))
    assert together.asked == alone.asked


def test_a_series_needs_two_problems() -> None:
    with pytest.raises(ValueError, match="problems must be at least 2"):
        SeriesDesign(series=(TransitionsDesign(problems=(Problem(),)),))
    with pytest.raises(ValueError, match="tolerance"):
        SeriesDesign(series=(TransitionsDesign(problems=(Problem(), Problem(task="sub")), tolerance=0.0),))


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda one: one.name)
def test_standard_is_small_and_paper_is_that_of_the_papers(experiment: object) -> None:
    designs = experiment.designs  # type: ignore[attr-defined]
    assert set(designs) == {"standard", "paper"}
    assert work_of(stages(designs["standard"])).flops < 2e13 < work_of(stages(designs["paper"])).flops
    for series in designs["paper"].series:
        for problem in series.problems:
            assert (problem.model, problem.learning_rate) == ("transformer", 1e-3)
            assert problem.modulus >= 112 or experiment is MODULI


def test_series_differ_in_one_respect() -> None:
    for experiment, field in (
        (MODEL_SIZES, "width"),
        (MODULI, "modulus"),
    ):
        for design in experiment.designs.values():
            for series in design.series:
                first, *others = series.problems
                for other in others:
                    assert replace(other, **{field: getattr(first, field)}) == first
