"""``dcrit measure critical-size``: full or short runs around the transition, turned into a size with an interval."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dcrit.cli.measure.shown import show
from dcrit.cli.terminal import options
from dcrit.cli.terminal.answered import show_several
from dcrit.cli.terminal.following import then_diagram
from dcrit.cli.terminal.output import note, number, print_json, say, span_of
from dcrit.cli.terminal.pictures import Out, check_out, draw, say_where
from dcrit.cli.terminal.session import session

if TYPE_CHECKING:
    from dcrit.api.measurements import Measurement
    from dcrit.theory.estimates import Estimate

Horizon = Annotated[
    int | None,
    options.integer_of("T, steps that each run is trained for; default: 40/(ηλ).", "--horizon", "--steps", "-T"),
]


class StartChoice(StrEnum):
    """Where training starts when a critical size is measured."""

    scratch = "scratch"
    generalized = "generalized"
    both = "both"


class MethodChoice(StrEnum):
    """How a critical size is measured."""

    posterior = "posterior"
    clock = "clock"


@options.grouped
def critical_size(
    *,
    problems: options.SeveralProblems,
    start: Annotated[
        StartChoice,
        options.one_of(
            StartChoice,
            "scratch: train on D examples. generalized: train on 90 % of all pairs first, then go on with D of "
            "them (ungrokking), four runs at most. both: each, and the hysteresis between them.",
        ),
    ] = StartChoice.scratch,
    method: Annotated[
        MethodChoice,
        options.one_of(
            MethodChoice,
            "posterior: full runs on both sides of the transition. clock: two to four short runs above it, carried "
            "on by the law's clock; one horizon of steps in all, pair-MLPs from scratch alone.",
        ),
    ] = MethodChoice.posterior,
    tolerance: Annotated[float, options.number_of("Relative half width of the interval to reach.")] = 0.05,
    max_runs: Annotated[
        int,
        typer.Option(
            parser=options.integer_to(100_000), metavar="INTEGER", help="Runs to make at most, short probes among them."
        ),
    ] = 60,
    seed: options.Seed = 0,
    horizon: Horizon = None,
    store: options.StoreFolder = options.DEFAULT_STORE,
    machine: options.MachineOptions,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """The size at which test accuracy at the horizon, averaged over seeds, crosses one half.

    Sizes are chosen round by round. That there is no transition by the horizon is an answer too: it comes with the
    horizon and the sizes tried. Several moduli or widths are measured one after the other, and answered in one table.
    """
    from dcrit.api.measurements import Measurement, measure

    with session(machine):
        check_out(out)
        found = measure(
            problems.problem,
            **problems.lists,
            start=start.value,
            method=method.value,
            tolerance=tolerance,
            max_runs=max_runs,
            seed=seed,
            horizon=horizon,
            store=store,
            note=note,
            **asdict(machine),
        )
        draw(found, out)
    if as_json:
        print_json(found.to_dict())
        return
    if isinstance(found, Measurement):
        say(found.headline)
        show(found.problem, found.estimates, **found.details())
        if found.predicted is not None:
            say(_beside(found.measured, found.predicted))
    else:
        show_several(found, ["T", "D_crit", "90% interval", "runs", "predicted", "interval", "note"], _row)
    say_where(out)
    then_diagram(problems.problem, horizon, store)


def _row(found: Measurement) -> list[object]:
    measured, predicted = found.measured, found.predicted
    told = [None, "–"] if predicted is None else [predicted.value, span_of(predicted)]
    return [found.horizon, measured.value, span_of(measured), measured.n_runs, *told, measured.reason]


def _beside(measured: Estimate, predicted: Estimate) -> str:
    """The prediction that was made before, beside the measurement."""
    if predicted.value is None:
        return f"Predicted before: {predicted.reason}."
    said = f"Predicted before: {number(predicted.value)} ({span_of(predicted)})"
    one, other = measured.interval, predicted.interval
    if measured.value is None or one is None or other is None:
        return f"{said}."
    overlap = one.low <= other.high and other.low <= one.high
    return f"{said}; the intervals {'overlap' if overlap else 'do not overlap'}."
