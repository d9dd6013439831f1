"""Effective dimensionalities from spectra: exactly, or by stochastic Lanczos quadrature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh_tridiagonal
from torch import Tensor

from dcrit.empirics.instruments.curvature import Product
from dcrit.empirics.training.ensemble import Progress

FloatArray = NDArray[np.float64]


#: Lanczos steps at most, and between two looks at the quadrature's error.
MOST_STEPS, STEP_BLOCK = 400, 20


#: Relative error of the quadrature at which Lanczos stops.
QUADRATURE_TOLERANCE = 0.01


#: α is also taken smaller and larger by this factor, to show what it decides.
ALPHA_FACTOR = 10.0


def effective_dimension(eigenvalues: FloatArray, alpha: float) -> float:
    """Directions in which the data outweighs the penalty, those between in part.

    N_eff = Σ_i λ_i/(λ_i + α), over λ_i > 0

    Args:
        eigenvalues: (n,) of the curvature; those below zero, of a Hessian that is not at a minimum or by
            rounding, count as zero.
        alpha: α, curvature of the penalty.

    Source: maddox2020.
    """
    return float(_filter(eigenvalues, alpha).sum())


def _filter(eigenvalues: ArrayLike, alpha: float) -> FloatArray:
    kept = np.maximum(np.asarray(eigenvalues, dtype=np.float64), 0.0)
    return kept / (kept + alpha)


@dataclass(frozen=True, kw_only=True)
class Quadrature:
    """Lanczos tridiagonal matrices of some probes.

    Attributes:
        diagonal: (k, m).
        beside: (k, m); the last entry leads out of the matrix.
        n_params: N, squared norm of every probe.
    """

    diagonal: FloatArray
    beside: FloatArray
    n_params: int

    def gauss(self, alpha: float) -> FloatArray:
        """vᵀ f(A) v by Gauss quadrature, f(λ) = λ/(λ + α): (k,); at least the true value where A ≥ 0."""
        found = []
        for diagonal, beside in zip(self.diagonal, self.beside, strict=True):
            nodes, vectors = eigh_tridiagonal(diagonal, beside[:-1])
            found.append((vectors[0] ** 2 * _filter(nodes, alpha)).sum())
        return self.n_params * np.array(found)

    def radau(self, alpha: float) -> FloatArray:
        """The same by Gauss–Radau quadrature with a node at the spectrum's lower end: (k,); at most the true value.

        Source: golub2010.
        """
        # Just below zero, so that rounding cannot put an eigenvalue there.
        end = -1e-6 * alpha
        found = []
        for diagonal, beside in zip(self.diagonal, self.beside, strict=True):
            nodes, vectors = eigh_tridiagonal(diagonal, beside[:-1])
            last = end + beside[-1] ** 2 * (vectors[-1] ** 2 / (nodes - end)).sum()
            nodes, vectors = eigh_tridiagonal(np.append(diagonal, last), beside)
            found.append((vectors[0] ** 2 * _filter(nodes, alpha)).sum())
        return self.n_params * np.array(found)

    def largest(self) -> float:
        """Largest Ritz value of all probes."""
        return max(
            float(eigh_tridiagonal(diagonal, beside[:-1], eigvals_only=True)[-1])
            for diagonal, beside in zip(self.diagonal, self.beside, strict=True)
        )


def lanczos(
    product: Product,
    probes: Tensor,
    most_steps: int,
    enough: Callable[[Quadrature], bool],
    progress: Progress = lambda _: None,
) -> Quadrature:
    """Lanczos iteration from several vectors at once, with full reorthogonalization.

    Args:
        product: Of a symmetric matrix.
        probes: (k, N) vectors, all of one norm.
        most_steps: Steps at most; never more than N.
        enough: Whether the quadrature so far will do; asked now and then.
        progress: Called with the number of products just finished.
    """
    n_probes, n_params = probes.shape
    most_steps = min(most_steps, n_params)
    vector = probes / probes.norm(dim=1, keepdim=True)  # (k, N)
    basis = torch.empty(n_probes, 0, n_params, dtype=probes.dtype)  # (k, m, N), room for more
    diagonal: list[Tensor] = []
    beside: list[Tensor] = []
    for step in range(1, most_steps + 1):
        if step > basis.shape[1]:
            room = torch.empty(n_probes, STEP_BLOCK, n_params, dtype=probes.dtype)
            basis = torch.cat([basis, room], 1)
        basis[:, step - 1] = vector
        so_far = basis[:, :step]  # (k, m, N)
        image = product(vector)  # (k, N)
        diagonal.append((image * vector).sum(1))
        for _ in range(2):  # once leaves what rounding brings back
            along = torch.bmm(so_far, image[:, :, None])  # (k, m, 1)
            image -= torch.bmm(so_far.mT, along)[:, :, 0]
        beside.append(image.norm(dim=1))
        # Where the Krylov space is exhausted nothing follows: the vector's entries are zero or rounding.
        vector = image / beside[-1].clamp_min(torch.finfo(probes.dtype).tiny)[:, None]
        progress(n_probes)
        found = Quadrature(
            diagonal=torch.stack(diagonal, 1).numpy(), beside=torch.stack(beside, 1).numpy(), n_params=n_params
        )
        if step == most_steps or (step % STEP_BLOCK == 0 and enough(found)):
            return found
    raise AssertionError("a matrix has at least one row")


def stochastic_dimension(
    product: Product,
    n_params: int,
    alpha: float,
    *,
    probes: int,
    positive: bool,
    seed: int = 0,
    progress: Progress = lambda _: None,
) -> dict[str, float | int]:
    """N_eff by stochastic Lanczos quadrature, with both of its errors.

    tr f(A) ≈ mean over probes v of vᵀ f(A) v, E[v vᵀ] = I, each by quadrature

    Args:
        product: Of a symmetric matrix A.
        n_params: N.
        alpha: α.
        probes: Vectors of random signs.
        positive: A has no negative eigenvalues, so that quadrature bounds the form from both sides.
        seed: Of the signs.
        progress: Called with the number of products just finished.

    Returns:
        The fields of :class:`EffectiveDimension` that are not about the run.

    Source: ubaru2017, golub2010.
    """
    generator = torch.Generator().manual_seed(seed)
    signs = torch.randint(2, (probes, n_params), generator=generator).double() * 2 - 1  # (k, N)
    before = [np.inf]

    def error(found: Quadrature) -> float:
        if positive:
            return float((found.gauss(alpha) - found.radau(alpha)).mean() / 2)
        value = float(found.gauss(alpha).mean())
        change, before[0] = abs(value - before[0]), value
        return change

    def enough(found: Quadrature) -> bool:
        last.append(error(found))
        return last[-1] <= QUADRATURE_TOLERANCE * float(found.gauss(alpha).mean())

    last: list[float] = []
    found = lanczos(product, signs, MOST_STEPS, enough, progress)

    def forms(at: float) -> FloatArray:
        return (found.gauss(at) + found.radau(at)) / 2 if positive else found.gauss(at)

    values = forms(alpha)
    steps = found.diagonal.shape[1]
    return {
        "value": float(values.mean()),
        "standard_error": float(values.std(ddof=1) / np.sqrt(probes)),
        # All directions have been seen after N steps.
        "quadrature_error": 0.0 if steps == n_params else error(found) if positive or not last else last[-1],
        "smaller": float(forms(alpha / ALPHA_FACTOR).mean()),
        "larger": float(forms(alpha * ALPHA_FACTOR).mean()),
        "largest": found.largest(),
        "steps": steps,
    }


def exact_dimension(matrix: Tensor, alpha: float) -> dict[str, float | int]:
    """N_eff from all eigenvalues of a symmetric matrix, as :func:`stochastic_dimension` returns it."""
    eigenvalues = torch.linalg.eigvalsh(matrix).numpy()
    return {
        "value": effective_dimension(eigenvalues, alpha),
        "standard_error": 0.0,
        "quadrature_error": 0.0,
        "smaller": effective_dimension(eigenvalues, alpha / ALPHA_FACTOR),
        "larger": effective_dimension(eigenvalues, alpha * ALPHA_FACTOR),
        "largest": float(eigenvalues[-1]),
        "steps": 0,
    }
