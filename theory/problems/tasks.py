"""The finite tasks that networks learn: a label for every ordered pair of symbols."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, reduce

import numpy as np
from numpy.typing import NDArray

from dcrit.theory.checks import FieldError
from dcrit.theory.problems.latin import random_latin_square, random_symmetric_latin_square
from dcrit.theory.problems.polynomials import (
    Polynomial,
    looks_like_a_polynomial,
    read_polynomial,
    value_of,
    written,
)
from dcrit.theory.registry import Registry

IntArray = NDArray[np.int64]
Rule = Callable[[IntArray, IntArray, int], IntArray]
Sampler = Callable[[int, np.random.Generator], IntArray]
Count = Callable[[int], int]
Elements = Callable[[int], tuple[IntArray, IntArray, IntArray]]

#: Degrees of the symmetric group: S_6 has 518400 pairs of 720 classes, logits of 1.5 GB a network.
DEGREES = range(3, 6)

#: Corners of the polygon whose symmetries are a dihedral group.
CORNERS = range(3, 201)

#: Numbers of bits of sparse parity, which are even as each operand is half a word.
BITS = range(6, 13, 2)

#: Names that describe a task which has another name already: the cyclic group is addition.
OTHER_NAMES = {
    "cyclic-group": "add",
    "x+y": "add",
    "x-y": "sub",
    "x^2+y^2": "sum-squares",
    "x^2+2*x*y+y^2": "square-of-sum",
    "x^2+x*y+y^2": "quadratic-form",
    "x^3+x*y": "cubic",
    "sparse-parity-3": "sparse-parity",
}

#: Orders of random symmetric Latin squares; larger ones are climbed to for minutes.
ODD = range(3, 1000, 2)


@dataclass(frozen=True, kw_only=True)
class Task:
    """One family of labelled pairs, indexed by its modulus p.

    Attributes:
        name: The word on the command line.
        formula: The rule as people write it.
        rule: Residues (a, b) and p to labels; ``None`` where there is nothing to find.
        sampler: Number of symbols and a random generator to a table of labels; ``None`` where there is a rule.
        nonzero: Operands and results are the p-1 nonzero residues (the multiplicative group).
        symbols: p to the number of symbols; ``None`` where they are residues.
        classes: Number of classes where it is not that of the symbols; ``None`` where it is.
        moduli: Those that are allowed, where the task is defined for some only, and how to say so; ``None`` for all.
        control: Task of random labels that occur as often as this one's: what memorizing it costs. It has as
            many classes at a modulus that is this task's number of symbols.
        commutative: The label of (a, b) is the label of (b, a).
        latin: Every label occurs once in each row and each column.
        same_as: Task that this one is to a network that embeds each operand by a table of its own, once symbols are
            renamed; ``None`` for none.
        cyclic: p to names of symbols and classes under which the task is addition mod n, each (n,): label(first[i],
            second[j]) = result[i + j mod n]; ``None`` where there are none.
    """

    name: str
    formula: str
    rule: Rule | None = None
    sampler: Sampler | None = None
    nonzero: bool = False
    symbols: Count | None = None
    classes: int | None = None
    moduli: tuple[range, str] | None = None
    control: str = "random"
    commutative: bool = False
    latin: bool = False
    same_as: str | None = None
    cyclic: Elements | None = None

    def n_symbols(self, modulus: int) -> int:
        """S, number of values an operand takes."""
        return modulus - int(self.nonzero) if self.symbols is None else self.symbols(modulus)

    def n_classes(self, modulus: int) -> int:
        """C, number of classes."""
        return self.n_symbols(modulus) if self.classes is None else self.classes

    def n_pairs(self, modulus: int) -> int:
        """Number of examples that exist, n_symbols² [examples]."""
        return self.n_symbols(modulus) ** 2

    def check_modulus(self, modulus: int) -> None:
        """Refuse a modulus for which the task is not defined.

        Raises:
            ValueError: The modulus is not an integer of at least 3, or is composite or below 5 where
                the operands have to form a multiplicative group, or not among those the task allows.
        """
        if type(modulus) is not int or modulus < 3:
            raise FieldError("modulus", "be an integer of at least 3", repr(modulus))
        if self.moduli is not None and modulus not in self.moduli[0]:
            raise FieldError("modulus", f"be {self.moduli[1]} for task '{self.name}'", modulus)
        if self.nonzero and any(modulus % k == 0 for k in range(2, math.isqrt(modulus) + 1)):
            raise FieldError(
                "modulus",
                f"be prime for task '{self.name}'",
                modulus,
                why="modulo a composite number products of nonzero residues can be zero, so they form no group",
            )
        if self.nonzero and modulus < 5:
            raise FieldError(
                "modulus",
                f"be a prime of at least 5 for task '{self.name}'",
                modulus,
                why="fewer than four nonzero residues make no task",
            )

    def labels(self, modulus: int, rng: np.random.Generator | None = None) -> IntArray:
        """Label of every ordered pair, row a, column b.

        Args:
            modulus: p.
            rng: Draws the labels of a task without a rule; unused where there is one.

        Returns:
            (n_symbols, n_symbols) array of classes in 0..n_classes-1.

        Raises:
            ValueError: The labels are random and no generator was given.
        """
        if self.rule is not None:
            first = int(self.nonzero)
            residues = np.arange(first, first + self.n_symbols(modulus), dtype=np.int64)
            return self.rule(residues[:, None], residues[None, :], modulus) - first
        if self.sampler is None or rng is None:
            raise FieldError("rng", f"be given for task '{self.name}', whose labels are random", "None")
        return self.sampler(self.n_symbols(modulus), rng)


def _inverse(b: IntArray, p: int) -> IntArray:
    inverses = np.array([0] + [pow(value, -1, p) for value in range(1, p)], dtype=np.int64)
    return inverses[b]


@cache
def _permutations(m: int) -> IntArray:
    """Images of 0..m-1 under every permutation in lexicographic order: (m!, m)."""
    return np.array(list(itertools.permutations(range(m))), dtype=np.int64)


def _compose(a: IntArray, b: IntArray, m: int) -> IntArray:
    """Index of the permutation that does b first and then a."""
    permutations, place = _permutations(m), m ** np.arange(m - 1, -1, -1)
    images = np.take_along_axis(permutations[a], permutations[b], axis=-1)  # (m!, m!, m)
    return np.searchsorted(permutations @ place, images @ place).astype(np.int64)


def _turn_or_flip(a: IntArray, b: IntArray, n: int) -> IntArray:
    """Index of the symmetry of an n-gon that does b and then a: r below n turns by r, n + r flips and then turns."""
    turn, flip = a % n, a // n
    return (turn + np.where(flip == 1, -1, 1) * (b % n)) % n + n * (flip ^ (b // n))


def _parity(n_relevant: int) -> Rule:
    """Parity of leading bits of both halves of a word, one more in the first half where their number is odd."""
    first, second = (n_relevant + 1) // 2, n_relevant // 2

    def rule(a: IntArray, b: IntArray, n_bits: int) -> IntArray:
        bits = [a >> (n_bits // 2 - 1 - k) for k in range(first)] + [b >> (n_bits // 2 - 1 - k) for k in range(second)]
        return reduce(np.bitwise_xor, bits) & 1

    return rule


def _parity_task(n_relevant: int) -> Task:
    """Parity of some bits of a word whose halves are the operands.

    Operands are symbols, not bits: which bits count, and how many beside one in each half, changes nothing for a
    network that embeds both halves apart, as long as half of all symbols are odd.
    """
    first, second = (n_relevant + 1) // 2, n_relevant // 2
    words = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}
    bits = range(max(BITS[0], 2 * first), BITS[-1] + 1, 2)
    return Task(
        name="sparse-parity" if n_relevant == 3 else f"sparse-parity-{n_relevant}",
        formula=f"parity of {words.get(n_relevant, n_relevant)} bits of a p-bit word, {words[first]} in its half a and "
        f"{words[second]} in its half b",
        rule=_parity(n_relevant),
        symbols=lambda n_bits: 2 ** (n_bits // 2),
        classes=2,
        moduli=(bits, f"an even number of bits from {bits[0]} to {bits[-1]}"),
        control="random-binary",
        same_as=None if n_relevant == 3 else "sparse-parity",
    )


def _polynomial_task(name: str, polynomial: Polynomial) -> Task:
    return Task(
        name=name,
        formula=f"{name} mod p",
        rule=lambda x, y, p: value_of(polynomial, x, y, p),
        commutative=polynomial == {(j, i): factor for (i, j), factor in polynomial.items()},
    )


@cache
def _described(name: str) -> Task | None:
    """The task that a name describes: a polynomial, or parity of that many bits; None where it describes none."""
    if parity := re.fullmatch(r"sparse-parity-(\d{1,3})", name):
        n_relevant = int(parity.group(1))
        if not 2 <= n_relevant <= BITS[-1]:
            raise FieldError("task", f"be sparse-parity-K with 2 to {BITS[-1]} bits that count", f"'{name}'")
        return TASKS[OTHER_NAMES[name]] if name in OTHER_NAMES else _parity_task(n_relevant)
    if looks_like_a_polynomial(name):
        polynomial = read_polynomial(name)
        name = written(polynomial)
        return TASKS[OTHER_NAMES[name]] if name in OTHER_NAMES else _polynomial_task(name, polynomial)
    return TASKS[OTHER_NAMES[name]] if name in OTHER_NAMES else None


def _uniform_bits(n_symbols: int, rng: np.random.Generator) -> IntArray:
    return rng.integers(2, size=(n_symbols, n_symbols))


def _uniform(n_symbols: int, rng: np.random.Generator) -> IntArray:
    return rng.integers(n_symbols, size=(n_symbols, n_symbols))


def _uniform_square(n_symbols: int, rng: np.random.Generator) -> IntArray:
    return _uniform(n_symbols, rng) ** 2 % n_symbols


def _uniform_symmetric(n_symbols: int, rng: np.random.Generator) -> IntArray:
    table = _uniform(n_symbols, rng)
    return np.triu(table) + np.triu(table, 1).T


def _residues(p: int) -> tuple[IntArray, IntArray, IntArray]:
    residue = np.arange(p)
    return residue, residue, residue


def _nonzero_residues(p: int) -> tuple[IntArray, IntArray, IntArray]:
    """By their discrete logarithm; symbol s stands for the residue s + 1."""
    power = _powers_of_generator(p) - 1
    return power, power, power


def _with_inverses(elements: Elements) -> Elements:
    """The same group, whose second operand is taken by its inverse."""

    def inverted(p: int) -> tuple[IntArray, IntArray, IntArray]:
        first, second, result = elements(p)
        return first, second[-np.arange(second.size) % second.size], result

    return inverted


def _powers_of_generator(prime: int) -> IntArray:
    """g^0 … g^(p−2) of the smallest generator g of the nonzero residues: (p − 1,)."""
    for g in range(2, prime):
        powers = [1]
        while (following := powers[-1] * g % prime) != 1:
            powers.append(following)
        if len(powers) == prime - 1:
            return np.array(powers, dtype=np.int64)
    raise FieldError("modulus", "be a prime of at least 3", prime)


#: Every task by its name.
TASKS: Registry[Task] = Registry(
    "task",
    Task,
    group="dcrit.tasks",
    name=lambda task: task.name,
    derive=_described,
    own=lambda: (
        Task(
            name="add",
            formula="a + b mod p",
            rule=lambda a, b, p: (a + b) % p,
            commutative=True,
            latin=True,
            cyclic=_residues,
        ),
        Task(
            name="sub",
            formula="a - b mod p",
            rule=lambda a, b, p: (a - b) % p,
            latin=True,
            same_as="add",
            cyclic=_with_inverses(_residues),
        ),
        Task(
            name="mul",
            formula="a·b mod p, a and b nonzero",
            rule=lambda a, b, p: (a * b) % p,
            nonzero=True,
            commutative=True,
            latin=True,
            same_as="add",
            cyclic=_nonzero_residues,
        ),
        Task(
            name="div",
            formula="a/b mod p, a and b nonzero",
            rule=lambda a, b, p: (a * _inverse(b, p)) % p,
            nonzero=True,
            latin=True,
            same_as="add",
            cyclic=_with_inverses(_nonzero_residues),
        ),
        Task(name="sum-squares", formula="a² + b² mod p", rule=lambda a, b, p: (a * a + b * b) % p, commutative=True),
        Task(
            name="square-of-sum",
            formula="(a + b)² mod p",
            rule=lambda a, b, p: (a + b) ** 2 % p,
            control="random-square",
            commutative=True,
        ),
        Task(
            name="quadratic-form",
            formula="a² + ab + b² mod p",
            rule=lambda a, b, p: (a * a + a * b + b * b) % p,
            commutative=True,
        ),
        Task(name="cubic", formula="a³ + ab mod p", rule=lambda a, b, p: (a**3 + a * b) % p),
        Task(
            name="symmetric-group",
            formula="a∘b, permutations of p things",
            rule=_compose,
            symbols=math.factorial,
            moduli=(DEGREES, "a number of permuted things from 3 to 5"),
            latin=True,
        ),
        Task(
            name="dihedral-group",
            formula="a∘b, turns and flips of a polygon with p corners",
            rule=_turn_or_flip,
            symbols=lambda corners: 2 * corners,
            moduli=(CORNERS, f"a number of corners from {CORNERS[0]} to {CORNERS[-1]}"),
            latin=True,
        ),
        _parity_task(3),
        Task(name="random", formula="a uniformly random label for every pair", sampler=_uniform),
        Task(
            name="random-square",
            formula="the square mod p of a uniformly random residue for every pair",
            sampler=_uniform_square,
        ),
        Task(
            name="random-binary",
            formula="a uniformly random bit for every pair",
            sampler=_uniform_bits,
            classes=2,
            control="random-binary",
        ),
        Task(
            name="random-symmetric",
            formula="a uniformly random label for every pair, the same for (a, b) and (b, a)",
            sampler=_uniform_symmetric,
            commutative=True,
        ),
        Task(
            name="random-symmetric-latin",
            formula="a random symmetric Latin square: commutative as addition is, no rule",
            sampler=random_symmetric_latin_square,
            moduli=(ODD, "odd and below 1000"),
            commutative=True,
            latin=True,
        ),
        Task(
            name="random-latin",
            formula="a random Latin square: every label once in each row and column, no rule",
            sampler=random_latin_square,
            latin=True,
        ),
    ),
)


def relabelings(task: Task, *, shares_embedding: bool) -> tuple[str, ...]:
    """Tasks that are the same one to a network, once symbols are renamed.

    Where one embedding serves both operands, both are renamed alike: that keeps a commutative task commutative.

    Args:
        task: One of them.
        shares_embedding: Whether the network has one embedding for both operands.
    """
    if shares_embedding and not task.commutative:
        return (task.name,)
    root = task.same_as or task.name
    same = [one for one in TASKS.values() if root in (one.name, one.same_as)]
    return tuple(one.name for one in same if one.commutative or not shares_embedding)
