import math
import subprocess
import sys
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from dcrit.theory.circuits import laws
from dcrit.theory.circuits.closed_forms import CLOSED_FORMS, ClosedForm, explain
from dcrit.theory.circuits.crossing import Crossing, crossing_of, unsaturated_crossing
from dcrit.theory.circuits.laws import GeneralizingLaw, MemorizingLaw
from dcrit.theory.circuits.mixture import Competition, DeficitLaw, unsaturated_half_accuracy_size
from dcrit.theory.problems.problem import Problem
from tests.worlds.strategies import competitions, crossing_laws

Laws = tuple[MemorizingLaw, GeneralizingLaw]
COMPETITION = Competition(
    memorizing=MemorizingLaw(amplitude=2.5, exponent=0.8),
    generalizing=GeneralizingLaw(full_data=0.03, n_pairs=529.0),
    deficits=DeficitLaw(median=0.7, median_exponent=-0.1, spread=0.1, spread_exponent=0.1),
    mixing=3.0,
)
few = settings(max_examples=25)
exponents = st.floats(0.2, 2.0)
sizes = st.floats(10.0, 1000.0)


def value(name: str, **values: float) -> float:
    return CLOSED_FORMS[name]().evaluate(**values)


def of_laws(memorizing: MemorizingLaw, generalizing: GeneralizingLaw) -> dict[str, float]:
    return {
        "A": memorizing.amplitude,
        "beta": memorizing.exponent,
        "e_gen": generalizing.full_data,
        "e_full": generalizing.full_data,
        "D_full": generalizing.n_pairs,
        "epsilon": generalizing.drift,
    }


def of_competition(competition: Competition) -> dict[str, float]:
    return {
        **of_laws(competition.memorizing, competition.generalizing),
        "b": competition.mixing,
        "rho_1": competition.deficits.median,
        "nu": competition.deficits.median_exponent,
    }


def solved(memorizing: MemorizingLaw, generalizing: GeneralizingLaw) -> float:
    outcome = crossing_of(memorizing, generalizing)
    assert isinstance(outcome, Crossing)
    return outcome.n_train


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_every_form_says_what_it_is_and_is_derived_once(name: str) -> None:
    form = CLOSED_FORMS[name]()
    assert isinstance(form, ClosedForm)
    assert form is CLOSED_FORMS[name]()
    assert form.name == name
    assert form.statement.endswith(".")
    assert form.assumptions
    assert isinstance(form.equation, sympy.Eq)
    assert form.pretty().count("=") == 1
    assert not form.equation.rhs.has(sympy.zoo, sympy.oo, sympy.nan)


@pytest.mark.parametrize("name", [name for name in CLOSED_FORMS if name != "sensitivity_to_decay"])
def test_missing_values_are_named(name: str) -> None:
    form = CLOSED_FORMS[name]()
    *given_names, missing = form.symbols
    with pytest.raises(ValueError, match=rf"^values must contain {missing} for '{name}'"):
        form.evaluate(**dict.fromkeys(given_names, 1.5))


@few
@given(crossing_laws())
def test_crossing_agrees_with_the_solver(pair: Laws) -> None:
    assert value("crossing", **of_laws(*pair)) == pytest.approx(solved(*pair), rel=1e-9)


@few
@given(crossing_laws(drift=st.floats(-0.5, 0.8)))
def test_crossing_with_drift_agrees_with_the_solver(pair: Laws) -> None:
    got = value("crossing_with_drift", **of_laws(*pair))
    assert got == pytest.approx(solved(*pair), rel=1e-9)
    assert got == pytest.approx(unsaturated_crossing(*pair), rel=1e-9)


