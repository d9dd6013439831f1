"""A trained network taken apart: the Fourier circuit that generalizes, and what is left, which memorizes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import chi2

from dcrit.empirics.instruments.snapshots import Snapshot
from dcrit.empirics.models.family import architecture_of
from dcrit.theory.checks import FieldError
from dcrit.theory.problems.problem import Problem
from dcrit.theory.problems.tasks import TASKS

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Scalar = TypeVar("Scalar", bound=np.generic)

#: Probability that a network whose logits on unseen pairs are noise has any key frequency.
KEY_LEVEL = 0.01


@dataclass(frozen=True, kw_only=True)
class CyclicGroup:
    """Names of a task's symbols under which it is addition mod n.

    label(first[i], second[j]) = result[i + j mod n]

    Attributes:
        first: (n,) symbol that is element i as first operand.
        second: (n,) symbol that is element j as second operand.
        result: (n,) class that is element k.
    """

    first: IntArray
    second: IntArray
    result: IntArray

    @property
    def order(self) -> int:
        """Elements n."""
        return self.first.size

    def pairs(self, values: NDArray[Scalar]) -> NDArray[Scalar]:
        """Values of all pairs of symbols, (..., n²), as a table over elements (..., n, n)."""
        square = values.reshape(*values.shape[:-1], self.order, self.order)
        return square[..., self.first[:, None], self.second[None, :]]

    def table(self, logits: FloatArray) -> FloatArray:
        """Logits of all pairs, (C, n²), as L[i, j, k] over elements: (n, n, n)."""
        return np.moveaxis(self.pairs(logits)[self.result], 0, 2)


def cyclic_group(problem: Problem) -> CyclicGroup:
    """The group behind a task: residues under addition, or nonzero ones by their discrete logarithm.

    Raises:
        ValueError: The task is no cyclic group.
    """
    elements = problem.definition.cyclic
    if elements is None:
        allowed = ", ".join(task.name for task in TASKS.values() if task.cyclic is not None)
        raise FieldError(
            "task",
            f"be one of {allowed} to be split into Fourier circuits",
            f"'{problem.task}'",
            why="it is not addition in a cyclic group under any names of its symbols",
        )
    first, second, result = elements(problem.modulus)
    return CyclicGroup(first=first, second=second, result=result)


def dimensions(order: int) -> IntArray:
    """Real dimensions of frequencies 1 … n//2: cosine and sine, but for n/2 the cosine alone."""
    frequency = np.arange(1, order // 2 + 1)
    return np.where(2 * frequency == order, 1, 2)


def centered(table: FloatArray) -> FloatArray:
    """Logits less their mean over classes, which no probability depends on: (n, n, n)."""
    return table - table.mean(axis=2, keepdims=True)


def profile(table: FloatArray) -> FloatArray:
    """The part of a table that depends on t = k − i − j alone, its orthogonal projection on such functions: (n,).

    m(t) = mean over i, j of L[i, j, i + j + t]
    """
    n = table.shape[0]
    i, j, t = np.ogrid[:n, :n, :n]
    return table[i, j, (i + j + t) % n].mean(axis=(0, 1))


def spread(along: FloatArray) -> FloatArray:
    """The table of a function of t = k − i − j: (n,) to (n, n, n)."""
    n = along.size
    i, j, k = np.ogrid[:n, :n, :n]
    return along[(k - i - j) % n]


def frequency_power(along: FloatArray) -> FloatArray:
    """Mean square of a profile in each frequency 1 … n//2; they add up to its variance: (n//2,)."""
    spectrum = np.abs(np.fft.rfft(along)[1:]) ** 2
    return dimensions(along.size) * spectrum / along.size**2


def only_frequencies(along: FloatArray, keys: IntArray) -> FloatArray:
    """A profile with nothing left but some frequencies: (n,)."""
    spectrum = np.fft.rfft(along)
    kept = np.zeros_like(spectrum)
    kept[keys] = spectrum[keys]
    return np.fft.irfft(kept, along.size)


def key_frequencies(table: FloatArray, is_train: NDArray[np.bool_], *, level: float = KEY_LEVEL) -> IntArray:
    """Frequencies that carry logits on unseen pairs, beyond what noise would.

    On unseen pairs alone the logits' Fourier coefficient of cos and sin of ω_q(k − i − j) is compared with
    those of ω_q k − ω_x i − ω_y j, x, y ≠ 0, for all other (x, y). Where nothing generalizes they are alike,
    and a power's ratio to its mean is that of χ² with 2 degrees of freedom (1 at q = n/2). The mean is taken
    from the median, which the few coefficients with a structure of their own do not move, or from that of x = y
    alone if it is larger: tables symmetric in i and j have twice the power there. A frequency is
    key where the ratio has a probability below ``level``/(n//2) and its cosine favours the correct class:
    early in training memorizing pushes the correct class of unseen pairs down. Training pairs have no say,
    since a look-up table of them has power in every frequency.

    Args:
        table: (n, n, n) logits over elements.
        is_train: (n, n) whether a pair of elements is trained on.
        level: Probability of any key frequency where there is none.

    Returns:
        Key frequencies in rising order, among 1 … n//2.
    """
    n = table.shape[0]
    unseen = centered(table) * ~is_train[:, :, None]  # (n, n, n)
    coefficient = np.fft.fft2(np.fft.rfft(unseen, axis=2), axes=(0, 1))  # (n, n, n//2 + 1)
    power = np.abs(coefficient) ** 2
    found = []
    for q, dims in enumerate(dimensions(n), start=1):
        others = np.ones((n, n), dtype=bool)
        others[0], others[:, 0], others[-q, -q] = False, False, False
        alike = np.delete(np.arange(1, n), n - q - 1)  # x = y, both other than 0 and n − q
        typical = max(np.median(power[:, :, q][others]), np.median(power[alike, alike, q]))
        mean = typical / (chi2.median(2) / 2)
        favours = coefficient[-q, -q, q].real > 0
        if favours and power[-q, -q, q] > mean * chi2.isf(level / (n // 2), dims) / dims:
            found.append(q)
    return np.array(found, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Circuits:
    """Both circuits of one network at one step.

    With r the logits' component on key frequencies, margins are of the correct logit over the mean of
    the others, so that those of both parts add up to the whole.

    Attributes:
        step: Optimizer steps taken [steps].
        keys: Key frequencies.
        train_loss: Cross-entropy on the training set [nats].
        test_loss: On all other pairs [nats].
        train_accuracy: On the training set.
        test_accuracy: On all other pairs.
        restricted_loss: Of r alone, which is the same on every pair [nats]; ln C where no frequency is key.
        excluded_loss: Of all but r, on the training set [nats].
        generalizing_margin: Of r, on every pair [nats].
        memorizing_margin: Of the rest, on the training set [nats].
        memorizing_margin_unseen: Of the rest, on all other pairs [nats].
        share: w, generalizing share of the training margin, see :func:`generalizing_share`.
        power: (n//2,) mean square of the logits in each frequency of k − i − j [nats²].
        residual_power: Mean square of all else [nats²].
        generalizing_squared_norm: Part of the squared norm on key frequencies of the symbol axes; NaN where the
            model has no such axes.
        memorizing_squared_norm: On all other frequencies but zero.
        constant_squared_norm: On frequency zero, the means over symbols.
        gini: Gini coefficient of the embeddings' norms over frequencies, 0 for a flat spectrum.
        participation: IPR of the embeddings' spectra, mean over hidden units by power; 1 for a single frequency.

    Source: nanda2023 (restricted and excluded loss, Gini coefficient), doshi2023 (IPR).
    """

    step: int
    keys: tuple[int, ...]
    train_loss: float
    test_loss: float
    train_accuracy: float
    test_accuracy: float
    restricted_loss: float
    excluded_loss: float
    generalizing_margin: float
    memorizing_margin: float
    memorizing_margin_unseen: float
    share: float
    power: tuple[float, ...]
    residual_power: float
    generalizing_squared_norm: float
    memorizing_squared_norm: float
    constant_squared_norm: float
    gini: float
    participation: float


def generalizing_share(*, restricted: float, margin: float, fraction: float, key_fraction: float) -> float:
    """Share w of the training margin that generalizes, what a look-up table leaves in its place taken off.

    A table of the training set projects on functions of k − i − j as well: on key frequencies it has the
    margin φ·s·γ_mem, φ = D/n² and s the fraction of dimensions that are key. From r = γ_gen + φ·s·γ_mem
    and γ = γ_gen + γ_mem on the training set,

        w = γ_gen/γ = (r/γ − φ·s)/(1 − φ·s)

    Args:
        restricted: r, margin of the key frequencies [nats].
        margin: γ, on the training set [nats].
        fraction: φ, trained fraction of all pairs, below 1.
        key_fraction: s.

    Returns:
        w; 0 where no frequency is key.
    """
    leak = fraction * key_fraction
    return (restricted / margin - leak) / (1 - leak) if key_fraction else 0.0


def losses(table: FloatArray) -> FloatArray:
    """Cross-entropy of every pair, the correct class of (i, j) being i + j: (n, n, n) to (n, n) [nats]."""
    return logsumexp(table, axis=2) - correct_logits(table)


def correct_logits(table: FloatArray) -> FloatArray:
    """Logits of the correct classes: (n, n)."""
    i, j = np.ogrid[: table.shape[0], : table.shape[0]]
    return table[i, j, (i + j) % table.shape[0]]


def split_circuits(snapshot: Snapshot) -> Circuits:
    """Both circuits of a network on a task that is a cyclic group.

    Args:
        snapshot: Finite logits, and pairs that are not trained on.

    Raises:
        ValueError: The task is no cyclic group, or every pair is trained on.
    """
    problem = snapshot.config.problem
    group = cyclic_group(problem)
    n = group.order
    is_train = group.pairs(snapshot.is_train)  # (n, n)
    if is_train.all():
        raise FieldError(
            "n_train",
            f"be at most {problem.n_pairs - 1}, to leave unseen pairs on which generalizing differs from memorizing",
            f"{problem.n_pairs}",
        )
    table = centered(group.table(snapshot.logits))  # (n, n, n)
    keys = key_frequencies(table, is_train)
    along = profile(table)  # (n,)
    restricted = only_frequencies(along, keys)  # (n,)
    rest = table - spread(restricted)  # (n, n, n)
    correct = correct_logits(table)  # (n, n)
    i, j = np.ogrid[:n, :n]
    rivals = table.copy()
    rivals[i, j, (i + j) % n] = -np.inf
    # A tie counts as wrong, as it does while training.
    right = correct > rivals.max(axis=2)  # (n, n)
    loss = losses(table)  # (n, n)
    # Logits add up to zero over classes: the others' mean is minus the correct one over n − 1.
    scale = n / (n - 1)
    margin, unseen = scale * correct[is_train].mean(), scale * correct[~is_train].mean()
    generalizing = scale * restricted[0]
    power = frequency_power(along)
    norms = _norms(snapshot, group, keys)
    return Circuits(
        step=snapshot.step,
        keys=tuple(keys.tolist()),
        train_loss=float(loss[is_train].mean()),
        test_loss=float(loss[~is_train].mean()),
        train_accuracy=float(right[is_train].mean()),
        test_accuracy=float(right[~is_train].mean()),
        restricted_loss=float(logsumexp(restricted) - restricted[0]),
        excluded_loss=float(losses(rest)[is_train].mean()),
        generalizing_margin=float(generalizing),
        memorizing_margin=float(margin - generalizing),
        memorizing_margin_unseen=float(unseen - generalizing),
        share=generalizing_share(
            restricted=float(generalizing),
            margin=float(margin),
            fraction=float(is_train.mean()),
            key_fraction=float(dimensions(n)[keys - 1].sum() / (n - 1)),
        ),
        power=tuple(power.tolist()),
        residual_power=float(np.square(table).mean() - power.sum()),
        **norms,
    )


def symbol_spectrum(matrix: FloatArray) -> FloatArray:
    """Power of each column in each frequency 0 … n//2 of the rows, adding up to its squared norm: (n, H) to (·, H)."""
    n = matrix.shape[0]
    power = np.abs(np.fft.rfft(matrix, axis=0)) ** 2 / n
    return power * np.concatenate([[1], dimensions(n)])[:, None]


def gini(values: FloatArray) -> float:
    """Gini coefficient of values of at least zero: 0 where all are equal, near 1 where one has everything.

    G = Σ_i (2i − F − 1)·x_i/(F·Σ x), x in rising order
    """
    ordered = np.sort(values)
    place = 2 * np.arange(1, ordered.size + 1) - ordered.size - 1
    return float((place * ordered).sum() / (ordered.size * ordered.sum())) if ordered.any() else math.nan


def participation(spectrum: FloatArray) -> float:
    """Inverse participation ratio Σ_k p_k²/(Σ_k p_k)² of each column, mean by power: (F, H) to a number."""
    total = spectrum.sum(axis=0)
    alive = total > 0
    squares = np.square(spectrum[:, alive]).sum(axis=0) / total[alive]
    return float(squares.sum() / total.sum()) if alive.any() else math.nan


def _norms(snapshot: Snapshot, group: CyclicGroup, keys: IntArray) -> dict[str, float]:
    """Squared norm by circuit, and how concentrated the embeddings' spectra are."""
    problem = snapshot.config.problem
    tables = architecture_of(problem).symbol_tables(problem, snapshot.theta.double())
    # Where one table serves both operands, their names differ by a sign at most, which no power sees.
    embedding = symbol_spectrum(tables.first.numpy()[group.first])
    if tables.second is not None:
        embedding = np.hstack([embedding, symbol_spectrum(tables.second.numpy()[group.second])])
    whole = None
    if tables.unembed is not None:
        whole = np.hstack([embedding, symbol_spectrum(tables.unembed.numpy()[group.result])]).sum(axis=1)  # (n//2 + 1,)
    return {
        "generalizing_squared_norm": math.nan if whole is None else float(whole[keys].sum()),
        "memorizing_squared_norm": math.nan if whole is None else float(np.delete(whole, [0, *keys]).sum()),
        "constant_squared_norm": math.nan if whole is None else float(whole[0]),
        "gini": gini(np.sqrt(embedding[1:].sum(axis=1))),
        "participation": participation(embedding[1:]),
    }
