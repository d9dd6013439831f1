"""Claim: facts to memorize push the ability to larger models, where the theory says, by the additive formula."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from dcrit.empirics.claims.claim import Claim, Finding, Row, finding_on
from dcrit.empirics.claims.effect import Effect, effect_of_draws
from dcrit.empirics.claims.size_effects import DRAWS, Side, effect_of_bound, effect_of_ratio, log_sizes, size_text
from dcrit.empirics.experiments.facts import EXPERIMENT, FactsPoint, alone
from dcrit.theory.circuits.crossing import Crossing
from dcrit.theory.circuits.facts import additive_critical_size, emergent_critical_size
from dcrit.theory.circuits.mixture import Competition
from dcrit.theory.problems.problem import label

FloatArray = NDArray[np.float64]

#: Least growth of the critical size that counts as a push.
PUSH = 0.05

#: Largest |ln(predicted/measured)| of sizes at which a width is the threshold, in the median, and of the formula.
THRESHOLD_ERROR, FORMULA_ERROR = 0.10, 0.10

#: Deviation, in ln, that a rule may have beside that of the measurement, where rules are compared.
RULE_SCATTER = 0.05


def shared(points: Sequence[FactsPoint]) -> list[FactsPoint]:
    """Points of networks that share everything, trained on all at once: those that the claim is about."""
    plain = ("shared", "merged", False)
    return [one for one in points if (one.series.blocks, one.series.embedding, one.series.is_pretrained) == plain]


def additive(point: FactsPoint, size_alone: FloatArray) -> FloatArray | None:
    """D_crit(D_r) by the additive formula from D_crit(0), the exponent by the calibration; None without one."""
    if point.predicted is None:
        return None
    power = 2 * point.predicted.competition.memorizing.exponent / point.series.problem.homogeneity
    return additive_critical_size(size_alone, point.n_facts, power)


def rule(point: FactsPoint, size_alone: float | None = None) -> float | None:
    """D_crit(D_r) by the rule of ``theory/circuits/facts.py``; None where there is none.

    Args:
        point: The question.
        size_alone: Measured D_crit(0), which then scales facts and answer; None for the bare prediction.
    """
    if point.predicted is None or point.predicted.critical_size.value is None:
        return None
    laws: Competition = point.predicted.from_scratch
    scale = 1.0 if size_alone is None else size_alone / point.predicted.critical_size.value
    found = emergent_critical_size(laws, point.n_facts / scale)
    return scale * found.n_train if isinstance(found, Crossing) else None


def judge(evidence: list[FactsPoint]) -> Finding:
    """Growth of the critical size, its prediction at every width, and the additive formula."""
    points = shared(evidence)
    rows: list[Row] = []
    pushes: list[Effect | None] = []
    formulas: list[Effect | None] = []
    odds: list[float] = []
    for point in points:
        base = alone(points, point.series)
        if point.n_facts == 0 or base is None:
            continue
        push = effect_of_ratio(point.transition, base.transition, (math.log1p(PUSH), math.inf))
        formula = _formula(point, base)
        pushes.append(push)
        formulas.append(formula)
        size_alone = base.transition.measured.value
        by_formula = None if size_alone is None else additive(point, np.array(size_alone))
        by_rule = None if size_alone is None else rule(point, size_alone)
        known = _log_odds(point, base)
        odds += [] if known is None else [known]
        rows.append(
            {
                "problem": label(point.series.problem),
                "facts": point.n_facts,
                "measured": size_text(point.transition),
                "without facts": size_text(base.transition),
                "ratio": None if push is None else math.exp(push.value),
                "additive formula": None if by_formula is None else float(by_formula),
                "rule": by_rule,
                "bare prediction": rule(point),
                "p pushed": None if push is None else push.p_inside,
                "p formula holds": None if formula is None else formula.p_inside,
                "p formula fails": None if formula is None else formula.p_outside,
            }
        )
    threshold = _threshold(points)
    grown = sorted(math.exp(effect.value) for effect in pushes if effect is not None)
    off = [effect.value for effect in formulas if effect is not None]
    reason = "no critical size beside facts is known"
    if grown:
        reason = f"facts multiply D_crit by {grown[0]:.2f} to {grown[-1]:.2f}"
    if off:
        reason += f"; it is the additive formula's times {math.exp(min(off)):.2f} to {math.exp(max(off)):.2f}"
    if odds:
        reason += f"; evidence for the package's rule over it: log10 Bayes factor {sum(odds):.1f}"
    if threshold is not None:
        reason += f"; sizes at which a width is the threshold are off by {threshold.value:.2f} in ln (median)"
    return finding_on(
        rows,
        [*pushes, threshold, *formulas],
        threshold,
        predicted=THRESHOLD_ERROR,
        n_runs=sum(point.transition.measured.n_runs for point in points),
        n_unconverged=sum(point.transition.measured.n_unconverged for point in points),
        reason=reason,
    )


def _formula(point: FactsPoint, base: FactsPoint) -> Effect | None:
    """Ln of the measured size over that of the additive formula."""
    measured, without = log_sizes(point.transition), log_sizes(base.transition, seed=1)
    if measured is None or without is None or without[1]:
        return None
    expected = additive(point, np.exp(without[0]))
    if expected is None:
        return None
    return effect_of_bound(measured[0] - np.log(expected), (-FORMULA_ERROR, FORMULA_ERROR), measured[1])


def _log_odds(point: FactsPoint, base: FactsPoint) -> float | None:
    """Log10 of the likelihood of the rule over that of the additive formula; both may be off by ``RULE_SCATTER``."""
    measured, size_alone = log_sizes(point.transition), base.transition.measured.value
    if measured is None or size_alone is None:
        return None
    by_rule, by_formula = rule(point, size_alone), additive(point, np.array(size_alone))
    if by_rule is None or by_formula is None:
        return None
    draws, side = measured
    scatter = math.hypot(float(draws.std()), RULE_SCATTER)
    deviations = (float(draws.mean()) - np.log([by_rule, float(by_formula)])) / scatter
    log_likelihood = norm.logsf(deviations) if side == 1 else norm.logpdf(deviations)
    return float(log_likelihood[0] - log_likelihood[1]) / math.log(10)


def _threshold(points: Sequence[FactsPoint]) -> Effect | None:
    """Median |ln(predicted/measured)| over widths of the size at which each is the smallest that learns the task.

    N_c(D_r, D) and D_crit(N, D_r) are one curve read along either axis; along this one errors are finite.
    """
    deviations: list[tuple[FloatArray, Side]] = []
    for index, point in enumerate(points):
        if point.n_facts == 0:
            continue
        # A seed each: with one seed all sizes would err together.
        measured, before = log_sizes(point.transition, seed=index), rule(point)
        if measured is None or before is None:
            return None
        deviations.append((measured[0] - math.log(before), measured[1]))
    if not deviations:
        return None
    # Below a bound that the prediction does not reach either, nothing is known to be wrong, nor right.
    if any(side and float(np.median(draws)) < THRESHOLD_ERROR for draws, side in deviations):
        return None
    table = np.abs(np.array([draws for draws, _ in deviations]))  # (points, DRAWS)
    picked = np.random.default_rng(0).integers(len(table), size=(DRAWS, len(table)))
    medians = np.median(table[picked, np.arange(DRAWS)[:, None]], axis=1)
    centre = float(np.median([abs(float(np.median(draws))) for draws, _ in deviations]))
    return effect_of_draws(medians, (-math.inf, THRESHOLD_ERROR), value=centre)


CLAIM: Claim[list[FactsPoint]] = Claim(
    id="emergence-multitask",
    order=17,
    statement="Facts to memorize raise D_crit, which pushes the ability to larger models at the predicted threshold, "
    "as (D_r + D)^s − D_r^s = D_crit(0)^s says.",
    source=("huang2024", "dcrit"),
    criterion=f"In networks that share everything, for every width, activation and D_r: D_crit grows by more than "
    f"{PUSH:.0%}, and lies within {FORMULA_ERROR} in ln of the additive formula with the measured D_crit(0) and the "
    "calibrated exponent; and the sizes at which the widths are the smallest that learn the task lie within "
    f"{THRESHOLD_ERROR} in ln, in the median, of those predicted before any run. Supported if all hold, refuted if one "
    "fails (Bonferroni), inconclusive otherwise. A size beyond all pairs that were tried counts as larger than these.",
    experiment=EXPERIMENT,
    judge=judge,
)
