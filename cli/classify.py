"""``dcrit classify``: the dynamics in somebody else's training curves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import print_json, say, table
from dcrit.cli.terminal.pictures import Out, check_out, save
from dcrit.cli.terminal.session import session

if TYPE_CHECKING:
    from dcrit.api.own import Classification as Answer
    from dcrit.empirics.curves.classify import Classification

#: Runs whose reasons are printed.
EXPLAINED = 20

_PANEL = "Columns, where their names do not say"

Column = Annotated[str | None, typer.Option(metavar="COLUMN", rich_help_panel=_PANEL, help="Column that holds it.")]


def classify(
    file: Annotated[
        list[Path],
        typer.Argument(
            help="Training curves: CSV or other text, JSON or JSON lines, Parquet, TensorBoard's events, or what a "
            "program printed; also packed by gzip. Several files are parts of one run, or a run each."
        ),
    ],
    step: Column = None,
    train_accuracy: Column = None,
    test_accuracy: Column = None,
    train_loss: Column = None,
    test_loss: Column = None,
    norm: Column = None,
    squared_norm: Column = None,
    train_error: Column = None,
    test_error: Column = None,
    run: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN",
            rich_help_panel=_PANEL,
            help="Tells runs apart; may be given several times, to join columns.",
        ),
    ] = None,
    n_classes: Annotated[
        int | None,
        typer.Option(
            parser=options.integer,
            metavar="INTEGER",
            help="C, classes: levels then count from chance 1/C, and losses are taken as mean cross-entropies in nats.",
        ),
    ] = None,
    ceiling: Annotated[
        float | None,
        typer.Option(
            parser=options.decimal,
            metavar="ACCURACY",
            help="Best possible test accuracy, as where labels are noisy; levels then count up to it.",
        ),
    ] = None,
    missing: Annotated[
        list[float] | None,
        typer.Option(
            parser=options.decimal,
            metavar="VALUE",
            help="Stands where nothing was measured, such as -1; may be given several times.",
        ),
    ] = None,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """Name the dynamics in training curves, with reasons, or say that none can be told.

    A run shows grokking, generalized at once, already generalized, generalized below a ceiling, semi-grokking, unstable
    after generalizing, ungrokking, collapsed, memorization, progression or learned nothing: docs/how-to/classify.md
    says by which rules. Columns are found by their names: step, iteration or epoch; train and test (or validation)
    accuracy, error or loss; norm; run, id or seed.
    """
    from dcrit.api.own import classify as name_dynamics

    named = {
        "step": step,
        "train_accuracy": train_accuracy,
        "test_accuracy": test_accuracy,
        "train_loss": train_loss,
        "test_loss": test_loss,
        "norm": norm,
        "squared_norm": squared_norm,
        "train_error": train_error,
        "test_error": test_error,
    }
    columns = {field: column for field, column in named.items() if column is not None}
    with session():
        check_out(out)
        found = name_dynamics(
            file, columns=columns, run=run or (), n_classes=n_classes, ceiling=ceiling, missing=missing or ()
        )
    if out is not None:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(5.2, 3.6), layout="constrained")
        found.plot(figure.subplots())
        save(figure, out)
    if as_json:
        print_json(found.to_dict())
        return
    _show(found)


def _show(found: Answer) -> None:
    """Table, reasons, what was assumed, and thresholds."""
    verdicts, thresholds = found.runs, found.runs[0].thresholds
    table(
        str(found.files[0]) if len(found.files) == 1 else f"{len(found.files)} files",
        ["run", "dynamics", "train", "test", "memorized at", "generalized at", "delay"],
        [
            (
                verdict.run or "–",
                verdict.dynamics,
                _accuracy(verdict, "train"),
                _accuracy(verdict, "test"),
                verdict.events.memorized_at,
                verdict.events.generalized_at,
                None if verdict.events.delay is None else f"×{verdict.events.delay:.3g}",
            )
            for verdict in verdicts
        ],
    )
    for verdict in verdicts[:EXPLAINED]:
        prefix = f"run {verdict.run}: " if verdict.run else ""
        say(f"{prefix}{verdict.dynamics}, because {'; '.join(verdict.reasons)}.")
    if len(verdicts) > EXPLAINED:
        say(f"Reasons of {len(verdicts) - EXPLAINED} more runs are in the document of --json.")
    for note in found.curves.notes:
        say(f"Note: {note}.")
    say(
        f"Thresholds: memorized from train accuracy {thresholds.fitted:g}; generalized from test accuracy "
        f"{thresholds.high:.3g}, not below {thresholds.low:.3g}; settled values are medians over the last "
        f"{thresholds.settled_fraction:.0%} of the steps and may differ by {thresholds.moving:g} from the seventh "
        f"tenth; an event takes {thresholds.persistent_evaluations} evaluations in a row; times count from the first "
        f"evaluation; delayed from {thresholds.delayed:g} times the steps to memorize; memorization takes "
        f"{thresholds.patience:g} times those; the squared norm has fallen below {thresholds.fallen:g} of its largest "
        "value."
    )


def _accuracy(verdict: Classification, side: str) -> object:
    """Settled accuracy, or what it is at least."""
    least = verdict.settled.get(f"{side}_accuracy_at_least")
    return verdict.settled.get(f"{side}_accuracy") if least is None else f"≥ {least:.3g}"
