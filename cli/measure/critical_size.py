"""``dcrit measure``: real runs turned into an estimate with an interval."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from dcrit.cli.measure.shown import show
from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import print_json
from dcrit.cli.terminal.session import session

Horizon = Annotated[
    int | None,
    typer.Option(
        parser=options.integer,
        metavar="INTEGER",
        help="T, steps that each run is trained for; default: the protocol's 40/(ηλ).",
    ),
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
    problem: options.ProblemOptions,
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
            "posterior: full runs on both sides of the transition. clock: two to four short runs above it, or twelve "
            "of a transformer, carried on by the law's clock; one horizon of steps in all, from scratch alone.",
        ),
    ] = MethodChoice.posterior,
    tolerance: Annotated[
        float,
        typer.Option(parser=options.decimal, metavar="NUMBER", help="Relative half width of the interval to reach."),
    ] = 0.05,
    max_runs: Annotated[
        int,
        typer.Option(
            parser=options.integer_to(100_000), metavar="INTEGER", help="Runs to make at most, short probes among them."
        ),
    ] = 60,
    horizon: Horizon = None,
    store: options.StoreFolder = options.DEFAULT_STORE,
    machine: options.MachineOptions,
    as_json: options.Json = False,
) -> None:
    """The size at which test accuracy at the horizon, averaged over seeds, crosses one half.

    Sizes are chosen round by round. That there is no transition by the horizon is an answer too: it comes with the
    horizon and the sizes tried.
    """
    from dcrit.api.measurements import measure

    with session(machine):
        found = measure(
            problem,
            start=start.value,
            method=method.value,
            tolerance=tolerance,
            max_runs=max_runs,
            horizon=horizon,
            store=store,
            **asdict(machine),
        )
    if as_json:
        print_json(found.to_dict())
        return
    show(problem, found.estimates, **found.details())