@few
@given(crossing_laws())
def test_sensitivities_are_slopes_of_the_solver(pair: Laws) -> None:
    memorizing, generalizing = pair
    step = 1e-4

    def slope(minus: Laws, plus: Laws) -> float:
        return (math.log(solved(*plus)) - math.log(solved(*minus))) / (2 * step)

    def better(factor: float) -> Laws:
        return memorizing, replace(generalizing, full_data=generalizing.full_data * factor)

    def cheaper(factor: float) -> Laws:
        return replace(memorizing, amplitude=memorizing.amplitude * factor), generalizing

    def steeper(shift: float) -> Laws:
        return replace(memorizing, exponent=memorizing.exponent + shift), generalizing

    values = of_laws(*pair)
    low, high = math.exp(-step), math.exp(step)
    for name, expected in (
        ("sensitivity_to_generalizing", slope(better(low), better(high))),
        ("sensitivity_to_amplitude", slope(cheaper(low), cheaper(high))),
        ("sensitivity_to_exponent", slope(steeper(-step), steeper(step))),
    ):
        assert value(name, **values) == pytest.approx(expected, rel=1e-4)
    assert value("sensitivity_to_generalizing", **values) == pytest.approx(-1 / memorizing.exponent, rel=1e-12)


def test_weight_decay_cancels() -> None:
    assert value("sensitivity_to_decay") == 0
    assert CLOSED_FORMS["sensitivity_to_decay"]().equation.rhs == 0
    for name in ("crossing", "crossing_with_drift", "half_accuracy_size", "star_size", "star_parameters"):
        assert "lamda" not in CLOSED_FORMS[name]().symbols
    # Where the decay does matter, it is there.
    assert "lamda" in CLOSED_FORMS["delay"]().symbols


@few
@given(st.floats(1.1, 8.0), st.floats(-1.5, 1.5).map(math.exp), st.floats(-3.0, 3.0).map(math.exp))
def test_the_mixture_is_the_cheapest_one(mixing: float, ratio: float, e_mem: float) -> None:
    e_gen, a = ratio * e_mem, 1 / (1 - 1 / mixing)

    def price(share: float) -> float:
        return ((share / e_gen) ** a + ((1 - share) / e_mem) ** a) ** (1 / a)

    best = minimize_scalar(price, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-10})
    odds = value("mixture_odds", b=mixing, e_gen=e_gen, e_mem=e_mem)
    assert odds / (1 + odds) == pytest.approx(best.x, abs=1e-5)
    assert value("mixture_efficiency", b=mixing, e_gen=e_gen, e_mem=e_mem) == pytest.approx(1 / best.fun, rel=1e-9)


@few
@given(competitions(), sizes)
def test_the_mixture_agrees_with_the_competition(competition: Competition, size: float) -> None:
    x = math.log(size)
    values = {
        "b": competition.mixing,
        "e_gen": math.exp(competition.generalizing.log_efficiency(x)),
        "e_mem": math.exp(competition.memorizing.log_efficiency(x)),
    }
    assert math.log(value("mixture_odds", **values)) == pytest.approx(float(competition.log_odds(x)), abs=1e-9)
    expected = math.exp(competition.log_efficiency(x))
    assert value("mixture_efficiency", **values) == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
@few
@given(competitions())
def test_half_accuracy_agrees_with_the_solver(competition: Competition) -> None:
    got = value("half_accuracy_size", **of_competition(competition))
    assert got == pytest.approx(unsaturated_half_accuracy_size(competition), rel=1e-9)
    outcome = competition.size_at_accuracy(0.5)
    if isinstance(outcome, Crossing):
        assert got == pytest.approx(outcome.n_train, rel=1e-9)


@pytest.mark.slow
@few
@given(competitions())
def test_half_accuracy_tends_to_the_crossing(competition: Competition) -> None:
    limit = value("half_accuracy_limit", **of_competition(competition))
    assert limit == pytest.approx(solved(competition.memorizing, competition.generalizing), rel=1e-9)
    near = value("half_accuracy_size", **of_competition(replace(competition, mixing=1e8)))
    assert near == pytest.approx(limit, rel=1e-5)


@few
@given(st.floats(0.5, 4.0), st.integers(10, 10**6), st.integers(2, 200))
def test_capacity_agrees_with_the_law(bits: float, n_params: int, n_classes: int) -> None:
    expected = float(laws.capacity(bits, n_params, n_classes))
    assert value("capacity", c=bits, N=n_params, C=n_classes) == pytest.approx(expected, rel=1e-9)


