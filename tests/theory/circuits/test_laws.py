import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcrit.theory.circuits.laws import CapacityLaw, GeneralizingLaw, MemorizingLaw, bits_per_parameter, capacity
from tests.worlds.strategies import amplitudes, exponents, numbers_of_pairs

sizes = st.floats(1.0, 1e4)
factors = st.floats(1.01, 10.0)


@given(amplitudes, exponents, st.floats(50.0, 500.0), st.floats(0.0, 2.0), st.lists(sizes, min_size=1, max_size=5))
def test_memorizing_efficiency_equals_the_literal_formula(
    amplitude: float, exponent: float, limit: float, saturation: float, seen: list[float]
) -> None:
    law = MemorizingLaw(amplitude=amplitude, exponent=exponent, capacity=limit, saturation=saturation)
    got = law.log_efficiency([math.log(size) for size in seen])
    for size, value in zip(seen, got, strict=True):
        room = max(0.0, 1 - math.exp(math.log(size)) / limit)
        expected = amplitude * size**-exponent * room**saturation
        assert math.exp(value) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_nothing_is_memorized_beyond_capacity() -> None:
    law = MemorizingLaw(amplitude=1.0, exponent=1.0, capacity=100.0, saturation=0.5)
    assert np.isfinite(law.log_efficiency(math.log(99.0)))
    assert list(law.log_efficiency(np.log([101.0, 1000.0]))) == [-math.inf, -math.inf]


@pytest.mark.parametrize(("limit", "saturation"), [(math.inf, 1.0), (100.0, 0.0)])
def test_saturation_needs_both_its_constants(limit: float, saturation: float) -> None:
    law = MemorizingLaw(amplitude=2.0, exponent=0.5, capacity=limit, saturation=saturation)
    assert law.log_efficiency(math.log(400.0)) == pytest.approx(math.log(2.0 / 20.0))


@given(amplitudes, exponents, sizes, factors)
def test_memorizing_efficiency_falls_with_size_and_rises_with_amplitude(
    amplitude: float, exponent: float, size: float, factor: float
) -> None:
    law = MemorizingLaw(amplitude=amplitude, exponent=exponent)
    richer = MemorizingLaw(amplitude=amplitude * factor, exponent=exponent)
    assert law.log_efficiency(math.log(size * factor)) < law.log_efficiency(math.log(size))
    assert richer.log_efficiency(math.log(size)) > law.log_efficiency(math.log(size))


@given(amplitudes, numbers_of_pairs, st.floats(-0.5, 0.5), sizes)
def test_generalizing_efficiency_drifts_from_its_value_on_all_pairs(
    full_data: float, n_pairs: float, drift: float, size: float
) -> None:
    law = GeneralizingLaw(full_data=full_data, n_pairs=n_pairs, drift=drift)
    assert math.exp(law.log_efficiency(math.log(n_pairs))) == pytest.approx(full_data, rel=1e-9)
    expected = full_data * (size / n_pairs) ** -drift
    assert math.exp(law.log_efficiency(math.log(size))) == pytest.approx(expected, rel=1e-9)


@given(st.floats(0.1, 10.0), st.integers(1, 10**6), st.integers(2, 500))
def test_bits_invert_capacity(bits: float, n_params: int, n_classes: int) -> None:
    memorized = capacity(bits, n_params, n_classes)
    assert bits_per_parameter(memorized, n_params, n_classes) == pytest.approx(bits, rel=1e-9)
    assert capacity(bits, 2 * n_params, n_classes) == pytest.approx(2 * float(memorized), rel=1e-9)


@pytest.mark.parametrize(("n_classes", "expected"), [(2, 2000.0), (16, 500.0), (1024, 200.0)])
def test_capacity_counts_bits_per_label(n_classes: int, expected: float) -> None:
    assert capacity(2.0, [1000, 3000], n_classes) == pytest.approx([expected, 3 * expected])


@given(st.floats(0.5, 4.0), st.floats(0.7, 1.4), st.integers(10, 10**6), st.integers(2, 500))
def test_a_capacity_law_is_a_power_through_its_anchor(bits: float, slope: float, n_params: int, classes: int) -> None:
    law = CapacityLaw(bits=bits, slope=slope, n_params=1000.0)
    expected = bits * 1000 / math.log2(classes) * (n_params / 1000) ** slope
    assert law.capacity(n_params, classes) == pytest.approx(expected, rel=1e-9)
    assert law.capacity(n_params, classes) == pytest.approx(
        float(capacity(1.0, n_params, classes) * law.bits_at(n_params, classes))
    )
    tabled = CapacityLaw(bits=bits, slope=slope, n_params=1000.0, n_classes=29, classes_exponent=2.0)
    assert tabled.capacity(n_params, 29) == pytest.approx(bits * 1000 / math.log2(29) * (n_params / 1000) ** slope)
    per_pair = (n_params / classes**2) / (1000 / 29**2)
    assert float(tabled.bits_at(n_params, classes)) == pytest.approx(bits * per_pair ** (slope - 1))
    linear = CapacityLaw(bits=bits)
    assert linear.capacity(n_params, classes) == pytest.approx(float(capacity(bits, n_params, classes)), rel=1e-9)


def test_errors_of_a_capacity_law_grow_away_from_its_anchor() -> None:
    law = CapacityLaw(bits=2.0, slope=1.2, n_params=500.0, log_bits_error=0.03, slope_error=0.04)
    for n_params, error in ((500.0, 0.03), (500.0 * math.e, 0.05), (500.0 / math.e, 0.05)):
        low, best, high = law.capacity(n_params, 29, deviation=[-1.0, 0.0, 1.0])
        assert math.log(high / best) == pytest.approx(error)
        assert math.log(low / best) == pytest.approx(-error)
    far = replace(law, slope_error=0.0, n_classes=29, classes_error=0.04)
    best, high = far.capacity(500.0, round(29 * math.e), deviation=[0.0, 1.0])
    assert math.log(high / best) == pytest.approx(0.05, rel=1e-2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[(name, bad) for name in ("bits", "slope", "n_params") for bad in (0.0, -1.0, math.nan, math.inf)],
        *[("n_classes", bad) for bad in (0.0, 1.5, math.nan, math.inf)],
        *[
            (name, bad)
            for name in ("log_bits_error", "slope_error", "classes_error")
            for bad in (-0.1, math.nan, math.inf)
        ],
    ],
)
def test_bad_constants_of_capacity_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"^{field} must be "):
        CapacityLaw(**{"bits": 2.0, field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[(name, bad) for name in ("amplitude", "exponent") for bad in (0.0, -1.0, math.nan, math.inf)],
        *[("capacity", bad) for bad in (0.0, -1.0, math.nan)],
        *[("saturation", bad) for bad in (-0.1, math.inf, math.nan)],
    ],
)
def test_bad_memorizing_constants_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"^{field} must be "):
        MemorizingLaw(**{"amplitude": 1.0, "exponent": 1.0, field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("full_data", 0.0), ("full_data", math.inf), ("n_pairs", -1.0), ("drift", math.nan), ("drift", math.inf)],
)
def test_bad_generalizing_constants_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"^{field} must be "):
        GeneralizingLaw(**{"full_data": 1.0, "n_pairs": 100.0, field: value})
