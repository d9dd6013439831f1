import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dcrit.empirics.instruments.curvature import curvature_product, dense
from dcrit.empirics.instruments.effective_dimension import (
    EffectiveDimension,
    EffectiveDimensionDesign,
    default_alpha,
    dimension_of,
    measure_effective_dimension,
    settled_snapshots,
    stochastic_error,
    train_loss,
)
from dcrit.empirics.instruments.lanczos import (
    Quadrature,
    effective_dimension,
    exact_dimension,
    lanczos,
    stochastic_dimension,
)
from dcrit.empirics.training.adamw import AdamW
from dcrit.theory.problems.problem import Problem

PROBLEM = Problem(modulus=7, width=12, learning_rate=0.05)
DESIGN = EffectiveDimensionDesign(problem=PROBLEM, n_train=25, seeds=2)


def spectrum_of(kind: str, n: int = 120) -> np.ndarray:
    """Eigenvalues over many decades, with and without many zeros, and of both signs."""
    wide = np.geomspace(1e-12, 1e-2, n)
    return {"wide": wide, "low-rank": np.where(np.arange(n) < n // 2, 0.0, wide), "signed": wide - 1e-4}[kind]


def with_spectrum(eigenvalues: np.ndarray, seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.standard_normal((eigenvalues.size, eigenvalues.size)))
    matrix = basis @ np.diag(eigenvalues) @ basis.T
    return torch.from_numpy((matrix + matrix.T) / 2)


@pytest.mark.slow
@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=20), st.floats(1e-6, 1e3))
def test_the_dimension_lies_between_none_and_all_and_falls_with_alpha(values: list[float], alpha: float) -> None:
    eigenvalues = np.array(values)
    found = effective_dimension(eigenvalues, alpha)
    assert 0 <= found <= len(values)
    assert effective_dimension(eigenvalues, 2 * alpha) <= found
    assert found == pytest.approx(sum(value / (value + alpha) for value in values), rel=1e-12)
    assert effective_dimension(eigenvalues * 3, alpha * 3) == pytest.approx(found, rel=1e-12)


def test_negative_eigenvalues_do_not_count() -> None:
    assert effective_dimension(np.array([-5.0, -0.5, 0.0, 1.0]), 1.0) == 0.5


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wide", "low-rank", "signed"])
def test_the_exact_one_is_that_of_the_eigenvalues(kind: str) -> None:
    eigenvalues = spectrum_of(kind)
    found = exact_dimension(with_spectrum(eigenvalues), 1e-7)
    assert found["value"] == pytest.approx(effective_dimension(eigenvalues, 1e-7), rel=1e-6)
    assert found["smaller"] > found["value"] > found["larger"]
    assert found["largest"] == pytest.approx(eigenvalues.max(), rel=1e-9)
    assert (found["standard_error"], found["quadrature_error"], found["steps"]) == (0, 0, 0)


