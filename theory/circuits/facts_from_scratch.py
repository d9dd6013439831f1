"""Facts to memorize beside a task, from scratch: a network finds its rule as if it had fewer examples of it.

A rule is found where its signal stands out of the noise of look-up directions. The signal is that of D examples, the
noise of the labels of all that the same units look up: √D for the task alone, √(D + a·D_r) beside D_r facts, each of
which disturbs as much as a·1 examples do. So D/√(D + a·D_r) takes the place of √D:

    D_eff = D²/(D + a·D_r),   D_crit(T, D_r) = D_crit(T)·(1/2 + √(1/4 + a·D_r/D_crit(T)))

a = 1 where units cannot tell tasks apart, 0 where tasks share none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def effective_size(n_train: ArrayLike, n_facts: ArrayLike, interference: ArrayLike) -> FloatArray:
    """Examples alone that a rule is found from as soon as from D beside D_r facts.

    D_eff = D²/(D + a·D_r)

    Args:
        n_train: D, above 0 [examples]; arguments broadcast.
        n_facts: D_r [examples].
        interference: a.
    """
    size = np.asarray(n_train, dtype=np.float64)
    return size**2 / (size + np.asarray(interference) * np.asarray(n_facts, dtype=np.float64))


def size_beside_facts(alone: ArrayLike, n_facts: ArrayLike, interference: ArrayLike) -> FloatArray:
    """Critical size beside D_r facts: the inverse of :func:`effective_size`.

    D_crit(D_r) = D_crit(0)·(1/2 + √(1/4 + a·D_r/D_crit(0)))

    Args:
        alone: D_crit(0), above 0 [examples]; arguments broadcast.
        n_facts: D_r [examples].
        interference: a.
    """
    size = np.asarray(alone, dtype=np.float64)
    return size * (0.5 + np.sqrt(0.25 + np.asarray(interference) * np.asarray(n_facts, dtype=np.float64) / size))
