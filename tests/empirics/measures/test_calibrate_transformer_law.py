import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from dcrit.empirics.measures.calibrate_transformer_law import TransformerLawDesign, measure_transformer_law
from dcrit.empirics.runs.outcomes import level_beyond_mirrors
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.theory.calibrations.thresholds import Thresholds, thresholds_of
from dcrit.theory.checks import FieldError
from dcrit.theory.circuits.clock import Pace
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import run_of

ADDITION = Problem(model="transformer", activation="relu", learning_rate=3e-3)

#: Of ln D between the seeds of these worlds.
SCATTER = 0.15

SHIPPED = thresholds_of(Problem(model="transformer"))


@dataclass(kw_only=True)
class Lucky:
    """A laboratory that trains nothing: networks generalize when a law says so of a seed's own size.

    Attributes:
        law: What decides.
        asked: Every configuration that was asked for.
    """

    law: Thresholds
    asked: list[RunConfig] = field(default_factory=list)

    def __call__(self, configs: Sequence[RunConfig], /, *, stage: str) -> list[Run]:
        assert stage
        self.asked += configs
        return [self.run(config) for config in configs]

    def luck(self, config: RunConfig) -> float:
        return math.exp(SCATTER * np.random.default_rng(int(config.address, 16)).standard_normal())

    def time(self, config: RunConfig) -> float:
        found = self.law.law.clock(config.problem.n_symbols, config.problem.width).time(
            self.luck(config) * config.n_train
        )
        return min(1e9, float(found))

    def run(self, config: RunConfig) -> Run:
        step = np.array(config.evaluation_steps(), dtype=np.float64)
        if config.start == "generalized":
            rest = self.law.clocks(config.problem).half.rest
            accuracy = np.full_like(step, 1 / (1 + (self.luck(config) * config.n_train / rest) ** -5))
            accuracy[0] = 1.0
        else:
            accuracy = np.minimum(1.0, level_beyond_mirrors(config) * step / self.time(config))
        return run_of(config, test_accuracy=accuracy)


def moved(**steps: float) -> Thresholds:
    """The law that ships with other constants."""
    law = SHIPPED
    for name, step in steps.items():
        law = replace(law, law=law.law.moved(name, step))
    return law


@pytest.fixture(scope="module")
def measured() -> tuple[Thresholds, list[RunConfig]]:
    world = Lucky(law=SHIPPED)
    return measure_transformer_law(TransformerLawDesign(problem=ADDITION), world), world.asked


def distance(found: Thresholds, truth: Thresholds, problem: Problem, horizon: int) -> float:
    return abs(math.log(found.clocks(problem).size(0.5, horizon) / truth.clocks(problem).size(0.5, horizon)))


@pytest.mark.slow
def test_constants_that_made_the_times_are_found_again(measured: tuple[Thresholds, list[RunConfig]]) -> None:
    found, _ = measured
    assert (found.tasks, found.model, found.activation) == (("add", "mul"), "transformer", "relu")
    for modulus, width in ((53, 24), (79, 32), (113, 48)):
        far = replace(ADDITION, modulus=modulus, width=width)
        assert found.silence(far, 13_333) == ""
        assert distance(found, SHIPPED, far, 13_333) < min(0.12, 2 * found.deviation(far, 13_333))
    assert found.law.thresholds.rest == pytest.approx(SHIPPED.law.thresholds.rest, rel=0.15)
    # A tenth of the seeds lies 1.28 standard deviations below the median.
    assert found.law.levels.low == pytest.approx(1.28155 * SCATTER, rel=0.3)


@pytest.mark.slow
def test_a_task_that_needs_more_is_looked_at_further_up() -> None:
    truth = moved(prefactor=0.3)
    world = Lucky(law=truth)
    found = measure_transformer_law(TransformerLawDesign(problem=ADDITION, widths=(16, 32)), world)
    assert distance(found, truth, replace(ADDITION, modulus=53, width=24), 13_333) < 0.12


@pytest.mark.slow
def test_another_optimizer_has_a_pace_of_its_own() -> None:
    slow = replace(ADDITION, learning_rate=1.5e-3)
    truth = moved(rate=-math.log(2))
    found = measure_transformer_law(TransformerLawDesign(problem=slow, widths=(16, 32)), Lucky(law=truth))
    assert found.law.pace == Pace(learning_rate=1.5e-3)
    assert found.calibrated.steps == (300.0, 26_667)
    far = replace(slow, modulus=53, width=24)
    size = float(truth.law.clock(53, 24).critical_size(26_667))
    assert found.clocks(far).size(0.5, 26_667) == pytest.approx(size, rel=0.12)


@pytest.mark.slow
def test_no_run_is_at_a_large_modulus_and_all_take_forty_minutes_at_most(
    measured: tuple[Thresholds, list[RunConfig]],
) -> None:
    _, asked = measured
    world, operations, before = Lucky(law=SHIPPED), 0.0, set[RunConfig]()
    assert max(config.problem.modulus for config in asked) == 43
    for config in asked:
        problem = config.problem
        steps: float = config.horizon
        if config.start == "generalized":
            before.add(config.before)
        else:
            assert config.until == "beyond-mirrors"
            steps = min(steps, world.time(config) + problem.time_constant)
        operations += steps * problem.step_flops(config.n_train)
    operations += sum(config.horizon * config.problem.step_flops(config.n_train) for config in before)
    # Two cores, at 1.5e10 operations a second each.
    assert operations < 2 * 40 * 60 * 1.5e10


def test_a_world_in_which_nothing_generalizes_has_no_law() -> None:
    with pytest.raises(ValueError, match="0 generalized neither too early nor too late"):
        measure_transformer_law(TransformerLawDesign(problem=ADDITION), Lucky(law=moved(prefactor=3.0)))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"problem": replace(ADDITION, task="random")}, "task must have a rule"),
        ({"problem": replace(ADDITION, task="sum-squares")}, "task must be another"),
        ({"seeds": 0}, "seeds must"),
        ({"moduli": (29,)}, "modulus must be given at least 2"),
        ({"widths": (16, 16)}, "width must be given at least 2"),
    ],
)
def test_a_bad_design_is_refused(changed: dict[str, object], says: str) -> None:
    with pytest.raises(FieldError, match=says):
        TransformerLawDesign(**{"problem": ADDITION, **changed})  # type: ignore[arg-type]
