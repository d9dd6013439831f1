"""Claim: the peak of the test error over model size sits at a model complexity that grows as √D."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.claims.claim import Claim, Finding, Row, finding_on
from dcrit.empirics.claims.effect import Effect, effect_of_draws
from dcrit.empirics.experiments.size_grid import EXPERIMENT, Grid, GridEvidence
from dcrit.empirics.measures.planes import mean_draws, means, peaks
from dcrit.theory.estimates import interval_of

FloatArray = NDArray[np.float64]

#: Exponents d ln N/d ln D that count as a square root.
SQUARE_ROOT = (0.35, 0.65)

#: Exponent that the theory has: the peak lies where capacity, linear in N, passes D.
THEORY = 1.0

#: Sizes with a peak inside the measured widths without which no exponent is fitted.
FEWEST_SIZES = 3

#: Fraction of draws that must have an exponent.
FEWEST_DRAWS = 0.5


def places(grid: Grid, *, n_draws: int | None = None) -> FloatArray:
    """Ln N of the peak of the mean ln test loss: (n, S), or of the means alone (1, S); NaN at an end of the widths."""
    log_loss = np.log(np.maximum(grid.test_loss, 1e-12))
    drawn = means(log_loss)[None] if n_draws is None else mean_draws(log_loss, n_draws=n_draws)  # (n, S, K)
    x = np.log(grid.n_params)
    return np.stack([peaks(x, drawn[:, s]) for s in range(drawn.shape[1])], axis=1)


def exponents(log_sizes: FloatArray, found: FloatArray) -> FloatArray:
    """Least-squares slopes over ln D of places (n, S): (n,); NaN with fewer than ``FEWEST_SIZES`` of them."""
    slopes = np.full(len(found), np.nan)
    for j, row in enumerate(found):
        known = np.isfinite(row)
        if known.sum() >= FEWEST_SIZES:
            slopes[j] = np.polyfit(log_sizes[known], row[known], 1)[0]
    return slopes


def _judge_grid(grid: Grid, n_draws: int) -> tuple[Row, Effect | None]:
    sizes = np.log(grid.plane.sizes)
    at = places(grid)[0]
    row: dict[str, str | float | None] = {"plane": grid.name, "sizes with a peak": float(np.isfinite(at).sum())}
    row |= {f"N at {size}": float(np.exp(place)) for size, place in zip(grid.plane.sizes, at, strict=True)}
    # Widths follow from N, so that both exponents come from the same peaks.
    widths = np.log(grid.plane.widths)
    estimate = exponents(sizes, at[None])[0]
    drawn = places(grid, n_draws=n_draws)
    slopes = exponents(sizes, drawn)
    usable = np.isfinite(slopes)
    if not np.isfinite(estimate) or usable.mean() < FEWEST_DRAWS:
        row |= {"d ln N/d ln D": None, "note": f"fewer than {FEWEST_SIZES} sizes have a peak between the end widths"}
        return row, None
    effect = effect_of_draws(slopes[usable], SQUARE_ROOT, value=float(estimate))
    as_widths = exponents(sizes, np.interp(drawn[usable], np.log(grid.n_params), widths))
    span = interval_of(as_widths[np.isfinite(as_widths)])
    row |= {
        "d ln N/d ln D": effect.value,
        "low": effect.interval.low,
        "high": effect.interval.high,
        "d ln width/d ln D": float(exponents(sizes, np.interp(at[None], np.log(grid.n_params), widths))[0]),
        "width low": span.low,
        "width high": span.high,
        "theory": THEORY,
        "theory, width": THEORY * float((widths[-1] - widths[0]) / np.log(grid.n_params[-1] / grid.n_params[0])),
    }
    return row, effect


def judge(evidence: GridEvidence, *, n_draws: int = 4000) -> Finding:
    """Exponent of the peak's place in parameters, in every plane that has enough peaks."""
    judged = [_judge_grid(grid, n_draws) for grid in evidence.grids]
    known = [effect for _, effect in judged if effect is not None]
    found = [
        f"{row['plane']}: {effect.value:.2f} ({effect.interval.low:.2f} to {effect.interval.high:.2f})"
        for row, effect in judged
        if effect is not None
    ]
    return finding_on(
        [row for row, _ in judged],
        known,  # planes without peaks say nothing on where peaks sit
        known[0] if known else None,
        predicted=0.5,
        n_runs=sum(grid.n_runs for grid in evidence.grids),
        n_unconverged=sum(grid.n_lost for grid in evidence.grids),
        reason="d ln N/d ln D of the loss peak: " + ("; ".join(found) or "no plane has enough peaks"),
    )


CLAIM: Claim[GridEvidence] = Claim(
    id="dd-peak-sqrt",
    order=12,
    statement="The peak of the test loss over model size sits at a number of parameters that grows as the square root "
    "of the training-set size.",
    source=("huang2024",),
    criterion="Exponent d ln N/d ln D of the place of the peak of mean ln test loss (a parabola through the highest "
    f"width and its neighbours), in every plane with at least {FEWEST_SIZES} sizes whose peak is not at an end width: "
    f"supported if it lies within {SQUARE_ROOT[0]}–{SQUARE_ROOT[1]} in each, refuted if outside in one (Bonferroni), "
    f"inconclusive otherwise. The theory's exponent is {THEORY:g} in parameters.",
    experiment=EXPERIMENT,
    judge=judge,
)
