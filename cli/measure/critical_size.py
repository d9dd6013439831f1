"""``dcrit measure``: real runs turned into an estimate with an interval."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dcrit.cli.measure.shown import show
from dcrit.cli.terminal import options
from dcrit.cli.terminal.session import laboratory

if TYPE_CHECKING:
    from dcrit.empirics.runs.outcomes import Outcome
    from dcrit.empirics.runs.single import Run
    from dcrit.theory.estimates import Estimate


class StartChoice(StrEnum):
    """Where training starts when a critical size is measured."""

    scratch = "scratch"
    generalized = "generalized"
    both = "both"


class MethodChoice(StrEnum):
    """How runs from scratch are chosen and what they are fitted by."""

    sequential = "sequential"
    rounds = "rounds"


def critical_size(
    task: options.Task = "add",
    modulus: options.Modulus = 23,
    model: options.Model = options.ModelChoice.mlp,
    activation: options.Activation = options.ActivationChoice.square,
    width: options.Width = 64,
    depth: options.Depth = 1,
    weight_decay: options.WeightDecay = 1.0,
    learning_rate: options.LearningRate = 1e-2,
    start: Annotated[
        StartChoice,
        typer.Option(
            parser=options.choice(StartChoice),
            metavar=options.words(StartChoice),
            help="scratch: train on D examples. generalized: train on 90 % of all pairs first, then go on with D of "
            "them (ungrokking). both: each, and the hysteresis between them.",
        ),
    ] = StartChoice.scratch,
    method: Annotated[
        MethodChoice,
        typer.Option(
            parser=options.choice(MethodChoice),
            metavar=options.words(MethodChoice),
            help="sequential: short probes, then the cost of about five full runs where a posterior points. rounds: "
            "dozens of runs on both sides, a bootstrap; what ungrokking, and so --start both, always takes.",
        ),
    ] = MethodChoice.sequential,
    tolerance: Annotated[
        float,
        typer.Option(parser=options.decimal, metavar="NUMBER", help="Relative half width of the interval to reach."),
    ] = 0.05,
    max_runs: Annotated[
        int,
        typer.Option(parser=options.integer_to(100_000), metavar="INTEGER", help="Runs at which to stop all the same."),
    ] = 60,
    store: options.StoreFolder = options.DEFAULT_STORE,
    workers: options.Workers = 0,
    executor: options.Executor = options.ExecutorChoice.local,
    address: options.Address = None,
    as_json: options.Json = False,
) -> None:
    """The size at which test accuracy at the horizon, averaged over seeds, crosses one half.

    Sizes are chosen round by round. That there is no transition by the horizon is an answer too: it comes with the
    horizon and the sizes tried.
    """
    from dcrit.empirics.experiments.transitions import advance_together
    from dcrit.empirics.measures.critical_size import CriticalSizeDesign, measure_critical_size, transition_width
    from dcrit.empirics.measures.sequential import (
        SequentialDesign,
        full_runs,
        measure_sequentially,
        sequential_transition_width,
    )
    from dcrit.empirics.measures.ungrokking import (
        UngrokkingDesign,
        measure_hysteresis,
        measure_ungrokking_size,
        ungrokking_outcome,
        ungrokking_runs,
        with_horizon,
    )

    problem = options.problem_from(task, modulus, model, activation, width, depth, weight_decay, learning_rate)
    machine = options.machine_from(workers, executor, address)
    with options.bad_input():
        options.check_trainable(problem)
        from_scratch = CriticalSizeDesign(problem=problem, tolerance=tolerance, max_runs=max_runs)
        from_above = UngrokkingDesign(problem=problem, tolerance=tolerance, max_runs=max_runs)
        few = SequentialDesign(problem=problem, tolerance=tolerance, budget=float(max_runs))
    if start is StartChoice.scratch and method is MethodChoice.sequential:
        with laboratory(store, machine) as bench:
            outcomes = advance_together([few], bench.runs)[0]
        full = full_runs(outcomes)
        found = with_horizon(measure_sequentially(outcomes, tolerance=tolerance), full)
        show(
            problem,
            found,
            as_document=as_json,
            start=start.value,
            method=method.value,
            transition_width=sequential_transition_width(outcomes),
            horizon=few.horizon,
            sizes=sorted({outcome.config.n_train for outcome in full}),
        )
        return
    scratch: list[Outcome] = []
    shrunk: list[Run] = []
    with laboratory(store, machine) as bench:
        if start is not StartChoice.generalized:
            scratch = advance_together([from_scratch], bench.runs)[0]
        if start is not StartChoice.scratch:
            shrunk = ungrokking_runs(from_above, bench.runs)
    generalized = [ungrokking_outcome(one) for one in shrunk]
    found = with_horizon(measure_critical_size(scratch), scratch) if scratch else measure_ungrokking_size(shrunk)
    more: dict[str, Estimate] = {}
    if start is StartChoice.both:
        more = {
            "ungrokking": measure_ungrokking_size(shrunk),
            "hysteresis": measure_hysteresis(scratch, generalized),
        }
    outcomes = scratch or generalized
    show(
        problem,
        found,
        as_document=as_json,
        others=more,
        start=start.value,
        method=MethodChoice.rounds.value,
        transition_width=transition_width(outcomes),
        horizon=outcomes[0].config.horizon,
        sizes=sorted({outcome.config.n_train for outcome in outcomes}),
    )
