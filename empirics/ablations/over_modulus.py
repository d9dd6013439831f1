"""Critical sizes over the modulus: those that are measured, how they grow, and the gap between both thresholds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dcrit.empirics.ablations import transformer_clock, two_thresholds
from dcrit.empirics.ablations.at_rest import FILE, KNOWN
from dcrit.empirics.ablations.committed import Row, read
from dcrit.empirics.ablations.two_thresholds_fit import FOLDER, sets_apart
from dcrit.theory.calibrations.thresholds import Thresholds, thresholds_of
from dcrit.theory.estimates import Interval, half_width
from dcrit.theory.problems.problem import Problem

#: Model, activation, width and horizon of each series that sizes over the modulus are shown for.
SERIES = (("mlp", "square", 128, 4000), ("mlp", "relu", 128, 4000), ("transformer", "relu", 32, 5000))

#: The same of the picture that explains both thresholds; 40/(ηλ) steps, as others trained transformers.
PICTURED = (*SERIES[:2], ("transformer", "relu", 128, 13_333))

#: Least modulus of a fit: below, the finding size and that at rest coincide.
LEAST_MODULUS = 19

#: Sizes from scratch and at rest are compared where their moduli differ by at most so much.
NEAR = 1

#: Fewest moduli through which an exponent is told.
FEWEST = 3


@dataclass(frozen=True, kw_only=True)
class Exponent:
    """How sizes grow with the modulus.

    Attributes:
        value: d ln D/d ln p.
        interval: 90 %, by the scatter about the line.
        moduli: First and last.
        n: Sizes.
    """

    value: float
    interval: Interval
    moduli: tuple[int, int]
    n: int


def exponent_of(rows: Sequence[Row]) -> Exponent | None:
    """Least-squares exponent of sizes over moduli; None of fewer than three moduli.

    Args:
        rows: With ``n_symbols`` and ``size``.
    """
    known = [row for row in rows if row["n_symbols"] >= LEAST_MODULUS]
    moduli = sorted({row["n_symbols"] for row in known})
    if len(moduli) < FEWEST:
        return None
    x, y = np.log([row["n_symbols"] for row in known]), np.log([row["size"] for row in known])
    slope, offset = np.polyfit(x, y, 1)
    residual = y - slope * x - offset
    freedom = len(x) - 2
    error = math.sqrt(float(residual @ residual) / freedom / float(((x - x.mean()) ** 2).sum()))
    half = half_width(error, freedom=freedom)
    return Exponent(
        value=float(slope),
        interval=Interval(low=float(slope) - half, high=float(slope) + half),
        moduli=(moduli[0], moduli[-1]),
        n=len(known),
    )


def sizes_over_modulus(results: Path, law: Thresholds, width: int, horizon: float) -> list[Row]:
    """Measured sizes of a law's family and activation, as they would be at one width and horizon, and at rest.

    Args:
        results: Folder of committed results.
        law: Of addition.
        width: H or d.
        horizon: T [steps].

    Returns:
        Rows of n_symbols, size, interval (None where none was kept), at_rest and what sets the network apart.
    """
    kind = transformer_clock if law.model == "transformer" else two_thresholds
    return kind.sizes_over_modulus(results, law, width, horizon)


def rest_beyond(results: Path, law: Thresholds, width: int) -> list[Row]:
    """Sizes at rest of networks that no constant is from, as they would be at one width by the law's ratio.

    Args:
        results: Folder of committed results.
        law: Of addition.
        width: H or d.

    Returns:
        Rows as of :func:`sizes_over_modulus`.
    """
    asked = [row["problem"] | row for row in read(results / FOLDER / FILE)]
    rows = [*asked, *read(results / FOLDER / KNOWN)]
    factor = law.law.thresholds.load_factor
    found: list[Row] = []
    for row in rows:
        if row["measured"] is None or (row["model"], row["activation"]) != (law.model, law.activation):
            continue
        ratio = factor(row["modulus"], width) / factor(row["modulus"], row["width"])
        ends = row["measured_interval"]
        found.append(
            {
                "n_symbols": row["modulus"],
                "size": row["measured"] * ratio,
                "interval": None if ends is None else [end * ratio for end in ends],
                "at_rest": True,
                "apart": sets_apart(law.model, row["width"], 1.0, beside=width),
            }
        )
    return found


def sizes(results: Path, model: str, activation: str, width: int, horizon: int) -> list[Row]:
    """The same of addition by the law that ships, and sizes at rest that were measured at this very width.

    Args:
        results: Folder of committed results.
        model: Family.
        activation: σ.
        width: H or d.
        horizon: T [steps].
    """
    law = thresholds_of(Problem(model=model, activation=activation))
    known = [
        {"n_symbols": row["modulus"], "size": row["measured"], "interval": None, "at_rest": True}
        for row in read(results / FOLDER / KNOWN)
        if (row["model"], row["activation"], row["width"]) == (model, activation, width)
    ]
    return sizes_over_modulus(results, law, width, horizon) + known


def gaps(rows: Sequence[Row]) -> list[tuple[int, float, float]]:
    """Modulus, size from scratch and size at rest, wherever both are measured; means in ln of several."""
    found: list[tuple[int, float, float]] = []
    for modulus in sorted({row["n_symbols"] for row in rows if row["at_rest"]}):
        rest, scratch = (
            [
                math.log(row["size"])
                for row in rows
                if row["at_rest"] == at_rest and abs(row["n_symbols"] - modulus) <= near
            ]
            for at_rest, near in ((True, 0), (False, NEAR))
        )
        if scratch:
            found.append((modulus, math.exp(np.mean(scratch)), math.exp(np.mean(rest))))
    return found
