"""What training takes, told without measuring how fast this machine is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dcrit.empirics.training.work import Stage, Trained

#: What one core does in a second [FLOP/s].
CORE = 5e10


def seconds_on_one_core(stages: Sequence[Stage]) -> float:
    """Time that one core needs at most, where none of the runs is stored [s].

    Args:
        stages: What is trained.
    """
    from dcrit.empirics.training.budget import Speed
    from dcrit.empirics.training.work import work_of

    return Speed(device="cpu", rate=CORE).seconds(work_of(stages))


def time_of(configs: Sequence[Trained]) -> str:
    """About how long one core trains runs that are made in one sweep, as people say it.

    Args:
        configs: The runs.
    """
    from dcrit.empirics.training.budget import duration
    from dcrit.empirics.training.work import Stage

    return duration(seconds_on_one_core([Stage(known=configs)]))
