import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from dcrit.empirics.measures import critical_size as sizes
from dcrit.empirics.measures.critical_size import (
    Psychometric,
    measure_multitask_critical_size,
    multitask_sizes_and_accuracies,
)
from dcrit.empirics.runs.multitask import MultitaskConfig, MultitaskCurves, MultitaskRun, beside_facts
from dcrit.theory.problems.problem import Problem

PROBLEM = Problem(modulus=19)
TEMPLATE = beside_facts(PROBLEM, n_train=1, n_facts=40, seed=7)


@dataclass(kw_only=True)
class Pretender:
    """A runner that trains nothing: final accuracy is a logistic curve in ln D, with scatter between seeds."""

    midpoint: float
    diverging: int = -1
    asked: list[MultitaskConfig] = field(default_factory=list)

    def __call__(self, configs: Sequence[MultitaskConfig], /, *, stage: str = "several tasks") -> list[MultitaskRun]:
        self.asked += configs
        return [self.run(config) for config in configs]

    def run(self, config: MultitaskConfig) -> MultitaskRun:
        curve = Psychometric(midpoint=self.midpoint, width=0.1)
        steps = np.array(config.evaluation_steps(), dtype=np.float64)
        noise = 0.02 * np.random.default_rng(config.seed).standard_normal()
        final = min(1.0, max(0.0, curve.accuracy(config.components[0].n_train) + noise))
        accuracy = np.tile([final, 0.05], (len(steps), 1))
        blank = np.zeros_like(accuracy)
        curves = MultitaskCurves(
            step=steps,
            train_loss=blank,
            train_accuracy=blank,
            test_loss=blank,
            test_accuracy=accuracy,
            squared_norm=blank[:, 0],
        )
        ending = "diverged" if config.seed == self.diverging else "horizon"
        return MultitaskRun(config=config, curves=curves, ending=ending, seconds=0.0)


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "RESAMPLES", 12)


@pytest.mark.parametrize("midpoint", [120.0, 210.0, 300.0])
def test_the_size_is_found(midpoint: float) -> None:
    measured, runs = measure_multitask_critical_size(TEMPLATE, Pretender(midpoint=midpoint))
    assert measured.value == pytest.approx(midpoint, rel=0.03)
    assert measured.interval is not None
    assert measured.n_runs == len(runs) == 24


def test_only_size_and_seed_vary_and_no_seed_comes_twice() -> None:
    train = Pretender(midpoint=200.0)
    _, runs = measure_multitask_critical_size(TEMPLATE, train, tolerance=1e-6, max_runs=30)
    assert [run.config for run in runs] == train.asked
    assert [config.seed for config in train.asked] == list(range(7, 37))
    assert {config.with_n_train(1, seed=7) for config in train.asked} == {TEMPLATE}


def test_no_transition_is_an_outcome() -> None:
    measured, runs = measure_multitask_critical_size(TEMPLATE, Pretender(midpoint=5000.0))
    assert (measured.value, measured.n_runs) == (None, len(runs))
    assert "does not reach one half at every size from 43 to 325" in measured.reason


def test_diverged_runs_are_counted_and_left_out() -> None:
    measured, runs = measure_multitask_critical_size(TEMPLATE, Pretender(midpoint=200.0, diverging=12))
    assert (measured.n_unconverged, measured.n_runs) == (1, len(runs) - 1)
    assert measured.value == pytest.approx(200.0, rel=0.03)


def test_accuracies_of_two_classes_are_above_chance() -> None:
    template = beside_facts(Problem(task="sparse-parity", modulus=6), n_train=40, n_facts=5)
    n_train, accuracy = multitask_sizes_and_accuracies([Pretender(midpoint=40.0).run(template)])
    raw = Pretender(midpoint=40.0).run(template).settled("test_accuracy")
    assert n_train.tolist() == [40.0]
    assert accuracy.tolist() == [max(0.0, 2 * raw - 1)]
    assert math.isfinite(raw)
