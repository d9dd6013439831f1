"""Runs of several widths beside what is predicted of each, and dips beside predicted ones, as tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dcrit.api.headlines import LIKELY
from dcrit.cli.terminal.output import say, span, span_of, table
from dcrit.theory.predictions.double_descent import SMALLEST_DIP
from dcrit.theory.written import number, probability

if TYPE_CHECKING:
    from dcrit.api.double_descent import LaidOver
    from dcrit.empirics.measures.over_width import AtWidth
    from dcrit.theory.estimates import Estimate


def say_over_width(laid: LaidOver, title: str) -> None:
    """Print a row a width, and at how many the mean lies inside the interval of the prediction.

    Args:
        laid: Runs over the prediction; at least one.
        title: Above the table.
    """
    table(
        title,
        ["width", "predicted", "interval", "measured", "interval of mean", "seeds", "note"],
        [
            [
                *(one.width, expected.value, span_of(expected)),
                *(one.mean, _span_of_mean(one), len(one.accuracies), expected.reason),
            ]
            for one, expected in zip(laid.measured, laid.predicted, strict=True)
        ],
    )
    n = len(laid.measured)
    wide = "" if math.isnan(laid.mean_span) else f", which is {number(laid.mean_span)} wide in the mean"
    say(f"At {laid.n_inside} of {n} width{'s' * (n != 1)} the mean lies inside the interval of the prediction{wide}.")


#: What the rows of a dip mean.
OF_A_DIP = (
    "The depth of a dip is the fall of mean accuracy, or twice what a larger width wins back where that is less. A dip "
    f"counts from {SMALLEST_DIP:g} on. p is how often runs without a dip look as deep."
)


def say_dip(name: str, laid: LaidOver) -> None:
    """Print what runs and prediction say of a dip, side by side; nothing where the runs are too few to tell.

    Args:
        name: Of the curve.
        laid: Its runs over the prediction.
    """
    dip, found = laid.dip, laid.expected
    if dip is None or found is None or dip.p_rising is None:
        return
    sure = f"{dip.ruling}, p = {dip.p_rising:.2g}" if dip.ruling == "dip" else dip.ruling
    rows = [["is there a dip", sure, f"probability {probability(found.probability)}"]]
    likely = found.probability >= LIKELY
    if dip.course:
        widths = [width for width, _ in dip.course]
        told = {one.width: number(guess.value) for one, guess in zip(laid.measured, laid.predicted, strict=True)}
        where = f"accuracy at width {', '.join(map(str, widths))}"
        rows += [
            ["lowest at width", number(dip.width.value), number(found.width.value) if likely else ""],
            [where, ", ".join(number(mean) for _, mean in dip.course), ", ".join(told[width] for width in widths)],
        ]
    rows += [["depth", _with_span(dip.depth), _with_span(found.depth) if likely else ""]]
    table(name, ["", "runs", "predicted"], rows)


def _with_span(found: Estimate) -> str:
    return f"{number(found.value)} ({span_of(found)})"


def _span_of_mean(one: AtWidth) -> str:
    return span(None, None) if one.interval is None else span(one.interval.low, one.interval.high)
