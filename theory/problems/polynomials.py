"""Polynomials in x and y by their formula, such as ``x^3+x*y^2+y``: read, written in one way, evaluated modulo p."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dcrit.theory.checks import FieldError

IntArray = NDArray[np.int64]

#: Coefficients by the powers of x and y.
Polynomial = Mapping[tuple[int, int], int]

#: What a formula is made of. Operands may be called a and b as well.
CHARACTERS = re.compile(r"[xyab\d\s+\-*^()]+")

#: Longest formula, highest degree and largest coefficient.
MOST_CHARACTERS, MOST_DEGREE, MOST_COEFFICIENT = 200, 20, 10**9

ALLOWED = "be a polynomial in x and y, of whole numbers, +, -, *, ^ and parentheses"


def looks_like_a_polynomial(name: str) -> bool:
    """Whether a name has no other characters than a formula, and a variable among them."""
    return CHARACTERS.fullmatch(name) is not None and re.search(r"[xyab]", name) is not None


def read_polynomial(formula: str) -> Polynomial:
    """Coefficients of a formula, multiplied out; none is 0.

    Raises:
        ValueError: The formula is no polynomial in both variables, or too large.
    """
    if len(formula) > MOST_CHARACTERS:
        raise FieldError("task", f"have at most {MOST_CHARACTERS} characters", f"{len(formula)}")
    written = formula.replace("**", "^")
    if juxtaposed := re.search(r"[xyab\d)]\s*[xyab(]|[xyab)]\s*\d", written):
        raise FieldError("task", ALLOWED, f"'{formula}'", why=f"write a product with *, not as '{juxtaposed.group()}'")
    try:
        tree = ast.parse(written.replace("^", "**").strip(), mode="eval")
    except SyntaxError as error:
        raise FieldError("task", ALLOWED, f"'{formula}'", why=error.msg) from error
    found = _read(tree.body, formula)
    for index, variable in enumerate("xy"):
        if not any(powers[index] for powers in found):
            raise FieldError("task", f"be a polynomial that depends on {variable}", f"'{formula}'")
    return found


def written(polynomial: Polynomial) -> str:
    """The one way in which a polynomial is written: highest degree first, then x before y."""
    text = ""
    for (i, j), factor in sorted(polynomial.items(), key=lambda term: (-sum(term[0]), -term[0][0])):
        powers = [f"{name}^{n}" if n > 1 else name for name, n in (("x", i), ("y", j)) if n]
        size = [str(abs(factor))] if abs(factor) != 1 or not powers else []
        text += ("-" if factor < 0 else "+") + "*".join([*size, *powers])
    return text.removeprefix("+")


def value_of(polynomial: Polynomial, x: IntArray, y: IntArray, modulus: int) -> IntArray:
    """Residues of a polynomial, of the shape that x and y broadcast to.

    Args:
        polynomial: Its coefficients.
        x: Residues.
        y: Residues.
        modulus: p, below 2^31 so that products are exact.
    """
    total = np.zeros(np.broadcast_shapes(x.shape, y.shape), dtype=np.int64)
    for (i, j), factor in polynomial.items():
        term = np.full_like(total, factor % modulus)
        for variable, power in ((x, i), (y, j)):
            for _ in range(power):
                term = term * variable % modulus
        total = (total + term) % modulus
    return total


def _read(node: ast.expr, formula: str) -> dict[tuple[int, int], int]:
    """A part of a formula; only these kinds of nodes are read, and nothing is run."""
    match node:
        case ast.Constant(value=int(value)):
            found = {(0, 0): value}
        case ast.Name(id="x" | "a"):
            found = {(1, 0): 1}
        case ast.Name(id="y" | "b"):
            found = {(0, 1): 1}
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            found = _times({(0, 0): -1}, _read(operand, formula))
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            found = _read(operand, formula)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as sign, right=right):
            found = dict(_read(left, formula))
            for powers, factor in _read(right, formula).items():
                found[powers] = found.get(powers, 0) + (factor if isinstance(sign, ast.Add) else -factor)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            found = _times(_read(left, formula), _read(right, formula))
        case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=int(power))) if power <= MOST_DEGREE:
            base, found = _read(left, formula), {(0, 0): 1}
            for _ in range(power):
                found = _checked(_times(found, base), formula)
        case _:
            raise FieldError("task", ALLOWED, f"'{formula}'", why=f"'{ast.unparse(node)}' is none")
    return _checked(found, formula)


def _checked(found: dict[tuple[int, int], int], formula: str) -> dict[tuple[int, int], int]:
    """Without terms that are 0, once it is sure that it is small enough."""
    if any(sum(powers) > MOST_DEGREE or abs(factor) > MOST_COEFFICIENT for powers, factor in found.items()):
        limits = f"be a polynomial of degree at most {MOST_DEGREE} with coefficients up to {MOST_COEFFICIENT}"
        raise FieldError("task", limits, f"'{formula}'")
    return {powers: factor for powers, factor in found.items() if factor}


def _times(one: Polynomial, other: Polynomial) -> dict[tuple[int, int], int]:
    found: dict[tuple[int, int], int] = {}
    for (i, j), first in one.items():
        for (k, m), second in other.items():
            found[i + k, j + m] = found.get((i + k, j + m), 0) + first * second
    return found
