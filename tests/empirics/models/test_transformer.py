from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise, permutations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from dcrit.empirics.models import transformer
from dcrit.empirics.models.deep_transformer import DeepTransformerArchitecture, TransformerArchitecture
from dcrit.empirics.models.family import Architecture, Examples, architecture_of
from dcrit.empirics.models.transformer_weights import initial_parameters, split
from dcrit.empirics.runs.single import CURVE_NAMES, RunConfig
from dcrit.empirics.training.ensemble import Ensemble, draw, train
from dcrit.theory.problems.problem import Problem
from tests.worlds.transformer_oracle import PlainTransformer, trained_plainly

N_SYMBOLS, WIDTH, N_ROWS = 5, 8, 12
SIZES = (12, 9, 1)  # D of each member: no padding, some, nearly all

ACTIVATIONS = pytest.mark.parametrize("activation", ["relu", "square"])

#: At depth 1 there are two implementations; both have to be the oracle's.
PATHS = pytest.mark.parametrize(
    ("architecture", "depth"),
    [(TransformerArchitecture(), 1), (DeepTransformerArchitecture(), 1), (DeepTransformerArchitecture(), 3)],
    ids=["fast", "deep-1", "deep-3"],
)


def problem_of(activation: str, depth: int = 1, *, width: int = WIDTH, modulus: int = N_SYMBOLS) -> Problem:
    return Problem(
        model="transformer",
        modulus=modulus,
        width=width,
        activation=activation,
        depth=depth,
        learning_rate=1e-2,
    )


