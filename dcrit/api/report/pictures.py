"""Figures as files: the edge at which drawings become PNG and SVG."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

from dcrit.empirics.claims.suites import Result
from dcrit.empirics.training.budget import LeftOut
from dcrit.figures import FIGURES
from dcrit.figures.drawing.figure import FigureSpec

#: Dots per inch of the PNG.
RESOLUTION = 160


def save(spec: FigureSpec[Any], evidence: Any, folder: Path) -> list[Path]:
    """Draw one figure and write it as PNG and as SVG."""
    folder.mkdir(parents=True, exist_ok=True)
    figure = spec.draw(evidence)
    paths = [folder / f"{spec.name}.{suffix}" for suffix in ("png", "svg")]
    # Without date and with a fixed salt, the same results give the same bytes.
    with mpl.rc_context({"svg.hashsalt": spec.name}):
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
