"""``dcrit reproduce NAME`` for figures of the literature: one command each, and a table of all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.following import command_of, descent_command, store_words
from dcrit.cli.terminal.output import note, print_json, say, table, then
from dcrit.cli.terminal.session import session
from dcrit.theory.literature.figures import LiteratureFigure, literature_figures

if TYPE_CHECKING:
    from dcrit.api.literature import LiteratureDrawing

#: Heading of these commands in the help.
PANEL = "Figures of the literature"

#: The page that the table is written to, from the top of a clone.
PAGE = Path("docs") / "reference" / "literature-figures.md"

#: Where the committed pictures lie, from the top of a clone.
PICTURES = Path("figures") / "literature"

#: What the runs of each of them tell of dips, from the top of a clone.
SEEN = Path("docs") / "results" / "literature-figures.json"

#: The modulus of the papers.
PAPERS_MODULUS = 113

#: Above the table.
INTRODUCTION = """# Figures of the literature

Each line is a figure of a paper that has a counterpart here. One command trains what the store lacks, draws it, and
writes it as PNG and SVG:

```console
$ dcrit reproduce huang-2d --store runs --out figures-out
```

Names count the entries of one paper in the order of its argument. They are not the paper's own figure numbers. Moduli
are small, {least} to {most}, so that each takes minutes; those of {far} are {paper}, as in the papers. Hyperparameters
of every run are in `theory/literature/figures.toml`.

A prediction is drawn, dotted or as a map, where the column *predicted* says yes. Minutes are those of one core of
{rate:.0f} GFLOP/s, at most. With `--quick` a figure has fewer seeds, sizes, widths and curves, and says so;
`--seeds` sets the number of seeds alone. What was trained before an interruption is kept, and the same command goes on.

Below each table are the pictures that the commands made. `dcrit reproduce literature --clone .` writes this page, and
with `--store runs` it makes the pictures anew."""

app = typer.Typer()


@app.command("literature", rich_help_panel=PANEL)
def literature(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Beside --store: figures to draw; default: all.")
    ] = None,
    clone: Annotated[
        Path | None, typer.Option(help="Top folder of a clone: write the table to its docs/reference.")
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option("--store", "-S", help="Beside --clone: folder of runs; draw its figures/literature, and train."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Beside --clone: write nothing; exit 1 where the page differs.")
    ] = False,
    workers: options.Workers = 0,
    as_json: options.Json = False,
) -> None:
    """Every figure below: what the paper shows, what should be seen here, runs, minutes. Trains only with --store."""
    from dcrit.api.literature import list_literature

    for option, given in (("--check", check), ("--store", store is not None)):
        if given and clone is None:
            raise typer.BadParameter(f"{option} must go with --clone, got it alone")
    if check and store is not None:
        raise typer.BadParameter("--check must be without --store, got both")
    if names and store is None:
        raise typer.BadParameter(f"NAME must go with --store, got {' '.join(names)} alone")
    listed = list_literature()
    if clone is not None:
        _check_clone(clone)
        if store is not None:
            _draw_all(names or [one["name"] for one in listed.figures], clone, store, workers)
        _write(clone, page_of(listed.to_dict(), _seen(clone)), check=check)
        return
    if as_json:
        print_json(listed.to_dict())
        return
    rows = [
        [one["name"], one["shows"], one["predicted"], str(one["runs"]), _minutes(one["minutes"])]
        for one in listed.figures
    ]
    table("figures of the literature", ["name", "the paper shows", "predicted", "runs", "minutes"], rows)
    say(
        "Predicted: whether what was predicted before any run is drawn as well. Minutes are at most, on one core; "
        "--quick and --seeds take fewer."
    )


def _check_clone(clone: Path) -> None:
    from dcrit.empirics.ablations.committed import results_of

    with options.bad_input():
        results_of(clone)  # it says where there is no clone


def _draw_all(names: Sequence[str], clone: Path, store: Path, workers: int) -> None:
    """Draw figures into a clone; each is kept before the next is begun, as all together take hours."""
    from dcrit.api.literature import literature_figure
    from dcrit.empirics.ablations.committed import text_of

    machine = options.machine_from(workers, options.ExecutorChoice.local, None)
    (clone / PICTURES).mkdir(parents=True, exist_ok=True)
    with session(machine), tempfile.TemporaryDirectory() as aside:
        for name in names:
            drawn = literature_figure(name, store=store, out=aside, note=note, **asdict(machine))
            # Only as PNG: pages show no other, and the SVG of some hundred curves is large.
            shutil.copy(next(path for path in drawn.files if path.suffix == ".png"), clone / PICTURES)
            seen = {**_seen(clone), name: [one.told for one in drawn.over_width]}
            (clone / SEEN).write_text(text_of(dict(sorted(seen.items()))), encoding="utf-8")


def _seen(clone: Path) -> dict[str, list[str]]:
    """What the runs of a clone's pictures tell of dips, by the name of the figure; none where none was drawn."""
    from dcrit.empirics.ablations.committed import read

    path = clone / SEEN
    return read(path) if path.is_file() else {}


