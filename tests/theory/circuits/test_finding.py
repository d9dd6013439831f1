import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dcrit.theory.circuits import threshold_forms as forms
from dcrit.theory.circuits.finding import (
    FindingLaw,
    dense_strength,
    early_power,
    efficiency_ratio,
    finding_parameter,
    generalizing_efficiency,
    mean_field_size,
    memorizing_efficiency,
    size_at_rest,
)

moduli = st.integers(5, 10_000)
sizes = st.floats(1.0, 1e8)
strengths = st.floats(0.1, 10.0)
ratios = st.floats(0.05, 5.0)


@given(moduli, sizes, strengths)
def test_efficiencies_equal_the_literal_formulas(modulus: int, n_train: float, strength: float) -> None:
    e_gen = math.sqrt(2 / 27) / (math.sqrt(modulus) * (modulus - 1))
    e_mem = 0.3849001794597505 * strength / (modulus * math.sqrt(n_train))
    assert generalizing_efficiency(modulus) == pytest.approx(e_gen, rel=1e-12)
    assert memorizing_efficiency(modulus, n_train, strength) == pytest.approx(e_mem, rel=1e-12)
    ratio = modulus / (modulus - 1) * math.sqrt(n_train / (2 * strength**2 * modulus))
    assert efficiency_ratio(modulus, n_train, strength) == pytest.approx(ratio, rel=1e-12)


@given(moduli, strengths, ratios)
def test_size_at_rest_is_where_the_ratio_is_reached(modulus: int, strength: float, ratio: float) -> None:
    size = size_at_rest(modulus, strength, ratio)
    assert efficiency_ratio(modulus, size, strength) == pytest.approx(ratio, rel=1e-12)


@given(moduli, strengths, ratios)
def test_mean_field_size_is_where_the_parameter_is_reached(modulus: int, strength: float, parameter: float) -> None:
    size = mean_field_size(modulus, strength, parameter)
    assert finding_parameter(modulus, size, strength) == pytest.approx(parameter, rel=1e-12)


@pytest.mark.slow
@settings(deadline=None)  # sympy derives on the first call
@given(moduli, strengths, ratios)
def test_closed_forms_equal_the_numeric_path(modulus: int, strength: float, ratio: float) -> None:
    values = {forms.P: modulus, forms.G: strength, forms.RATIO: ratio}
    assert float(forms.size_at_rest().subs(values)) == pytest.approx(
        float(size_at_rest(modulus, strength, ratio)), rel=1e-9
    )
    numeric = float(mean_field_size(modulus, strength, ratio))
    assert float(forms.mean_field_size().subs(values)) == pytest.approx(numeric, rel=1e-9)


@pytest.mark.slow
@settings(deadline=None)  # sympy derives on the first call
@given(moduli)
def test_mean_field_exponent_is_the_slope_of_the_size(modulus: int) -> None:
    step = 1e-5
    low, high = modulus * math.exp(-step), modulus * math.exp(step)
    slope = math.log(mean_field_size(high, 1.0, 1.0) / mean_field_size(low, 1.0, 1.0)) / (2 * step)
    assert float(forms.mean_field_exponent().subs({forms.P: modulus})) == pytest.approx(slope, rel=1e-5)


def test_rest_at_the_measured_sizes() -> None:
    # D_rest = 189, 328, 775 at p = 31, 53, 113 with R = 0.73, 0.72, 0.725: hence g = 2.46, 2.49, 2.58.
    for modulus, strength, ratio, measured in (
        (31, 2.471, 0.73, 189),
        (53, 2.490, 0.72, 328),
        (113, 2.577, 0.725, 775),
    ):
        assert size_at_rest(modulus, strength, ratio) == pytest.approx(measured, rel=0.01)


