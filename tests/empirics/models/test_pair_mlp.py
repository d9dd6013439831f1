import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from dcrit.empirics.models import pair_mlp as module
from dcrit.empirics.models.family import Examples
from dcrit.empirics.models.pair_mlp import PairMLPs, TrainingStep, piece_shape
from dcrit.theory.families.pair_mlp import HOMOGENEITY
from dcrit.theory.problems.problem import Problem

N_MEMBERS, N_SYMBOLS, WIDTH, N_ROWS = 3, 5, 7, 12
SIZES = (12, 9, 1)  # D of each member: no padding, some, nearly all

ACTIVATIONS = pytest.mark.parametrize("activation", ["relu", "square"])


def sigma(z: Tensor, activation: str) -> Tensor:
    return z**2 if activation == "square" else torch.relu(z)


def random_models(activation: str) -> PairMLPs:
    generator = torch.Generator().manual_seed(0)
    theta = torch.randn(N_MEMBERS, 3 * N_SYMBOLS, WIDTH, generator=generator, dtype=torch.float64)
    return PairMLPs(theta=theta, activation=activation)


def random_data(padding_seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Distinct training pairs as a run has them, then padding drawn from its own seed."""
    generator = torch.Generator().manual_seed(1)
    filler = torch.Generator().manual_seed(padding_seed)
    symbols = torch.randint(N_SYMBOLS, (N_MEMBERS, N_ROWS, 2), generator=filler)
    labels = torch.randint(N_SYMBOLS, (N_MEMBERS, N_ROWS), generator=filler)
    weights = torch.zeros(N_MEMBERS, N_ROWS, dtype=torch.float64)
    for member, size in enumerate(SIZES):
        pairs = torch.randperm(N_SYMBOLS**2, generator=generator)[:size]
        symbols[member, :size] = torch.stack([pairs // N_SYMBOLS, pairs % N_SYMBOLS], dim=1)
        labels[member, :size] = torch.randint(N_SYMBOLS, (size,), generator=generator)
        weights[member, :size] = 1 / size
    return symbols, labels, weights


def training_step(data: tuple[Tensor, Tensor, Tensor], dtype: torch.dtype) -> TrainingStep:
    symbols, labels, weights = data
    examples = Examples(symbols=symbols, labels=labels, weights=weights)
    return TrainingStep(Problem(modulus=N_SYMBOLS, width=WIDTH), examples, dtype)


def handwritten_gradient(models: PairMLPs, data: tuple[Tensor, Tensor, Tensor], *, calls: int = 1) -> Tensor:
    step = training_step(data, models.theta.dtype)
    grad = torch.full_like(models.theta, torch.nan)
    for _ in range(calls):
        step.gradient(models, grad)
    return grad


def autograd_gradient(models: PairMLPs, data: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Member by member, on the examples themselves: rows that only pad are never looked at."""
    symbols, labels, _ = data
    grads: list[Tensor] = []
    for member, size in enumerate(SIZES):
        theta = models.theta[member].clone().requires_grad_()
        first, second, unembed = theta[:N_SYMBOLS], theta[N_SYMBOLS : 2 * N_SYMBOLS], theta[2 * N_SYMBOLS :]
        logits = [unembed @ sigma(first[a] + second[b], models.activation) for a, b in symbols[member, :size].tolist()]
        (grad,) = torch.autograd.grad(cross_entropy(torch.stack(logits), labels[member, :size]), theta)
        grads.append(grad)
    return torch.stack(grads)


def assert_close(got: Tensor, expected: Tensor) -> None:
    """To 1e-12 of the largest entry of each member."""
    for ours, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12 * theirs.abs().max().item())


@ACTIVATIONS
def test_gradient_equals_autograd(activation: str) -> None:
    models, data = random_models(activation), random_data(padding_seed=2)
    assert_close(handwritten_gradient(models, data), autograd_gradient(models, data))


