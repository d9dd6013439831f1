"""The measured critical size is the same whether the runs behind it are trained fast or literally."""

from collections.abc import Sequence

import pytest

from dcrit.empirics.measures.critical_size import measure_critical_size, transition_width
from dcrit.empirics.runs.outcomes import Outcome, outcome_of
from dcrit.empirics.runs.single import Curves, Run, RunConfig
from dcrit.empirics.training.batches import plan_batches
from dcrit.empirics.training.ensemble import train
from dcrit.theory.problems.problem import Problem
from tests.worlds.oracle import train_literally

STEPS = 300
SEEDS = 3

# Problems that are small, and learned within so few steps from half of their pairs or so.
PROBLEMS = [
    (Problem(task="sum-squares", modulus=7, width=16, learning_rate=2e-2), (12, 18, 24, 30, 36, 42)),
    (Problem(task="sum-squares", modulus=7, width=16, activation="relu", learning_rate=2e-2), (12, 18, 24, 30, 36, 42)),
    (Problem(task="mul", modulus=11, width=16, learning_rate=2e-2), (50, 65, 80, 95)),
    (Problem(task="sparse-parity", modulus=6, width=16, learning_rate=2e-2), (6, 10, 16, 24, 36)),
]


def trained_fast(configs: Sequence[RunConfig]) -> list[Outcome]:
    runs = {run.config: run for batch in plan_batches(configs) for run in train(batch.configs)}
    return [outcome_of(runs[config]) for config in configs]


def trained_literally(configs: Sequence[RunConfig]) -> list[Outcome]:
    return [
        outcome_of(Run(config=config, curves=Curves(**train_literally(config)[0]), ending="horizon", seconds=0.0))
        for config in configs
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("problem", "sizes"), PROBLEMS, ids=[f"{problem.task}-{problem.activation}" for problem, _ in PROBLEMS]
)
def test_the_critical_size_is_the_oracles(problem: Problem, sizes: tuple[int, ...]) -> None:
    configs = [
        RunConfig(problem=problem, n_train=size, seed=seed, steps=STEPS, precision="float64")
        for size in sizes
        for seed in range(SEEDS)
    ]
    fast, literal = trained_fast(configs), trained_literally(configs)
    assert [one.test_accuracy for one in fast] == [one.test_accuracy for one in literal]
    assert [one.train_accuracy for one in fast] == [one.train_accuracy for one in literal]
    for one, other in zip(fast, literal, strict=True):
        assert one.efficiency == pytest.approx(other.efficiency, rel=1e-6)
        assert one.converged == other.converged
    found, expected = measure_critical_size(fast), measure_critical_size(literal)
    # A transition there is, or its place would say nothing.
    assert expected.value is not None
    assert expected.interval is not None
    assert found.interval is not None
    assert sizes[0] < expected.value < sizes[-1]
    assert found.value == pytest.approx(expected.value, rel=1e-9)
    assert transition_width(fast) == pytest.approx(transition_width(literal), rel=1e-9)
    assert (found.interval.low, found.interval.high) == pytest.approx(
        (expected.interval.low, expected.interval.high), rel=1e-9
    )
    assert found.n_runs == expected.n_runs == len(configs)
