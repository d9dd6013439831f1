"""How critical sizes scale over a series: with the model size, and with the modulus."""

import math
from collections.abc import Callable, Sequence

import pytest

from dcrit.empirics.experiments.scaling import LAWS, fit_moduli, fit_series, moduli_of, weights_of
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


def test_a_predicted_exponent_needs_every_prediction() -> None:
    series = over_widths(-0.1)
    whole = fit_series(series, lambda one: one.n_params)
    assert whole.predicted == pytest.approx(-0.2)
    gappy = fit_series([*series[1:], transition(series[0].problem, 260)], lambda one: one.n_params)
    assert gappy.predicted is None


@pytest.mark.parametrize("law", LAWS)
def test_the_law_that_made_the_sizes_has_the_weight(law: str) -> None:
    assert weights_of(fit_moduli(over_moduli(LAWS[law])))[law] > 0.95


def test_sizes_that_all_pairs_bound_are_left_out() -> None:
    bounded = transition(Problem(modulus=13, width=64), 160)
    fit = fit_moduli([bounded, *over_moduli(LAWS["p^2"])])
    assert moduli_of(fit) == list(MODULI)
    assert fit.posterior is not None
    assert fit.posterior.slope == pytest.approx(2.0, abs=0.02)


def test_two_moduli_are_too_few() -> None:
    fit = fit_moduli(over_moduli(LAWS["p ln p"], MODULI[:2]))
    assert (fit.posterior, fit.interval, weights_of(fit)) == (None, None, {})
