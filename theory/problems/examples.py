"""Tasks as examples and labels, for networks of one's own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dcrit.theory.arguments import hinting
from dcrit.theory.checks import FieldError, check_integer
from dcrit.theory.problems.tasks import TASKS

#: Most bits of sparse parity: words are numbered by 64-bit integers.
MOST_BITS = 60


@hinting()
def pairs(task: str, modulus: int, *, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every pair of symbols of a task, and its label.

        >>> from dcrit.theory.problems.examples import pairs
        >>> inputs, labels = pairs("x^2+y", 5)
        >>> inputs.shape, inputs[7].tolist(), int(labels[7])
        ((25, 2), [1, 2], 3)

    Args:
        task: Its name, or a polynomial.
        modulus: p; for groups the number of permuted things or corners, for parity of bits.
        seed: Draws the labels of tasks whose labels are random.

    Returns:
        Symbols (S², 2), counted from 0, and classes (S²,).

    Raises:
        ValueError: The task is unknown, or not defined at that modulus.
    """
    found = TASKS.find(task)
    found.check_modulus(modulus)
    labels = found.labels(modulus, np.random.default_rng(seed))
    return np.indices(labels.shape).reshape(2, -1).T.astype(np.int64), labels.ravel()


@hinting()
def sparse_parity(
    n_bits: int, n_relevant: int, n_examples: int, *, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(n, k)-sparse parity as networks see it that take bits: n signs, and whether the product of the first k is −1.

        >>> from dcrit.theory.problems.examples import sparse_parity
        >>> inputs, labels = sparse_parity(20, 3, 1000)
        >>> inputs.shape, bool(((inputs[:, :3].prod(1) < 0) == labels).all())
        ((1000, 20), True)

    Args:
        n_bits: n.
        n_relevant: k.
        n_examples: How many different words are drawn.
        seed: Draws them.

    Returns:
        Signs (n_examples, n), each 1 or −1, and classes (n_examples,), 0 or 1.

    Raises:
        ValueError: There are not so many words, or not so many bits.

    Source: barak2022.
    """
    check_integer("n_bits", n_bits, 1, MOST_BITS)
    check_integer("n_relevant", n_relevant, 1, n_bits)
    check_integer("n_examples", n_examples, 1)
    if n_examples > 2**n_bits:
        raise FieldError("n_examples", f"be at most {2**n_bits}, the number of words of {n_bits} bits", n_examples)
    rng = np.random.default_rng(seed)
    words: dict[int, None] = {}
    while len(words) < n_examples:
        words |= dict.fromkeys(rng.integers(2**n_bits, size=n_examples).tolist())
    chosen = np.array(list(words)[:n_examples], dtype=np.int64)
    signs = (1 - 2 * ((chosen[:, None] >> np.arange(n_bits)) & 1)).astype(np.float64)
    return signs, (signs[:, :n_relevant].prod(1) < 0).astype(np.int64)
