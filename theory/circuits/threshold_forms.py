"""The closed forms of the two thresholds and the clock, derived by computer algebra from what defines them."""

# sympy carries no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

from functools import cache
from typing import Any

import sympy

Expression = Any

P, D, G, RATIO = sympy.symbols("p D g R", positive=True)
X, T, RATE, BEND, Y = sympy.symbols("x T r m y", positive=True)

#: √(2/27)/(√p·(p − 1)) and √(2/27)/√(1/2)·g/(p·√D), the two efficiencies of a squared pair-MLP.
GENERALIZING = sympy.sqrt(sympy.Rational(2, 27)) / (sympy.sqrt(P) * (P - 1))
MEMORIZING = sympy.sqrt(sympy.Rational(2, 27)) / sympy.sqrt(sympy.Rational(1, 2)) * G / (P * sympy.sqrt(D))

#: f = (2/p)·ln(p/2).
EARLY_POWER = 2 / P * sympy.log(P / 2)


@cache
def size_at_rest() -> Expression:
    """D at which e_gen/e_mem = R: 2·g²·R²·(p − 1)²/p."""
    (solution,) = sympy.solve(sympy.Eq((GENERALIZING / MEMORIZING) ** 2, RATIO**2), D)
    return sympy.factor(solution)


@cache
def mean_field_size() -> Expression:
    """D at which (e_gen/e_mem)·√f = R: g²·R²·(p − 1)²/ln(p/2)."""
    (solution,) = sympy.solve(sympy.Eq((GENERALIZING / MEMORIZING) ** 2 * EARLY_POWER, RATIO**2), D)
    return sympy.factor(solution)


@cache
def mean_field_exponent() -> Expression:
    """Slope d ln D/d ln p of :func:`mean_field_size`: 2p/(p − 1) − 1/ln(p/2), which tends to 2 for large p."""
    inverse = sympy.expand(1 / mean_field_size())
    slope: Expression = sympy.factor(sympy.cancel(P * sympy.diff(inverse, P) / inverse))
    return -slope


@cache
def log_excess() -> Expression:
    """Logarithm y = ln x that solves r·x^m·ln x·T = 1: W(m/(r·T))/m."""
    solutions = sympy.solve(sympy.Eq(RATE * T * Y * sympy.exp(BEND * Y), 1), Y)
    (solution,) = solutions
    return sympy.simplify(solution)
