"""Labels beside points, placed so that they cover neither the data nor each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from dcrit.figures import style

#: Offsets to the right and up [points], horizontal and vertical alignment.
Place = tuple[int, int, Literal["left", "center", "right"], Literal["bottom", "center", "top"]]

_ACROSS: dict[int, Literal["left", "center", "right"]] = {1: "left", 0: "center", -1: "right"}
_UP: dict[int, Literal["bottom", "center", "top"]] = {1: "bottom", 0: "center", -1: "top"}

#: Where a label may sit around its point, nearest first.
PLACES: tuple[Place, ...] = tuple(
    (dx * r, dy * r, _ACROSS[dx], _UP[dy])
    for r in (5, 9, 14, 20, 28, 38, 50)
    for dx, dy in ((1, -1), (-1, 1), (1, 0), (-1, 0), (1, 1), (-1, -1), (0, 1), (0, -1))
)

#: From this distance on [points] a thin line leads from the label to its point.
LEADER = 12.0


def boxes_of(ax: Axes, points: Sequence[tuple[float, float]], size: float) -> list[Bbox]:
    """Squares of a size [points] around points in data coordinates, in pixels."""
    half = size / 2 * ax.figure.dpi / 72  # type: ignore[union-attr]
    centres = ax.transData.transform(list(points)) if points else []
    return [Bbox.from_extents(x - half, y - half, x + half, y + half) for x, y in centres]


def place_labels(
    ax: Axes, labels: Sequence[tuple[tuple[float, float], str]], obstacles: Sequence[Bbox]
) -> list[Annotation]:
    """Annotate points, each where its label overlaps least with what is there.

    Args:
        ax: Axes whose limits and place in the figure are final.
        labels: Points (x, y) in data coordinates, each with its text.
        obstacles: What must stay visible, in pixels.
    """
    taken, inside = list(obstacles), ax.get_window_extent()
    placed: list[Annotation] = []
    for point, text in labels:
        label = ax.annotate(text, point, xytext=(0, 0), textcoords="offset points", fontsize=style.SMALL - 0.5)
        size = label.get_window_extent()
        boxes = [_box_at(ax, point, place, size) for place in PLACES]
        costs = [
            sum(_overlap(box, other) for other in taken) + 3 * (_area(box) - _overlap(box, inside)) for box in boxes
        ]
        best = costs.index(min(costs))
        dx, dy, ha, va = PLACES[best]
        label.remove()
        leader = {"arrowstyle": "-", "color": style.GREY, "linewidth": 0.4, "shrinkB": 3}
        placed.append(
            ax.annotate(
                text,
                point,
                xytext=(dx, dy),
                textcoords="offset points",
                ha=ha,
                va=va,
                fontsize=style.SMALL - 0.5,
                arrowprops=leader if max(abs(dx), abs(dy)) >= LEADER else None,
            )
        )
        taken.append(boxes[best])
    return placed


def _box_at(ax: Axes, point: tuple[float, float], place: Place, size: Bbox) -> Bbox:
    """Where a text of a size lies when it is put at a place beside a point, in pixels."""
    dx, dy, ha, va = place
    scale = ax.figure.dpi / 72  # type: ignore[union-attr]
    x, y = ax.transData.transform(point) + np.array([dx, dy]) * scale
    left = x - size.width * {"left": 0.0, "center": 0.5, "right": 1.0}[ha]
    bottom = y - size.height * {"bottom": 0.0, "center": 0.5, "top": 1.0}[va]
    return Bbox.from_bounds(left, bottom, size.width, size.height)


def _area(box: Bbox) -> float:
    return box.width * box.height


def _overlap(one: Bbox, other: Bbox) -> float:
    shared = Bbox.intersection(one, other)
    return 0.0 if shared is None else _area(shared)