def _write(clone: Path, text: str, *, check: bool) -> None:
    path = clone / PAGE
    differs = not path.is_file() or path.read_text(encoding="utf-8") != text
    if check and differs:
        say(f"{path} is not what it would be")
        raise typer.Exit(1)
    if not check:
        path.write_text(text, encoding="utf-8")
        say(str(path))


def _minutes(minutes: float) -> str:
    return f"{minutes:.1f}" if minutes < 10 else f"{minutes:.0f}"


def page_of(listed: Mapping[str, Any], seen: Mapping[str, Sequence[str]]) -> str:
    """The table and the committed pictures as a page of the docs.

    Args:
        listed: As ``--json`` prints it.
        seen: What the runs of each committed picture tell of dips, by the name of the figure; others have no picture.
    """
    moduli = {
        one.name: {series.problem.modulus for panel in one.panels for series in panel.series}
        for one in literature_figures()
    }
    far = [name for name, own in moduli.items() if PAPERS_MODULUS in own]
    small = set[int]().union(*moduli.values()) - {PAPERS_MODULUS}
    spans = {"least": min(small), "most": max(small), "paper": PAPERS_MODULUS}
    named = " and ".join(f"`{name}`" for name in far)
    lines = [INTRODUCTION.format(rate=listed["core"] / 1e9, far=named, **spans)]
    sources = list(dict.fromkeys((one["source"], one["link"]) for one in listed["figures"]))
    for source, link in sources:
        lines += ["", f"## {source.split('.')[0]}.", "", f"[{source}]({link})" if link else source, ""]
        lines += [
            "| name | the paper shows | here one should see | predicted | runs | FLOPs | minutes |",
            "|---|---|---|---|---|---|---|",
        ]
        for one in listed["figures"]:
            if one["source"] == source:
                lines.append(
                    f"| `{one['name']}` | {one['shows']} | {' '.join(filter(None, [one['expected'], one['blind']]))} "
                    f"| {'yes' if one['predicted'] else 'no'} | {one['runs']} | {one['flops']:.1e} "
                    f"| {_minutes(one['minutes'])} |"
                )
        for one in listed["figures"]:
            if one["source"] == source and one["name"] in seen:
                lines += ["", f"### {one['name']}", "", *(f"{told}\n" for told in seen[one["name"]])]
                lines.append(f"![{one['shows']}](../../{PICTURES.as_posix()}/{one['name']}.png)")
    return "\n".join(lines) + "\n"


def _command_of(figure: LiteratureFigure) -> Callable[..., None]:
    """The command that makes a figure."""

    @options.grouped
    def made(
        *,
        seeds: Annotated[
            int | None,
            typer.Option(
                "--seeds",
                "-s",
                parser=options.integer_to(1000),
                metavar="INTEGER",
                help="Runs of each, each with a seed of its own; default: as many as the figure has.",
            ),
        ] = None,
        quick: Annotated[
            bool,
            typer.Option(
                "--quick", help="Fewer seeds, every second size, width and curve, no test loss over width; says so."
            ),
        ] = False,
        store: options.StoreFolder = options.DEFAULT_STORE,
        out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the picture, as PNG and SVG.")] = Path(
            "figures-out"
        ),
        machine: options.MachineOptions,
        as_json: options.Json = False,
    ) -> None:
        from dcrit.api.literature import literature_figure

        with session(machine):
            drawn = literature_figure(
                figure.name, seeds=seeds, quick=quick, store=store, out=out, note=note, **asdict(machine)
            )
        if as_json:
            print_json(drawn.to_dict())
        else:
            _say(drawn)
            say(" ".join(str(path) for path in drawn.files))
            _say_next(drawn, quick=quick, store=store)

    made.__doc__ = f"{figure.shows}\n\nHere one should see: {figure.expected}"
    return made


def _say(drawn: LiteratureDrawing) -> None:
    """What a figure shows, in words; what was predicted over model size also as a table."""
    from dcrit.cli.terminal.over_width import OF_A_DIP, say_dip
    from dcrit.theory.estimates import LEVEL

    for remark in drawn.remarks:
        say(remark)
    shown = [say_dip(f"{one.label}: runs and prediction".removeprefix(": "), one.laid) for one in drawn.over_width]
    if any(shown):
        say(f"{OF_A_DIP} In brackets are {100 * LEVEL:.0f} % intervals.")


def _say_next(drawn: LiteratureDrawing, *, quick: bool, store: Path) -> None:
    """Name the command that lays a curve over model size over its theory, or that adds the seeds it lacks."""
    if not drawn.over_width:
        return
    if not all(one.is_decided for one in drawn.over_width):
        more = 2 * max(panel.seeds for panel in drawn.figure_of.panels)
        words = ["reproduce", drawn.figure_of.name, *(["--quick"] if quick else []), "-s", str(more)]
        then(command_of(words, store_words(store)), "add seeds until they tell whether there is a dip")
        return
    first = drawn.over_width[0]
    then(
        descent_command(first.problem, first.n_train, first.horizon, store),
        f"see {first.label or 'this curve'} over all widths of its prediction",
    )


for _figure in literature_figures():
    app.command(_figure.name, rich_help_panel=PANEL)(_command_of(_figure))
