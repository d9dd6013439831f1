"""Claim: capacity grows linearly in the number of parameters."""

from __future__ import annotations

from dcrit.empirics.claims.claim import Claim, Finding, Row, columns_of, finding_on
from dcrit.empirics.claims.effect import Effect, effect_of_error, mean_of
from dcrit.empirics.experiments.capacities import EXPERIMENT, Capacities
from dcrit.empirics.measures.capacity import CapacityLine
from dcrit.theory.literature.published import published_values

#: Slopes d ln D_mem/d ln N that count as linear.
LINEAR = (0.85, 1.15)

#: Bits per parameter in the literature, for comparison in the table.
PUBLISHED = published_values("bits_per_parameter")


def judge(evidence: Capacities) -> Finding:
    """Slope of ln D_mem over ln N for each family."""
    rows: list[Row] = []
    effects: list[Effect | None] = []
    n_runs = 0
    for family, line in evidence.items():
        if not isinstance(line, CapacityLine):
            rows.append({"family": family, "slope": None, "note": line})
            effects.append(None)
            continue
        effect = effect_of_error(line.slope, line.slope_error, LINEAR, freedom=line.n_sizes - 2)
        effects.append(effect)
        n_runs += line.n_runs
        rows.append(
            {
                "family": family,
                **columns_of(effect, "slope"),
                "bits/parameter": line.bits,
                "± (s.e.)": line.bits_error,
                "sizes": line.n_sizes,
                **PUBLISHED,
            }
        )
    bits = ", ".join(f"{row['family']} {row['bits/parameter']:.2f}" for row in rows if "bits/parameter" in row)
    return finding_on(
        rows,
        effects,
        mean_of(effects),
        predicted=1.0,
        n_runs=n_runs,
        n_unconverged=0,
        reason=f"bits per parameter: {bits}" if bits else "too few overloaded models",
    )


CLAIM: Claim[Capacities] = Claim(
    id="capacity-linear",
    order=6,
    statement="The number of random labels a model memorizes grows linearly in its number of parameters.",
    source=("huang2024", "allenzhu2024", "morris2025"),
    criterion=f"Slope d ln D_mem/d ln N for each family: supported if the 90 % interval lies within "
    f"{LINEAR[0]}–{LINEAR[1]}, refuted if outside, inconclusive otherwise. Refuted by one, supported by all.",
    experiment=EXPERIMENT,
    judge=judge,
)
