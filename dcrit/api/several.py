"""The same question about several moduli, widths or training-set sizes, answered in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

from dcrit.api.answers import Answer, axes_of, finished, table_of
from dcrit.theory.problems.problem import Problem, full_label

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from dcrit.theory.estimates import Estimate


class Single(Protocol):
    """An answer about one problem."""

    @property
    def problem(self) -> Problem:
        """What it is about."""
        ...

    @property
    def estimates(self) -> Mapping[str, Estimate]:
        """Everything that was found, by name."""
        ...

    @property
    def headline(self) -> str:
        """What was found, in a sentence."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Everything that was found, as JSON values."""
        ...


AnySingle = TypeVar("AnySingle", bound=Single)


@dataclass(frozen=True, kw_only=True)
class Answers(Answer, Generic[AnySingle]):
    """Answers to one question about several problems.

    Attributes:
        asked: What was asked, in a few words.
        varied: What tells the answers apart, by name: ``modulus``, ``width``, ``n_train``.
        answers: In the order of ``varied``.
        main: The quantity that is drawn.
    """

    asked: str
    varied: Sequence[Mapping[str, int]]
    answers: Sequence[AnySingle]
    main: str

    def __len__(self) -> int:
        return len(self.answers)

    def __getitem__(self, index: int) -> AnySingle:
        return self.answers[index]

    @property
    def title(self) -> str:
        """What was asked, in a few words."""
        problem, fixed = self.answers[0].problem, self._fixed()
        return f"{self.asked}: {full_label(problem, modulus='modulus' in fixed, width='width' in fixed)}"

    @property
    def headline(self) -> str:
        """How many answers there are; each has its own."""
        return f"{len(self.answers)} answers"

    def _fixed(self) -> set[str]:
        """What is the same in all answers."""
        return {name for name in self.varied[0] if len({one[name] for one in self.varied}) == 1}

    def to_dict(self) -> dict[str, Any]:
        """Every answer, as JSON values."""
        return {"answers": [one.to_dict() for one in self.answers]}

    def to_polars(self) -> pl.DataFrame:
        """One row for each answer and quantity."""
        import polars as pl

        tables = [
            table_of(one.estimates).select(*(pl.lit(value).alias(name) for name, value in where.items()), pl.all())
            for where, one in zip(self.varied, self.answers, strict=True)
        ]
        return pl.concat(tables, how="vertical_relaxed")

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the main quantity over what varies most, with its intervals; one colour for each of the rest."""
        from dcrit.figures.drawing.estimates import draw_series

        ax = axes_of(ax)
        fixed = self._fixed()
        names = [name for name in self.varied[0] if name not in fixed] or list(self.varied[0])
        along = max(names, key=lambda name: len({one[name] for one in self.varied}))
        rows = [
            ({name: where[name] for name in names if name != along}, where[along], one.estimates[self.main])
            for where, one in zip(self.varied, self.answers, strict=True)
        ]
        draw_series(ax, along, rows)
        return finished(ax, self.title)


def values_of(given: ArrayLike | None, default: int) -> list[int]:
    """One number or several as a list; the default where none is given."""
    return [default] if given is None else [int(one) for one in np.atleast_1d(np.asarray(given)).tolist()]


def problems_over(problem: Problem, moduli: ArrayLike | None, widths: ArrayLike | None) -> list[Problem]:
    """The problem at every modulus and width.

    Args:
        problem: Any of them.
        moduli: p; None for the problem's.
        widths: H; None for the problem's.

    Raises:
        ValueError: One of them is out of range.
    """
    return [
        replace(problem, modulus=modulus, width=width)
        for modulus in values_of(moduli, problem.modulus)
        for width in values_of(widths, problem.width)
    ]


def several(
    asked: str,
    main: str,
    problems: Sequence[Problem],
    ask: Callable[..., AnySingle],
    n_train: Sequence[int] | None = None,
) -> Answers[AnySingle]:
    """The answers to a question about each problem, and each training-set size.

    Args:
        asked: What is asked, in a few words.
        main: The quantity that is drawn.
        problems: What it is asked about.
        ask: Asks it of a problem, and of a size where there are some.
        n_train: D; None where the question has none [examples].
    """
    varied: list[dict[str, int]] = []
    answers: list[AnySingle] = []
    for problem in problems:
        where = {"modulus": problem.modulus, "width": problem.width}
        for size in n_train or (None,):
            more = () if size is None else (size,)
            varied.append(where if size is None else {**where, "n_train": size})
            answers.append(ask(problem, *more))
    return Answers(asked=asked, varied=varied, answers=answers, main=main)
