"""One HTML file in which predictions can be played with, beside what was measured; it needs no network."""

from __future__ import annotations

import base64
import importlib.util
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dcrit.api.answers import Statement
from dcrit.api.explorer.grids import Subject, common_facts, subjects
from dcrit.api.explorer.points import published_sizes, shipped_sizes, stored_runs
from dcrit.theory.arguments import hinting
from dcrit.theory.checks import FieldError
from dcrit.theory.families.family import FAMILIES
from dcrit.theory.problems.problem import Problem
from dcrit.theory.problems.tasks import TASKS

if TYPE_CHECKING:
    import polars as pl

#: File that is written where none is named.
OUT = Path("explorer.html")

#: Package whose plotting library goes into the page.
LIBRARY = "plotly"

#: The page's own scripts, in the order in which they run.
SCRIPTS = ("theory.js", "panels.js", "page.js")

#: How far off interpolated sizes are at most, in ln, and widths of intervals; twice that those of capacity.
TOLERANCE, WIDTH_TOLERANCE = 0.002, 0.05

#: Marks of runs, as Plotly calls those of ``dcrit.figures.measured.runs``.
SYMBOLS = {
    "o": "circle",
    "s": "square",
    "D": "diamond",
    "^": "triangle-up",
    "v": "triangle-down",
    "p": "pentagon",
    "P": "cross",
    "X": "x",
}

#: Opacity of bands and areas.
SHADES = {"band": 0.22, "area": 0.3}


@dataclass(frozen=True, kw_only=True)
class Explorer(Statement):
    """The page that was written.

    Attributes:
        file: Where it is.
        n_bytes: Its size [bytes].
        n_sizes: Measured sizes in it.
        n_runs: Runs of the store in it.
        n_more: Runs of the store that are not in it.
        store: Folder of these; None for none.
    """

    file: Path
    n_bytes: int
    n_sizes: int
    n_runs: int
    n_more: int
    store: Path | None

    @property
    def title(self) -> str:
        """What was written, in a few words."""
        return f"explorer with {self.n_sizes} measured sizes and {self.n_runs} runs: {self.file}"

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}

    def to_polars(self) -> pl.DataFrame:
        """One row."""
        import polars as pl

        return pl.DataFrame([self.to_dict()])


@hinting()
def explore(out: Path | str = OUT, *, store: Path | str | None = None) -> Explorer:
    """Write one HTML file to play with: sizes, phase diagram and curves as the question changes, and measured points.

    It opens by double-click, asks for nothing from the network, and holds its state in its address. Some ten seconds.

    Args:
        out: File to write.
        store: Folder of runs to lay over the theory; None for none.

    Raises:
        ValueError: The plotting library is not installed, the file cannot be written, or there is no such store.
    """
    file, folder = Path(out), None if store is None else Path(store)
    return write_explorer(file, folder, check_explorer(file, folder))


def write_explorer(file: Path, store: Path | None, library: str) -> Explorer:
    """Write the page of :func:`explore` once nothing about it is refused.

    Args:
        file: HTML file to write.
        store: Folder of runs to lay over the theory; None for none.
        library: Of :func:`check_explorer`.
    """
    from dcrit.empirics.store.whole_files import write_whole

    runs, n_more = ([], 0) if store is None else stored_runs(store)
    sizes, n_without = shipped_sizes()
    points = [*sizes, *published_sizes()]
    page = html_page(
        list(subjects()), points, runs, n_without=n_without, n_more=n_more, store=store, library=library
    ).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, page)
    return Explorer(file=file, n_bytes=len(page), n_sizes=len(points), n_runs=len(runs), n_more=n_more, store=store)


def check_explorer(out: Path, store: Path | None) -> str:
    """Refuse in time what :func:`explore` would refuse after seconds.

    Args:
        out: File to write.
        store: Folder of runs, or None.

    Returns:
        Source of the plotting library.

    Raises:
        ValueError: As :func:`explore`.
    """
    from dcrit.api.stores import list_runs
    from dcrit.empirics.store.whole_files import check_writable_file

    library = plotting_library(out)
    check_writable_file(out)
    if store is not None:
        list_runs(store)
    return library


