"""The four dynamics in the plane of model size and training-set size, from two curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Dynamics = Literal["progression", "ungrokking", "semi-grokking", "grokking"]

#: In the order of the codes that :func:`dynamics_codes` returns.
DYNAMICS: tuple[Dynamics, ...] = ("progression", "ungrokking", "semi-grokking", "grokking")

#: What training from scratch shows in a region that is named after something else: ungrokking is what a network that
#: generalizes does there when its data shrink.
FROM_SCRATCH: Mapping[str, str] = {"ungrokking": "memorization"}

#: Train accuracy from which a training set counts as memorized.
FITTED = 0.99

#: Test accuracy from which a network counts as generalizing.
GENERALIZED = 0.9

#: Expected test accuracy at the two ends of semi-grokking.
SEMI_GROKKING = (0.1, GENERALIZED)


def shown_from_scratch(region: str) -> str:
    """What training from scratch shows in a region, in the words of ``dcrit classify``.

    Args:
        region: Its name.
    """
    return FROM_SCRATCH.get(region, region)


def region_label(region: str) -> str:
    """A region as people read it: where training from scratch shows something of another name, both names.

    Args:
        region: Its name.
    """
    return f"{region} ({FROM_SCRATCH[region]})" if region in FROM_SCRATCH else region


def dynamics_codes(
    n_train: ArrayLike, capacity: ArrayLike, onset: ArrayLike, completion: ArrayLike
) -> NDArray[np.int64]:
    """Which of the four dynamics each point shows, as an index into ``DYNAMICS``.

    progression:   D > D_mem, not all examples can be memorized
    ungrokking:    D ≤ D_mem and D below the onset of semi-grokking
    semi-grokking: D ≤ D_mem, between onset and completion
    grokking:      D ≤ D_mem and D at or above completion

    Args:
        n_train: D [examples], broadcast against the others.
        capacity: D_mem [examples].
        onset: Size at which expected test accuracy leaves the lower end of ``SEMI_GROKKING`` [examples].
        completion: Size at which it reaches the upper end [examples]; inf where it never does.

    Returns:
        Codes, of the broadcast shape.

    Source: huang2024.
    """
    n_train, capacity = np.asarray(n_train), np.asarray(capacity)
    memorized = np.where(n_train < np.asarray(onset), 1, np.where(n_train < np.asarray(completion), 2, 3))
    return np.where(n_train > capacity, 0, memorized)
