import math
from collections.abc import Sequence

import numpy as np
import pytest

from dcrit.empirics.experiments.transitions import MOST_FROM_ABOVE, Counted, DirectionsDesign, Method, Starts
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.empirics.training.work import flops_of
from dcrit.theory.calibrations.thresholds import thresholds_of
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import run_of

PROBLEM = Problem(modulus=31, width=128)
LAW = thresholds_of(PROBLEM)
AT_REST = LAW.clocks(PROBLEM).half.rest


class Shrunk:
    """A runner whose networks all generalized before, and whose accuracy falls to where the size puts it."""

    def __init__(self, size: float, *, width: float = 0.1, scatter: float = 0.02) -> None:
        self.size, self.width, self.scatter = size, width, scatter
        self.asked: list[RunConfig] = []

    def __call__(self, configs: Sequence[RunConfig], /, *, stage: str) -> list[Run]:
        self.asked += configs
        return [self.run(config) for config in configs]

    def run(self, config: RunConfig) -> Run:
        noise = self.scatter * np.random.default_rng([config.seed, round(self.size)]).standard_normal()
        final = 1 / (1 + math.exp(-(math.log(config.n_train / self.size) + noise) / self.width))
        progress = np.minimum(1.0, 2 * np.array(config.evaluation_steps()) / config.horizon)
        return run_of(config, train_loss=1e-3, squared_norm=100.0, test_accuracy=1 + (final - 1) * progress)


@pytest.mark.parametrize("factor", [0.8, 0.93, 1.0, 1.08, 1.25])
def test_a_size_from_above_takes_eight_horizons_and_is_where_accuracy_falls(factor: float) -> None:
    run = Shrunk(factor * AT_REST)
    found = DirectionsDesign(problem=PROBLEM, start="generalized").measure(run)["generalized"]
    assert found.steps == sum(one.total_steps for one in run.asked) <= MOST_FROM_ABOVE * PROBLEM.horizon
    assert found.measured.value == pytest.approx(run.size, rel=0.06)
    assert found.measured.interval is not None
    first = [one.n_train for one in run.asked[:2]]
    assert first[0] < AT_REST < first[1]


@pytest.mark.parametrize("tolerance", [1e-6, 0.05])
def test_no_tolerance_and_no_number_of_runs_takes_more(tolerance: float) -> None:
    run = Shrunk(AT_REST)
    DirectionsDesign(problem=PROBLEM, start="generalized", tolerance=tolerance, max_runs=1000).measure(run)
    assert sum(one.total_steps for one in run.asked) == MOST_FROM_ABOVE * PROBLEM.horizon
    few = Shrunk(AT_REST)
    DirectionsDesign(problem=PROBLEM, start="generalized", max_runs=3).measure(few)
    assert len(few.asked) == 3


@pytest.mark.slow
def test_intervals_from_above_cover_the_size() -> None:
    covered = 0
    for k in range(40):
        run = Shrunk(AT_REST * (0.85 + 0.3 * k / 39), scatter=0.03)
        interval = DirectionsDesign(problem=PROBLEM, start="generalized").measure(run)["generalized"].measured.interval
        covered += interval is not None and run.size in interval
    # 90 % of 40; fewer than 31 have a probability of 0.005.
    assert covered >= 31


def test_where_no_law_speaks_other_sizes_say_where_to_look() -> None:
    transformer = Problem(modulus=23, width=32, model="transformer", activation="relu", learning_rate=3e-3)
    run = Shrunk(200.0)
    found = DirectionsDesign(problem=transformer, start="generalized").measure(run)["generalized"]
    assert found.steps <= MOST_FROM_ABOVE * transformer.horizon
    assert all(1 <= one.n_train < 529 for one in run.asked)


def test_steps_that_were_taken_are_counted_and_no_others() -> None:
    def ends_early(configs: Sequence[RunConfig], /, *, stage: str) -> list[Run]:
        return [run_of(RunConfig(problem=PROBLEM, n_train=one.n_train, seed=one.seed, steps=700)) for one in configs]

    counted = Counted(ends_early)
    counted([RunConfig(problem=PROBLEM, n_train=300, seed=k) for k in range(3)], stage="some")
    assert counted.steps == 2100
    counted([RunConfig(problem=PROBLEM, n_train=300, seed=0, start="generalized")], stage="one")
    assert counted.steps == 2100 + PROBLEM.horizon + 700


@pytest.mark.parametrize(
    ("start", "method"),
    [("scratch", "posterior"), ("generalized", "posterior"), ("both", "posterior"), ("scratch", "clock")],
)
def test_no_measurement_takes_more_than_is_told_before(start: Starts, method: Method) -> None:
    run = Shrunk(AT_REST)
    design = DirectionsDesign(problem=PROBLEM, start=start, method=method, tolerance=1e-6, max_runs=12)
    told = [config for stage in design.stages() for config in stage.runs if isinstance(config, RunConfig)]
    design.measure(run)
    assert 0 < sum(one.total_steps for one in run.asked) <= sum(one.total_steps for one in told)
    assert flops_of(run.asked) <= flops_of(told)
