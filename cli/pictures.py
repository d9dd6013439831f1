"""Figures as files: the edge at which drawings become PNG and SVG."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

from dcrit.empirics.claims.claim import Evidence
from dcrit.figures import FIGURES
from dcrit.figures.figure import FigureSpec

#: Dots per inch of the PNG.
RESOLUTION = 160


def save(spec: FigureSpec, evidence: Evidence, folder: Path) -> list[Path]:
    """Draw one figure and write it as PNG and as SVG."""
    folder.mkdir(parents=True, exist_ok=True)
    figure = spec.draw(evidence)
    paths = [folder / f"{spec.name}.{suffix}" for suffix in ("png", "svg")]
    # Without date and with a fixed salt, the same results give the same bytes.
    with mpl.rc_context({"svg.hashsalt": spec.name}):
        figure.savefig(paths[0], dpi=RESOLUTION, metadata={"Software": None})
        figure.savefig(paths[1], metadata={"Date": None})
    return paths


def save_all(evidence: Evidence, folder: Path) -> list[Path]:
    """Draw every figure."""
    return [path for spec in FIGURES.values() for path in save(spec, evidence, folder)]
