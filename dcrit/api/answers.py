"""What every answer can do: be drawn, be a table, be JSON, and show itself in a notebook."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from dcrit.api.headlines import at_rates, said_of_size
from dcrit.theory.written import finite

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes

    from dcrit.theory.estimates import Estimate, Interval
    from dcrit.theory.problems.problem import Problem


#: Room left of the axes, where a legend above them does not begin [inches].
LEFT = 0.7

#: Width of what stands before and after a label of that legend [inches].
HANDLE = 0.33


class Statement(ABC):
    """What every answer can do: be a table, be JSON, and show itself in a notebook."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What was asked, in a few words."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Everything that was found, as JSON values."""

    @abstractmethod
    def to_polars(self) -> pl.DataFrame:
        """Its table."""

    def __str__(self) -> str:
        return self.title

    def _repr_html_(self) -> str:
        """Title and table, for notebooks."""
        return f"<p><strong>{html.escape(self.title)}</strong></p>{self.to_polars()._repr_html_()}"


class Answer(Statement):
    """An answer that can be drawn as well."""

    @property
    def headline(self) -> str:
        """What was found, in a sentence that is as sure as its probabilities."""
        return self.title

    def __str__(self) -> str:
        return "\n".join(dict.fromkeys((self.headline, self.title)))

    @abstractmethod
    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw it.

        Args:
            ax: Axes to draw on; None for those of a new picture.

        Returns:
            The axes that were drawn on.
        """


class Sized(Answer):
    """An answer about one critical size."""

    @property
    def headline(self) -> str:
        """The size with its interval, or why there is none; then how far outside the calibration it lies."""
        return said_of_size(self._named, self.size, self.outside)

    @property
    def brief(self) -> str:
        """The headline without what :attr:`outside` has."""
        return said_of_size(self._named, self.size)

    @property
    def _named(self) -> str:
        return f"D_crit{'' if self.horizon is None else f' after {self.horizon} steps'}{self._at}"

    @property
    def outside(self) -> Sequence[str]:
        """What of the question lies outside what was calibrated, and by how much: one phrase each."""
        return ()

    @property
    def _at(self) -> str:
        """η and λ, where they are not the usual ones of a problem that is known."""
        return ""

    @property
    @abstractmethod
    def size(self) -> Estimate:
        """The critical size with all that belongs to it."""

    @property
    def critical_size(self) -> float | None:
        """The size, D_crit(T) [examples]; None where ``reason`` says why there is none."""
        return self.size.value

    @property
    def interval(self) -> Interval | None:
        """Its interval [examples]."""
        return self.size.interval

    @property
    def horizon(self) -> int | None:
        """T, how long training lasts [steps]."""
        return self.size.horizon

    @property
    def reason(self) -> str:
        """Why there is no size, or what limits it."""
        return self.size.reason


@dataclass(frozen=True, kw_only=True)
class Finding(Answer):
    """Any other answer: named estimates, the whole result behind them, and how it is drawn.

    Attributes:
        asked: What was asked, in a few words.
        problem: What it was asked about.
        estimates: Numbers with their intervals, by name.
        found: The result of the theory or of the measurement, as it stands.
        told: What was found, in a sentence; empty for the first estimate.
        document: All but the problem, as JSON values; None where the estimates are all there is.
        rows: Of its table; None for one row an estimate.
        draw: Draws it; None for the estimates with their intervals.
    """

    asked: str
    problem: Problem
    estimates: Mapping[str, Estimate]
    found: Any
    told: str = ""
    document: Mapping[str, Any] | None = field(default=None, repr=False)
    rows: Sequence[Mapping[str, Any]] | None = field(default=None, repr=False)
    draw: Callable[[Axes], None] | None = field(default=None, repr=False, compare=False)

    @property
    def title(self) -> str:
        """What was asked, in a few words."""
        return self.asked

    @property
    def headline(self) -> str:
        """What was found, in a sentence that is as sure as its probabilities."""
        first = next(iter(self.estimates.items()))
        return (self.told or said_of_size(first[0].replace("_", " "), first[1])) + at_rates(self.problem)

    def to_dict(self) -> dict[str, Any]:
        """Problem, estimates and all that belongs to them, as JSON values."""
        estimates = {name: one.to_dict() for name, one in self.estimates.items()}
        return finite({"problem": self.problem.to_dict(), **(estimates if self.document is None else self.document)})

    def to_polars(self) -> pl.DataFrame:
        """One row an estimate, or a run, or a step, whatever it is about."""
        if self.rows is None:
            return table_of(self.estimates)
        import polars as pl

        return pl.DataFrame(self.rows, infer_schema_length=None)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curve that it is about, or its estimates with their intervals."""
        from dcrit.figures.drawing.estimates import draw_estimates

        ax = axes_of(ax)
        if self.draw is None:
            draw_estimates(ax, self.estimates)
        else:
            self.draw(ax)
        return finished(ax, self.title)


def axes_of(ax: Axes | None) -> Axes:
    """The axes given, or new ones that an interactive session shows."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    _, new = pyplot.subplots(figsize=(5.2, 3.6), layout="constrained")
    return new


def finished(ax: Axes, title: str, remark: str = "") -> Axes:
    """Title and legend; the legend stands above the axes, where it hides nothing.

    Args:
        ax: What was drawn on.
        title: What was asked.
        remark: What else is to be known, below the title.
    """
    from dcrit.figures.drawing import canvas, style

    figure = ax.get_figure(root=True)
    assert figure is not None
    room, size = ax.get_position().width * figure.get_figwidth(), style.FONT + 1
    heading = "\n".join(canvas.wrapped(text, room, size=size) for text in (title, remark) if text)
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        columns = canvas.columns_within(labels, figure.get_figwidth() - LEFT, handle=HANDLE)
        where = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "ncols": columns, "frameon": False}
        where |= {"handlelength": 1.5, "columnspacing": 1.0}
        ax.legend(handles, labels, fontsize=style.SMALL, **where)
        rows = -(-len(handles) // columns) + sum(label.count("\n") for label in labels)
        ax.set_title(heading, pad=6 + 13 * rows, fontsize=size)
    else:
        ax.set_title(heading, fontsize=size)
    return ax


def table_of(estimates: Mapping[str, Estimate]) -> pl.DataFrame:
    """One row an estimate."""
    import polars as pl

    rows = [
        {
            "quantity": name,
            "value": one.value,
            "low": None if one.interval is None else one.interval.low,
            "high": None if one.interval is None else one.interval.high,
            "unit": one.unit,
            "horizon": one.horizon,
            "n_runs": one.n_runs,
            "extrapolated": one.extrapolated,
            "reason": one.reason,
        }
        for name, one in estimates.items()
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def plain(value: Any) -> Any:
    """The same number, one of NumPy as one of Python."""
    return value.item() if isinstance(value, np.generic) else value
