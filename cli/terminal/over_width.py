"""Runs of several widths, and dips over width, beside what is predicted, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcrit.api.headlines import LIKELY
from dcrit.cli.terminal.output import span, span_of, table
from dcrit.theory.predictions.double_descent import SMALLEST_DIP
from dcrit.theory.written import number, probability

if TYPE_CHECKING:
    from dcrit.api.double_descent import LaidOver
    from dcrit.empirics.measures.over_width import AtWidth
    from dcrit.theory.estimates import Estimate


def say_over_width(laid: LaidOver, title: str) -> None:
    """Print a row a width.

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


#: What is meant by the depth of a dip.
OF_A_DIP = (
    "The depth of a dip is its fall below the best smaller width, or twice its recovery at a larger width where that "
    f"is less. A dip counts from a depth of {SMALLEST_DIP:g} on."
)


def say_dip(name: str, laid: LaidOver) -> bool:
    """Print what runs and prediction say of a dip, side by side, where one of them has one; whether they do.

    Args:
        name: Of the curve.
        laid: Its runs over the prediction.
    """
    dip, found = laid.dip, laid.expected
    if dip is None or dip.p_rising is None or found is None:
        return False
    likely = found.probability >= LIKELY
    if not likely and not dip.course:
        return False
    sure = f"yes ({number(100 * dip.p_rising)} % by chance)"
    told = {"dip": sure, "no dip": "no"}.get(dip.ruling, dip.ruling)
    rows = [["a dip", told, f"probability {probability(found.probability)}"]]
    rows += [["lowest at width", number(dip.width.value), number(found.width.value) if likely else ""]]
    if dip.course:
        guesses = {one.width: guess.value for one, guess in zip(laid.measured, laid.predicted, strict=True)}
        means = [mean for _, mean in dip.course], [guesses[width] for width, _ in dip.course]
        before, lowest, after = (width for width, _ in dip.course)
        rows += [
            [f"fall from width {before} to {lowest}", *(_less(some[0], some[1]) for some in means)],
            [f"recovery at width {after}", *(_less(some[2], some[1]) for some in means)],
        ]
    rows += [["depth", _with_span(dip.depth), _with_span(found.depth) if likely else ""]]
    table(name, ["", "runs", "predicted"], rows)
    return True


def _less(one: float | None, other: float | None) -> str:
    return "" if one is None or other is None else number(one - other)


def _with_span(found: Estimate) -> str:
    return f"{number(found.value)} ({span_of(found)})"


def _span_of_mean(one: AtWidth) -> str:
    return span(None, None) if one.interval is None else span(one.interval.low, one.interval.high)
