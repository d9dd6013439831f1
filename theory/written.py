"""Values as JSON has them, and as people read them; commands load this with their help, so it imports nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast


def finite(value: Any) -> Any:
    """The same nested value, numbers that are not finite replaced by None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in cast("Sequence[Any]", value)]
    return value


def number(value: object) -> str:
    """A number as people read it: three significant digits, sizes whole, nothing where there is none."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "–"
    if value == round(value) and abs(value) < 1e6:
        return str(round(value))
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def probability(chance: float) -> str:
    """A probability as people read it: never 0 or 1, which no prediction is sure enough for.

    Args:
        chance: Between 0 and 1.
    """
    if chance > 0.99:
        return "above 0.99"
    return "below 0.01" if chance < 0.01 else f"{chance:.2f}"


def span(low: float | None, high: float | None, *, between: str = "–") -> str:
    """An interval as people read it: above or below an end where the other is open, nothing where both are.

    Args:
        low: Lower end; None, or not finite, where it is open.
        high: Upper end, likewise.
        between: What stands between both ends; ``to`` in sentences, where a dash looks like a sign.
    """
    low, high = (None if end is None or not math.isfinite(end) else end for end in (low, high))
    if low is None:
        return "–" if high is None else f"below {number(high)}"
    return f"above {number(low)}" if high is None else f"{number(low)} {between} {number(high)}"


def ends(interval: Mapping[str, float | None], *, between: str = "–") -> str:
    """The same of an interval or a range as JSON has it.

    Args:
        interval: ``low`` and ``high``; None where an end is open.
        between: As for :func:`span`.
    """
    return span(interval["low"], interval["high"], between=between)


def confidence_sequence(interval: Mapping[str, float | None], seeds: int, *, between: str = "–") -> str:
    """A confidence sequence as people read it, in words where so few seeds give none.

    Args:
        interval: ``low`` and ``high``; None where an end is open.
        seeds: How many told something; of none there is nothing to show.
        between: As for :func:`span`.
    """
    if not seeds:
        return "–"
    known = ends(interval, between=between)
    return f"no interval yet from {seeds} seed{'s' if seeds > 1 else ''}" if known == "–" else known
