"""``dcrit measure``: real runs turned into an estimate with an interval."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dcrit.cli.measure.shown import show
from dcrit.cli.terminal import options
from dcrit.cli.terminal.session import laboratory

if TYPE_CHECKING:
    from dcrit.empirics.measures.sequential import SequentialDesign
    from dcrit.empirics.runs.outcomes import Outcome
    from dcrit.theory.estimates import Estimate


class StartChoice(StrEnum):
    """Where training starts when a critical size is measured."""

    scratch = "scratch"
    generalized = "generalized"
    both = "both"


@options.grouped
def critical_size(
    *,
    problem: options.ProblemOptions,
    start: Annotated[
        StartChoice,
        options.one_of(
            StartChoice,
            "scratch: train on D examples. generalized: train on 90 % of all pairs first, then go on with D of "
            "them (ungrokking). both: each, and the hysteresis between them.",
        ),
    ] = StartChoice.scratch,
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
    store: options.StoreFolder = options.DEFAULT_STORE,
    machine: options.MachineOptions,
    as_json: options.Json = False,
) -> None:
    """The size at which test accuracy at the horizon, averaged over seeds, crosses one half.

    Sizes are chosen round by round. That there is no transition by the horizon is an answer too: it comes with the
    horizon and the sizes tried.
    """
    from dcrit.empirics.experiments.transitions import advance_together
    from dcrit.empirics.measures.critical_size import transition_width
    from dcrit.empirics.measures.sequential import SequentialDesign
    from dcrit.empirics.measures.ungrokking import FIRST_LOOK, UngrokkingDesign, measure_hysteresis, ungrokking_runs

    with options.bad_input():
        options.check_trainable(problem)
        from_scratch = SequentialDesign(problem=problem, tolerance=tolerance, budget=float(max_runs), max_runs=max_runs)
        from_above = UngrokkingDesign(problem=problem, tolerance=tolerance, budget=float(max_runs), max_runs=max_runs)
    found: list[tuple[SequentialDesign, Estimate, list[Outcome]]] = []
    with laboratory(store, machine) as bench:
        if start is not StartChoice.generalized:
            outcomes = advance_together([from_scratch], bench.runs)[0]
            found.append((from_scratch, from_scratch.measure(outcomes), outcomes))
        if start is not StartChoice.scratch:
            if found and (size := found[0][1].value) is not None:
                from_above = replace(from_above, start=FIRST_LOOK * size)
            outcomes = ungrokking_runs(from_above, bench.runs)
            found.append((from_above, from_above.measure(outcomes), outcomes))
    full = [design.full_runs(outcomes) for design, _, outcomes in found]
    more: list[Estimate] = []
    if start is StartChoice.both:
        more = [found[1][1], measure_hysteresis(*full)]
    show(
        problem,
        found[0][1],
        as_document=as_json,
        others=more,
        start=start.value,
        transition_width=transition_width(full[0]),
        horizon=from_scratch.horizon,
        sizes=sorted({outcome.config.n_train for outcome in full[0]}),
    )