def plotting_library(out: Path) -> str:
    """Source of the plotting library.

    Args:
        out: What it is for.

    Raises:
        ValueError: Its package is not installed.
    """
    if importlib.util.find_spec(LIBRARY) is None:
        raise FieldError(
            "out",
            f"be left alone where the package {LIBRARY} is not installed",
            out,
            why="pip install 'dcrit[explore]' installs it",
        )
    return (files(LIBRARY) / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def html_page(
    known: Sequence[Subject],
    points: Sequence[dict[str, Any]],
    runs: Sequence[dict[str, Any]],
    *,
    library: str,
    n_without: int = 0,
    n_more: int = 0,
    store: Path | None = None,
) -> str:
    """The page, with everything it needs inside it.

    Args:
        known: What the theory says, law by law.
        points: Measured sizes.
        runs: Runs of a store.
        library: Source of the plotting library.
        n_without: Configurations that were asked and have no size.
        n_more: Runs of the store that are not among them.
        store: Where the runs are from.
    """
    common, usual = common_facts(), Problem()
    described, codes = _laid_out(known)
    facts = {
        "common": common,
        "subjects": described,
        "points": [*points, *runs],
        "usual": usual.to_dict(),
        "rates": {family.name: family.learning_rate for family in FAMILIES.values()},
        "store": None if store is None else str(store),
    }
    told = {task for subject in known for task in subject.tasks}
    environment = Environment(
        loader=PackageLoader("dcrit.api.explorer"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("explorer.html.jinja").render(
        version=version("dcrit"),
        style=_source("explorer.css"),
        script=Markup("\n").join(map(_source, SCRIPTS)),
        look=_json(_look()),
        library=_packed(library.encode()),
        facts=_packed(json.dumps(facts, ensure_ascii=False, allow_nan=False).encode()),
        grids=_packed(codes.astype("<u2").tobytes()),
        n_sizes=len(points),
        n_without=n_without,
        n_runs=len(runs),
        n_more=n_more,
        store=store,
        untold=[name for name, task in TASKS.items() if task.rule is not None and name not in told],
        tolerance=f"{TOLERANCE:.1%}",
    )


def _laid_out(known: Iterable[Subject]) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Facts of each law with the place of its grids in one row of codes, and that row."""
    described: list[dict[str, Any]] = []
    parts: list[np.ndarray] = []
    offset = 0
    for subject in known:
        grids: dict[str, Any] = {}
        for name, grid in subject.grids.items():
            shape = list(grid.codes.shape)
            grids[name] = {"axes": grid.axes, "shape": shape, "offset": offset, "low": grid.low, "step": grid.step}
            parts.append(grid.codes.ravel())
            offset += grid.codes.size
        described.append({**subject.facts(), "grids": grids})
    return described, np.concatenate(parts)


def _look() -> dict[str, Any]:
    """Colours and marks, the same as those of all figures."""
    from dcrit.figures.drawing import style
    from dcrit.figures.measured.runs import MARKS
    from dcrit.figures.predicted.phase_diagram import COLOURS
    from dcrit.figures.predicted.two_thresholds import AT_REST, FROM_SCRATCH

    return {
        "colours": {
            "critical": FROM_SCRATCH,
            "rest": AT_REST,
            "capacity": style.VERMILLION,
            "kept": style.GREY,
            "regimes": COLOURS,
            "symbols": {shown: SYMBOLS[marker] for shown, (marker, _) in MARKS.items()},
        },
        "opacity": SHADES,
    }


def _source(name: str) -> Markup:
    """A file of the page that is put into it as it is."""
    return Markup((files("dcrit.api.explorer") / "templates" / name).read_text(encoding="utf-8"))


def _json(value: Any) -> Markup:
    """JSON inside a script element, in which nothing ends it."""
    return Markup(json.dumps(value, ensure_ascii=False).replace("<", "\\u003c"))


def _packed(data: bytes) -> str:
    """Bytes compressed, as letters."""
    return base64.b64encode(zlib.compress(data, 9)).decode("ascii")