def random_theta(problem: Problem, scale: float = 0.5) -> Tensor:
    """Of members that differ, far from initialization: attention is uneven and every weight matters."""
    generator = torch.Generator().manual_seed(0)
    shape = (len(SIZES), problem.n_params // problem.width, problem.width)
    return scale * torch.randn(shape, generator=generator, dtype=torch.float64)


def random_examples(padding_seed: int) -> Examples:
    """Distinct training pairs as a run has them, then padding drawn from its own seed."""
    generator, filler = torch.Generator().manual_seed(1), torch.Generator().manual_seed(padding_seed)
    symbols = torch.randint(N_SYMBOLS, (len(SIZES), N_ROWS, 2), generator=filler)
    labels = torch.randint(N_SYMBOLS, (len(SIZES), N_ROWS), generator=filler)
    weights = torch.zeros(len(SIZES), N_ROWS, dtype=torch.float64)
    for member, size in enumerate(SIZES):
        pairs = torch.randperm(N_SYMBOLS**2, generator=generator)[:size]
        symbols[member, :size] = torch.stack([pairs // N_SYMBOLS, pairs % N_SYMBOLS], dim=1)
        labels[member, :size] = torch.randint(N_SYMBOLS, (size,), generator=generator)
        weights[member, :size] = 1 / size
    return Examples(symbols=symbols, labels=labels, weights=weights)


def fast_gradient(
    architecture: Architecture, problem: Problem, theta: Tensor, examples: Examples, *, calls: int = 1
) -> Tensor:
    step = architecture.step(problem, examples, theta.dtype)
    grad = torch.full_like(theta, torch.nan)
    with torch.no_grad():
        for _ in range(calls):
            step.gradient(architecture.networks(problem, theta), grad)
    return grad


def plain_gradient(problem: Problem, theta: Tensor, examples: Examples) -> Tensor:
    """Member by member, on the examples themselves: rows that only pad are never looked at."""
    grads: list[Tensor] = []
    for member, size in enumerate(SIZES):
        model = PlainTransformer(problem, theta[member])
        logits = model(examples.symbols[member, :size])
        cross_entropy(logits, examples.labels[member, :size]).backward()
        grads.append(model.theta(gradient=True))
    return torch.stack(grads)


def assert_close(got: Tensor, expected: Tensor) -> None:
    """To 1e-10 of the largest entry of each member."""
    for ours, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10 * theirs.abs().max().item())


@PATHS
@ACTIVATIONS
def test_logits_of_all_pairs_are_the_oracles(activation: str, architecture: Architecture, depth: int) -> None:
    problem = problem_of(activation, depth)
    theta = random_theta(problem)
    found = architecture.networks(problem, theta).logits_of_all_pairs()
    pairs = torch.tensor([(a, b) for a in range(N_SYMBOLS) for b in range(N_SYMBOLS)])
    expected = torch.stack([PlainTransformer(problem, one)(pairs).T for one in theta])
    assert found.shape == (len(SIZES), N_SYMBOLS, N_SYMBOLS**2)
    assert_close(found, expected.detach())


@PATHS
@ACTIVATIONS
def test_gradient_is_the_oracles(activation: str, architecture: Architecture, depth: int) -> None:
    problem, examples = problem_of(activation, depth), random_examples(padding_seed=2)
    theta = random_theta(problem)
    expected = plain_gradient(problem, theta, examples)
    assert_close(fast_gradient(architecture, problem, theta, examples), expected)
    parts = split(expected, depth, problem.n_classes)
    # Every matrix matters, or agreement would say little.
    for matrix in (parts.tokens, parts.positions, *parts.layers[0], parts.unembed):
        assert (matrix.abs().amax((1, 2)) > 1e-6 * expected.abs().amax((1, 2))).all()


@PATHS
def test_classes_may_be_fewer_than_symbols(architecture: Architecture, depth: int) -> None:
    problem = replace(problem_of("relu", depth), task="sparse-parity", modulus=6)
    assert (problem.n_symbols, problem.n_classes) == (8, 2)
    examples, theta = random_examples(padding_seed=2), random_theta(problem)
    few = Examples(symbols=examples.symbols % 8, labels=examples.labels % 2, weights=examples.weights)
    assert_close(fast_gradient(architecture, problem, theta, few), plain_gradient(problem, theta, few))
    assert architecture.networks(problem, theta).logits_of_all_pairs().shape == (len(SIZES), 2, 64)


@ACTIVATIONS
def test_gradient_in_pieces_is_the_oracles(activation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    problem, examples = problem_of(activation), random_examples(padding_seed=2)
    theta = random_theta(problem)
    monkeypatch.setattr(transformer, "PIECE_BYTES", 8 * 4 * WIDTH * 7)
    monkeypatch.setattr(transformer, "PIECE_ROWS", 5)
    assert len(transformer.pieces(len(SIZES), N_ROWS, 8 * 4 * WIDTH, "cpu")) == 2 * len(SIZES)
    found = fast_gradient(TransformerArchitecture(), problem, theta, examples, calls=2)
    assert_close(found, plain_gradient(problem, theta, examples))


@pytest.mark.parametrize("n_rows", [1, 224, 512, 513, 1024, 3840, 12800])
@pytest.mark.parametrize("width", [4, 24, 128])
def test_pieces_cover_every_example_once(n_rows: int, width: int) -> None:
    found = transformer.pieces(3, n_rows, 16 * width, "cpu")
    seen = torch.zeros(3, n_rows, dtype=torch.int64)
    for members, rows in found:
        seen[members, rows] += 1
        assert rows.stop - rows.start <= found[0][1].stop
    assert (seen == 1).all()
    assert transformer.pieces(3, n_rows, 16 * width, "cuda") == [(slice(0, 3), slice(0, n_rows))]


@PATHS
@ACTIVATIONS
def test_gradient_survives_large_logits_and_sharp_attention(
    activation: str, architecture: Architecture, depth: int
) -> None:
    problem, examples = problem_of(activation, depth), random_examples(padding_seed=2)
    theta = random_theta(problem, scale=2.0)
    assert architecture.networks(problem, theta).logits_of_all_pairs().max() > 1000, (
        "exp would overflow without a shift"
    )
    assert_close(fast_gradient(architecture, problem, theta, examples), plain_gradient(problem, theta, examples))


@PATHS
@ACTIVATIONS
def test_padding_contributes_nothing(activation: str, architecture: Architecture, depth: int) -> None:
    problem = problem_of(activation, depth)
    theta = random_theta(problem)
    one, other = (fast_gradient(architecture, problem, theta, random_examples(padding_seed=seed)) for seed in (2, 3))
    assert_close(one, other)


@PATHS
@ACTIVATIONS
def test_gradient_is_overwritten_not_accumulated(activation: str, architecture: Architecture, depth: int) -> None:
    problem, examples = problem_of(activation, depth), random_examples(padding_seed=2)
    theta = random_theta(problem)
    once, twice = (fast_gradient(architecture, problem, theta, examples, calls=calls) for calls in (1, 2))
    assert torch.equal(once, twice)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [1, 2])
@ACTIVATIONS
def test_training_follows_the_oracle(activation: str, depth: int) -> None:
    problem = replace(problem_of(activation, depth), beta2=0.9, epsilon=1e-5)
    configs = [
        RunConfig(problem=problem, n_train=n_train, seed=seed, steps=30, precision="float64")
        for seed, n_train in enumerate((17, 18, 20))
    ]
    batch = Ensemble(configs)
    batch.advance(30)
    for run, theta, config in zip(train(configs), batch.models.theta, configs, strict=True):
        losses, model = trained_plainly(config, 30)
        steps = run.curves.step.astype(int)
        np.testing.assert_allclose(run.curves.train_loss, np.array(losses)[steps], rtol=1e-8)
        assert losses[-1] < 0.9 * losses[0]
        torch.testing.assert_close(theta, model.theta(), rtol=1e-8, atol=1e-8)
        assert config.problem.n_params == sum(parameter.numel() for parameter in model.parameters()) == theta.numel()


def trained(configs: Sequence[RunConfig], n_steps: int) -> Tensor:
    batch = Ensemble(configs)
    batch.advance(n_steps)
    return batch.models.theta.clone()


@pytest.mark.slow
@pytest.mark.parametrize("depth", [1, 2])
def test_members_do_not_depend_on_their_batch(depth: int) -> None:
    problem = problem_of("relu", depth, width=16, modulus=7)
    configs = [RunConfig(problem=problem, n_train=n, seed=n, steps=50, precision="float64") for n in (29, 31, 32)]
    theta = trained(configs, 50)
    for batch in (*permutations(configs, 1), configs[::-1], configs[1:]):
        for one, config in zip(trained(batch, 50), batch, strict=True):
            torch.testing.assert_close(one, theta[configs.index(config)], rtol=1e-9, atol=1e-9)


def test_members_kept_go_on_as_before() -> None:
    problem = problem_of("relu", width=16, modulus=7)
    configs = [RunConfig(problem=problem, n_train=n, seed=n, steps=50, precision="float64") for n in (29, 31, 32)]
    batch = Ensemble(configs)
    batch.advance(20)
    batch.keep([2, 0])
    batch.advance(30)
    torch.testing.assert_close(batch.models.theta, trained(configs, 50)[[2, 0]], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("depth", [1, 3])
def test_units_divide_all_parameters(depth: int) -> None:
    problem = problem_of("relu", depth)
    theta = random_theta(problem)
    networks = architecture_of(problem).networks(problem, theta)
    norms = networks.neuron_squared_norms()
    d = problem.width
    assert norms.dtype == torch.float64
    assert norms.shape == (len(SIZES), N_SYMBOLS + 1 + 3 + depth * (4 + 4 * d) + N_SYMBOLS)
    torch.testing.assert_close(norms.sum(1), theta.square().sum((1, 2)))


def test_units_are_embeddings_heads_hidden_units_and_unembeddings() -> None:
    problem = problem_of("relu")
    model = PlainTransformer(problem, random_theta(problem)[0])
    norms = TransformerArchitecture().networks(problem, model.theta()[None]).neuron_squared_norms()[0].tolist()
    attention, block = model.layers[0]  # pyright: ignore[reportGeneralTypeIssues]
    literal = [row.square().sum() for row in (*model.tokens.weight, *model.positions.weight)]
    size = WIDTH // 4
    for head in range(4):
        rows = slice(head * size, (head + 1) * size)
        parts = [attention.query.weight[rows], attention.key.weight[rows], attention.value.weight[rows]]
        literal.append(sum(part.square().sum() for part in (*parts, attention.output.weight[:, rows])))  # pyright: ignore[reportArgumentType]
    for unit in range(4 * WIDTH):
        literal.append(block.inward.weight[unit].square().sum() + block.outward.weight[:, unit].square().sum())
    literal += [row.square().sum() for row in model.unembed.weight]
    assert norms == pytest.approx([value.item() for value in literal], rel=1e-12)


def test_matrices_start_with_the_stated_spread() -> None:
    problem = problem_of("relu", depth=2, width=64, modulus=29)
    weights = split(initial_parameters(problem, torch.Generator().manual_seed(0))[None], 2, problem.n_classes)
    for matrix in (weights.tokens, weights.positions, *weights.layers[0], *weights.layers[1]):
        # Five standard errors of a standard deviation.
        assert matrix.std().item() == pytest.approx(1 / 8, rel=5 / (2 * matrix.numel()) ** 0.5)
    assert weights.unembed.std().item() == pytest.approx(29**-0.5, rel=5 / (2 * weights.unembed.numel()) ** 0.5)


def test_training_sets_of_a_seed_are_nested() -> None:
    problem = problem_of("relu")
    draws = [draw(RunConfig(problem=problem, n_train=n, seed=5)) for n in range(1, problem.n_pairs + 1)]
    for smaller, larger in pairwise(draws):
        assert set(smaller.train.tolist()) < set(larger.train.tolist())
        assert torch.equal(smaller.theta, larger.theta)


def test_curves_of_a_transformer_have_every_column() -> None:
    (run,) = train([RunConfig(problem=problem_of("relu"), n_train=20, seed=0, steps=20)])
    for name in CURVE_NAMES:
        assert not np.isnan(getattr(run.curves, name)).any(), name
    theta = draw(run.config).theta.double()
    assert run.curves.squared_norm[0] == pytest.approx(theta.square().sum().item(), rel=1e-6)
