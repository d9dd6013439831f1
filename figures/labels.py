"""Labels beside points, placed so that they cover neither the data nor each other."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

from dcrit.figures import style

#: Where a label may sit around its point, nearest first: offsets [points] and alignments.
PLACES = tuple(
    (dx * r, dy * r, {1: "left", 0: "center", -1: "right"}[dx], {1: "bottom", 0: "center", -1: "top"}[dy])
    for r in (5, 9, 14, 20)
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
    ax: Axes, points: Sequence[tuple[float, float]], texts: Sequence[str], obstacles: Sequence[Bbox]
) -> list[Annotation]:
    """Annotate points, each where its label overlaps least with what is there.

    Args:
        ax: Axes whose limits and place in the figure are final.
        points: (x, y) in data coordinates.
        texts: One label a point.
        obstacles: What must stay visible, in pixels.
    """
    taken = list(obstacles)
    inside = ax.get_window_extent()
    placed: list[Annotation] = []
    for point, text in zip(points, texts, strict=True):
        best: tuple[float, Annotation, Bbox] | None = None
        for dx, dy, ha, va in PLACES:
            far = abs(dx) + abs(dy) > 2 * LEADER
            label = ax.annotate(
                text,
                point,
                xytext=(dx, dy),
                textcoords="offset points",
                ha=ha,
                va=va,
                fontsize=style.SMALL - 0.5,
                arrowprops={"arrowstyle": "-", "color": style.GREY, "linewidth": 0.4, "shrinkB": 3} if far else None,
            )
            label.get_window_extent()  # puts the label in its place; its own box holds the line too
            box = Text.get_window_extent(label)
            cost = sum(_overlap(box, other) for other in taken) + 3 * (_area(box) - _overlap(box, inside))
            if best is None or cost < best[0]:
                if best is not None:
                    best[1].remove()
                best = cost, label, box
            else:
                label.remove()
            if cost == 0:
                break
        assert best is not None
        placed.append(best[1])
        taken.append(best[2])
    return placed


def _area(box: Bbox) -> float:
    return box.width * box.height


def _overlap(one: Bbox, other: Bbox) -> float:
    shared = Bbox.intersection(one, other)
    return 0.0 if shared is None else _area(shared)
