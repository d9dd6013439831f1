import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from dcrit.empirics.claims import ungrokking
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.experiments.transitions import TransitionsDesign
from dcrit.empirics.experiments.ungrokking_sizes import (
    EXPERIMENT,
    UngrokkingEvidence,
    UngrokkingSizesDesign,
    measure,
)
from dcrit.empirics.measures.critical_size import measure_critical_size
from dcrit.empirics.measures.ungrokking import UngrokkingDesign
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.theory.calibrations.calibration import calibration_for, shipped_calibrations
from dcrit.theory.estimates import Estimate
from dcrit.theory.predictions.critical_size import CriticalSizePrediction, predict_critical_size
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import no_multitask, run_of
from tests.worlds.transitions import outcomes_around, transition

PROBLEM = Problem(modulus=31, width=64)


def prediction(crossing: float) -> CriticalSizePrediction:
    calibration = calibration_for(PROBLEM, shipped_calibrations())
    assert calibration is not None
    found = predict_critical_size(PROBLEM, calibration, n_draws=50)
    return replace(found, crossing=Estimate(quantity="crossing", value=crossing, interval=None, unit="examples"))


def entry(
    scratch: float | None, below: float, crossing: float | None, problem: Problem = PROBLEM
) -> UngrokkingEvidence:
    outcomes = outcomes_around(problem, below) if scratch is not None else []
    return UngrokkingEvidence(
        transition=transition(problem, scratch),
        outcomes=outcomes,
        measured=measure_critical_size(outcomes),
        prediction=None if crossing is None else prediction(crossing),
        shared=None,
        additive=None,
    )


def test_hysteresis_at_the_crossing_supports() -> None:
    finding = ungrokking.judge([entry(260, 200, 205)])
    assert finding.ruling() == "supported"
    assert finding.measured == pytest.approx(math.log(205 / 200), abs=0.01)
    assert finding.rows[0]["hysteresis"] == pytest.approx(math.log(1.3), abs=0.02)


def test_a_crossing_elsewhere_refutes() -> None:
    assert ungrokking.judge([entry(260, 200, 260)]).ruling() == "refuted"


def test_no_hysteresis_refutes() -> None:
    assert ungrokking.judge([entry(200, 210, 205)]).ruling() == "refuted"


def test_a_crossing_at_the_margin_decides_nothing() -> None:
    assert ungrokking.judge([entry(260, 200, 200 * math.exp(ungrokking.TARGET))]).ruling() == "inconclusive"


def test_predictions_at_calibrated_moduli_do_not_count_and_missing_ones_cannot_support() -> None:
    calibrated = entry(180, 140, 300, replace(PROBLEM, modulus=23))
    alone = ungrokking.judge([calibrated])
    assert alone.ruling() == "supported"
    assert alone.measured is None
    assert ungrokking.judge([calibrated, entry(260, 200, None)]).p_inside is None


def test_a_missing_transition_is_named_and_cannot_support() -> None:
    finding = ungrokking.judge([entry(260, 200, 200), entry(None, 200, None)])
    assert finding.p_inside is None
    assert "no transition" in finding.reason


def both_ways(scratch: float, below: float) -> tuple[list[RunConfig], Laboratory]:
    asked: list[RunConfig] = []

    def run(configs: Sequence[RunConfig], /, *, stage: str) -> list[Run]:
        del stage
        asked.extend(configs)
        return [made(config) for config in configs]

    def made(config: RunConfig) -> Run:
        half = scratch if config.start == "scratch" else below
        final = float(expit(math.log(config.n_train / half) / 0.1))
        progress = np.minimum(1.0, 2 * np.array(config.evaluation_steps()) / config.horizon)
        first = 0.0 if config.start == "scratch" else 1.0
        return run_of(config, train_loss=1e-3, squared_norm=100.0, test_accuracy=first + (final - first) * progress)

    return asked, Laboratory(run, no_multitask, shipped_calibrations())


@pytest.mark.slow
def test_both_directions_are_measured_and_simulated() -> None:
    asked, laboratory = both_ways(260, 200)
    design = UngrokkingSizesDesign(scratch=(TransitionsDesign(problems=(PROBLEM,)),))
    (found,) = measure(design, laboratory)
    assert found.transition.measured.value == pytest.approx(260, rel=0.03)
    assert found.measured.value == pytest.approx(200, rel=0.03)
    assert found.measured.quantity == "ungrokking_size"
    down = [config for config in asked if config.start == "generalized"]
    assert {config.until for config in down} == {"horizon"}
    assert len(down) == len(found.outcomes)
    assert found.prediction is not None
    assert found.shared is not None
    assert found.additive is not None
    # Shared circuits, the default, have no hysteresis.
    assert found.shared.scratch_size == pytest.approx(found.shared.ungrokking_size, rel=0.02)


@pytest.mark.slow
def test_nothing_is_measured_below_where_there_is_no_transition() -> None:
    asked, laboratory = both_ways(1e6, 1e6)
    (found,) = measure(UngrokkingSizesDesign(scratch=(TransitionsDesign(problems=(PROBLEM,)),)), laboratory)
    assert found.measured.value is None
    assert found.measured.reason == "no transition from scratch to begin below"
    assert {config.start for config in asked} == {"scratch"}


def test_from_above_no_probe_is_made() -> None:
    design = UngrokkingDesign(problem=PROBLEM, start=200.0, steps=500)
    first = design.propose([])
    assert {(config.start, config.horizon, config.until) for config in first} == {("generalized", 500, "horizon")}


def test_designs_cost_what_the_suites_are_for() -> None:
    assert EXPERIMENT.work("standard").flops < 2e13 < EXPERIMENT.work("paper").flops
    with pytest.raises(ValueError, match="budget"):
        UngrokkingSizesDesign(scratch=(), budget=0.0)