def test_lanczos_reproduces_the_matrix_on_its_krylov_space() -> None:
    matrix = with_spectrum(np.linspace(1, 2, 30))
    start = torch.randn(3, 30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    start /= start.norm(dim=1, keepdim=True)
    found = lanczos(lambda v: v @ matrix, start, 30, lambda _: False)
    for diagonal, beside in zip(found.diagonal, found.beside, strict=True):
        whole = np.diag(diagonal) + np.diag(beside[:-1], 1) + np.diag(beside[:-1], -1)
        np.testing.assert_allclose(np.linalg.eigvalsh(whole), np.linspace(1, 2, 30), rtol=1e-10)
    assert found.largest() == pytest.approx(2, rel=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wide", "low-rank"])
@pytest.mark.parametrize("steps", [5, 20, 60])
def test_both_quadratures_bound_each_form(kind: str, steps: int) -> None:
    matrix, alpha = with_spectrum(spectrum_of(kind)), 1e-7
    signs = torch.from_numpy(np.random.default_rng(1).choice([-1.0, 1.0], size=(4, 120)))
    values, vectors = np.linalg.eigh(matrix.numpy())
    weights = (signs.numpy() @ vectors) ** 2
    kept = np.maximum(values, 0)
    exact = (weights * kept / (kept + alpha)).sum(1)
    found = lanczos(lambda v: v @ matrix, signs, steps, lambda _: False)
    slack = 1e-5 * exact
    assert np.all(found.radau(alpha) <= exact + slack)
    assert np.all(exact <= found.gauss(alpha) + slack)
    if steps == 60:
        assert np.all(found.gauss(alpha) - found.radau(alpha) < 0.2 * exact)


def test_the_bounds_of_one_step_are_those_of_paper_and_pencil() -> None:
    # T = (2), leaving with 1: Gauss has the node 2; Radau has (2, 1; 1, x) with an eigenvalue at 0, so x = 1/2.
    found = Quadrature(diagonal=np.array([[2.0]]), beside=np.array([[1.0]]), n_params=1)
    assert found.gauss(1.0)[0] == pytest.approx(2 / 3)
    # Its other eigenvalue is 5/2, of weight 4/5.
    assert found.radau(1.0)[0] == pytest.approx(4 / 5 * 2.5 / 3.5, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wide", "low-rank", "signed"])
def test_the_stochastic_one_agrees_within_its_errors(kind: str) -> None:
    eigenvalues, alpha = spectrum_of(kind), 1e-7
    matrix, truth = with_spectrum(eigenvalues), effective_dimension(eigenvalues, alpha)
    scores = []
    for seed in range(12):
        found = stochastic_dimension(lambda v: v @ matrix, 120, alpha, probes=12, positive=kind != "signed", seed=seed)
        assert found["quadrature_error"] <= 0.05 * truth
        assert 0 < found["standard_error"] < 0.2 * truth
        scores.append((found["value"] - truth) / math.hypot(found["standard_error"], found["quadrature_error"]))
    # Standard errors from 12 probes: Student's t with 11 degrees of freedom.
    assert abs(np.mean(scores)) < 1.2
    assert max(map(abs, scores)) < 5


def test_lanczos_stops_once_it_is_good_enough() -> None:
    matrix = with_spectrum(np.concatenate([np.zeros(290), np.ones(10)]))
    counted: list[int] = []
    found = stochastic_dimension(lambda v: v @ matrix, 300, 1e-3, probes=4, positive=True, progress=counted.append)
    assert found["steps"] == 20
    assert sum(counted) == 20 * 4
    assert found["value"] == pytest.approx(10, abs=4 * found["standard_error"] + 0.1)


def test_alpha_is_the_curvature_of_the_penalty_that_adamw_balances() -> None:
    # A loss with slope g of one parameter: where the steps stop, the penalty's slope is −g.
    decay, alpha = 2.0, default_alpha(replace(PROBLEM, weight_decay=2.0))
    slope = 1e-9
    theta = torch.zeros(1, dtype=torch.float64)
    optimizer = AdamW(theta, Problem(learning_rate=0.01, weight_decay=decay))
    for _ in range(3000):
        optimizer.step(torch.full((1,), slope, dtype=torch.float64))
    # Small against 1/λ: −α·θ to the first order in λθ.
    assert -alpha * theta.item() == pytest.approx(slope, rel=0.2)
    assert abs(decay * theta.item()) < 0.2


@pytest.mark.slow
def test_the_measurement_rests_on_the_networks_own_curvature() -> None:
    snapshots = settled_snapshots(DESIGN.configs())
    for snapshot in snapshots:
        assert snapshot is not None
        found = dimension_of(snapshot, DESIGN)
        matrix = dense(curvature_product(snapshot, "gauss-newton"), PROBLEM.n_params).numpy()
        expected = sum(value / (value + 1e-8) for value in np.linalg.eigvalsh(matrix) if value > 0)
        assert found.value == pytest.approx(expected, rel=1e-9)
        assert found.train_loss == train_loss(snapshot)
        stochastic = dimension_of(snapshot, replace(DESIGN, method="lanczos", probes=20))
        error = math.hypot(stochastic.standard_error, stochastic.quadrature_error)
        assert abs(stochastic.value - found.value) < 5 * error
        hessian = dimension_of(snapshot, replace(DESIGN, matrix="hessian"))
        assert hessian.value != found.value


def test_the_network_of_median_loss_in_the_last_tenth_is_looked_at() -> None:
    (first, _) = settled_snapshots(DESIGN.configs())
    assert first is not None
    assert first.settled
    assert first.step in (720, 740, 760, 780, 800)


def dimension(value: float, error: float = 0.0) -> EffectiveDimension:
    (config,) = replace(DESIGN, seeds=1).configs()
    numbers = dict.fromkeys(("quadrature_error", "smaller", "larger", "largest", "train_loss"), 0.0)
    return EffectiveDimension(config=config, step=1, value=value, standard_error=error, steps=3, **numbers)


def test_runs_are_averaged_and_the_probes_error_with_them() -> None:
    found = measure_effective_dimension([dimension(90.0, 3.0), dimension(110.0, 4.0)], n_lost=1)
    assert (found.value, found.n_runs, found.n_unconverged) == (100.0, 2, 1)
    # t of 1 degree of freedom at 95 % is 6.314.
    assert found.interval is not None
    assert found.interval.high == pytest.approx(100 + 6.313752 * 10, rel=1e-6)
    assert stochastic_error([dimension(90.0, 3.0), dimension(110.0, 4.0)]) == 2.5
    assert measure_effective_dimension([]).value is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n_train": 50}, "^n_train must be at most 49"),
        ({"alpha": -1.0}, "^alpha must be a finite number above 0, got -1.0"),
        ({"matrix": "fisher"}, "^matrix must be one of gauss-newton, hessian, got 'fisher'"),
        ({"method": "power"}, "^method must be one of auto, exact, lanczos, got 'power'"),
        ({"probes": 1}, "^probes must be an integer of at least 2, got 1"),
        ({"seeds": 0}, "^seeds must be an integer of at least 1, got 0"),
    ],
)
def test_a_bad_design_is_refused_by_the_name_of_its_field(changed: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(DESIGN, **changed)  # type: ignore[arg-type]


def test_small_networks_are_exact_unless_asked_otherwise() -> None:
    large = replace(DESIGN, problem=replace(PROBLEM, width=200))
    assert (DESIGN.is_exact, large.is_exact) == (True, False)
    assert replace(large, method="exact").is_exact
    assert not replace(DESIGN, method="lanczos").is_exact
    assert (DESIGN.penalty, replace(DESIGN, alpha=0.1).penalty) == (1e-8, 0.1)
    assert (DESIGN.most_products, large.most_products) == (252, 4000)
