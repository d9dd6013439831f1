"""What training takes, told without training anything, or after a few steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dcrit.empirics.training.work import Stage, Trained

#: What one core does in a second [FLOP/s].
CORE = 5e10

#: From which told time on a second of timing is worth while [s].
WORTH_TIMING = 15.0


def seconds_on_one_core(stages: Sequence[Stage]) -> float:
    """Time that one core needs at most, where none of the runs is stored [s].

    Args:
        stages: What is trained.
    """
    from dcrit.empirics.training.budget import Speed
    from dcrit.empirics.training.work import work_of

    return Speed(device="cpu", rate=CORE).seconds(work_of(stages))


def time_of(configs: Sequence[Trained]) -> str:
    """About how long one idle core trains runs that are made in one sweep, as people say it, without measuring.

    Args:
        configs: The runs.
    """
    from dcrit.empirics.training.budget import duration
    from dcrit.empirics.training.work import Stage

    return duration(seconds_on_one_core([Stage(known=configs)]))


def measured_time_of(configs: Sequence[Trained]) -> str:
    """About how long one idle core of this machine trains runs, as people say it: it is timed where that may be long.

    Args:
        configs: The runs; those of single tasks are timed, and others take as much longer than told as those.
    """
    from dcrit.empirics.runs.single import RunConfig
    from dcrit.empirics.training.budget import duration
    from dcrit.empirics.training.speed import seconds_of
    from dcrit.empirics.training.work import Stage

    told = seconds_on_one_core([Stage(known=configs)])
    single = [one for one in configs if isinstance(one, RunConfig)]
    if told < WORTH_TIMING or not single:
        return duration(told)
    return duration(told * seconds_of(single) / seconds_on_one_core([Stage(known=single)]))
