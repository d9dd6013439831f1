"""Figures of the literature: what is known of each, how long its counterpart takes, and the counterpart itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from dcrit.api.answers import Statement
from dcrit.api.costs import CORE, seconds_on_one_core
from dcrit.api.training import MachineOptions, laboratory_of
from dcrit.theory.checks import FieldError
from dcrit.theory.literature.figures import LiteratureFigure, literature_figures

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class LiteratureList(Statement):
    """Every figure of the literature that has a counterpart here.

    Attributes:
        figures: One entry a figure: name, source, what the paper shows, what should be seen here, its command, and
            runs, FLOPs and minutes on one core.
    """

    figures: Sequence[Mapping[str, Any]]

    @property
    def title(self) -> str:
        """What was asked, in a few words."""
        return f"{len(self.figures)} figures of the literature"

    def to_dict(self) -> dict[str, Any]:
        """All of them, as JSON values."""
        return {"core": CORE, "figures": list(self.figures)}

    def to_polars(self) -> pl.DataFrame:
        """One row a figure."""
        import polars as pl

        return pl.DataFrame(list(self.figures))


def list_literature() -> LiteratureList:
    """Every figure of the literature that has a counterpart here, with what it takes on one core."""
    from dcrit.api.report.bibliography import reference
    from dcrit.empirics.experiments.literature import configs_of_figure, stages
    from dcrit.empirics.training.work import work_of

    entries: list[Mapping[str, Any]] = []
    for one in literature_figures():
        work = work_of(stages(one))
        source = reference(one.source)
        entries.append(
            {
                "name": one.name,
                "source": source.text,
                "link": source.link,
                "shows": one.shows,
                "expected": one.expected,
                "command": f"dcrit reproduce {one.name}",
                "runs": len(configs_of_figure(one)),
                "flops": work.flops,
                "minutes": seconds_on_one_core(stages(one)) / 60,
            }
        )
    return LiteratureList(figures=entries)


@dataclass(frozen=True, kw_only=True)
class LiteratureDrawing(Statement):
    """The counterpart of a published figure.

    Attributes:
        figure_of: What it is the counterpart of.
        evidence: Runs of each panel.
        files: Where it was written.
    """

    figure_of: LiteratureFigure
    evidence: Sequence[Any]
    files: Sequence[Path]

    @property
    def title(self) -> str:
        """What the paper shows."""
        return self.figure_of.shows

    def figure(self) -> Figure:
        """The figure, drawn anew."""
        from dcrit.figures.measured.literature import draw

        return draw(self.evidence)

    def to_dict(self) -> dict[str, Any]:
        """What it shows and where it was written, as JSON values."""
        one = self.figure_of
        return {
            "name": one.name,
            "source": one.source,
            "shows": one.shows,
            "expected": one.expected,
            "files": [str(path) for path in self.files],
        }

    def to_polars(self) -> pl.DataFrame:
        """One row."""
        import polars as pl

        one = self.figure_of
        return pl.DataFrame([{"name": one.name, "shows": one.shows, "expected": one.expected}])


def literature_figure(
    name: str, *, store: Path | str = "runs", out: Path | str | None = None, **machine: Unpack[MachineOptions]
) -> LiteratureDrawing:
    """The counterpart of a published figure; what the store lacks is trained.

    Args:
        name: As :func:`list_literature` has it.
        store: Folder in which runs are kept.
        out: Folder that it is written to, as PNG and SVG; None for none.
        **machine: Where to train, as :class:`MachineOptions` has it.

    Raises:
        ValueError: There is no such figure, or a folder cannot be written.
    """
    from dcrit.empirics.experiments.literature import measure
    from dcrit.empirics.store.whole_files import check_writable_folder

    known = {one.name: one for one in literature_figures()}
    if name not in known:
        raise FieldError("name", f"be one of {', '.join(known)}", repr(name))
    if out is not None:
        check_writable_folder(Path(out))
    with laboratory_of(store, machine) as laboratory:
        evidence = measure(known[name], laboratory)
    made = LiteratureDrawing(figure_of=known[name], evidence=evidence, files=())
    if out is None:
        return made
    from dcrit.api.report.pictures import save_drawing

    return LiteratureDrawing(
        figure_of=known[name], evidence=evidence, files=save_drawing(name, made.figure(), Path(out))
    )