@ACTIVATIONS
def test_gradient_equals_autograd_where_preactivations_vanish(activation: str) -> None:
    models, data = random_models(activation), random_data(padding_seed=2)
    models.theta[:, : 2 * N_SYMBOLS, ::2] = 0
    expected = autograd_gradient(models, data)
    assert_close(handwritten_gradient(models, data), expected)
    assert (expected[:, : 2 * N_SYMBOLS, ::2] == 0).all()


@ACTIVATIONS
def test_gradient_survives_large_logits(activation: str) -> None:
    models, data = random_models(activation), random_data(padding_seed=2)
    models.theta *= 12
    assert models.logits_of_all_pairs().max() > 1000, "exp would overflow without a shift"
    assert_close(handwritten_gradient(models, data), autograd_gradient(models, data))


@ACTIVATIONS
def test_padding_contributes_nothing(activation: str) -> None:
    models = random_models(activation)
    one, other = (handwritten_gradient(models, random_data(padding_seed=seed)) for seed in (2, 3))
    assert torch.equal(one, other)


@ACTIVATIONS
def test_gradient_is_overwritten_not_accumulated(activation: str) -> None:
    models, data = random_models(activation), random_data(padding_seed=2)
    assert torch.equal(handwritten_gradient(models, data, calls=2), handwritten_gradient(models, data))


@ACTIVATIONS
def test_gradient_is_that_of_finite_differences(activation: str) -> None:
    symbols, labels, weights = random_data(padding_seed=2)
    models = random_models(activation)
    generator = torch.Generator().manual_seed(4)
    direction = torch.randn(models.theta.shape, generator=generator, dtype=torch.float64)

    def losses(theta: Tensor) -> Tensor:
        logits = PairMLPs(theta=theta, activation=activation).logits_of_all_pairs()  # (M, C, S²)
        pairs = symbols[..., 0] * N_SYMBOLS + symbols[..., 1]  # (M, R)
        rows = [cross_entropy(logits[m].T[pairs[m]], labels[m], reduction="none") for m in range(N_MEMBERS)]
        return (torch.stack(rows) * weights).sum(1)  # (M,)

    h = 1e-6
    slope = (losses(models.theta + h * direction) - losses(models.theta - h * direction)) / (2 * h)
    grad = handwritten_gradient(models, (symbols, labels, weights))
    torch.testing.assert_close((grad * direction).sum((1, 2)), slope, rtol=1e-6, atol=1e-7)


@ACTIVATIONS
def test_logits_of_all_pairs_equal_a_double_loop(activation: str) -> None:
    models = random_models(activation)
    logits = models.logits_of_all_pairs()
    assert logits.shape == (N_MEMBERS, N_SYMBOLS, N_SYMBOLS**2)
    for member in range(N_MEMBERS):
        first, second, unembed = (part[member] for part in models.split(models.theta))
        for a in range(N_SYMBOLS):
            for b in range(N_SYMBOLS):
                literal = unembed @ sigma(first[a] + second[b], activation)
                torch.testing.assert_close(logits[member, :, a * N_SYMBOLS + b], literal, rtol=1e-12, atol=1e-12)


@ACTIVATIONS
def test_logits_are_homogeneous_of_the_stated_degree(activation: str) -> None:
    models = random_models(activation)
    scaled = PairMLPs(theta=3 * models.theta, activation=activation)
    expected = 3 ** HOMOGENEITY[activation] * models.logits_of_all_pairs()
    torch.testing.assert_close(scaled.logits_of_all_pairs(), expected, rtol=1e-12, atol=1e-10)


def test_neuron_norms_collect_all_weights_of_a_hidden_unit() -> None:
    models = random_models("relu")
    norms = models.neuron_squared_norms()
    assert norms.dtype == torch.float64
    for member in range(N_MEMBERS):
        for unit in range(WIDTH):
            literal = sum(weight**2 for weight in models.theta[member, :, unit].tolist())
            assert norms[member, unit].item() == pytest.approx(literal, rel=1e-12)


