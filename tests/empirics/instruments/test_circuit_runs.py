import math
from dataclasses import replace

import numpy as np
import pytest

from dcrit.empirics.instruments.circuit_runs import (
    QUANTITIES,
    CircuitDesign,
    CircuitHistory,
    circuit_histories,
    mean_over_seeds,
    measure_generalizing_share,
    predict_generalizing_share,
)
from dcrit.empirics.instruments.circuits import Circuits
from dcrit.empirics.instruments.snapshots import snapshot_steps
from dcrit.empirics.measures.statistics import student
from dcrit.empirics.runs.outcomes import outcome_of
from dcrit.empirics.training.ensemble import train
from dcrit.theory.calibrations.calibration import calibration_for, shipped_calibrations
from dcrit.theory.circuits.constants import competition_from
from dcrit.theory.problems.problem import Problem

PROBLEM = Problem(modulus=17, width=32, learning_rate=0.05)
DESIGN = CircuitDesign(problem=PROBLEM, n_train=240, seeds=3)


def circuits(step: int, share: float) -> Circuits:
    fields = dict.fromkeys(QUANTITIES, 1.0) | {"share": share}
    return Circuits(step=step, keys=(1, 2), power=(0.5, 0.5), **fields)


def history(shares: list[float], *, finite: bool = True, seed: int = 0) -> CircuitHistory:
    config = replace(DESIGN.configs()[0], seed=seed)
    steps = snapshot_steps(config, len(shares) - 6)[-len(shares) :]
    found = tuple(circuits(step, share) for step, share in zip(steps, shares, strict=True))
    return CircuitHistory(config=config, circuits=found, finite=finite)


@pytest.mark.slow
def test_a_generalizing_network_is_a_fourier_circuit_and_a_memorizing_one_is_not() -> None:
    many = circuit_histories(DESIGN)
    few = circuit_histories(replace(DESIGN, n_train=50, seeds=2))
    for one in many:
        assert one.settled("test_accuracy") > 0.9
        assert one.settled("share") > 0.5
        assert one.settled("restricted_loss") < 0.01
        assert one.settled("excluded_loss") > 100 * one.settled("train_loss")
        assert one.settled("generalizing_squared_norm") > 10 * one.settled("memorizing_squared_norm")
    for one in few:
        assert one.settled("train_accuracy") == 1
        assert one.settled("test_accuracy") < 0.3
        assert abs(one.settled("share")) < 0.15
    first, last = many[0].circuits[0], many[0].circuits[-1]
    assert last.participation > 2 * first.participation


@pytest.mark.slow
def test_settled_values_are_those_of_the_stored_curves() -> None:
    (one,) = circuit_histories(replace(DESIGN, seeds=1))
    (run,) = train([one.config])
    outcome = outcome_of(run)
    assert one.settled("test_accuracy") == pytest.approx(outcome.test_accuracy, abs=0.05)
    assert math.log(one.settled("train_loss")) == pytest.approx(math.log(16) - outcome.margin, abs=0.2)
    whole = (
        one.settled("generalizing_squared_norm")
        + one.settled("memorizing_squared_norm")
        + one.settled("constant_squared_norm")
    )
    assert whole == pytest.approx(outcome.squared_norm, rel=0.02)


def test_a_collapse_at_the_last_step_does_not_move_the_settled_share() -> None:
    assert history([0.0, 0.1, 0.6, 0.61, 0.62, 0.6, -3.0]).settled("share") == 0.6


def test_means_over_seeds_leave_out_what_diverged() -> None:
    found = mean_over_seeds(
        [history([0.0, 0.2, 0.4, 0.4, 0.4, 0.4, 0.4]), history([0.0, 0.4, 0.6, 0.6, 0.6, 0.6, 0.6])]
    )
    assert [row["share"] for row in found[:3]] == pytest.approx([0.0, 0.3, 0.5])
    assert found[0]["step"] == 0
    assert {row["n_keys"] for row in found} == {2.0}
    assert set(found[0]) == {"step", "n_keys", *QUANTITIES}
    lost = history([0.0, 0.2, 0.4, 0.4, 0.4, 0.4, 0.4], finite=False)
    assert mean_over_seeds([lost]) == []


def test_the_share_has_students_interval_over_seeds() -> None:
    shares = (0.5, 0.6, 0.7)
    settled = [history([0.0, *[share] * 6], seed=seed) for seed, share in enumerate(shares)]
    lost = history([0.0] * 7, finite=False, seed=9)
    found = measure_generalizing_share([*settled, lost])
    assert found.value == pytest.approx(0.6)
    # t of 2 degrees of freedom at 95 % is 2.920; the standard error is 0.1/√3.
    assert found.interval is not None
    assert found.interval.high - 0.6 == pytest.approx(2.91999 * 0.1 / math.sqrt(3), rel=1e-4)
    assert (found.n_runs, found.n_unconverged) == (3, 1)


@pytest.mark.parametrize(("values", "reason"), [((), "no run stayed finite"), ((0.3,), "one run has no interval")])
def test_too_few_runs_have_no_interval(values: tuple[float, ...], reason: str) -> None:
    found = student("x", values, unit="1")
    assert (found.interval, found.reason) == (None, reason)
    assert found.value == (values[0] if values else None)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n_train": 0}, "^n_train must be an integer of at least 1, got 0"),
        ({"n_train": 289}, "^n_train must be at most 288, .*, got 289"),
        ({"seeds": 0}, "^seeds must be an integer of at least 1, got 0"),
        ({"first_seed": -1}, "^first_seed must be an integer of at least 0, got -1"),
        ({"problem": Problem(task="cubic", modulus=11)}, "^task must be one of add, sub, mul, div .*, got 'cubic'"),
    ],
)
def test_a_design_refuses_what_cannot_be_taken_apart(changed: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(DESIGN, **changed)  # type: ignore[arg-type]


def test_the_predicted_share_is_the_odds_of_the_efficiencies() -> None:
    problem = Problem(modulus=23, width=64)
    calibration = calibration_for(problem, shipped_calibrations())
    assert calibration is not None
    laws = competition_from(calibration.constants(problem), problem.n_pairs)
    size = math.log(200)
    ratio = math.exp(float(laws.generalizing.log_efficiency(size) - laws.memorizing.log_efficiency(size)))
    odds = ratio**laws.mixing
    found = predict_generalizing_share(problem, 200, calibration)
    assert found.value == pytest.approx(odds / (1 + odds), rel=1e-9)
    assert found.interval is not None
    assert found.interval.low < (found.value or 0.0) < found.interval.high
    assert not found.extrapolated
    shares = [predict_generalizing_share(problem, size, calibration).value or 0.0 for size in (100, 200, 300, 400)]
    assert np.all(np.diff(shares) > 0)


def test_no_calibration_is_a_reason() -> None:
    problem = Problem(modulus=23, width=64)
    assert predict_generalizing_share(problem, 200, None).reason == "no calibration covers the problem"
    relu = calibration_for(replace(problem, activation="relu"), shipped_calibrations())
    assert predict_generalizing_share(problem, 200, relu).value is None