@few
@given(crossing_laws(), st.floats(0.5, 4.0), st.integers(2, 200))
def test_both_curves_pass_through_the_star(pair: Laws, bits: float, n_classes: int) -> None:
    values = {**of_laws(*pair), "c": bits, "C": n_classes}
    n_params, size = value("star_parameters", **values), value("star_size", **values)
    assert laws.capacity(bits, n_params, n_classes) == pytest.approx(size, rel=1e-9)
    assert solved(*pair) == pytest.approx(size, rel=1e-9)


@pytest.mark.parametrize("degree", [2.0, 2.5, 3.0])
def test_growth_rate_is_that_of_the_equations_of_motion(degree: float) -> None:
    e_gen, e_mem, u_gen, u_mem, eta, decay = 0.5, 0.2, 0.3, 4.0, 0.01, 0.7

    def motion(efficiency: float, amplitude: float, pull: float) -> float:
        return eta * (degree * efficiency * amplitude ** (degree - 1) * pull - decay * amplitude)

    low, high = 0.0, 1e6
    for _ in range(200):  # the pull at which memorization stands still
        middle = (low + high) / 2
        low, high = (middle, high) if motion(e_mem, u_mem, middle) < 0 else (low, middle)
    expected = motion(e_gen, u_gen, low) / u_gen
    values = {"e_gen": e_gen, "e_mem": e_mem, "u_gen": u_gen, "u_mem": u_mem, "eta": eta, "lamda": decay}
    assert value("growth_rate", kappa=degree, **values) == pytest.approx(expected, rel=1e-9)


def test_delay_is_the_number_of_steps_until_the_amplitude_has_grown() -> None:
    values = {"A": 2.0, "beta": 0.8, "e_gen": 0.03, "D": 300.0, "eta": 1e-3, "lamda": 1.0, "u_gen0": 0.01, "u_mem": 3.0}
    rate = value("growth_rate", kappa=2.0, e_mem=2.0 * 300.0**-0.8, u_gen=1.0, **values)
    amplitude, steps = 0.01, 0
    while amplitude < 3.0:
        amplitude *= 1 + rate
        steps += 1
    assert value("delay", **values) == pytest.approx(steps, rel=2e-3)


@pytest.mark.slow
@few
@given(exponents, sizes, st.floats(0.01, 1.0))
def test_delay_diverges_at_the_critical_size_as_its_leading_term(beta: float, size: float, start: float) -> None:
    values = {"A": 2.0, "beta": beta, "e_gen": 2.0 * size**-beta, "D_crit": size, "eta": 1e-2, "lamda": 0.5}

    def ratio(distance: float) -> float:
        at = {**values, "D": size * math.exp(distance), "u_gen0": start, "u_mem": 2.0}
        return value("delay", **at) / value("delay_near_crossing", **at)

    assert ratio(1e-4) == pytest.approx(1 - 1e-4 * beta / 2, abs=1e-6)
    assert ratio(1.0) < 1 - beta / 5


@few
@given(exponents, sizes, st.floats(0.0, 1e4))
def test_the_additive_threshold_satisfies_its_rule(s: float, alone: float, n_facts: float) -> None:
    size = value("emergence_threshold", s=s, D_crit=alone, D_r=n_facts)
    assert (n_facts + size) ** s - n_facts**s == pytest.approx(alone**s, rel=1e-6)
    assert value("emergence_threshold", s=s, D_crit=alone, D_r=0.0) == pytest.approx(alone, rel=1e-9)


@few
@given(exponents, sizes, st.floats(10.0, 1e4))
def test_the_additive_slope_is_that_of_the_threshold(s: float, alone: float, n_facts: float) -> None:
    step = 1e-3 * n_facts
    plus, minus = (value("emergence_threshold", s=s, D_crit=alone, D_r=n_facts + d) for d in (step, -step))
    size = value("emergence_threshold", s=s, D_crit=alone, D_r=n_facts)
    slope = value("emergence_slope", s=s, D=size, D_r=n_facts)
    assert slope == pytest.approx((plus - minus) / (2 * step), rel=1e-3, abs=1e-6)
    if abs(s - 1) > 1e-3:
        assert (slope > 0) == (s < 1)


