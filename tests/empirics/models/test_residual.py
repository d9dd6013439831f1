import math
from typing import get_args

import pytest
import torch
from torch import Tensor

from dcrit.empirics.measures.critical_size import measure_critical_size
from dcrit.empirics.models.loss import residual_of
from dcrit.empirics.runs.outcomes import Outcome, outcome_of
from dcrit.empirics.runs.single import Precision, RunConfig
from dcrit.empirics.training.ensemble import train
from dcrit.theory.estimates import Estimate
from dcrit.theory.problems.problem import Problem

N_MEMBERS, N_CLASSES, N_ROWS = 3, 5, 6


def logits_with_margins(margins: list[float]) -> tuple[Tensor, Tensor]:
    """Logits (M, C, R) in float32, labels (M, R): every example of a member has its margin, give or take a nat."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(N_CLASSES, (N_MEMBERS, N_ROWS), generator=generator)
    logits = torch.rand(N_MEMBERS, N_CLASSES, N_ROWS, generator=generator)
    logits.scatter_add_(1, labels[:, None], torch.tensor(margins)[:, None, None].expand(-1, 1, N_ROWS).contiguous())
    return logits, labels


def literal(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """In float64, the correct class from the others, entry by entry."""
    out = torch.zeros(logits.shape, dtype=torch.float64)
    for m in range(logits.shape[0]):
        for r in range(logits.shape[2]):
            row, label = logits[m, :, r].double().tolist(), int(labels[m, r])
            total = sum(math.exp(value - max(row)) for value in row)
            q = [math.exp(value - max(row)) / total for value in row]
            for c in range(logits.shape[1]):
                away = -sum(q[other] for other in range(len(q)) if other != c)
                out[m, c, r] = float(weights[m, r]) * (away if c == label else q[c])
    return out


def relative_error(got: Tensor, expected: Tensor) -> float:
    nonzero = expected != 0
    return ((got.double() - expected)[nonzero] / expected[nonzero]).abs().max().item()


def weights_with_padding() -> Tensor:
    weights = torch.full((N_MEMBERS, N_ROWS), 1 / N_ROWS)
    weights[:, -1] = 0
    return weights


def test_the_correct_class_has_the_precision_of_the_others_at_every_margin() -> None:
    weights = weights_with_padding()
    logits, labels = logits_with_margins([3.0, 18.0, 60.0])
    expected = literal(logits, labels, weights)
    q = torch.softmax(logits, 1)
    subtracted = (q - torch.nn.functional.one_hot(labels, N_CLASSES).mT) * weights[:, None]
    # At a margin of 18 nats a subtraction is rounding by a tenth; at 60 all is gone, and the logit stands still.
    assert relative_error(subtracted[1], expected[1]) > 0.03
    assert (subtracted.gather(1, labels[:, None])[2] == 0).all()
    found = residual_of(q.clone(), labels[:, None], weights[:, None])
    assert relative_error(found, expected) < 1e-5
    assert (found[:, :, -1] == 0).all()


def test_residuals_take_the_place_of_probabilities_and_sum_to_nothing() -> None:
    logits, labels = logits_with_margins([0.0, 2.0, 5.0])
    q = torch.softmax(logits.double(), 1)
    found = residual_of(q, labels[:, None], weights_with_padding().double()[:, None])
    assert found.data_ptr() == q.data_ptr()
    assert found.sum(1).abs().max() < 1e-15


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["relu", "square"])
def test_runs_at_rest_agree_with_double_precision(activation: str) -> None:
    """By subtraction, the settled norms of these networks were off by a factor of two to four."""
    problem = Problem(modulus=7, width=64, activation=activation, learning_rate=3e-2, weight_decay=0.3)
    settled = {}
    for precision in get_args(Precision):
        runs = train([RunConfig(problem=problem, n_train=40, seed=k, precision=precision) for k in range(2)])
        settled[precision] = [outcome_of(run).squared_norm for run in runs]
    assert settled["float32"] == pytest.approx(settled["float64"], rel=0.1)


#: Problems that are small and learned within a thousand steps, with sizes around their transition.
PROBLEMS = [
    (Problem(task="mul", modulus=11, width=16, learning_rate=2e-2), (40, 50, 60, 70, 80)),
    (Problem(task="sum-squares", modulus=11, width=32, activation="relu", learning_rate=2e-2), (50, 65, 80, 95, 110)),
]


def critical_size(problem: Problem, sizes: tuple[int, ...], precision: Precision) -> Estimate:
    outcomes: list[Outcome] = []
    for size in sizes:
        configs = [
            RunConfig(problem=problem, n_train=size, seed=10 * size + k, steps=1000, precision=precision)
            for k in range(4)
        ]
        outcomes += [outcome_of(run) for run in train(configs)]
    return measure_critical_size(outcomes)


@pytest.mark.slow
@pytest.mark.parametrize(("problem", "sizes"), PROBLEMS, ids=["square", "relu"])
def test_the_critical_size_does_not_move_with_precision(problem: Problem, sizes: tuple[int, ...]) -> None:
    single, double = critical_size(problem, sizes, "float32"), critical_size(problem, sizes, "float64")
    assert single.interval is not None
    assert double.interval is not None
    assert single.interval.overlaps(double.interval)
    assert single.value == pytest.approx(double.value, rel=0.03)
