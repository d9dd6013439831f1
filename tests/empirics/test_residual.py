import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from dcrit.empirics.critical_size import measure_critical_size
from dcrit.empirics.ensemble import Ensemble, train
from dcrit.empirics.outcomes import Outcome, outcome_of
from dcrit.empirics.residual import Mending, Residual, collapsed_loss
from dcrit.empirics.runs import Precision, RunConfig
from dcrit.theory.estimates import Measurement
from dcrit.theory.problem import Problem

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


def test_subtraction_loses_what_the_other_classes_keep() -> None:
    weights = weights_with_padding()
    logits, labels = logits_with_margins([3.0, 18.0, 60.0])
    expected = literal(logits, labels, weights)
    residual = Residual(labels, weights)
    subtracted = residual.of(logits.clone())
    at_label = labels[:, None]
    assert relative_error(subtracted[0], expected[0]) < 1e-5
    # At a margin of 18 nats a tenth is rounding; at 60 all of it is gone, and the logit stands still.
    assert relative_error(subtracted[1], expected[1]) > 0.03
    assert (subtracted.gather(1, at_label)[2] == 0).all()
    residual.mend(torch.tensor([True, True, True]))
    assert relative_error(residual.of(logits.clone()), expected) < 1e-5


def test_members_that_have_not_collapsed_keep_their_bits() -> None:
    weights = weights_with_padding()
    logits, labels = logits_with_margins([3.0, 18.0, 60.0])
    residual = Residual(labels, weights)
    before = residual.of(logits.clone())
    residual.mend(torch.tensor([False, False, True]))
    after = residual.of(logits.clone())
    assert torch.equal(after[:2], before[:2])
    assert not torch.equal(after[2], before[2])
    residual.mend(torch.tensor([False, False, False]))
    assert torch.equal(residual.of(logits.clone()), before)


def test_the_loss_that_collapses_is_the_precision_of_one() -> None:
    for dtype in (torch.float32, torch.float64):
        one = torch.ones((), dtype=dtype)
        assert one - torch.tensor(0.9 * collapsed_loss(dtype) / 2, dtype=dtype) == 1
        assert one - torch.tensor(2 * collapsed_loss(dtype), dtype=dtype) < 1


@pytest.fixture
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def collapsing(seed: int, precision: Precision = "float32", steps: int = 3000) -> RunConfig:
    # So little weight decay that the margin grows until float32 sees no loss.
    problem = Problem(modulus=5, width=16, learning_rate=3e-2, weight_decay=1e-3)
    return RunConfig(problem=problem, n_train=12, seed=seed, steps=steps, precision=precision)


@pytest.mark.usefixtures("_one_thread")
def test_need_is_seen_at_evaluations_and_carried_along() -> None:
    ensemble = Ensemble([collapsing(seed) for seed in range(3)])
    assert isinstance(ensemble.step, Mending)
    ensemble.models.theta[1] *= 20
    values = ensemble.evaluate()
    assert ensemble.data["collapsed"].tolist() == [bool(loss < collapsed_loss(torch.float32)) for loss in values[:, 0]]
    assert not ensemble.data["collapsed"].all()
    ensemble.data["collapsed"][2] = True
    ensemble.keep([2, 0])
    assert ensemble.data["collapsed"].tolist() == [True, False]


@pytest.mark.usefixtures("_one_thread")
def test_members_mended_or_not_do_not_depend_on_their_batch() -> None:
    configs = [collapsing(seed, steps=1500) for seed in range(3)]
    together = train(configs)
    for config, run in zip(configs, together, strict=True):
        (alone,) = train([config])
        assert alone.curves.squared_norm.tolist() == pytest.approx(run.curves.squared_norm.tolist(), rel=1e-6)
    assert min(run.curves.train_loss.min() for run in together) < collapsed_loss(torch.float32)


#: Problems that are small and learned within a thousand steps, with sizes around their transition.
PROBLEMS = [
    (Problem(task="mul", modulus=11, width=16, learning_rate=2e-2), (40, 50, 60, 70, 80)),
    (Problem(task="sum-squares", modulus=11, width=32, activation="relu", learning_rate=2e-2), (50, 65, 80, 95, 110)),
]


def critical_size(problem: Problem, sizes: tuple[int, ...], precision: Precision) -> Measurement:
    outcomes: list[Outcome] = []
    for size in sizes:
        configs = [
            RunConfig(problem=problem, n_train=size, seed=10 * size + k, steps=1000, precision=precision)
            for k in range(4)
        ]
        outcomes += [outcome_of(run) for run in train(configs)]
    return measure_critical_size(outcomes)


@pytest.mark.usefixtures("_one_thread")
@pytest.mark.parametrize(("problem", "sizes"), PROBLEMS, ids=["square", "relu"])
def test_the_critical_size_does_not_move_with_precision(problem: Problem, sizes: tuple[int, ...]) -> None:
    single, double = critical_size(problem, sizes, "float32"), critical_size(problem, sizes, "float64")
    assert single.interval is not None
    assert double.interval is not None
    assert single.interval.overlaps(double.interval)
    assert single.estimate == pytest.approx(double.estimate, rel=0.03)