def neuron_gain(u: np.ndarray, v: np.ndarray, w: np.ndarray) -> float:
    """Mean margin of (u_a + v_b)²·w_c over the other classes, by literal sums."""
    p = len(u)
    total = 0.0
    for a, b in product(range(p), repeat=2):
        correct = (a + b) % p
        others = sum(w[c] for c in range(p) if c != correct) / (p - 1)
        total += (u[a] + v[b]) ** 2 * (w[correct] - others)
    return total / p**2


@pytest.mark.parametrize("p", [5, 7, 11])
def test_the_largest_margin_is_that_of_a_literal_cosine_neuron(p: int) -> None:
    largest = value("largest_margin", p=p)
    assert largest == pytest.approx(math.sqrt(2 / 27) / (math.sqrt(p) * (p - 1)), rel=1e-12)
    for frequency in range(1, (p + 1) // 2):
        wave = np.cos(2 * np.pi * frequency * np.arange(p) / p) * math.sqrt(2 / (3 * p))
        assert np.linalg.norm([wave, wave, wave]) == pytest.approx(1.0)
        assert neuron_gain(wave, wave, wave) == pytest.approx(largest, rel=1e-9)


def test_no_random_neuron_gains_more_than_the_largest_margin() -> None:
    rng = np.random.default_rng(0)
    largest = value("largest_margin", p=5)
    gains: list[float] = []
    for _ in range(100):
        neuron = rng.normal(size=(3, 5))
        gains.append(neuron_gain(*(neuron / np.linalg.norm(neuron))))
    assert 0.2 * largest < max(gains) <= largest


def test_pretty_shows_numbers_and_keeps_equal_ones_apart() -> None:
    form = CLOSED_FORMS["crossing"]()
    assert "β" in form.pretty()
    shown = form.pretty(A=2.0, e_gen=2.0)
    assert shown.count("2") == 2
    assert "β" in shown
    assert "e_gen" not in shown
    assert "(−0.25)" in CLOSED_FORMS["half_accuracy_size"]().pretty(nu=-0.25)


def test_explanation_puts_the_formulas_beside_the_solver() -> None:
    text = explain(COMPETITION, Problem(), bits_per_parameter=2.0)
    crossing, half = COMPETITION.crossing(), COMPETITION.size_at_accuracy(0.5)
    assert isinstance(crossing, Crossing)
    assert isinstance(half, Crossing)
    for size in (crossing.n_train, half.n_train):
        assert f"= {size:.4g} examples, for " in text
        assert f"solver: {size:.4g} examples" in text
    for shown in ("4416 parameters, 529 pairs", "β = 0.8", "∂ln D_cross/∂ln λ = 0", "= -1.25"):
        assert shown in text


def test_explanation_leaves_out_what_is_unknown_and_ends_with_the_star_that_is_given() -> None:
    assert "D_mem" not in explain(COMPETITION, Problem()).replace("D ≪ D_mem", "")
    assert explain(COMPETITION, Problem(), star="N* = 7").endswith("\n\nN* = 7\n")
    assert "β - ε" not in explain(COMPETITION, Problem())
    drifting = replace(COMPETITION, generalizing=replace(COMPETITION.generalizing, drift=0.1))
    text = explain(drifting, Problem(), bits_per_parameter=2.0)
    assert "β - ε" in text


def test_explanation_says_why_there_is_no_crossing() -> None:
    hopeless = replace(COMPETITION, generalizing=replace(COMPETITION.generalizing, full_data=1e-4))
    assert "solver: memorizing all 529 examples is still more efficient than generalizing" in explain(
        hopeless, Problem()
    )


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.processes
def test_only_closed_forms_need_sympy_and_they_derive_nothing_when_imported() -> None:
    code = (
        "import sys, dcrit.theory.predictions.critical_size, dcrit.theory.circuits.regimes\n"
        "print('sympy' in sys.modules)"
    )
    assert run(code) == "False"
    code = (
        "from dcrit.theory.circuits import closed_forms as c\n"
        "print({form.cache_info().currsize for form in c.CLOSED_FORMS.values()})"
    )
    assert run(code) == "{0}"
