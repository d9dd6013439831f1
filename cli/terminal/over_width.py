"""Runs of several widths beside what is predicted of each, and dips beside predicted ones, as tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dcrit.api.headlines import LIKELY
from dcrit.cli.terminal.output import say, span, span_of, table
from dcrit.theory.estimates import LEVEL
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
OF_A_DIP = f"A dip counts from a depth of {SMALLEST_DIP:g} on. In brackets are {100 * LEVEL:.0f} % intervals."


def say_dip(name: str, laid: LaidOver) -> bool:
    """Print what runs and prediction say of a dip, side by side, where one of them has one; whether they do.

    Args:
        name: Of the curve.
        laid: Its runs over the prediction.
    """
    dip, found = laid.dip, laid.expected
    if dip is None or found is None or dip.p_rising is None:
        return False
    likely = found.probability >= LIKELY
    if not likely and not dip.course:
        return False
    ruling = {"dip": "yes", "no dip": "no"}.get(dip.ruling, dip.ruling)
    rows = [["a dip", ruling, f"probability {probability(found.probability)}"]]
    rows += [["lowest at width", number(dip.width.value), number(found.width.value) if likely else ""]]
    if dip.course:
        told = {one.width: guess.value for one, guess in zip(laid.measured, laid.predicted, strict=True)}
        means = [mean for _, mean in dip.course], [told[width] for width, _ in dip.course]
        widths = ", ".join(str(width) for width, _ in dip.course)
        rows += [
            [f"accuracy at width {widths}", *(", ".join(map(number, some)) for some in means)],
            ["falls by", *(_less(some[0], some[1]) for some in means)],
            ["wins back", *(_less(some[2], some[1]) for some in means)],
        ]
    depth = "depth: the smaller of the fall and twice what is won back"
    rows += [[depth, _with_span(dip.depth), _with_span(found.depth) if likely else ""]]
    table(name, ["", "runs", "predicted"], rows)
    return True


def _less(one: float | None, other: float | None) -> str:
    return "" if one is None or other is None else number(one - other)


def _with_span(found: Estimate) -> str:
    return f"{number(found.value)} ({span_of(found)})"


def _span_of_mean(one: AtWidth) -> str:
    return span(None, None) if one.interval is None else span(one.interval.low, one.interval.high)
