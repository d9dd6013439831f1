"""The finite tasks that networks learn: a label for every ordered pair of symbols."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcrit.theory.latin import random_latin_square

IntArray = NDArray[np.int64]
Rule = Callable[[IntArray, IntArray, int], IntArray]
Sampler = Callable[[int, np.random.Generator], IntArray]


@dataclass(frozen=True, kw_only=True)
class Task:
    """One family of labelled pairs, indexed by its modulus p.

    Attributes:
        name: The word on the command line.
        formula: The rule as people write it.
        rule: Residues (a, b) and p to labels in 0..p-1; ``None`` where there is nothing to find.
        sampler: Number of symbols and a random generator to a table of labels; ``None`` where there is a rule.
        nonzero: Operands and results are the p-1 nonzero residues (the multiplicative group).
        control: Task of random labels that occur as often as this one's: what memorizing it costs.
        symmetric: The label of (a, b) is the label of (b, a).
        latin: Every label occurs once in each row and each column.
    """

    name: str
    formula: str
    rule: Rule | None = None
    sampler: Sampler | None = None
    nonzero: bool = False
    control: str = "random"
    symmetric: bool = False
    latin: bool = False

    def n_symbols(self, modulus: int) -> int:
        """Number of values an operand takes, which is also the number of classes C."""
        return modulus - 1 if self.nonzero else modulus

    def n_pairs(self, modulus: int) -> int:
        """Number of examples that exist, n_symbols² [examples]."""
        return self.n_symbols(modulus) ** 2

    def check_modulus(self, modulus: int) -> None:
        """Refuse a modulus for which the task is not defined.

        Raises:
            ValueError: The modulus is not an integer of at least 3, or is composite or below 5 where
                the operands have to form a multiplicative group.
        """
        if type(modulus) is not int or modulus < 3:
            raise ValueError(f"modulus must be an integer of at least 3, got {modulus!r}")
        if self.nonzero and any(modulus % k == 0 for k in range(2, math.isqrt(modulus) + 1)):
            raise ValueError(
                f"modulus must be prime for task '{self.name}', got {modulus}: modulo a composite number "
                "products of nonzero residues can be zero, so they form no group"
            )
        if self.nonzero and modulus < 5:
            raise ValueError(
                f"modulus must be a prime of at least 5 for task '{self.name}', got {modulus}: fewer than four "
                "nonzero residues make no task"
            )

    def labels(self, modulus: int, rng: np.random.Generator | None = None) -> IntArray:
        """Label of every ordered pair, row a, column b.

        Args:
            modulus: p.
            rng: Draws the labels of a task without a rule; unused where there is one.

        Returns:
            (n_symbols, n_symbols) array of classes in 0..n_symbols-1.

        Raises:
            ValueError: The labels are random and no generator was given.
        """
        if self.rule is not None:
            residues = np.arange(int(self.nonzero), modulus, dtype=np.int64)
            return self.rule(residues[:, None], residues[None, :], modulus) - int(self.nonzero)
        if self.sampler is None or rng is None:
            raise ValueError(f"rng must be given for task '{self.name}', whose labels are random, got None")
        return self.sampler(self.n_symbols(modulus), rng)


def _inverse(b: IntArray, p: int) -> IntArray:
    inverses = np.array([0] + [pow(value, -1, p) for value in range(1, p)], dtype=np.int64)
    return inverses[b]


def _uniform(n_symbols: int, rng: np.random.Generator) -> IntArray:
    return rng.integers(n_symbols, size=(n_symbols, n_symbols))


def _uniform_square(n_symbols: int, rng: np.random.Generator) -> IntArray:
    return _uniform(n_symbols, rng) ** 2 % n_symbols


def _uniform_symmetric(n_symbols: int, rng: np.random.Generator) -> IntArray:
    table = _uniform(n_symbols, rng)
    return np.triu(table) + np.triu(table, 1).T


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task(name="add", formula="a + b mod p", rule=lambda a, b, p: (a + b) % p, symmetric=True, latin=True),
        Task(name="sub", formula="a - b mod p", rule=lambda a, b, p: (a - b) % p, latin=True),
        Task(
            name="mul",
            formula="a·b mod p, a and b nonzero",
            rule=lambda a, b, p: (a * b) % p,
            nonzero=True,
            symmetric=True,
            latin=True,
        ),
        Task(
            name="div",
            formula="a/b mod p, a and b nonzero",
            rule=lambda a, b, p: (a * _inverse(b, p)) % p,
            nonzero=True,
            latin=True,
        ),
        Task(name="sum-squares", formula="a² + b² mod p", rule=lambda a, b, p: (a * a + b * b) % p, symmetric=True),
        Task(
            name="square-of-sum",
            formula="(a + b)² mod p",
            rule=lambda a, b, p: (a + b) ** 2 % p,
            control="random-square",
            symmetric=True,
        ),
        Task(
            name="quadratic-form",
            formula="a² + ab + b² mod p",
            rule=lambda a, b, p: (a * a + a * b + b * b) % p,
            symmetric=True,
        ),
        Task(name="cubic", formula="a³ + ab mod p", rule=lambda a, b, p: (a**3 + a * b) % p),
        Task(name="random", formula="a uniformly random label for every pair", sampler=_uniform),
        Task(
            name="random-square",
            formula="the square mod p of a uniformly random residue for every pair",
            sampler=_uniform_square,
        ),
        Task(
            name="random-symmetric",
            formula="a uniformly random label for every pair, the same for (a, b) and (b, a)",
            sampler=_uniform_symmetric,
            symmetric=True,
        ),
        Task(
            name="random-latin",
            formula="a random Latin square: every label once in each row and column, no rule",
            sampler=random_latin_square,
            latin=True,
        ),
    )
}


def find_task(name: str) -> Task:
    """The task of that name.

    Raises:
        ValueError: No task has that name; the message offers the nearest one.
    """
    if name in TASKS:
        return TASKS[name]
    near = difflib.get_close_matches(str(name), TASKS, n=1, cutoff=0.0)
    hint = f"; the nearest is '{near[0]}'" if near else ""
    raise ValueError(f"task must be one of {', '.join(TASKS)}, got '{name}'{hint}")
