"""Claim: the competition between the circuits predicts the measured critical size."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import binomtest

from dcrit.empirics.claims.claim import Claim, Finding, Row
from dcrit.empirics.claims.effect import effect_of_draws
from dcrit.empirics.experiments.competition import EXPERIMENT, ProblemEvidence
from dcrit.theory.estimates import Interval, median_log_error
from dcrit.theory.problems.problem import label

#: Largest median |ln(predicted/measured)|.
TARGET = 0.10

#: Draws of problems and their sizes.
DRAWS = 4000


def judge(evidence: list[ProblemEvidence]) -> Finding:
    """Median |ln(predicted/measured)| over problems, predicted before training by the shipped calibration."""
    rows: list[Row] = []
    predicted: list[float] = []
    implied: list[tuple[float, float]] = []
    measured: list[float] = []
    draws: list[np.ndarray] = []
    n_runs = n_lost = 0
    for index, entry in enumerate(evidence):
        prior, found = entry.transition.predicted, entry.transition.measured
        interval, prior_interval = found.interval, None if prior is None else prior.interval
        n_lost += found.n_unconverged
        rows.append(
            {
                "problem": label(entry.problem),
                "predicted": None if prior is None else prior.value,
                "predicted low": None if prior_interval is None else prior_interval.low,
                "predicted high": None if prior_interval is None else prior_interval.high,
                "from efficiencies": entry.implied.value,
                "measured": found.value,
                "measured low": None if interval is None else interval.low,
                "measured high": None if interval is None else interval.high,
                "ln ratio": None
                if prior is None or prior.value is None or found.value is None
                else math.log(prior.value / found.value),
                "runs": found.n_runs,
                "note": found.reason or (prior.reason if prior is not None else "no calibration ships for it"),
            }
        )
        # A seed each: with one seed all sizes would err together.
        log_sizes = entry.transition.log_size_draws(DRAWS, seed=index)
        if found.value is None or log_sizes is None:
            continue
        if entry.implied.value is not None:
            implied.append((entry.implied.value, found.value))
        if prior is None or prior.value is None:
            continue
        predicted.append(prior.value)
        measured.append(found.value)
        draws.append(np.exp(log_sizes))
        n_runs += found.n_runs
    if not predicted:
        return Finding(
            predicted=TARGET,
            measured=None,
            interval=None,
            n_runs=n_runs,
            n_unconverged=n_lost,
            reason="no problem has both a prediction and a measured transition",
            p_inside=None,
            p_outside=None,
            rows=rows,
        )
    # Problems are a sample too: both they and their measured sizes are drawn anew.
    rng = np.random.default_rng(0)
    errors: list[float] = []
    for sample in np.transpose(draws):
        pick = rng.integers(len(predicted), size=len(predicted))
        errors.append(median_log_error(np.array(predicted)[pick], sample[pick]))
    error = median_log_error(predicted, measured)
    # Of few problems the bootstrap says more than they can: no p-value is below that of the sign test of the median.
    n_within = sum(abs(math.log(a / b)) <= TARGET for a, b in zip(predicted, measured, strict=True))
    within, beyond = (
        float(binomtest(n, len(predicted), 0.5, alternative="greater").pvalue)
        for n in (n_within, len(predicted) - n_within)
    )
    effect = effect_of_draws(errors, (-math.inf, TARGET), value=error)
    covered = sum(_overlap(row) for row in rows)
    ours = ""
    if implied:
        ours = (
            f"; {median_log_error(*zip(*implied, strict=True)):.3f} when the efficiencies are measured on the problem "
            "itself"
        )
    return Finding(
        predicted=TARGET,
        measured=error,
        interval=effect.interval,
        n_runs=n_runs,
        n_unconverged=n_lost,
        reason=f"median |ln(predicted/measured)| over {len(predicted)} problems; {covered} of them inside the "
        f"predicted interval{ours}",
        p_inside=max(effect.p_inside, within) if len(predicted) == len(evidence) else None,
        p_outside=max(effect.p_outside, beyond),
        rows=rows,
    )


def _overlap(row: Row) -> bool:
    low, high, measured = row["predicted low"], row["predicted high"], row["measured"]
    if not (isinstance(low, float) and isinstance(high, float) and isinstance(measured, float)):
        return False
    return measured in Interval(low=low, high=high)


CLAIM: Claim[list[ProblemEvidence]] = Claim(
    id="dcrit-predicted",
    order=3,
    statement="The critical size is predicted, before any training, on configurations that no constant was fitted to.",
    source=("dcrit",),
    criterion=f"Median |ln(predicted/measured)| over problems at moduli above those calibrated on: supported if its "
    f"90 % interval (problems and their measured sizes resampled) lies at or below {TARGET}, refuted if above, in both "
    "cases only as far as the sign test of the median over problems agrees; inconclusive otherwise or where a problem "
    "has no prediction or no measured transition.",
    experiment=EXPERIMENT,
    judge=judge,
)
