"""The picture that a command writes where it is asked for one."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcrit.cli.terminal.output import remark
from dcrit.theory.checks import FieldError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dcrit.api.answers import Answer


Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help="Picture to write; its ending says which kind: .png, .svg or .pdf.",
        rich_help_panel="Output",
    ),
]


#: Endings of pictures that can be written, and dots per inch.
ENDINGS, RESOLUTION = (".png", ".svg", ".pdf"), 160


def check_out(out: Path | None) -> None:
    """Refuse a picture that cannot be written, before anything is computed.

    Raises:
        ValueError: Its ending is unknown or its folder does not exist.
    """
    if out is not None and (out.suffix.lower() not in ENDINGS or not out.parent.is_dir() or not_a_file(out)):
        raise FieldError("out", f"be a file in a folder that exists, ending in {', '.join(ENDINGS)}", out)


def not_a_file(path: Path) -> bool:
    """Whether something is there that is no file: a folder, or a device that a new file must not replace."""
    return path.exists() and not path.is_file()


def draw(answer: Answer, out: Path | None) -> None:
    """Draw an answer under its title into a file.

    Args:
        answer: What is drawn.
        out: The file; None for none.
    """
    if out is None:
        return
    from dcrit.figures.drawing import canvas, style

    with style.context():
        figure = canvas.new_figure(style.DOUBLE * 0.75, 3.8)
        answer.plot(figure.subplots())
        save(figure, out)


def say_where(out: Path | None) -> None:
    """Say where the picture is."""
    if out is not None:
        remark(f"picture: {out}")


def save(figure: Figure, out: Path) -> None:
    """Write a picture whole or not at all.

    Raises:
        typer.BadParameter: It cannot be written (exit 2).
    """
    part = out.with_name(f".{uuid.uuid4().hex}{out.suffix}")
    try:
        figure.savefig(part, dpi=RESOLUTION)
        part.replace(out)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise typer.BadParameter(f"--out must be a file that can be written, got {out}: {error}") from error
