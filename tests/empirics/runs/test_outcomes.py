import math
import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dcrit.empirics.curves.classify import classify
from dcrit.empirics.curves.curve_files import CurveSet
from dcrit.empirics.runs.outcomes import (
    CONVERGENCE_TOLERANCE,
    PERSISTENCE,
    dynamics_of,
    generalized_at,
    is_decided,
    level_beyond_mirrors,
    memorized_at,
    norm_ratio,
    outcome_of,
    passage,
    shown_by,
)
from dcrit.empirics.runs.single import CURVE_NAMES, Curves, Ending, Run, RunConfig, Until
from dcrit.theory.circuits.regimes import FITTED, GENERALIZED, SEMI_GROKKING, Dynamics
from dcrit.theory.circuits.symmetry import mirrored_fraction
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import run_of

PROBLEM = Problem(modulus=7, width=4)


def config(until: Until = "horizon", **changed: Any) -> RunConfig:
    return RunConfig(problem=replace(PROBLEM, **changed), n_train=20, seed=0, until=until)


def hand_made(step: list[float], ending: Ending = "horizon", activation: str = "square", **curves: list[float]) -> Run:
    """Every curve that is not given is noise between 0.5 and 1.5."""
    rng = np.random.default_rng(0)
    values = {name: rng.uniform(0.5, 1.5, len(step)) for name in CURVE_NAMES}
    values |= {"step": np.array(step)} | {name: np.array(curve) for name, curve in curves.items()}
    return Run(config=config(activation=activation), curves=Curves(**values), ending=ending, seconds=0.0)


def literal_median(run: Run, name: str, start: float, stop: float) -> float:
    end = run.curves.step[-1]
    return statistics.median(
        value
        for step, value in zip(run.curves.step, getattr(run.curves, name), strict=True)
        if start * end <= step <= stop * end
    )


UNEVEN = [0.0, 1, 2, 5, 9, 30, 55, 62, 66, 70, 71, 85, 89.9, 90, 91, 93, 99, 100]


@pytest.mark.parametrize(("activation", "homogeneity"), [("relu", 2), ("square", 3)])
def test_settled_values_are_medians_over_the_last_tenth(activation: str, homogeneity: int) -> None:
    run = hand_made(UNEVEN, activation=activation)
    found = outcome_of(run)

    def margin(start: float, stop: float) -> float:
        return math.log(6 / (math.exp(literal_median(run, "train_loss", start, stop)) - 1))

    def efficiency(start: float, stop: float) -> float:
        squared, neuron = (literal_median(run, name, start, stop) for name in ("squared_norm", "neuron_norm"))
        return margin(start, stop) / (squared**0.75 * neuron**1.5 if homogeneity == 3 else squared)

    assert found.config is run.config
    assert found.train_accuracy == literal_median(run, "train_accuracy", 0.9, 1)
    assert found.test_accuracy == literal_median(run, "test_accuracy", 0.9, 1)
    assert found.squared_norm == literal_median(run, "squared_norm", 0.9, 1)
    assert found.margin == pytest.approx(margin(0.9, 1), rel=1e-12)
    assert found.efficiency == pytest.approx(efficiency(0.9, 1), rel=1e-12)
    assert found.log_efficiency_drift == pytest.approx(math.log(efficiency(0.9, 1) / efficiency(0.6, 0.7)), rel=1e-9)
    for level, got in zip(("low", "median", "high"), found.deficits, strict=True):
        assert got == pytest.approx(literal_median(run, f"deficit_{level}", 0.9, 1) / margin(0.9, 1), rel=1e-12)


def test_a_rare_collapse_in_the_last_tenth_changes_no_settled_value() -> None:
    step = [float(at) for at in range(101)]
    collapsed = (91, 95, 99, 100)

    def curve(calm: float, lost: float) -> list[float]:
        return [lost if at in collapsed else calm for at in range(101)]

    found = outcome_of(
        hand_made(
            step,
            train_accuracy=curve(1.0, 0.3),
            test_accuracy=curve(0.97, 0.1),
            train_loss=curve(0.01, 4.0),
            squared_norm=curve(50.0, 80.0),
            neuron_norm=curve(5.0, 8.0),
        )
    )
    assert (found.train_accuracy, found.test_accuracy, found.squared_norm) == (1.0, 0.97, 50.0)
    assert found.margin == pytest.approx(math.log(6 / math.expm1(0.01)))
    assert found.log_efficiency_drift == 0.0
    assert found.converged


def drifting(drift: float, ending: Ending = "horizon", *, elsewhere: float = 1.0) -> Run:
    """A run whose ln e moves by ``drift`` after its seventh tenth: norms enter to the power -3."""
    step = [float(at) for at in range(101)]
    norm = np.array([7.0 * elsewhere if at < 60 or 70 < at < 90 else 7.0 for at in range(101)])
    norm[90:] = 7.0 * math.exp(-drift / 3)
    return hand_made(step, ending, squared_norm=list(norm**2), neuron_norm=list(norm / 2), train_loss=[0.01] * 101)


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_run_has_converged_when_its_efficiency_stands_still(sign: int) -> None:
    still, moving = outcome_of(drifting(sign * 0.9 * CONVERGENCE_TOLERANCE)), outcome_of(drifting(sign * 1.1 * 0.05))
    assert still.log_efficiency_drift == pytest.approx(sign * 0.045)
    assert still.converged
    assert moving.log_efficiency_drift == pytest.approx(sign * 0.055)
    assert not moving.converged


