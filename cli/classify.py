"""``dcrit classify``: the dynamics in somebody else's training curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import print_json, say, table
from dcrit.cli.terminal.session import session

if TYPE_CHECKING:
    from dcrit.empirics.curves.classify import Classification, Thresholds

#: Runs whose reasons are all printed; of more, the table holds the first.
EXPLAINED = 5

_PANEL = "Columns, where their names do not say"

Column = Annotated[str | None, typer.Option(metavar="COLUMN", rich_help_panel=_PANEL, help="Column that holds it.")]


def classify(
    file: Annotated[Path, typer.Argument(help="Training curves, CSV or Parquet, one row an evaluation.")],
    step: Column = None,
    train_accuracy: Column = None,
    test_accuracy: Column = None,
    train_loss: Column = None,
    test_loss: Column = None,
    norm: Column = None,
    squared_norm: Column = None,
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
    as_json: options.Json = False,
) -> None:
    """Name the dynamics in training curves: progression, ungrokking, semi-grokking, grokking, or that none can be told.

    Columns are found by their names: step, iteration or epoch; train and test (or validation) accuracy or loss; norm;
    run, id or seed.
    """
    from dcrit.api.own import classify as name_dynamics
    from dcrit.empirics.curves.classify import Thresholds

    named = {
        "step": step,
        "train_accuracy": train_accuracy,
        "test_accuracy": test_accuracy,
        "train_loss": train_loss,
        "test_loss": test_loss,
        "norm": norm,
        "squared_norm": squared_norm,
    }
    columns = {field: column for field, column in named.items() if column is not None}
    with session():
        thresholds = Thresholds.for_classes(n_classes)
        found = name_dynamics(file, columns=columns, run=run or (), n_classes=n_classes)
    if as_json:
        print_json(found.to_dict())
        return
    _show(file, found.runs, thresholds, found.curves.notes)


def _show(file: Path, verdicts: Sequence[Classification], thresholds: Thresholds, notes: tuple[str, ...]) -> None:
    explained = len(verdicts) <= EXPLAINED
    table(
        str(file),
        [
            "run",
            "dynamics",
            "train",
            "test",
            f"train ≥ {thresholds.fitted:g} at",
            f"test ≥ {thresholds.high:.3g} at",
            "delay",
            "norm/largest",
        ]
        + ([] if explained else ["because"]),
        [
            (
                verdict.run or "–",
                verdict.dynamics,
                verdict.settled.get("train_accuracy"),
                verdict.settled.get("test_accuracy"),
                verdict.events.memorized_at,
                verdict.events.generalized_at,
                None if verdict.events.delay is None else f"×{verdict.events.delay:.3g}",
                verdict.settled.get("norm_ratio"),
                *(() if explained else verdict.reasons[:1]),
            )
            for verdict in verdicts
        ],
    )
    if explained:
        for verdict in verdicts:
            prefix = f"run {verdict.run}: " if verdict.run else ""
            say(f"{prefix}{verdict.dynamics}, because {'; '.join(verdict.reasons)}.")
    for note in notes:
        say(f"Note: {note}.")
    say(
        f"Thresholds: fitted from train accuracy {thresholds.fitted:g}; test accuracy below {thresholds.low:.3g} "
        f"ungrokking, from {thresholds.high:.3g} grokking; settled values are medians over the last "
        f"{thresholds.settled_fraction:.0%} of the steps and may differ by {thresholds.moving:g} from the seventh "
        f"tenth; an event takes {thresholds.persistent_evaluations} evaluations in a row; delayed from "
        f"{thresholds.delayed:g} times the steps to memorize; ungrokking takes {thresholds.patience:g} times those; "
        f"the squared norm has fallen below {thresholds.fallen:g} of its largest value."
    )
