"""Claims on how critical sizes scale: with the model size, and with the modulus."""

import math
from collections.abc import Callable, Sequence

import pytest

from dcrit.empirics.claims import dcrit_falls_with_size, dcrit_vs_modulus
from dcrit.empirics.claims.size_effects import fit_series
from dcrit.empirics.experiments.transitions import Transition
from dcrit.theory.problems.problem import Problem
from tests.worlds.transitions import transition, with_width

WIDTHS = (32, 48, 64, 128, 256)
MODULI = (17, 23, 31, 41, 47)


def over_widths(slope: float, *, activation: str = "square", scatter: float = 0.0) -> list[Transition]:
    problems = with_width(Problem(modulus=31, activation=activation), *WIDTHS)  # type: ignore[arg-type]
    return [
        transition(
            one,
            260 * (one.n_params / problems[0].n_params) ** slope * math.exp(scatter * (-1) ** k),
            predicted=250 * (one.n_params / problems[0].n_params) ** -0.2,
        )
        for k, one in enumerate(problems)
    ]


def over_moduli(law: Callable[[float], float], moduli: Sequence[int] = MODULI) -> list[Transition]:
    return [transition(Problem(modulus=p, width=64), 100 * math.exp(law(p) - law(17))) for p in moduli]


@pytest.mark.slow
def test_sizes_that_fall_in_every_family_support() -> None:
    finding = dcrit_falls_with_size.judge([over_widths(-0.1), over_widths(-0.2, activation="relu")])
    assert finding.ruling() == "supported"
    assert finding.measured == pytest.approx(-0.1, abs=0.01)
    assert finding.predicted == pytest.approx(-0.2)
    assert finding.rows[0]["log10 falls/rises"] > 3  # type: ignore[operator]


@pytest.mark.slow
def test_sizes_that_rise_in_one_family_refute() -> None:
    finding = dcrit_falls_with_size.judge([over_widths(-0.1), over_widths(0.15, activation="relu")])
    assert finding.ruling() == "refuted"
    assert finding.measured == pytest.approx(0.15, abs=0.01)


def test_scatter_larger_than_the_slope_decides_nothing() -> None:
    finding = dcrit_falls_with_size.judge([over_widths(-0.02, scatter=0.15)])
    assert finding.ruling() == "inconclusive"
    assert finding.p_inside is not None


def test_a_family_without_transitions_is_named_and_cannot_support() -> None:
    lost = [transition(one, None) for one in with_width(Problem(modulus=31, activation="relu"), *WIDTHS)]
    finding = dcrit_falls_with_size.judge([over_widths(-0.1), lost])
    assert finding.ruling() == "inconclusive"
    assert "add p=31 relu mlp: only 0 of 5 widths have a transition" in finding.reason
    nothing = dcrit_falls_with_size.judge([lost])
    assert (nothing.measured, nothing.p_value) == (None, None)


@pytest.mark.parametrize(("law", "ruling"), [("p ln p", "supported"), ("p^(5/3)", "refuted"), ("p^2", "refuted")])
def test_the_law_that_made_the_sizes_decides(law: str, ruling: str) -> None:
    finding = dcrit_vs_modulus.judge([over_moduli(dcrit_vs_modulus.LAWS[law])])
    assert finding.ruling() == ruling
    assert finding.rows[0][f"weight of {law}"] > 0.95  # type: ignore[operator]


def test_an_exponent_between_two_laws_decides_nothing() -> None:
    finding = dcrit_vs_modulus.judge([over_moduli(lambda p: 1.48 * math.log(p))])
    assert finding.ruling() == "inconclusive"
    assert finding.measured == pytest.approx(1.48, abs=0.01)
    assert finding.predicted == pytest.approx(1.30, abs=0.01)


def test_sizes_that_all_pairs_bound_are_left_out() -> None:
    bounded = transition(Problem(modulus=13, width=64), 160)
    series = [bounded, *over_moduli(dcrit_vs_modulus.LAWS["p^2"])]
    fit = dcrit_vs_modulus.fit_moduli(series)
    assert dcrit_vs_modulus.moduli_of(fit) == list(MODULI)
    assert dcrit_vs_modulus.judge([series]).measured == pytest.approx(2.0, abs=0.02)


def test_every_activation_has_to_follow_the_law() -> None:
    both = [over_moduli(dcrit_vs_modulus.LAWS[law]) for law in ("p ln p", "p^2")]
    assert dcrit_vs_modulus.judge(both).ruling() == "refuted"


def test_two_moduli_are_too_few() -> None:
    finding = dcrit_vs_modulus.judge([over_moduli(dcrit_vs_modulus.LAWS["p ln p"], MODULI[:2])])
    assert (finding.measured, finding.p_value) == (None, None)
    assert "only 2 of 2 moduli" in finding.reason


def test_a_predicted_exponent_needs_every_prediction() -> None:
    series = over_widths(-0.1)
    whole = fit_series(series, lambda one: one.n_params)
    assert whole.predicted == pytest.approx(-0.2)
    gappy = fit_series([*series[1:], transition(series[0].problem, 260)], lambda one: one.n_params)
    assert gappy.predicted is None
