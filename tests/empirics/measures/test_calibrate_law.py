import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from dcrit.empirics.measures.calibrate_law import LawDesign, lack_of_law, measure_law
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.theory.calibrations.thresholds import Thresholds, thresholds_of
from dcrit.theory.checks import FieldError
from dcrit.theory.circuits.clock import Pace
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import run_of

SQUARE, RELU = Problem(), Problem(activation="relu")


@dataclass(kw_only=True)
class Timed:
    """A laboratory that trains nothing: networks generalize when a law says so, on more or less luck of their own.

    Attributes:
        law: What decides.
        scatter: Standard deviation of ln D between runs.
        asked: Every configuration that was asked for.
    """

    law: Thresholds
    scatter: float = 0.03
    asked: list[RunConfig] = field(default_factory=list)

    def __call__(self, configs: Sequence[RunConfig], /, *, stage: str) -> list[Run]:
        assert stage
        self.asked += configs
        return [self.run(config) for config in configs]

    def run(self, config: RunConfig) -> Run:
        problem, step = config.problem, np.array(config.evaluation_steps(), dtype=np.float64)
        luck = math.exp(self.scatter * np.random.default_rng(int(config.address, 16)).standard_normal())
        clocks = self.law.clocks(problem)
        if config.start == "generalized":
            accuracy = np.full_like(step, 1 / (1 + (luck * config.n_train / clocks.half.rest) ** -8))
            accuracy[0] = 1.0
            return run_of(config, test_accuracy=accuracy)
        times = [min(1e9, float(clocks.time(level, luck * config.n_train))) for level in (0.1, 0.5, 0.9)]
        times = [time + 1e-3 * place for place, time in enumerate(times)]
        return run_of(config, test_accuracy=np.interp(step, [0.0, *times, 1.5 * times[-1]], [0.0, 0.1, 0.5, 0.9, 1.0]))


def moved(law: Thresholds, **steps: float) -> Thresholds:
    """A law with other constants."""
    for name, step in steps.items():
        law = replace(law, law=law.law.moved(name, step))
    return law


@pytest.mark.slow
@pytest.mark.parametrize(
    "truth",
    [
        thresholds_of(SQUARE),
        thresholds_of(RELU),
        moved(thresholds_of(SQUARE), prefactor=0.25, rest=0.2, load=0.1),
        moved(thresholds_of(RELU), prefactor=-0.2, rate=0.3),
    ],
    ids=["square", "relu", "larger", "faster"],
)
def test_constants_that_made_the_times_are_found_again(truth: Thresholds) -> None:
    world, problem = Timed(law=truth), Problem(activation=truth.activation)
    found = measure_law(LawDesign(problem=problem), world)
    assert (set(found.tasks), found.model, found.activation) == (set(truth.tasks), "mlp", truth.activation)
    for modulus, width in ((53, 128), (113, 128), (199, 256)):
        far = replace(problem, modulus=modulus, width=width)
        assert found.silence(far, 4000) == ""
        error = math.log(found.clocks(far).size(0.5, 4000) / truth.clocks(far).size(0.5, 4000))
        assert abs(error) < 0.09
        assert abs(error) < 2 * found.deviation(far, 4000)
    assert found.law.thresholds.rest == pytest.approx(truth.law.thresholds.rest, rel=0.08)
    for level in (0.1, 0.9):
        own, true = (law.law.levels.shifts(41, 96)[level] for law in (found, truth))
        assert own == pytest.approx(true, rel=0.25)


@pytest.fixture(scope="module")
def asked() -> list[RunConfig]:
    world = Timed(law=thresholds_of(SQUARE))
    measure_law(LawDesign(problem=SQUARE), world)
    return world.asked


def test_no_run_is_at_a_critical_size_or_at_a_large_modulus(asked: list[RunConfig]) -> None:
    law = thresholds_of(SQUARE)
    assert max(config.problem.modulus for config in asked) == 47
    scratch = [config for config in asked if config.start == "scratch"]
    for config in scratch:
        assert config.until in ("half", "generalized")
        assert config.n_train > law.clocks(config.problem).size(0.5, 3000)
    assert len(scratch) <= 12 + 12 + 12 * 3 * 2
    assert len(asked) - len(scratch) == 4 + 3 * 4


@pytest.mark.slow
@pytest.mark.parametrize("task", ["add", "square-of-sum", "sum-squares"])
@pytest.mark.parametrize("activation", ["square", "relu"])
def test_its_operations_are_counted(task: str, activation: str) -> None:
    # What two cores do in three minutes at 2e10 operations a second each, if no run ended early.
    law = thresholds_of(Problem(task=task, activation=activation))
    world = Timed(law=law)
    measure_law(LawDesign(problem=Problem(task=task, activation=activation)), world)
    operations = 0.0
    for config in world.asked:
        steps: float = config.total_steps
        if config.start == "scratch" and config.until == "half":
            steps = min(steps, float(law.clocks(config.problem).time(0.5, config.n_train)) + 100)
        operations += steps * config.problem.step_flops(config.n_train)
    assert operations < 2 * 180 * 2e10


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["square", "relu"])
def test_images_leave_a_law_of_sum_squares_at_moduli_that_are_large_enough(activation: str) -> None:
    problem = Problem(task="sum-squares", activation=activation)
    world = Timed(law=thresholds_of(problem))
    found = measure_law(LawDesign(problem=problem), world)
    assert found.tasks == thresholds_of(problem).tasks
    assert {config.problem.modulus for config in world.asked} == {41, 43, 47}
    far = replace(problem, modulus=113)
    assert found.clocks(far).size(0.5, 4000) == pytest.approx(world.law.clocks(far).size(0.5, 4000), rel=0.09)


def test_another_optimizer_has_a_pace_of_its_own() -> None:
    slow = replace(SQUARE, weight_decay=0.5)
    truth = thresholds_of(SQUARE)
    found = measure_law(LawDesign(problem=slow), Timed(law=truth))
    assert found.law.pace == Pace(weight_decay=0.5)
    far = replace(slow, modulus=53)
    assert found.clocks(far).size(0.5, 8000) == pytest.approx(truth.clocks(far).size(0.5, 8000), rel=0.09)


def test_a_world_in_which_nothing_generalizes_has_no_law() -> None:
    hopeless = Timed(law=moved(thresholds_of(SQUARE), prefactor=3.0))
    with pytest.raises(ValueError, match="0 runs from scratch"):
        measure_law(LawDesign(problem=SQUARE), hopeless)


@pytest.mark.parametrize(
    ("problem", "says"),
    [
        (Problem(task="random"), "task must have a rule"),
        (Problem(task="sum-squares", model="transformer", activation="relu"), "task must be another"),
    ],
)
def test_what_has_no_such_law_is_refused(problem: Problem, says: str) -> None:
    with pytest.raises(FieldError, match=says):
        LawDesign(problem=problem)
    assert lack_of_law(SQUARE) is None


@pytest.mark.parametrize("changed", [{"seeds": 0}, {"moduli": (19,)}, {"widths": (48, 48)}])
def test_a_bad_design_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(FieldError):
        LawDesign(problem=SQUARE, **changed)  # type: ignore[arg-type]
