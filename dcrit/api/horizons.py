"""How long training lasts, which has two names: steps are trained, and a horizon is what an answer speaks of."""

from __future__ import annotations

from dcrit.theory.advice import Advice, Setting
from dcrit.theory.checks import FieldError, check_integer


def steps_of(steps: int, horizon: int | None) -> int:
    """The one of both that was given; 0 for neither, which stands for the protocol's 40/(ηλ) [steps].

    Args:
        steps: Training length; 0 where it was not given [steps].
        horizon: T, another name for it; None where it was not given [steps].

    Raises:
        ValueError: Both are given, or the horizon is no number of steps.
    """
    if horizon is None:
        return steps
    check_integer("horizon", horizon, 1)
    if steps:
        allowed = Advice("be left out beside ", Setting("steps", steps), ", which means the same")
        raise FieldError("horizon", allowed, horizon)
    return horizon