def injective_norm(table: NDArray[np.float64], rng: np.random.Generator) -> float:
    """Largest T(u, v, w) over unit vectors that thirty climbs find, one vector at a time."""
    best = 0.0
    for _ in range(30):
        u, v, w = (one / np.linalg.norm(one) for one in rng.normal(size=(3, len(table))))
        for _ in range(80):
            u = (table @ w) @ v
            u /= np.linalg.norm(u)
            v = (table @ w).T @ u
            v /= np.linalg.norm(v)
            w = np.tensordot(np.outer(u, v), table, 2)
            best = max(best, float(np.linalg.norm(w)))
            w /= np.linalg.norm(w)
    return best


@pytest.mark.slow
def test_strength_of_a_full_table_of_random_labels_is_the_ground_state_of_three_spins() -> None:
    assert dense_strength() == pytest.approx(2.87001, abs=1e-5)
    rng, modulus = np.random.default_rng(0), 31
    found: list[float] = []
    for _ in range(3):
        labels = np.eye(modulus)[rng.integers(modulus, size=(modulus, modulus))]  # modulus × modulus × modulus
        found.append(injective_norm(labels - 1 / modulus, rng))
    # In units of √D/p, with D = p².
    assert np.mean(found) == pytest.approx(dense_strength(), rel=0.05)


def test_early_power_is_the_mean_largest_part_of_exponentials() -> None:
    rng = np.random.default_rng(0)
    for modulus in (101, 401):
        powers = rng.exponential(size=(4000, modulus // 2))
        part = (powers.max(1) / powers.sum(1)).mean()
        assert early_power(modulus) == pytest.approx(part, rel=0.2)


laws = st.builds(FindingLaw, prefactor=st.floats(0.1, 5.0), load=st.floats(0.0, 2.0), rest=st.floats(1.0, 20.0))


@given(laws, st.integers(2, 10_000), st.integers(1, 10_000))
def test_law_equals_the_literal_formula(law: FindingLaw, n_symbols: int, width: int) -> None:
    factor = 1 + law.load * n_symbols / width
    expected = law.prefactor * n_symbols * math.sqrt(n_symbols) * factor
    assert law.kinetic_size(n_symbols, width) == pytest.approx(expected, rel=1e-12)
    assert law.size_at_rest(n_symbols, width) == pytest.approx(law.rest * n_symbols * factor, rel=1e-12)


@given(laws, st.integers(2, 10_000), st.integers(1, 10_000))
def test_narrow_networks_need_no_less(law: FindingLaw, n_symbols: int, width: int) -> None:
    assert law.kinetic_size(n_symbols, width) >= law.kinetic_size(n_symbols, 2 * width)
    assert law.size_at_rest(n_symbols, width) >= law.size_at_rest(n_symbols, 2 * width)


@pytest.mark.parametrize(
    ("field", "value"),
    [("prefactor", 0.0), ("prefactor", math.nan), ("load", -0.1), ("load", math.inf), ("rest", -1.0)],
)
def test_constants_out_of_range_are_named(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        FindingLaw(**{"prefactor": 1.0, "load": 0.1, "rest": 6.0, field: value})


@pytest.mark.parametrize(("n_symbols", "width", "named"), [(0, 4, "n_symbols"), (4, 0, "width")])
def test_sizes_of_nothing_are_refused(n_symbols: int, width: int, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        FindingLaw(prefactor=1.0, load=0.1, rest=6.0).kinetic_size(n_symbols, width)


@pytest.mark.parametrize("function", [memorizing_efficiency, efficiency_ratio, finding_parameter])
def test_strength_must_be_positive(function: object) -> None:
    with pytest.raises(ValueError, match="strength"):
        function(31, 100.0, 0.0)  # type: ignore[operator]


@pytest.mark.parametrize("function", [size_at_rest, mean_field_size])
def test_targets_must_be_positive(function: object) -> None:
    with pytest.raises(ValueError, match="strength"):
        function(31, 0.0, 1.0)  # type: ignore[operator]
    with pytest.raises(ValueError, match=r"ratio|parameter"):
        function(31, 1.0, 0.0)  # type: ignore[operator]
