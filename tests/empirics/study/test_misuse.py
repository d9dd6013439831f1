"""What people hand to a study by mistake is named, with what to give instead; nothing of it is measured silently."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import dcrit
from dcrit.theory.checks import FieldError

SIGNS, PARITY = dcrit.sparse_parity(6, 2, 64)
PAIRS, SUMS = dcrit.pairs("add", 7)
QUICK: dict[str, Any] = {"steps": 8, "sizes": (10, 40), "seeds": 1, "predict": False}


def mlp(n_in: int = 6, n_out: int = 2) -> nn.Module:
    return nn.Sequential(nn.Linear(n_in, 8), nn.ReLU(), nn.Linear(8, n_out))


class Returning(nn.Module):
    """A linear layer, and what is made of its logits."""

    def __init__(self, make: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.layer, self.make = nn.Linear(6, 2), make

    def forward(self, inputs: Tensor) -> Any:
        return self.make(self.layer(inputs))


class Embedded(nn.Module):
    def __init__(self, n_symbols: int) -> None:
        super().__init__()
        self.symbols, self.out = nn.Embedding(n_symbols, 8), nn.Linear(8, 7)

    def forward(self, pairs: Tensor) -> Tensor:
        return self.out(self.symbols(pairs).sum(1))


class Positions(Embedded):
    """Logits at every position."""

    def forward(self, pairs: Tensor) -> Tensor:
        return self.out(self.symbols(pairs))


def normed() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))


def failing_in_training(logits: Tensor) -> Tensor:
    if logits.requires_grad:
        raise RuntimeError("too many")
    return logits


def growing() -> Callable[[int], nn.Module]:
    sizes = iter(range(8, 100))
    return lambda seed: nn.Sequential(nn.Linear(6, width := next(sizes)), nn.Linear(width, 2))


def failing_from(seed: int) -> nn.Module:
    return mlp() if seed < 1 else mlp(1 // 0)


def study(factory: Any, inputs: Any = SIGNS, labels: Any = PARITY, **more: Any) -> dcrit.Study:
    return dcrit.study(factory, inputs, labels, **QUICK | more)


@pytest.mark.parametrize(
    ("factory", "says"),
    [
        (lambda seed: mlp(1 // 0), "return a new module, as for seed 0, got ZeroDivisionError: integer division"),
        (failing_from, "return a new module, as for seed 1, got ZeroDivisionError: integer division"),
        (lambda seed: Returning(lambda out: (out, None)), r"shape \(n, 2\), got tuple: return the logits alone"),
        (lambda seed: Returning(lambda out: {"logits": out}), r"shape \(n, 2\), got dict: return the logits alone"),
        (lambda seed: mlp(6, 1), r"shape \(n, 2\), got \(64, 1\): two classes have two logits"),
        (lambda seed: Returning(lambda out: out[:, 0]), r"shape \(n, 2\), got \(64,\): two classes have two logits"),
        (lambda seed: mlp(6, 3), r"got \(64, 3\): n_classes=3 says that there are more classes than labels show"),
        (lambda seed: Returning(lambda out: out.softmax(-1)), "gives logits, got probabilities: .* leave it out there"),
        (lambda seed: Returning(lambda out: out * torch.nan), "logits are finite before training, got values that are"),
        (lambda seed: Returning(failing_in_training), r"trained on \d+ examples at once, got RuntimeError: too many"),
        (lambda seed: Returning(Tensor.detach), "examples at once, got RuntimeError: element 0 of tensors does not"),
        (lambda seed: mlp().double(), "inputs float32 .* got Float and Double; it takes them as torch.float64"),
        (lambda seed: mlp().half(), "float32, float64 or bfloat16, got one of float16"),
        (growing(), "return modules of one size, got modules of 74 and 83 and 92 parameters"),
        (lambda seed: nn.ReLU(), "return a module with parameters to train"),
    ],
)
def test_what_is_wrong_with_a_factory_is_told(factory: Any, says: str) -> None:
    with pytest.raises(FieldError, match=f"factory must .*{says}"):
        study(factory)


def test_modules_are_tried_on_all_examples() -> None:
    with pytest.raises(FieldError, match=r"takes inputs int64 of shape \(n, 2\), got IndexError: index out of range"):
        study(lambda seed: Embedded(5), PAIRS, SUMS)
    with pytest.raises(FieldError, match=r"takes inputs float32 .*; it takes them as torch.int64"):
        study(lambda seed: Embedded(7), PAIRS.astype(float), SUMS)
    with pytest.raises(FieldError, match=r"got \(49, 2, 7\): return the logits of one position, such as logits\[:, -1"):
        study(lambda seed: Positions(7), PAIRS, SUMS)
    with pytest.raises(FieldError, match="trained on 1 examples at once, got ValueError: Expected more than 1 value"):
        study(lambda seed: normed(), sizes=(1, 40))


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (PARITY.astype(float), r"got torch.float64 of shape \(64,\): give them as integers, such as labels.astype"),
        (np.where(PARITY, 1.0, np.nan), r"be integers of shape \(n,\), got torch.float64 of shape \(64,\)$"),
        (PARITY == 1, "got torch.bool .*: give them as integers"),
        (np.eye(2)[PARITY], r"got torch.float64 of shape \(64, 2\): .* give labels.argmax\(1\)"),
        (PARITY[:, None], r"got torch.int64 of shape \(64, 1\): give labels\[:, 0\]"),
        (2 * PARITY - 1, "lie between 0 and 1, got -1 to 1"),
        (PARITY + 1, "count classes from 0, got 1 to 2: give labels - 1, or n_classes=3 where"),
        (np.where(PARITY, "a", "b"), "be a tensor or an array of numbers, got ndarray of text"),
        (list(map(str, PARITY)), "got list of text"),
    ],
)
def test_what_is_wrong_with_labels_is_told(labels: Any, says: str) -> None:
    with pytest.raises(FieldError, match=f"labels must .*{says}"):
        study(lambda seed: mlp(), SIGNS, labels)


def test_too_many_classes_are_refused_before_they_are_counted() -> None:
    with pytest.raises(FieldError, match="n_classes must be an integer of at most 1000000, got 1000000000001"):
        study(lambda seed: mlp(), SIGNS, PARITY * 10**12)


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ([[1], [2, 3]], "got list: setting an array element with a sequence"),
        ({"x": SIGNS}, "got dict of objects"),
        (SIGNS.astype(str), "got ndarray of text"),
        (3.0, "hold one example for each"),
    ],
)
def test_what_is_wrong_with_inputs_is_told(inputs: Any, says: str) -> None:
    with pytest.raises(FieldError, match=f"inputs must .*{says}"):
        study(lambda seed: mlp(), inputs)


def test_odd_but_sound_data_give_the_same_answer() -> None:
    plain = study(lambda seed: mlp()).to_dict()
    for inputs, labels in (
        (SIGNS.tolist(), PARITY.tolist()),
        (torch.tensor(SIGNS, dtype=torch.float32, requires_grad=True), PARITY.astype(np.uint8)),
        (SIGNS, np.array(list(PARITY), dtype=object)),
    ):
        assert study(lambda seed: mlp(), inputs, labels).to_dict() == plain


def lazy(seed: int) -> nn.Module:
    return nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(2))


def by_numpy(seed: int) -> nn.Module:
    module = mlp()
    for one in module.parameters():
        one.data = torch.tensor(np.random.standard_normal(one.shape), dtype=torch.float32)  # noqa: NPY002
    return module


@pytest.mark.parametrize("factory", [lazy, by_numpy])
def test_a_seed_gives_the_same_run_however_weights_are_drawn(factory: Any) -> None:
    assert study(factory).to_dict() == study(factory).to_dict()


def test_a_factory_that_ignores_its_seed_is_told_of() -> None:
    def same(seed: int) -> nn.Module:
        torch.manual_seed(0)
        return mlp()

    told = "every seed begins with the same weights, so the interval lacks how runs differ by them"
    assert told in study(same).reason
    assert told not in study(lambda seed: mlp()).reason


def test_a_run_that_diverges_is_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    found = study(lambda seed: mlp(), learning_rate=1e6)
    assert found.critical_size is None
    assert [str(one.message) for one in recwarn] == []
