"""Figures as files: the edge at which drawings become PNG and SVG."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

from dcrit.empirics.budget import LeftOut
from dcrit.empirics.suites import Result
from dcrit.figures import FIGURES
from dcrit.figures.figure import FigureSpec

#: Dots per inch of the PNG.
RESOLUTION = 160


def save(spec: FigureSpec[Any], evidence: Any, folder: Path) -> list[Path]:
    """Draw one figure and write it as PNG and as SVG."""
    folder.mkdir(parents=True, exist_ok=True)
    figure = spec.draw(evidence)
    paths = [folder / f"{spec.name}.{suffix}" for suffix in ("png", "svg")]
    # Without date and with a fixed salt, the same results give the same bytes.
    with mpl.rc_context({"svg.hashsalt": spec.name}):
        figure.savefig(paths[0], dpi=RESOLUTION, metadata={"Software": None})
        figure.savefig(paths[1], metadata={"Date": None})
    return paths


def drawable(results: Mapping[str, Result]) -> list[FigureSpec[Any]]:
    """Figures whose experiment was made."""
    return [
        spec
        for spec in FIGURES.values()
        if spec.experiment.name in results and not isinstance(results[spec.experiment.name].evidence, LeftOut)
    ]


def save_all(results: Mapping[str, Result], folder: Path) -> dict[str, list[Path]]:
    """Draw every figure whose experiment was made; files by the figure's name."""
    return {spec.name: save(spec, results[spec.experiment.name].evidence, folder) for spec in drawable(results)}
