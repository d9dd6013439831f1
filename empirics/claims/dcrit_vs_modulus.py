"""Claim: how the critical size grows with the modulus; three laws are in the literature."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.special import softmax

from dcrit.empirics.claims.claim import Claim, Finding, Row, finding_on
from dcrit.empirics.claims.effect import Effect, Statistic
from dcrit.empirics.claims.size_effects import DRAWS, SeriesFit, fit_series
from dcrit.empirics.experiments.size_series import MODULI
from dcrit.empirics.experiments.transitions import SeriesEvidence, Transition
from dcrit.theory.estimates import interval_of

#: ln of each published law at p: with the kernel regime's p², Mohamadi et al.'s p^(5/3), and Tian's p·ln p.
LAWS: Mapping[str, Callable[[float], float]] = {
    "p ln p": lambda p: math.log(p * math.log(p)),
    "p^(5/3)": lambda p: 5 / 3 * math.log(p),
    "p^2": lambda p: 2 * math.log(p),
}

#: Sizes above this fraction of all pairs are left out: p² bounds them, whatever law they follow.
LARGEST_FRACTION = 0.9

#: The law that the claim names.
CLAIMED = "p ln p"


def moduli_of(fit: SeriesFit) -> list[int]:
    """Moduli with a measured transition."""
    return [one.problem.modulus for one in fit.transitions]


def fit_moduli(series: Sequence[Transition]) -> SeriesFit:
    """Power law over the moduli whose critical size leaves some pairs over."""

    def is_bounded(one: Transition) -> bool:
        estimate = one.measured.value
        return estimate is not None and estimate > LARGEST_FRACTION * one.problem.n_pairs

    return fit_series([one for one in series if not is_bounded(one)], lambda problem: problem.modulus)


def weights_of(fit: SeriesFit) -> dict[str, float]:
    """Posterior probability of each law, equally likely a priori; none where there are too few sizes."""
    if fit.posterior is None:
        return {}
    evidences = [fit.posterior.log_evidence([law(p) for p in moduli_of(fit)]) for law in LAWS.values()]
    return dict(zip(LAWS, softmax(evidences).tolist(), strict=True))


def judge(evidence: SeriesEvidence) -> Finding:
    """Which of the three laws each activation follows, and the exponent of a free power law."""
    rows: list[Row] = []
    effects: list[Effect | None] = []
    draws: list[np.ndarray] = []
    references: list[float] = []
    said: list[str] = []
    for index, series in enumerate(evidence):
        name = f"{series[0].problem.model} {series[0].problem.activation}"
        fit = fit_moduli(series)
        posterior, interval, weights = fit.posterior, fit.interval, weights_of(fit)
        sizes = ", ".join(f"{one.problem.modulus}: {one.measured.value:.0f}" for one in fit.transitions)
        row: dict[str, str | float | None] = {"series": name, "D_crit by modulus": sizes, "predicted": fit.predicted}
        rows.append(row)
        if posterior is None or interval is None:
            effects.append(None)
            said.append(f"{name}: only {len(fit.transitions)} of {len(series)} moduli have a transition that counts")
            continue
        claimed = weights[CLAIMED]
        others = sum(weight for law, weight in weights.items() if law != CLAIMED)
        effects.append(Effect(value=posterior.slope, interval=interval, p_inside=min(1.0, others), p_outside=claimed))
        draws.append(posterior.slope_draws(DRAWS, seed=index))
        references.append(_exponent(moduli_of(fit)))
        row |= {"exponent": posterior.slope, "low": interval.low, "high": interval.high}
        row |= {f"weight of {law}": weight for law, weight in weights.items()}
        best = max(weights, key=lambda law: weights[law])
        theory = "" if fit.predicted is None else f", {fit.predicted:.2f} predicted"
        said.append(
            f"{name}: {posterior.slope:.2f} ({interval.low:.2f} – {interval.high:.2f}){theory}, {best} with weight "
            f"{weights[best]:.3g}"
        )
    mean = np.mean(draws, axis=0) if draws else None
    return finding_on(
        rows,
        effects,
        None if mean is None else Statistic(value=float(np.mean(mean)), interval=interval_of(mean)),
        predicted=float(np.mean(references)) if references else None,
        n_runs=sum(one.measured.n_runs for series in evidence for one in series),
        n_unconverged=sum(one.measured.n_unconverged for series in evidence for one in series),
        reason=f"exponents of p: {'; '.join(said)}",
    )


def _exponent(moduli: Sequence[int]) -> float:
    """Exponent of the power law nearest to the claimed law over those moduli."""
    return float(np.polyfit(np.log(moduli), [LAWS[CLAIMED](p) for p in moduli], 1)[0])


CLAIM: Claim[SeriesEvidence] = Claim(
    id="dcrit-vs-modulus",
    order=20,
    statement="At fixed width the critical size grows as p·ln p, and not as p^(5/3) or p².",
    source=("tian2025", "mohamadi2024"),
    criterion="Likelihood of p·ln p, p^(5/3) and p², each with a free factor and an unknown scatter between moduli, "
    f"through critical sizes up to {LARGEST_FRACTION:.0%} of all pairs, which bound them: "
    "supported if the other two together have less weight than the error allowed beside the other claims, for every "
    "activation; refuted if p·ln p has less than that for one (Bonferroni); inconclusive otherwise. The numbers shown "
    "are exponents of a free power law, averaged over activations, against that of p·ln p over the same moduli.",
    experiment=MODULI,
    judge=judge,
)
