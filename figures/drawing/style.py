"""One place for how every figure looks: colours, markers, sizes and fonts fit for a paper."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

from dcrit.theory.families.family import FAMILIES

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

#: Width of one and of two columns of a paper [inches].
SINGLE, DOUBLE = 3.4, 7.0

#: Sizes of titles and axis labels, and of everything smaller [points].
FONT, SMALL = 8.0, 7.0

# Okabe & Ito's palette: told apart by colour-blind readers.
BLACK, BLUE, ORANGE, GREEN = "#000000", "#0072B2", "#E69F00", "#009E73"
VERMILLION, PURPLE, SKY = "#D55E00", "#CC79A7", "#56B4E9"
GREY, FAINT = "#707070", "#D9D9D9"

#: What is missing from a picture, in words.
NOTE = "#505050"

#: Opacity of every shaded interval.
SHADE = 0.22

#: How variants are drawn, see :attr:`Problem.variant`, in the order of families and their activations. Markers differ
#: with the colours, so that a print in grey says the same.
LOOKS = (
    (VERMILLION, "^"),
    (BLUE, "s"),
    (GREEN, "o"),
    (SKY, "D"),
    (ORANGE, "v"),
    (PURPLE, "P"),
    (BLACK, "X"),
    (GREY, "*"),
)

RC: dict[RcKeyType, Any] = {
    "font.family": "DejaVu Sans",  # ships with matplotlib, so that pictures agree between machines
    "font.size": FONT,
    "mathtext.fontset": "dejavusans",
    "axes.titlesize": FONT,
    "axes.labelsize": FONT,
    "axes.linewidth": 0.6,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.0,
    "errorbar.capsize": 1.5,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "legend.handlelength": 2.0,
    "legend.columnspacing": 1.4,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
}

#: Ticks are made when a picture is written, outside the context, so that they carry their style themselves.
TICKS: dict[str, Any] = {"labelsize": SMALL, "color": GREY, "labelcolor": BLACK, "width": 0.6, "direction": "out"}
GRID: dict[str, Any] = {"color": FAINT, "linewidth": 0.4}

EXAMPLES = "[examples]"
SIZE_LABEL = f"training-set size $D$ {EXAMPLES}"


def context() -> AbstractContextManager[None]:
    """The style as a context; global settings are what they were once it is left."""
    return mpl.rc_context(RC)


def _look(variant: str) -> tuple[str, str]:
    known = [family.variant(kind) for family in FAMILIES.values() for kind in family.activations]
    return LOOKS[known.index(variant) % len(LOOKS)]


def colour_of(variant: str) -> str:
    """Colour of an activation with its model family."""
    return _look(variant)[0]


def marker_of(variant: str) -> str:
    """Marker of an activation with its model family."""
    return _look(variant)[1]
