"""``dcrit predict phase-diagram``: the plane of model size and training-set size."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dcrit.cli import options
from dcrit.cli.calibrations import CalibrationFile, calibration_of
from dcrit.cli.output import print_json, say, span, table
from dcrit.theory.problem import MOST_WIDTH

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dcrit.theory.estimates import Prediction

Points = Annotated[
    int,
    typer.Option(
        parser=options.integer_to(2000),
        metavar="INTEGER",
        help="Training-set sizes, and at most as many whole widths.",
    ),
]
MinWidth = Annotated[
    int | None,
    typer.Option(
        parser=options.integer_to(MOST_WIDTH),
        metavar="INTEGER",
        help="First width; default: half the calibration's first.",
    ),
]
MaxWidth = Annotated[
    int | None,
    typer.Option(
        parser=options.integer_to(MOST_WIDTH), metavar="INTEGER", help="Last width; default: the calibration's last."
    ),
]
Out = Annotated[Path | None, typer.Option(help="Picture to write; its ending says which kind, such as .png or .svg.")]

#: Endings of pictures that can be written, and dots per inch.
ENDINGS, RESOLUTION = (".png", ".svg", ".pdf"), 160

#: Rows of the table for people.
ROWS = 12


def check_out(out: Path | None) -> None:
    """Refuse a picture that cannot be written, before anything is computed.

    Raises:
        ValueError: Its ending is unknown or its folder does not exist.
    """
    if out is not None and (out.suffix.lower() not in ENDINGS or not out.parent.is_dir() or not_a_file(out)):
        raise ValueError(f"out must be a file in a folder that exists, ending in {', '.join(ENDINGS)}, got {out}")


def not_a_file(path: Path) -> bool:
    """Whether something is there that is no file: a folder, or a device that a new file must not replace."""
    return path.exists() and not path.is_file()


def check_widths(low: int | None, high: int | None, points: int) -> None:
    """Refuse options that make no range of widths.

    Raises:
        ValueError: A number is out of range.
    """
    for name, value, least in (("--points", points, 2), ("--min-width", low, 1), ("--max-width", high, 2)):
        if value is not None and value < least:
            raise ValueError(f"{name} must be an integer of at least {least}, got {value}")
    if low is not None and high is not None and high <= low:
        raise ValueError(f"--max-width must be above --min-width {low}, got {high}")


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


def fields_of(found: Prediction) -> dict[str, Any]:
    """A prediction as JSON values."""
    interval = None if found.interval is None else [found.interval.low, found.interval.high]
    return {"value": found.value, "interval": interval, "extrapolated": found.extrapolated, "reason": found.reason}


def row_of(name: str, found: Prediction) -> tuple[object, ...]:
    """A prediction as a row for people."""
    interval = found.interval
    ends = (None, None) if interval is None else (interval.low, interval.high)
    note = "; ".join(text for text in (found.reason, "extrapolated" if found.extrapolated else "") if text)
    return name, found.value, span(*ends), note


def phase_diagram(
    task: options.Task = "add",
    modulus: options.Modulus = 31,
    model: options.Model = options.ModelChoice.mlp,
    activation: options.Activation = options.ActivationChoice.square,
    depth: options.Depth = 1,
    weight_decay: options.WeightDecay = 1.0,
    learning_rate: options.LearningRate = 1e-2,
    points: Points = 200,
    min_width: MinWidth = None,
    max_width: MaxWidth = None,
    level: options.Level = 0.9,
    calibration: CalibrationFile = None,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """Both curves over model size, the star where they cross, and the regime of every point of the plane."""
    import numpy as np

    from dcrit.theory.phase_diagram import default_widths
    from dcrit.theory.phase_diagram import phase_diagram as diagram_of
    from dcrit.theory.regime_prediction import REGIMES

    problem = options.problem_from(task, modulus, model, activation, 64, depth, weight_decay, learning_rate)
    with options.bad_input():
        check_out(out)
        check_widths(min_width, max_width, points)
    chosen = calibration_of(problem, calibration)
    with options.bad_input():
        widths = default_widths(problem, chosen, points, smallest=min_width, largest=max_width)
        n_trains = np.geomspace(max(1.0, 0.03 * problem.n_pairs), problem.n_pairs, points)
        found = diagram_of(problem, chosen, widths=widths, n_trains=n_trains, level=level)
    if out is not None:
        from dcrit.figures import canvas, style
        from dcrit.figures.phase_diagram import draw_phase_diagram

        with style.context():
            figure = canvas.new_figure(style.DOUBLE * 0.75, 3.8)
            draw_phase_diagram(figure.subplots(), found)
            canvas.legend(figure, columns=4)
            save(figure, out)
    star = {"width": found.star.width, "n_params": found.star.n_params, "n_train": found.star.n_train}
    if as_json:
        described = problem.to_dict()
        described.pop("width")
        document: dict[str, Any] = {"problem": described, "level": level, "calibration": found.calibration}
        document["star"] = {name: fields_of(value) for name, value in star.items()}
        document["regimes"] = list(REGIMES)
        for name in (
            *("widths", "n_params", "critical_size", "critical_low", "critical_high", "onset", "completion"),
            *("capacity", "capacity_low", "capacity_high", "unfit", "extrapolated", "n_trains", "codes"),
        ):
            document[name] = getattr(found, name).tolist()
        document["out"] = None if out is None else str(out)
        print_json(document)
        return
    table(
        f"{task} mod {modulus}, {problem.activation} {problem.model}: the star",
        ["where", "value", f"{level:.0%} interval", "note"],
        [row_of(name, value) for name, value in star.items()],
    )
    rows = [
        (
            *(int(found.widths[k]), int(found.n_params[k])),
            *(float(found.critical_size[k]), span(float(found.critical_low[k]), float(found.critical_high[k]))),
            *(float(found.capacity[k]), span(float(found.capacity_low[k]), float(found.capacity_high[k]))),
            f"does not fit: {found.unfit[k]:.2f}" if found.unfit[k] else "",
            "yes" if found.extrapolated[k] else "no",
        )
        for k in np.unique(np.linspace(0, len(found.widths) - 1, ROWS).round().astype(int))
    ]
    columns = ["width", "N", "D_crit", "interval", "D_mem", "interval", "generalizing circuit", "extrapolated"]
    table("both curves", columns, rows)
    say(f"calibration: {found.calibration}")
    if out is not None:
        say(str(out))
