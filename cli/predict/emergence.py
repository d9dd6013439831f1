"""``dcrit predict emergence``: the model size at which a task is learned beside facts to memorize."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.calibrations import CalibrationFile, calibration_of
from dcrit.cli.terminal.output import print_json, row_of, say, table
from dcrit.cli.terminal.pictures import Out, check_out, save
from dcrit.theory.problems.problem import label

NFacts = Annotated[
    int,
    typer.Option(
        parser=options.integer_to(10**12),
        metavar="INTEGER",
        help="D_r, random-label examples that are to be memorized as well.",
    ),
]
NTrain = Annotated[
    int, typer.Option(parser=options.integer, metavar="INTEGER", help="D, training examples of the task.")
]

#: Rows of the table for people, and numbers of facts in the picture.
ROWS, POINTS = 12, 25


@options.grouped
def emergence(
    *,
    n_facts: NFacts,
    n_train: NTrain,
    problem: options.AnyWidth,
    horizon: options.Horizon = None,
    level: options.Level = 0.9,
    calibration: CalibrationFile = None,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """The smallest model that learns the task from D examples while it also memorizes D_r facts.

    Facts and task share operands, weights and classes, and are told apart by an embedding of the task. The width of the
    problem that --json prints plays no part.
    """
    import numpy as np

    from dcrit.theory.checks import check_integer
    from dcrit.theory.predictions.emergence import emergence_curve, predict_emergence

    with options.bad_input():
        check_integer("n_facts", n_facts, 0)
        problem.check_n_train(n_train)
        check_out(out)
    chosen = calibration_of(problem, calibration)
    with options.bad_input():
        found = predict_emergence(problem, chosen, n_facts=n_facts, n_train=n_train, horizon=horizon, level=level)
        curve = None
        if out is not None:
            most = max(2 * n_facts, problem.n_pairs // 4)
            some = np.unique(np.append(np.linspace(0, most, POINTS).astype(int), n_facts)).tolist()
            curve = emergence_curve(problem, chosen, n_facts=some, n_train=n_train, horizon=horizon, level=level)
    if out is not None and curve is not None:
        from dcrit.figures.drawing import canvas, style
        from dcrit.figures.predicted.emergence import draw_emergence

        with style.context():
            figure = canvas.new_figure(style.DOUBLE * 0.6, 3.2)
            draw_emergence(figure.subplots(), curve, found)
            canvas.legend(figure, columns=2)
            save(figure, out)
    if as_json:
        document: dict[str, Any] = {
            "problem": problem.to_dict(),
            "n_facts": n_facts,
            "n_train": n_train,
            "horizon": found.horizon,
            "level": level,
            "calibration": found.calibration,
            "width": found.width.to_dict(),
            "n_params": found.n_params.to_dict(),
        }
        for name in ("widths", "critical_size", "critical_size_alone", "capacity"):
            document[name] = getattr(found, name).tolist()
        document["out"] = None if out is None else str(out)
        print_json(document)
        return
    table(
        f"{label(problem, width=False)}: the smallest model that generalizes "
        f"from {n_train} examples beside {n_facts} facts",
        ["threshold", "value", f"{level:.0%} interval", "note"],
        [row_of("width", found.width), row_of("N, parameters", found.n_params)],
    )
    shown = np.unique(np.linspace(0, len(found.widths) - 1, ROWS).round().astype(int))
    columns = [found.widths, found.critical_size_alone, found.critical_size, found.capacity]
    rows = [tuple(column[k].item() for column in columns) for k in shown]
    table("over width", ["width", "D_crit without facts", f"D_crit beside {n_facts} facts", "D_mem"], rows)
    say(f"calibration: {found.calibration}")
    if out is not None:
        say(str(out))