def test_only_the_seventh_and_the_last_tenth_decide_convergence() -> None:
    assert outcome_of(drifting(0.0, elsewhere=9.0)).converged


def test_a_run_that_ended_early_has_not_converged() -> None:
    for ending in ("decided", "diverged"):
        assert not outcome_of(drifting(0.0, ending)).converged


def test_a_diverged_run_has_no_values() -> None:
    # What the trainer records: logits are NaN, so no pair is classified, and accuracy reads 0 at the last step.
    found = outcome_of(
        hand_made(
            [0.0, 1.0, 2.0],
            "diverged",
            train_loss=[1.9, 3.0, math.nan],
            train_accuracy=[0.3, 0.2, 0.0],
            test_accuracy=[0.1, 0.1, 0.0],
            squared_norm=[4.0, 1e20, math.inf],
            neuron_norm=[2.0, 1e10, math.inf],
        )
    )
    numbers = [found.train_accuracy, found.test_accuracy, found.margin, found.squared_norm, found.efficiency]
    assert all(math.isnan(number) for number in [*numbers, *found.deficits])
    assert not found.converged


def test_a_run_too_short_for_a_seventh_tenth_has_not_converged() -> None:
    found = outcome_of(hand_made([0.0, 1.0, 2.0], train_loss=[1.0, 0.5, 0.25]))
    assert math.isnan(found.log_efficiency_drift)
    assert not found.converged
    assert found.margin == pytest.approx(math.log(6 / math.expm1(0.25)))


# One time constant is 100 steps, and 500 are needed.
COLLAPSE = [
    (0, 0.1),
    (100, 0.995),
    (400, 1.0),
    (550, 0.2),
    (600, 1.0),
    (900, 0.99),
    (1050, 1.0),
    (1100, 1.0),
    (1400, 0.3),
]


@pytest.mark.parametrize("at", [generalized_at, memorized_at])
def test_accuracy_that_collapses_counts_from_where_it_persists(at: Callable[..., float | None]) -> None:
    assert PERSISTENCE * PROBLEM.time_constant == 500
    step, accuracy = (np.array(column, dtype=np.float64) for column in zip(*COLLAPSE, strict=True))
    reached = [at(config(), step[: n + 1], accuracy[: n + 1]) for n in range(len(step))]
    assert reached == [None] * 7 + [600.0, 600.0]


def test_accuracy_a_little_below_fitted_is_never_reached() -> None:
    step = np.arange(0.0, 4001.0, 50.0)
    assert generalized_at(config(), step, np.full(81, GENERALIZED)) == 0.0
    assert generalized_at(config(), step, np.full(81, GENERALIZED - 1e-9)) is None
    assert generalized_at(config(), step, np.full(81, math.nan)) is None


def test_persistence_is_counted_in_time_constants() -> None:
    step = np.array([0.0, 400.0, 800.0])
    assert generalized_at(config(weight_decay=1.0), step, np.ones(3)) == 0.0
    assert generalized_at(config(weight_decay=0.5), step, np.ones(3)) is None


def values_with(test_accuracy: list[float]) -> np.ndarray:
    """Rows as the trainer hands them over; train accuracy is at its top throughout."""
    values = np.zeros((len(test_accuracy), len(CURVE_NAMES) - 1))
    values[:, CURVE_NAMES.index("train_accuracy") - 1] = 1.0
    values[:, CURVE_NAMES.index("test_accuracy") - 1] = test_accuracy
    return values


def test_a_run_is_decided_by_persistent_generalization_alone() -> None:
    step, accuracy = (list(column) for column in zip(*COLLAPSE, strict=True))
    asked = config("generalized")
    decided = [
        is_decided(asked, np.array(step[: n + 1], dtype=np.float64), values_with(accuracy[: n + 1]))
        for n in range(len(step))
    ]
    assert decided == [False] * 7 + [True, True]
    late = np.array([0.0, 3000.0, 3900.0])
    assert not is_decided(asked, late, values_with([0.0, 0.0, 0.0]))


def test_a_run_that_is_asked_for_one_half_ends_once_it_has_stayed_there() -> None:
    step = np.array([0.0, 1000.0, 1020.0, 1040.0, 1060.0])
    accuracy = [0.0, 0.6, 0.4, 0.55, 0.8]
    asked = [is_decided(config("half"), step[: n + 1], values_with(accuracy[: n + 1])) for n in range(len(step))]
    assert asked == [False] * 5
    late = np.append(step, 1090.0)
    assert is_decided(config("half"), late, values_with([*accuracy, 0.7]))
    assert not is_decided(config("generalized"), late, values_with([*accuracy, 0.7]))


