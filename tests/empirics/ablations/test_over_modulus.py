"""Sizes over the modulus: exponents of a known law, and gaps between both thresholds."""

import math
from pathlib import Path

import numpy as np
import pytest

from dcrit.empirics.ablations.over_modulus import SERIES, exponent_of, gaps, sizes

RESULTS = Path(__file__).parents[3] / "docs" / "results"


def rows(exponent: float, *, at_rest: bool, moduli: tuple[int, ...] = (23, 31, 47, 67, 113)) -> list[dict[str, object]]:
    noise = np.random.default_rng(0).normal(0, 0.02, len(moduli))
    return [
        {"n_symbols": p, "size": 2 * p**exponent * math.exp(off), "at_rest": at_rest}
        for p, off in zip(moduli, noise, strict=True)
    ]


def test_exponents_are_found_again() -> None:
    found = exponent_of(rows(1.5, at_rest=False))
    assert found is not None
    assert 1.5 in found.interval
    assert found.value == pytest.approx(1.5, abs=0.05)
    assert (found.moduli, found.n) == ((23, 113), 5)
    assert exponent_of(rows(1.5, at_rest=False, moduli=(13, 17, 31, 47))) is None  # small moduli tell nothing


def test_gaps_are_taken_where_both_sizes_are_measured() -> None:
    scratch, rest = rows(1.5, at_rest=False, moduli=(30, 47, 67)), rows(1.0, at_rest=True, moduli=(31, 47, 113))
    found = gaps([*scratch, *rest])
    assert [modulus for modulus, _, _ in found] == [31, 47]
    assert found[1][1:] == pytest.approx((scratch[1]["size"], rest[1]["size"]))


def test_sizes_at_rest_of_each_family_are_there() -> None:
    for series in SERIES:
        assert {row["at_rest"] for row in sizes(RESULTS, *series)} == {True, False}
