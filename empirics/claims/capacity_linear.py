"""Claim: capacity grows linearly in the number of parameters."""

from __future__ import annotations

from dcrit.empirics.calibrate import CapacityLine
from dcrit.empirics.claims.claim import Claim, Evidence, Ruling, Verdict, combine, rule
from dcrit.theory.estimates import LEVEL, Interval, half_width

#: Slopes d ln D_mem/d ln N that count as linear.
LINEAR = (0.85, 1.15)

#: Bits per parameter in the literature, for comparison in the table.
PUBLISHED = {"allenzhu2024": 2.0, "morris2025": 3.6}


def judge(evidence: Evidence) -> Verdict:
    """Slope of ln D_mem over ln N for each activation."""
    rows: list[dict[str, str | float | None]] = []
    rulings: list[Ruling] = []
    slopes: list[tuple[float, float]] = []
    n_runs = 0
    for activation, line in evidence.capacities.items():
        if not isinstance(line, CapacityLine):
            rows.append({"activation": activation, "slope": None, "note": line})
            rulings.append("inconclusive")
            continue
        half = half_width(line.slope_error, freedom=line.n_sizes - 2)
        interval = Interval(low=line.slope - half, high=line.slope + half)
        rulings.append(rule(interval, inside=LINEAR))
        slopes.append((line.slope, half))
        n_runs += line.n_runs
        rows.append(
            {
                "activation": activation,
                "slope": line.slope,
                "low": interval.low,
                "high": interval.high,
                "bits/parameter": line.bits,
                "± (s.e.)": line.bits_error,
                "sizes": line.n_sizes,
                **PUBLISHED,
            }
        )
    measured = sum(slope for slope, _ in slopes) / len(slopes) if slopes else None
    # The activations' errors are independent, so the mean's half width adds in quadrature.
    spread = sum(half**2 for _, half in slopes) ** 0.5 / len(slopes) if slopes else 0.0
    bits = ", ".join(f"{row['activation']} {row['bits/parameter']:.2f}" for row in rows if "bits/parameter" in row)
    return Verdict(
        claim=CLAIM.id,
        verdict=combine(rulings),
        predicted=1.0,
        measured=measured,
        interval=None if measured is None else Interval(low=measured - spread, high=measured + spread, level=LEVEL),
        n_runs=n_runs,
        n_unconverged=0,
        reason=f"bits per parameter: {bits}" if bits else "too few overloaded models",
        rows=rows,
    )


CLAIM = Claim(
    id="capacity-linear",
    statement="The number of random labels a model memorizes grows linearly in its number of parameters.",
    source=("huang2024", "allenzhu2024", "morris2025"),
    criterion=f"Slope d ln D_mem/d ln N for each activation: supported if the 90 % interval lies within "
    f"{LINEAR[0]}–{LINEAR[1]}, refuted if outside, inconclusive otherwise. Refuted by one, supported by all.",
    judge=judge,
)