def test_a_run_that_is_asked_for_more_than_mirrors_ends_at_half_of_what_they_leave() -> None:
    asked = config("beyond-mirrors")
    level = level_beyond_mirrors(asked)
    assert level == pytest.approx((1 + float(mirrored_fraction(asked.n_train, asked.problem.n_symbols))) / 2)
    step = np.array([0.0, 1000.0, 1060.0])
    assert is_decided(asked, step, values_with([0.0, level + 0.01, level + 0.02]))
    assert not is_decided(asked, step, values_with([0.0, level - 0.01, level + 0.02]))
    assert level_beyond_mirrors(replace(asked, problem=replace(asked.problem, task="sub"))) == 0.5


def test_passages_are_interpolated_and_stay() -> None:
    step = np.array([0.0, 10.0, 20.0, 30.0, 40.0, 50.0])
    accuracy = np.array([0.0, 0.2, 0.6, 0.3, 0.7, 0.9])
    assert passage(step, accuracy, 0.5, 10.0) == 35.0
    assert passage(step, accuracy, 0.5, 0.0) == 17.5
    assert passage(step, accuracy, 0.95, 0.0) is None
    assert passage(step, np.ones(6), 0.5, 10.0) == 0.0


def test_a_run_to_the_horizon_is_never_decided_before() -> None:
    step = np.array([0.0, 1000.0, 2000.0])
    assert is_decided(config("generalized"), step, values_with([1.0] * 3))
    assert not is_decided(config("horizon"), step, values_with([1.0] * 3))


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        (0.7, 0.7, "progression"),
        (FITTED - 1e-9, 1.0, "progression"),
        (1.0, 0.0, "ungrokking"),
        (FITTED, 0.02, "ungrokking"),
        (1.0, SEMI_GROKKING[0] - 1e-9, "ungrokking"),
        (1.0, SEMI_GROKKING[0], "semi-grokking"),
        (1.0, 0.5, "semi-grokking"),
        (1.0, SEMI_GROKKING[1] - 1e-9, "semi-grokking"),
        (1.0, SEMI_GROKKING[1], "grokking"),
        (1.0, 1.0, "grokking"),
    ],
)
def test_dynamics(train: float, test: float, expected: Dynamics) -> None:
    run = run_of(config(), train_accuracy=train, test_accuracy=test, train_loss=0.01, squared_norm=9.0)
    assert dynamics_of(run) == expected


def jump(start: float, end: float, at: int, then: float | None = None) -> list[float]:
    """Accuracy over 101 evaluations of 100 steps that jumps once, and perhaps again at the seventieth."""
    return [end if k >= at else start for k in range(70)] + [end if then is None else then] * 31


@pytest.mark.parametrize(
    ("train", "test", "shown"),
    [
        (jump(0.1, 1.0, 5), jump(0.0, 0.02, 5), "memorization"),
        (jump(0.1, 1.0, 5), jump(0.0, 0.97, 30), "grokking"),
        (jump(0.1, 1.0, 5), jump(0.0, 0.97, 8), "generalized at once"),
        (jump(0.1, 1.0, 5), jump(0.0, 0.97, 30, then=0.02), "ungrokking"),
        (jump(0.1, 1.0, 5, then=0.03), jump(0.0, 0.97, 30, then=0.02), "collapsed"),
        (jump(0.1, 0.6, 5), jump(0.0, 0.02, 5), "partial memorization"),
        (jump(0.1, 0.6, 5), jump(0.0, 0.5, 5), "progression"),
        (jump(0.03, 0.03, 5), jump(0.0, 0.02, 5), "learned nothing"),
    ],
)
def test_a_run_shows_ungrokking_only_where_it_loses_what_it_had(
    train: list[float], test: list[float], shown: str
) -> None:
    step = [100.0 * k for k in range(101)]
    curves = {"train_accuracy": train, "test_accuracy": test}
    assert shown_by(hand_made(step, train_accuracy=train, test_accuracy=test)) == shown
    found: dict[Any, Any] = {name: (np.array(step), np.array(values)) for name, values in curves.items()}
    assert classify(CurveSet(run="", curves=found)).dynamics == shown


def test_norm_ratio_is_the_settled_norm_over_the_largest() -> None:
    step = [float(at) for at in range(101)]
    falling = hand_made(step, squared_norm=[10.0] * 20 + [40.0] + [30.0] * 70 + [20.0] * 5 + [9.0] * 5)
    assert norm_ratio(falling) == 20.0 / 40.0
    assert norm_ratio(hand_made(step, squared_norm=[1.0 + min(at, 80) for at in step])) == 1.0


def test_a_network_that_decayed_to_nothing_has_no_margin() -> None:
    run = run_of(RunConfig(problem=Problem(modulus=6, width=4), n_train=20, seed=0), train_loss=math.log(6))
    found = outcome_of(run)
    assert found.margin == 0.0
    assert all(math.isnan(deficit) for deficit in found.deficits)
    assert not found.converged
