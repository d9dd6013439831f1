"""``dcrit classify``: the dynamics in somebody else's training curves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import print_json, remark, say, table
from dcrit.cli.terminal.pictures import Out, check_out, draw, say_where
from dcrit.cli.terminal.session import session
from dcrit.theory.advice import Advice, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dcrit.api.own import Classification as Answer
    from dcrit.empirics.curves.classify import Classification

#: Runs whose reasons are printed.
EXPLAINED = 20

#: Verdicts that no settled value close to a level decides.
AT_LEVELS = {"grokking", "generalized at once", "already generalized", "memorization", "learned nothing"}

#: Verdicts of runs that have the rule, so that what counts as none of it does not matter.
GENERALIZED = {"grokking", "generalized at once", "already generalized", "generalized below a ceiling"}

_PANEL = "Columns, where their names do not say"


def _column(what: str) -> Any:
    """An option that names the column of a quantity."""
    return typer.Option(metavar="COLUMN", rich_help_panel=_PANEL, help=f"Column of {what}.")


def classify(
    file: Annotated[
        list[Path],
        typer.Argument(
            help="Training curves: CSV or other text, JSON or JSON lines, Parquet, TensorBoard's events, or what a "
            "program printed; also packed by gzip. Several files are parts of one run, or a run each."
        ),
    ],
    step: Annotated[str | None, _column("the step, iteration or epoch")] = None,
    train_accuracy: Annotated[str | None, _column("accuracy on the training set")] = None,
    test_accuracy: Annotated[str | None, _column("accuracy on unseen examples")] = None,
    train_loss: Annotated[str | None, _column("loss on the training set")] = None,
    test_loss: Annotated[str | None, _column("loss on unseen examples")] = None,
    norm: Annotated[str | None, _column("the norm of the weights")] = None,
    squared_norm: Annotated[str | None, _column("its square, the squared norm of the weights")] = None,
    train_error: Annotated[str | None, _column("error on the training set, 1 − accuracy")] = None,
    test_error: Annotated[str | None, _column("error on unseen examples, 1 − accuracy")] = None,
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
        options.integer_of(
            "C, classes: levels then count from chance 1/C, and losses are taken as mean cross-entropies in nats."
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
    after generalizing, ungrokking, collapsed, memorization, partial memorization, progression or learned nothing:
    docs/how-to/classify.md says by which rules. Columns are found by their names: step, iteration or epoch; train and
    test (or validation) accuracy, error or loss; norm; run, id or seed.
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
    draw(found, out)
    if as_json:
        print_json(found.to_dict())
        return
    _show(found)
    say_where(out)


def _show(found: Answer) -> None:
    """Table, reasons, what was assumed, and thresholds."""
    verdicts, unit = found.runs, found.curves.unit
    # Times are counted as the reasons say it, in steps of the log, unless a column counts something else.
    at = "at" if unit == "steps" else f"at [{unit}]"
    table(
        str(found.files[0]) if len(found.files) == 1 else f"{len(found.files)} files",
        ["run", "dynamics", "train", "test", f"memorized {at}", f"generalized {at}", "delay"],
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
        say(Advice(f"{prefix}{verdict.dynamics}, because ", joined("; ", verdict.reasons), "."))
    if len(verdicts) > EXPLAINED:
        say(f"Reasons of {len(verdicts) - EXPLAINED} more runs are in the document of --json.")
    for note in found.curves.notes:
        say(Advice("Note: ", note, "."))
    if compared := _thresholds(verdicts, unit):
        remark(f"Thresholds: {'; '.join(compared)}.")


def _thresholds(verdicts: Sequence[Classification], unit: str) -> list[str]:
    """What the verdicts were compared with: nothing that none of them rests on."""
    levels = verdicts[0].thresholds
    shown = {one.dynamics for one in verdicts}
    known = {name for one in verdicts for name in one.settled}
    train, test = (any(name.startswith(f"{side}_accuracy") for name in known) for side in ("train", "test"))
    both = train and test
    memorized = any(one.events.memorized_at is not None for one in verdicts)
    said = [
        (
            f"memorized from train accuracy {levels.fitted:g}",
            train,
        ),
        (
            f"generalized from test accuracy {levels.high:.3g}",
            test,
        ),
        (f"nothing of the rule found below test accuracy {levels.low:.3g}", test and bool(shown - GENERALIZED)),
        (
            f"a settled value is the median over the last {levels.settled_fraction:.0%} of the {unit}, at most "
            f"{levels.moving:g} from the median over the seventh tenth",
            both and bool(shown - AT_LEVELS),
        ),
        (f"an event takes {levels.persistent_evaluations} evaluations in a row", both),
        (
            f"times are {unit} of the log; delayed from {levels.delayed:g} times the {unit} to memorize, both "
            "counted from the first evaluation",
            any(one.events.delayed is not None for one in verdicts),
        ),
        (
            f"memorization takes {levels.patience:g} times the {unit} to memorize",
            both and memorized and bool(shown & {"memorization", "cannot tell"}),
        ),
        (
            f"test accuracy rests where its last 30% of evaluations keep within {levels.still:g}",
            any(one.ceiling_estimated is not None for one in verdicts),
        ),
        (
            f"unstable from {levels.unstable:.0%} of the evaluations since generalizing below "
            f"{levels.high - levels.moving:.3g}",
            "unstable after generalizing" in shown,
        ),
        (
            f"the squared norm has fallen below {levels.fallen:g} of its largest value",
            "norm_ratio" in known,
        ),
    ]
    return [text for text, applies in said if applies]


def _accuracy(verdict: Classification, side: str) -> object:
    """Settled accuracy, or what it is at least."""
    least = verdict.settled.get(f"{side}_accuracy_at_least")
    return verdict.settled.get(f"{side}_accuracy") if least is None else f"≥ {least:.3g}"
