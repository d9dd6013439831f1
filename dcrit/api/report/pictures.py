"""Figures as files: the edge at which drawings become PNG and SVG."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from dcrit.api.report.headline import pictures
from dcrit.empirics.claims.claim import Verdict
from dcrit.figures.drawing.figure import FigureSpec
from dcrit.figures.measured import verdict
from dcrit.theory.calibrations.calibration import Calibration

#: Dots per inch of the PNG.
RESOLUTION = 160


def save(spec: FigureSpec[Any], evidence: Any, folder: Path) -> list[Path]:
    """Draw one figure and write it as PNG and as SVG."""
    return save_drawing(spec.name, spec.draw(evidence), folder)


def save_drawing(name: str, figure: Figure, folder: Path) -> list[Path]:
    """Write a drawing as PNG and as SVG."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.{suffix}" for suffix in ("png", "svg")]
    # Without date and with a fixed salt, the same results give the same bytes.
    with mpl.rc_context({"svg.hashsalt": name}):
        _replaced(paths[0], lambda aside: figure.savefig(aside, dpi=RESOLUTION, metadata={"Software": None}))
        _replaced(paths[1], lambda aside: figure.savefig(aside, metadata={"Date": None}))
    return paths


def _replaced(path: Path, write: Callable[[Path], object]) -> None:
    """A file written beside its place and moved there: whole or not at all, and never through a link found there."""
    aside = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    try:
        write(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def drawable(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Those of which some run tells something."""
    return [one for one in verdicts if any(row["measured"] is not None for row in one.finding.rows())]


def save_all(
    verdicts: Sequence[Verdict], folder: Path, calibrations: Sequence[Calibration] = ()
) -> dict[str, list[Path]]:
    """Draw the headline and every claim of which runs tell something; files by the picture's name.

    Args:
        verdicts: On the claims.
        folder: Where to.
        calibrations: For the lines of the headline.
    """
    leading = {name: save_drawing(name, make(), folder) for name, make in pictures(verdicts, calibrations).items()}
    return leading | {
        one.claim.id: save_drawing(one.claim.id, verdict.draw(one.finding.rows()), folder) for one in drawable(verdicts)
    }
