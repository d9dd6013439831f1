"""Final test accuracy of runs over model size: every seed, their mean and its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from dcrit.empirics.measures.in_plane import place_of
from dcrit.empirics.measures.planes import mean_intervals, means
from dcrit.empirics.runs.outcomes import settled_value
from dcrit.empirics.runs.single import Run
from dcrit.theory.estimates import LEVEL, Interval


@dataclass(frozen=True, kw_only=True)
class AtWidth:
    """What networks of one width reached.

    Attributes:
        width: H or d.
        n_params: N [parameters].
        accuracies: Settled test accuracy of every seed [fraction].
        mean: Their mean [fraction].
        interval: Of the mean, by Student's t within 0 and 1; None for one seed, which says nothing of others.
    """

    width: int
    n_params: int
    accuracies: tuple[float, ...]
    mean: float
    interval: Interval | None


def over_width(runs: Sequence[Run], *, level: float = LEVEL) -> list[AtWidth]:
    """One entry a width, rising.

    Args:
        runs: Finished runs of one problem at one training-set size; none has diverged.
        level: Probability content of the intervals.
    """
    found: list[AtWidth] = []
    for (width, n_params, _), some in groupby(sorted(runs, key=place_of), key=place_of):
        accuracies = tuple(settled_value(run, "test_accuracy") for run in some)
        interval = None
        if len(accuracies) > 1:
            low, high = mean_intervals(accuracies, level=level)
            interval = Interval(low=max(float(low), 0.0), high=min(float(high), 1.0), level=level)
        mean = float(means(accuracies))
        found.append(AtWidth(width=width, n_params=n_params, accuracies=accuracies, mean=mean, interval=interval))
    return found
