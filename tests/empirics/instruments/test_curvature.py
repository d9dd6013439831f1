import numpy as np
import pytest
import torch
from torch import Tensor

from dcrit.empirics.instruments.curvature import Matrix, curvature_product, dense
from dcrit.empirics.instruments.snapshots import Snapshot, snapshots
from dcrit.empirics.models.family import architecture_of
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training.ensemble import Ensemble, draw
from dcrit.theory.problems.problem import Problem
from tests.worlds.oracle import OneHotPairMLP, one_hot_pairs

ACTIVATIONS = pytest.mark.parametrize("activation", ["relu", "square"])
MATRICES = pytest.mark.parametrize("matrix", ["gauss-newton", "hessian"])


def trained(activation: str, *, steps: int = 30, n_train: int = 9) -> Snapshot:
    problem = Problem(modulus=4, width=3, activation=activation, learning_rate=0.05)
    config = RunConfig(problem=problem, n_train=n_train, seed=1, steps=40, precision="float64")
    (taken,) = snapshots([config], [steps])
    return taken[0]


def oracle_loss(snapshot: Snapshot, flat: Tensor) -> tuple[Tensor, Tensor]:
    """Training logits (D, C) and loss of the one-hot twin, as functions of U over V over W."""
    config = snapshot.config
    n, start = config.problem.n_symbols, draw(config)
    model = OneHotPairMLP(config, start.theta)
    theta = flat.view(3 * n, -1)
    weights = {"embed.weight": theta[: 2 * n].T, "unembed.weight": theta[2 * n :]}
    inputs = one_hot_pairs(n, theta.dtype)[start.train]
    logits = torch.func.functional_call(model, weights, (inputs,))
    return logits, torch.nn.functional.cross_entropy(logits, start.labels[start.train])


def literal(snapshot: Snapshot, matrix: Matrix) -> Tensor:
    flat = snapshot.theta.flatten()
    if matrix == "hessian":
        return torch.autograd.functional.hessian(lambda at: oracle_loss(snapshot, at)[1], flat)  # type: ignore[return-value]
    jacobian = torch.autograd.functional.jacobian(lambda at: oracle_loss(snapshot, at)[0], flat)  # (D, C, N)
    logits = oracle_loss(snapshot, flat)[0]
    total = torch.zeros(flat.numel(), flat.numel(), dtype=flat.dtype)
    for example, row in enumerate(logits):
        q = row.softmax(0)
        total += jacobian[example].T @ (torch.diag(q) - torch.outer(q, q)) @ jacobian[example]  # type: ignore[index]
    return total / len(logits)


@ACTIVATIONS
@pytest.mark.parametrize(("model", "depth"), [("mlp", 1), ("transformer", 1), ("transformer", 2)])
def test_logits_are_those_of_the_ensemble(activation: str, model: str, depth: int) -> None:
    problem = Problem(modulus=5, width=4, model=model, depth=depth, activation=activation)
    ensemble = Ensemble([RunConfig(problem=problem, n_train=9, seed=0, precision="float64")])
    symbols = torch.cartesian_prod(torch.arange(5), torch.arange(5))
    expected = ensemble.models.logits_of_all_pairs()[0].T
    found = architecture_of(problem).pair_logits(problem, ensemble.models.theta[0], symbols)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
@MATRICES
@pytest.mark.parametrize("depth", [1, 2])
def test_products_of_transformers_are_differences_of_gradients(matrix: Matrix, depth: int) -> None:
    problem = Problem(modulus=4, width=4, model="transformer", depth=depth, learning_rate=0.01)
    config = RunConfig(problem=problem, n_train=9, seed=1, steps=20, precision="float64")
    ((snapshot,),) = snapshots([config], [20])
    symbols = torch.cartesian_prod(torch.arange(4), torch.arange(4))[torch.from_numpy(snapshot.is_train)]
    labels = torch.from_numpy(snapshot.labels[snapshot.is_train])
    generator = torch.Generator().manual_seed(3)
    vector = torch.randn(snapshot.theta.shape, generator=generator, dtype=torch.float64)
    fixed = architecture_of(problem).pair_logits(problem, snapshot.theta, symbols)
    q = fixed.softmax(1)

    def slope(step: float) -> Tensor:
        theta = (snapshot.theta + step * vector).requires_grad_()
        logits = architecture_of(problem).pair_logits(problem, theta, symbols)
        if matrix == "hessian":
            torch.nn.functional.cross_entropy(logits, labels).backward()
        else:
            # The gradient of the loss of linearized logits, pulled back by the fixed Jacobian.
            theta = snapshot.theta.clone().requires_grad_()
            moved = (logits.softmax(1) - q).detach() / len(labels)
            (architecture_of(problem).pair_logits(problem, theta, symbols) * moved).sum().backward()
        assert theta.grad is not None
        return theta.grad.flatten()

    expected = (slope(1e-6) - slope(-1e-6)) / 2e-6
    found = curvature_product(snapshot, matrix)(vector.flatten()[None])[0]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


@MATRICES
@ACTIVATIONS
@pytest.mark.parametrize("steps", [0, 30])
def test_products_are_those_of_autograd(activation: str, matrix: Matrix, steps: int) -> None:
    snapshot = trained(activation, steps=steps)
    expected = literal(snapshot, matrix)
    product = curvature_product(snapshot, matrix)
    vectors = torch.randn(5, expected.shape[0], generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    torch.testing.assert_close(product(vectors), vectors @ expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(dense(product, expected.shape[0]), expected, rtol=1e-9, atol=1e-12)


@ACTIVATIONS
def test_gauss_newton_is_a_symmetric_matrix_without_negative_eigenvalues(activation: str) -> None:
    snapshot = trained(activation)
    product = curvature_product(snapshot, "gauss-newton")
    matrix = dense(product, snapshot.theta.numel()).numpy()
    assert np.linalg.eigvalsh(matrix).min() > -1e-12
    assert np.linalg.eigvalsh(dense(curvature_product(snapshot, "hessian"), matrix.shape[0]).numpy()).min() < -1e-6
    np.testing.assert_array_equal(matrix, matrix.T)


def test_columns_are_counted() -> None:
    counted: list[int] = []
    dense(lambda vectors: vectors, 150, counted.append)
    assert sum(counted) == 150
    assert len(counted) > 1
