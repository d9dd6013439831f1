"""Runs of several widths beside what is predicted of each, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcrit.cli.terminal.output import span, span_of, table
from dcrit.theory.predictions.double_descent import SMALLEST_DIP

if TYPE_CHECKING:
    from dcrit.api.double_descent import LaidOver
    from dcrit.empirics.measures.over_width import AtWidth


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
    "The depth of a dip is the smaller of its fall and twice what a larger width wins back; it counts from "
    f"{SMALLEST_DIP:g} on."
)


def _span_of_mean(one: AtWidth) -> str:
    return span(None, None) if one.interval is None else span(one.interval.low, one.interval.high)
