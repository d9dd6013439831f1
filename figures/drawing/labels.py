"""Labels beside points, placed so that they cover neither the data nor each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from numpy.typing import NDArray

from dcrit.figures.drawing import style

FloatArray = NDArray[np.float64]

#: Size of the labels [points].
SIZE = style.SMALL - 0.5

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


def boxes_of(ax: Axes, points: Sequence[tuple[float, float]], size: float) -> FloatArray:
    """Squares of a size [points] around points in data coordinates: (n, 4), left, bottom, right and top in pixels."""
    half = size / 2 * ax.figure.dpi / 72  # type: ignore[union-attr]
    centres = ax.transData.transform(list(points))
    return np.hstack([centres - half, centres + half])


def place_labels(
    ax: Axes, labels: Sequence[tuple[tuple[float, float], str]], obstacles: FloatArray
) -> list[Annotation]:
    """Annotate points, each where its label overlaps least with what is there.

    Args:
        ax: Axes whose limits and place in the figure are final.
        labels: Points (x, y) in data coordinates, each with its text.
        obstacles: (n, 4) boxes that must stay visible, as from :func:`boxes_of`.
    """
    inside = np.array([ax.get_window_extent().extents])
    placed: list[Annotation] = []
    for point, text in labels:
        trial = ax.annotate(text, point, xytext=(0, 0), textcoords="offset points", fontsize=SIZE)
        size = trial.get_window_extent()
        trial.remove()
        boxes = np.array([_box_at(ax, point, place, size.width, size.height) for place in PLACES])
        outside = size.width * size.height - _overlaps(boxes, inside)
        # Rounded, so that among free places the nearest wins.
        best = int(np.argmin(np.round(_overlaps(boxes, obstacles) + 3 * outside, 3)))
        dx, dy, ha, va = PLACES[best]
        leader = {"arrowstyle": "-", "color": style.GREY, "linewidth": 0.4, "shrinkB": 3}
        placed.append(
            ax.annotate(
                text,
                point,
                xytext=(dx, dy),
                textcoords="offset points",
                ha=ha,
                va=va,
                fontsize=SIZE,
                arrowprops=leader if max(abs(dx), abs(dy)) >= LEADER else None,
            )
        )
        obstacles = np.vstack([obstacles, boxes[best]])
    return placed


def _box_at(ax: Axes, point: tuple[float, float], place: Place, width: float, height: float) -> FloatArray:
    """Where a text of a size lies when it is put at a place beside a point: (4,) in pixels."""
    dx, dy, ha, va = place
    x, y = ax.transData.transform(point) + np.array([dx, dy]) * ax.figure.dpi / 72  # type: ignore[union-attr]
    left = x - width * {"left": 0.0, "center": 0.5, "right": 1.0}[ha]
    bottom = y - height * {"bottom": 0.0, "center": 0.5, "top": 1.0}[va]
    return np.array([left, bottom, left + width, bottom + height])


def _overlaps(boxes: FloatArray, others: FloatArray) -> FloatArray:
    """Area that each box shares with others, summed over them: (m, 4) and (n, 4) to (m,)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.maximum(0.0, high - low).prod(axis=2).sum(axis=1)
