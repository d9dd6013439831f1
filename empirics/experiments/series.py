"""Critical sizes along series of problems that differ in one respect, such as the width or the weight decay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dcrit.empirics.experiments.experiment import Laboratory
from dcrit.empirics.experiments.transitions import Transition, TransitionsDesign, measure_series, transitions_stages
from dcrit.empirics.experiments.work import Stage, in_turn


@dataclass(frozen=True, kw_only=True)
class SeriesDesign:
    """Which series are measured.

    Attributes:
        series: One design a series, its problems in order.

    Raises:
        ValueError: A series has fewer than two problems, or a field of its runs is out of range.
    """

    series: tuple[TransitionsDesign, ...]

    def __post_init__(self) -> None:
        for one in self.series:
            if len(one.problems) < 2:
                raise ValueError(f"problems must be at least 2 in each series, got {len(one.problems)}")
            one.designs()


#: Transitions of each series, in the order of its problems.
SeriesEvidence = Sequence[Sequence[Transition]]


def measure(design: SeriesDesign, laboratory: Laboratory) -> SeriesEvidence:
    """One list of transitions a series."""
    return measure_series(design.series, laboratory)


def stages(design: SeriesDesign) -> list[Stage]:
    """What the design trains at most, all series in the same rounds."""
    return in_turn(map(transitions_stages, design.series))
