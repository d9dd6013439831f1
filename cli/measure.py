"""``dcrit measure``: real runs turned into an estimate with an interval."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dcrit.cli import instruments, options
from dcrit.cli.homogeneity import homogeneity
from dcrit.cli.output import number, print_json, say, span, table
from dcrit.cli.training import training

if TYPE_CHECKING:
    from dcrit.empirics.outcomes import Outcome
    from dcrit.empirics.runs import Run
    from dcrit.theory.estimates import Measurement
    from dcrit.theory.problem import Problem

app = typer.Typer(help="Train real networks and turn the runs into an estimate with an interval.", no_args_is_help=True)
app.command("homogeneity")(homogeneity)
app.command("circuits")(instruments.circuits)
app.command("effective-dimension")(instruments.effective_dimension)


class StartChoice(StrEnum):
    """Where training starts when a critical size is measured."""

    scratch = "scratch"
    generalized = "generalized"
    both = "both"


class MethodChoice(StrEnum):
    """How runs from scratch are chosen and what they are fitted by."""

    sequential = "sequential"
    rounds = "rounds"


def _show(
    problem: Problem,
    measurement: Measurement,
    *,
    as_document: bool,
    others: Mapping[str, Measurement] | None = None,
    **more: object,
) -> None:
    """Print a measurement, others that belong to it by the names of their keys, and single values."""
    others = others or {}
    if as_document:
        from dcrit.theory.estimates import as_json

        nested = {name: as_json(other) for name, other in others.items()}
        print_json({"problem": problem.to_dict(), **as_json(measurement), **nested, **more})
        return
    table(
        options.title_of(problem),
        ["quantity", "estimate", "90% interval", "unit", "runs", "not converged", "note"],
        [
            (
                one.quantity,
                one.estimate,
                span(*(None, None) if one.interval is None else (one.interval.low, one.interval.high)),
                one.unit,
                one.n_runs,
                one.n_unconverged,
                one.reason,
            )
            for one in (measurement, *others.values())
        ],
    )
    for name, value in more.items():
        say(f"{name}: {', '.join(map(number, value)) if isinstance(value, list) else number(value)}")


def _row(outcome: Outcome) -> dict[str, str | int | float | bool]:
    return {
        "task": outcome.config.problem.task,
        "n_train": outcome.config.n_train,
        "seed": outcome.config.seed,
        "train_accuracy": outcome.train_accuracy,
        "margin": outcome.margin,
        "squared_norm": outcome.squared_norm,
        "efficiency": outcome.efficiency,
        "converged": outcome.converged,
    }


@app.command("critical-size")
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
    from dcrit.empirics.critical_size import CriticalSizeDesign, measure_critical_size, transition_width
    from dcrit.empirics.experiments.transitions import advance_together
    from dcrit.empirics.sequential import (
        SequentialDesign,
        full_runs,
        measure_sequentially,
        sequential_transition_width,
    )
    from dcrit.empirics.ungrokking import (
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
        with training(store, machine) as run:
            outcomes = advance_together([few], run)[0]
        full = full_runs(outcomes)
        found = with_horizon(measure_sequentially(outcomes, tolerance=tolerance), full)
        _show(
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
    with training(store, machine) as run:
        if start is not StartChoice.generalized:
            scratch = advance_together([from_scratch], run)[0]
        if start is not StartChoice.scratch:
            shrunk = ungrokking_runs(from_above, run)
    generalized = [ungrokking_outcome(one) for one in shrunk]
    found = with_horizon(measure_critical_size(scratch), scratch) if scratch else measure_ungrokking_size(shrunk)
    more: dict[str, Measurement] = {}
    if start is StartChoice.both:
        more = {
            "ungrokking": measure_ungrokking_size(shrunk),
            "hysteresis": measure_hysteresis(scratch, generalized),
        }
    outcomes = scratch or generalized
    _show(
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


@app.command("capacity")
def capacity(
    task: options.Task = "random",
    modulus: options.Modulus = 23,
    model: options.Model = options.ModelChoice.mlp,
    activation: options.Activation = options.ActivationChoice.square,
    width: options.Width = 4,
    depth: options.Depth = 1,
    weight_decay: options.WeightDecay = 1.0,
    learning_rate: options.LearningRate = 1e-2,
    seeds: options.Seeds = 3,
    store: options.StoreFolder = options.DEFAULT_STORE,
    workers: options.Workers = 0,
    executor: options.Executor = options.ExecutorChoice.local,
    address: options.Address = None,
    as_json: options.Json = False,
) -> None:
    """The largest number of random-label examples that the model memorizes, in examples and bits per parameter.

    Labels are random, and as frequent as those of the task.
    The width must be small enough that all pairs overload the model.
    """
    from dcrit.empirics.capacity import CapacityDesign, measure_capacity
    from dcrit.empirics.norms import in_bits
    from dcrit.empirics.outcomes import outcome_of

    problem = options.problem_from(task, modulus, model, activation, width, depth, weight_decay, learning_rate)
    machine = options.machine_from(workers, executor, address)
    with options.bad_input():
        options.check_trainable(problem)
        design = CapacityDesign(problem=problem, seeds=seeds)
    with training(store, machine) as run:
        measurement = measure_capacity([outcome_of(one) for one in run(design.configs(), stage="capacity")])
    bits = in_bits(measurement, problem)
    _show(problem, measurement, as_document=as_json, others={"in_bits": bits}, bits_per_parameter=bits.estimate)


@app.command("efficiency")
def efficiency(
    task: options.Task = "add",
    modulus: options.Modulus = 23,
    model: options.Model = options.ModelChoice.mlp,
    activation: options.Activation = options.ActivationChoice.square,
    width: options.Width = 64,
    depth: options.Depth = 1,
    weight_decay: options.WeightDecay = 1.0,
    learning_rate: options.LearningRate = 1e-2,
    seeds: options.Seeds = 3,
    store: options.StoreFolder = options.DEFAULT_STORE,
    workers: options.Workers = 0,
    executor: options.Executor = options.ExecutorChoice.local,
    address: options.Address = None,
    as_json: options.Json = False,
) -> None:
    """The efficiency of generalizing, the law of memorizing, and the critical size they imply, in three norms.

    The norms are l2, l2,kappa (which is l2 for relu) and linf. No run near the transition is made: only random labels,
    and the real task well above it.
    """
    from dcrit.empirics.efficiency import (
        EfficiencyDesign,
        fit_competition,
        implied_critical_size,
        measure_generalizing_efficiency,
    )
    from dcrit.empirics.norms import outcome_in_norm, recorded_norms
    from dcrit.empirics.outcomes import outcome_of
    from dcrit.theory.estimates import as_json as estimate_json

    problem = options.problem_from(task, modulus, model, activation, width, depth, weight_decay, learning_rate)
    machine = options.machine_from(workers, executor, address)
    with options.bad_input():
        options.check_trainable(problem)
        design = EfficiencyDesign(problem=problem, seeds=seeds)
    memory, general = design.memorizing(), design.generalizing()
    with training(store, machine) as run:
        runs = run([*memory, *general], stage="efficiencies")
    outcomes = [outcome_of(one) for one in runs]
    fit = fit_competition(problem, outcomes[: len(memory)], outcomes[len(memory) :])
    measurement = measure_generalizing_efficiency(fit)
    implied = implied_critical_size(fit)
    law = None if isinstance(fit, str) else fit.competition
    norms = {}
    for norm in recorded_norms(problem):
        same = [outcome_in_norm(one, norm) for one in runs]
        found = fit_competition(problem, same[: len(memory)], same[len(memory) :])
        norms[norm] = {
            **estimate_json(measure_generalizing_efficiency(found)),
            "memorizing_amplitude": None if isinstance(found, str) else found.competition.memorizing.amplitude,
            "memorizing_exponent": None if isinstance(found, str) else found.competition.memorizing.exponent,
            "mixing": None if isinstance(found, str) else found.competition.mixing,
            "implied_critical_size": estimate_json(implied_critical_size(found)),
        }
    if as_json:
        _show(
            problem,
            measurement,
            as_document=True,
            memorizing_amplitude=None if law is None else law.memorizing.amplitude,
            memorizing_exponent=None if law is None else law.memorizing.exponent,
            mixing=None if law is None else law.mixing,
            implied_critical_size=estimate_json(implied),
            norms=norms,
            runs=[_row(outcome) for outcome in outcomes],
        )
        return
    _show(problem, measurement, as_document=False)
    table(
        "the same runs in other norms",
        ["norm", "e_gen", "90% interval", "β of e_mem", "mixing b", "implied D_crit", "90% interval", "note"],
        [
            (
                norm,
                row["estimate"],
                span(*(row["interval"] or (None, None))),
                row["memorizing_exponent"],
                row["mixing"],
                row["implied_critical_size"]["value"],
                span(*(row["implied_critical_size"]["interval"] or (None, None))),
                row["reason"] if row["estimate"] is None else row["implied_critical_size"]["reason"],
            )
            for norm, row in norms.items()
        ],
    )
    table(
        "runs",
        ["labels", "n_train", "seed", "train accuracy", "margin γ", "squared norm Q", "efficiency", "converged"],
        [tuple(_row(outcome).values()) for outcome in outcomes],
    )
    if law is not None:
        say(
            f"e_mem(D) = {law.memorizing.amplitude:.3g}·D^-{law.memorizing.exponent:.3f}, mixing b = {law.mixing:.2f}; "
            f"implied critical size {implied.value or implied.reason}"
        )