@ACTIVATIONS
@pytest.mark.parametrize("most", [1, 2])
def test_members_taken_together_do_not_matter(activation: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    models, data = random_models(activation), random_data(padding_seed=2)
    whole = handwritten_gradient(models, data)
    monkeypatch.setattr(module, "STEP_CACHE_BYTES", most * 8 * N_ROWS * (2 * WIDTH + N_SYMBOLS))
    assert tiny_shape() == (most, N_ROWS)
    # Not to the bit: at a width that is no multiple of 16 some processors round a lone member's products otherwise.
    assert_close(handwritten_gradient(models, data), whole)


def tiny_shape() -> tuple[int, int]:
    return piece_shape(N_MEMBERS, N_ROWS, width=WIDTH, n_classes=N_SYMBOLS, dtype=torch.float64)


def cut_into_parts(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """No member fits alone, and only so many of its rows do."""
    monkeypatch.setattr(module, "STEP_CACHE_BYTES", 1)
    monkeypatch.setattr(module, "PART_CACHE_BYTES", 8 * rows * (2 * WIDTH + N_SYMBOLS))
    monkeypatch.setattr(module, "LANES", 1)
    assert tiny_shape() == (1, rows)


@ACTIVATIONS
@pytest.mark.parametrize("rows", [1, 4, 6])
def test_members_too_large_for_a_cache_are_cut_into_parts(
    activation: str, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    models, data = random_models(activation), random_data(padding_seed=2)
    cut_into_parts(monkeypatch, rows)
    assert_close(handwritten_gradient(models, data), autograd_gradient(models, data))
    assert torch.equal(handwritten_gradient(models, data, calls=2), handwritten_gradient(models, data))
    assert torch.equal(handwritten_gradient(models, random_data(padding_seed=3)), handwritten_gradient(models, data))


def test_a_member_is_cut_by_its_own_size_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    models, data = random_models("square"), random_data(padding_seed=2)
    cut_into_parts(monkeypatch, 4)
    together = handwritten_gradient(models, data)
    for member in range(N_MEMBERS):
        part = slice(member, member + 1)
        alone = PairMLPs(theta=models.theta[part].clone(), activation="square")
        symbols, labels, weights = (tensor[part] for tensor in data)
        assert torch.equal(handwritten_gradient(alone, (symbols, labels, weights)), together[part])


def test_a_step_follows_its_models_and_gradient_when_they_are_others() -> None:
    data = random_data(padding_seed=2)
    step = training_step(data, torch.float64)
    models, others = random_models("square"), random_models("square")
    others.theta *= 0.5
    one, other = torch.empty_like(models.theta), torch.empty_like(models.theta)
    step.gradient(models, one)
    step.gradient(others, other)
    assert torch.equal(one, handwritten_gradient(models, data))
    assert torch.equal(other, handwritten_gradient(others, data))


def test_members_are_taken_in_equal_pieces_that_fit_a_cache() -> None:
    size = 4 * 192 * (2 * 64 + 23)
    for n_members in (1, 2, 16, 17, 40):
        at_once, rows = piece_shape(n_members, 192, width=64, n_classes=23, dtype=torch.float32)
        pieces = -(-n_members // at_once)
        assert rows == 192
        assert at_once * size <= module.STEP_CACHE_BYTES
        assert pieces == 1 or n_members * size > module.STEP_CACHE_BYTES * (pieces - 1)
        assert n_members > at_once * (pieces - 1)
    assert piece_shape(2000, 192, width=64, n_classes=23, dtype=torch.float32, device="cuda") == (2000, 192)


def test_a_large_member_is_taken_in_equal_parts_that_fit_a_cache() -> None:
    row = 4 * (2 * 512 + 113)
    at_once, part = piece_shape(3, 3072, width=512, n_classes=113, dtype=torch.float32)
    n_parts = -(-3072 // part)
    assert at_once == 1
    assert part % module.LANES == 0
    assert (part - module.LANES) * row < module.PART_CACHE_BYTES
    assert 3072 * row > module.PART_CACHE_BYTES * (n_parts - 1)
    assert piece_shape(3, 3072, width=512, n_classes=113, dtype=torch.float32, device="cuda") == (3, 3072)
