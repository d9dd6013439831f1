import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit

from dcrit.empirics.claims import semi_grokking
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.experiments.semi_grokking_sizes import (
    EXPERIMENT,
    OFFSETS,
    SemiGrokkingDesign,
    SemiGrokkingEvidence,
    measure,
)
from dcrit.empirics.experiments.transitions import TransitionsDesign
from dcrit.empirics.measures.semi_grokking import PartialInterval
from dcrit.empirics.runs.outcomes import Outcome
from dcrit.theory.calibrations.calibration import calibration_for, shipped_calibrations
from dcrit.theory.estimates import Estimate
from dcrit.theory.predictions.critical_size import CriticalSizePrediction, predict_critical_size
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import World, half_accuracy_size, no_multitask, outcome
from tests.worlds.transitions import transition

PROBLEM = Problem(modulus=31, width=64)
HALF = 260.0

#: ln(D_90/D_10) of the logistic curve of width s is 2·ln 9·s.
SPAN = 2 * float(logit(0.9))


def prediction(log_width: float) -> CriticalSizePrediction:
    calibration = calibration_for(PROBLEM, shipped_calibrations())
    assert calibration is not None
    found = predict_critical_size(PROBLEM, calibration, n_draws=50)

    def at(size: float) -> Estimate:
        return Estimate(quantity="size", value=size, interval=None, unit="examples")

    return replace(found, onset=at(HALF * math.exp(-log_width / 2)), completion=at(HALF * math.exp(log_width / 2)))


def entry(
    *, width: float = 0.1, predicted: float | None = 0.1 * SPAN, split: bool = False, problem: Problem = PROBLEM
) -> SemiGrokkingEvidence:
    """Logistic accuracies, or runs split between 0 and 1 with the same means."""
    rng, outcomes = np.random.default_rng(0), list[Outcome]()
    measured = transition(problem, HALF)
    assert measured.measured.value is not None
    for config in SemiGrokkingDesign(transitions=()).configs(problem, measured.measured.value, 0):
        accuracy = float(expit(math.log(config.n_train / HALF) / width + 0.1 * rng.standard_normal()))
        accuracy = float(rng.uniform() < accuracy) if split else accuracy
        outcomes.append(outcome(config, test_accuracy=accuracy))
    return SemiGrokkingEvidence(
        transition=measured, outcomes=outcomes, prediction=None if predicted is None else prediction(predicted)
    )


def test_partial_runs_over_the_predicted_width_support() -> None:
    finding = semi_grokking.judge([entry()])
    assert finding.ruling() == "supported"
    assert finding.measured == pytest.approx(0.0, abs=0.1)
    assert finding.rows[0]["partial there"] == "16 of 16"


def test_runs_split_between_none_and_all_refute() -> None:
    finding = semi_grokking.judge([entry(split=True)])
    assert finding.ruling() == "refuted"
    assert finding.rows[0]["partial there"] == "0 of 16"


def test_a_width_twice_as_large_as_measured_refutes() -> None:
    finding = semi_grokking.judge([entry(predicted=0.2 * SPAN)])
    assert finding.ruling() == "refuted"
    assert finding.measured == pytest.approx(-math.log(2), abs=0.1)


def test_a_width_at_the_margin_decides_nothing() -> None:
    finding = semi_grokking.judge([entry(predicted=0.1 * SPAN * semi_grokking.FACTOR)])
    assert finding.ruling() == "inconclusive"


def test_an_interval_wider_than_the_sizes_tried_cannot_support() -> None:
    finding = semi_grokking.judge([entry(width=0.4)])
    assert finding.p_inside is None
    assert "size tried" in finding.reason


def test_widths_at_calibrated_moduli_are_no_test() -> None:
    calibrated = replace(PROBLEM, modulus=29)
    finding = semi_grokking.judge([entry(predicted=0.3 * SPAN, problem=calibrated)])
    assert finding.ruling() == "supported"
    assert finding.measured is None


def test_runs_are_made_around_the_measured_size_with_seeds_of_their_own() -> None:
    laboratory = Laboratory(World(), no_multitask, shipped_calibrations())
    design = SemiGrokkingDesign(transitions=(TransitionsDesign(problems=(PROBLEM,)),))
    (found,) = measure(design, laboratory)
    assert found.transition.measured.value == pytest.approx(half_accuracy_size(PROBLEM), rel=0.06)
    seeds = [one.config.seed for one in found.outcomes]
    assert len(set(seeds)) == len(seeds) == 16 + 4 * (len(OFFSETS) - 1)
    assert min(seeds) > max(one.config.seed for one in found.transition.outcomes)
    assert len(found.central) == 16
    assert found.prediction is not None


def test_without_a_transition_no_run_is_made() -> None:
    lost = SemiGrokkingEvidence(transition=transition(PROBLEM, None), outcomes=[], prediction=None)
    finding = semi_grokking.judge([lost])
    assert (finding.measured, finding.p_value) == (None, None)
    assert "0 of 0 partial" in finding.reason


def test_designs_cost_what_the_suites_are_for() -> None:
    assert EXPERIMENT.work("standard").flops < 2e13 < EXPERIMENT.work("paper").flops
    with pytest.raises(ValueError, match="central_seeds"):
        SemiGrokkingDesign(transitions=(), central_seeds=1)


@pytest.mark.parametrize(("ratio", "is_refuted"), [(0.5, False), (1.0, False), (2.0, True)])
def test_widths_known_from_below_support_nothing_and_are_never_too_small(ratio: float, is_refuted: bool) -> None:
    draws = np.full(1000, ratio)
    cut_off = PartialInterval(onset=100, completion=100 * math.e, log_widths=draws, reached=draws < 0)
    effect = semi_grokking.width_effect(cut_off, 1.0)
    assert effect is not None
    assert effect.p_inside == 1.0
    assert effect.p_outside == pytest.approx(1 / 1001 if is_refuted else 1.0)
