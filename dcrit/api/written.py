"""Values as JSON has them, and as people read them; commands load this with their help, so it imports nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def finite(value: Any) -> Any:
    """The same nested value, numbers that are not finite replaced by None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
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


def span(low: float | None, high: float | None) -> str:
    """An interval as people read it; one without an upper end begins somewhere."""
    if low is not None and high is not None and math.isinf(high) and math.isfinite(low):
        return f"≥ {number(low)}"
    return "–" if low is None or high is None else f"{number(low)} – {number(high)}"


def claimed_range(ends: Mapping[str, float | None]) -> str:
    """What is claimed: above, below or between ends.

    Args:
        ends: ``low`` and ``high``; one of both may be None.
    """
    low, high = ends["low"], ends["high"]
    if high is None:
        return f"above {number(low)}"
    return f"below {number(high)}" if low is None else span(low, high)
