"""Final test accuracy and loss of runs over model size: every seed, the mean accuracy and its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from dcrit.empirics.measures.in_plane import place_of
from dcrit.empirics.measures.planes import RARELY, DipRuling, dip_of, interval_of_mean, means
from dcrit.empirics.runs.outcomes import settled_value
from dcrit.empirics.runs.single import Run
from dcrit.theory.estimates import LEVEL, Estimate, Interval
from dcrit.theory.predictions.double_descent import SMALLEST_DIP
from dcrit.theory.written import number

#: Fewest seeds of a width that says something of a dip: two that end alike by chance look as if all did. Where seeds
#: generalize or do not, and mean accuracy is the same at all widths, two a width showed a dip in 18 of 100 cases.
FEWEST_SEEDS = 3

#: Fewest widths that can show one.
FEWEST_WIDTHS = 3


@dataclass(frozen=True, kw_only=True)
class AtWidth:
    """What networks of one width reached.

    Attributes:
        width: H or d.
        n_params: N [parameters].
        accuracies: Settled test accuracy of every seed [fraction].
        losses: Settled test loss of every seed, in the same order [nats].
        mean: Their mean [fraction].
        interval: Of the mean, by Student's t within 0 and 1; None for one seed, which says nothing of others.
    """

    width: int
    n_params: int
    accuracies: tuple[float, ...]
    losses: tuple[float, ...]
    mean: float
    interval: Interval | None


def over_width(runs: Sequence[Run], *, level: float = LEVEL) -> list[AtWidth]:
    """One entry a width, rising.

    Args:
        runs: Finished runs of one problem at one training-set size; none has diverged.
        level: Probability content of the intervals.
    """
    found: list[AtWidth] = []
    for (width, n_params, _), group in groupby(sorted(runs, key=place_of), key=place_of):
        some = list(group)
        accuracies, losses = (
            tuple(settled_value(run, name) for run in some) for name in ("test_accuracy", "test_loss")
        )
        interval = interval_of_mean(accuracies, level=level)
        mean = float(means(accuracies))
        found.append(
            AtWidth(width=width, n_params=n_params, accuracies=accuracies, losses=losses, mean=mean, interval=interval)
        )
    return found


@dataclass(frozen=True, kw_only=True)
class MeasuredDip:
    """Whether mean test accuracy of runs falls and recovers over growing width.

    Attributes:
        ruling: ``dip``, ``no dip`` or ``cannot tell``.
        depth: How far it falls below the best smaller width, with its interval over seeds. Noise makes it too deep.
        p_rising: How often curves that only rise look as deep, by the scatter of the seeds; None with too few widths.
        width: Where it is lowest, as a width; no value unless there is a dip.
        n_params: The same in parameters.
        course: Width and mean test accuracy from where it falls, where it is lowest, and to where it rises; empty
            unless there is a dip.
        widths: Those with enough seeds to count.
        too_few: Those with fewer. They may hide a dip, so where there are some, none is never said.
        seeds: Fewest and most seeds of any width.
    """

    ruling: DipRuling
    depth: Estimate
    p_rising: float | None
    width: Estimate
    n_params: Estimate
    course: tuple[tuple[int, float], ...]
    widths: tuple[int, ...]
    too_few: tuple[int, ...]
    seeds: tuple[int, int]

    @property
    def is_vague(self) -> bool:
        """Whether there is a dip, and its depth may as well be less than that of any."""
        return self.ruling == "dip" and self.depth.interval is not None and self.depth.interval.low < SMALLEST_DIP

    @property
    def told(self) -> str:
        """What the runs show, in a sentence; of a dip in two, the last without its full stop."""
        low, high = self.seeds
        seeds = f"{low} seed{'s' * (high > 1)} a width" if low == high else f"{low} to {high} seeds a width"
        if self.widths and self.too_few:
            few = ", ".join(map(str, self.too_few))
            one = len(self.too_few) == 1
            seeds += (
                f"; width{'' if one else 's'} {few}, with fewer than {FEWEST_SEEDS}, {'is' if one else 'are'} left out"
            )
        fall, interval = self.depth.value, self.depth.interval
        if fall is None or interval is None:
            return f"cannot tell whether the runs show a dip: {self.depth.reason} ({seeds})"
        # It is known wherever the depth is.
        assert self.p_rising is not None
        deep = (
            f"{number(fall)} ({interval.level:.0%} interval {number(interval.low)} to {number(interval.high)}, {seeds})"
        )
        if self.ruling == "dip":
            vague = ": that there is one is surer than how deep it is" if self.is_vague else ""
            return (
                f"the runs show a dip at width {number(self.width.value)}, its depth is {deep}. Chance alone makes "
                f"one so deep in {number(100 * self.p_rising)} % of cases{vague}"
            )
        if self.ruling == "no dip":
            return (
                f"the runs show no dip: the largest fall that recovers by half is {deep}, and a dip counts from "
                f"{SMALLEST_DIP:g} on"
            )
        why = (
            f"chance alone makes one so deep in {number(100 * self.p_rising)} % of cases, more than "
            f"{number(100 * RARELY)} %"
            if fall >= SMALLEST_DIP
            else f"one of {SMALLEST_DIP:g} is not ruled out"
        )
        return f"cannot tell whether the runs show a dip: the largest fall that recovers by half is {deep}, and {why}"

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        return {
            "ruling": self.ruling,
            "told": self.told,
            **{name: getattr(self, name).to_dict() for name in ("depth", "width", "n_params")},
            "p_rising": self.p_rising,
            "course": [{"width": width, "accuracy": mean} for width, mean in self.course],
            "widths": list(self.widths),
            "too_few": list(self.too_few),
            "seeds": list(self.seeds),
        }


def dip_over_width(measured: Sequence[AtWidth], *, level: float = LEVEL) -> MeasuredDip:
    """Whether runs show a dip over width, where and how deep: that of :func:`~dcrit.empirics.measures.planes.dip_of`.

    A dip is a fall by ``SMALLEST_DIP`` of which a larger width recovers at least half, and as deep as curves that only
    rise look in at most 5 % of all cases. There is none where so deep a fall is as rare by the scatter of the seeds.

    Args:
        measured: Widths that have runs, rising; at least one.
        level: Probability content of the interval of the depth.

    Source: efron1993 (bootstrap test).
    """
    counted = [one for one in measured if len(one.accuracies) >= FEWEST_SEEDS]
    counts = [len(one.accuracies) for one in measured]
    n_runs = sum(len(one.accuracies) for one in counted)

    def estimate(quantity: str, unit: str, value: float | None, reason: str = "") -> Estimate:
        return Estimate(quantity=quantity, value=value, unit=unit, n_runs=n_runs, reason=reason)

    most = max(map(len, (one.accuracies for one in counted)), default=0)
    values = [[*one.accuracies, *[np.nan] * (most - len(one.accuracies))] for one in counted]
    dip = dip_of(values) if len(counted) >= FEWEST_WIDTHS else None
    if dip is None:
        reason = f"{len(counted)} of {len(measured)} widths have {FEWEST_SEEDS} seeds or more, {FEWEST_WIDTHS} must"
    else:
        reason = f"no dip of {SMALLEST_DIP:g} that seeds alone make in {RARELY:.0%} of all cases at most"
    too_few = tuple(one.width for one in measured if one not in counted)
    ruling = "cannot tell" if dip is None or (too_few and dip.ruling == "no dip") else dip.ruling
    course = _course(counted, dip.index) if dip is not None and ruling == "dip" else ()
    lowest = course[1] if course else None
    depth = estimate("dip_depth", "fraction", None if dip is None else dip.depth, reason if dip is None else "")
    if dip is not None:
        depth = replace(depth, interval=dip.interval(level))
    return MeasuredDip(
        ruling=ruling,
        depth=depth,
        p_rising=None if dip is None else dip.p_rising,
        width=estimate("dip_width", "hidden units", lowest and lowest.width, "" if lowest else reason),
        n_params=estimate("dip_n_params", "parameters", lowest and lowest.n_params, "" if lowest else reason),
        course=tuple((one.width, one.mean) for one in course),
        widths=tuple(one.width for one in counted),
        too_few=too_few,
        seeds=(min(counts), max(counts)),
    )


def _course(measured: Sequence[AtWidth], lowest: int) -> tuple[AtWidth, AtWidth, AtWidth]:
    """The best smaller width, the lowest one, and the best larger one."""
    left, right = (max(some, key=lambda one: one.mean) for some in (measured[:lowest], measured[lowest + 1 :]))
    return left, measured[lowest], right
