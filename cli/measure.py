"""``dcrit measure``: real runs turned into an estimate with an interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dcrit.cli import options
from dcrit.cli.homogeneity import homogeneity
from dcrit.cli.output import print_json, say, span, table
from dcrit.cli.training import training

if TYPE_CHECKING:
    from dcrit.empirics.outcomes import Outcome
    from dcrit.theory.estimates import Measurement
    from dcrit.theory.problem import Problem

app = typer.Typer(help="Train real networks and turn the runs into an estimate with an interval.", no_args_is_help=True)
app.command("homogeneity")(homogeneity)


def _show(problem: Problem, measurement: Measurement, *, as_document: bool, **more: object) -> None:
    if as_document:
        from dcrit.theory.estimates import as_json

        print_json({"problem": problem.to_dict(), **as_json(measurement), **more})
        return
    interval = measurement.interval
    ends = (None, None) if interval is None else (interval.low, interval.high)
    table(
        options.title_of(problem),
        ["quantity", "estimate", "90% interval", "unit", "runs", "not converged", "note"],
        [
            (
                measurement.quantity,
                measurement.estimate,
                span(*ends),
                measurement.unit,
                measurement.n_runs,
                measurement.n_unconverged,
                measurement.reason,
            )
        ],
    )
    for name, value in more.items():
        say(f"{name}: {value}")


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
    tolerance: Annotated[
        float,
        typer.Option(parser=options.decimal, metavar="NUMBER", help="Relative half width of the interval to reach."),
    ] = 0.05,
    max_runs: Annotated[
        int, typer.Option(parser=options.integer, metavar="INTEGER", help="Runs at which to stop all the same.")
    ] = 60,
    store: options.StoreFolder = options.DEFAULT_STORE,
    workers: options.Workers = 0,
    as_json: options.Json = False,
) -> None:
    """The size at which final test accuracy, averaged over seeds, crosses one half.

    Sizes are chosen round by round; the interval is a bootstrap over runs.
    """
    from dcrit.empirics.critical_size import CriticalSizeDesign, measure_critical_size, transition_width
    from dcrit.empirics.suites import measure_transitions

    problem = options.problem_from(task, modulus, model, activation, width, depth, weight_decay, learning_rate)
    with options.bad_input():
        design = CriticalSizeDesign(problem=problem, tolerance=tolerance, max_runs=max_runs)
    with training(store, workers) as run:
        outcomes = measure_transitions([design], run)[0]
    _show(problem, measure_critical_size(outcomes), as_document=as_json, transition_width=transition_width(outcomes))


@app.command("capacity")
def capacity(
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
    as_json: options.Json = False,
) -> None:
    """The largest number of random-label examples that the model memorizes, in examples and bits per parameter.

    The width must be small enough that all pairs overload the model.
    """
    from dcrit.empirics.capacity import CapacityDesign, measure_capacity
    from dcrit.empirics.outcomes import outcome_of
    from dcrit.theory.laws import bits_per_parameter

    problem = options.problem_from("random", modulus, model, activation, width, depth, weight_decay, learning_rate)
    with options.bad_input():
        design = CapacityDesign(problem=problem, seeds=seeds)
    with training(store, workers) as run:
        measurement = measure_capacity([outcome_of(one) for one in run(design.configs(), stage="capacity")])
    bits = (
        None
        if measurement.estimate is None
        else float(bits_per_parameter(measurement.estimate, problem.n_params, problem.n_classes))
    )
    _show(problem, measurement, as_document=as_json, bits_per_parameter=bits)


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
    as_json: options.Json = False,
) -> None:
    """The efficiency of generalizing, the law of memorizing, and the critical size they imply.

    No run near the transition is made: only random labels, and the real task well above it.
    """
    from dcrit.empirics.efficiency import (
        EfficiencyDesign,
        fit_competition,
        measure_generalizing_efficiency,
    )
    from dcrit.empirics.outcomes import outcome_of
    from dcrit.empirics.suites import implied_critical_size
    from dcrit.theory.estimates import as_json as estimate_json

    problem = options.problem_from(task, modulus, model, activation, width, depth, weight_decay, learning_rate)
    with options.bad_input():
        design = EfficiencyDesign(problem=problem, seeds=seeds)
    memory, general = design.memorizing(), design.generalizing()
    with training(store, workers) as run:
        outcomes = [outcome_of(one) for one in run([*memory, *general], stage="efficiencies")]
    fit = fit_competition(problem, outcomes[: len(memory)], outcomes[len(memory) :])
    measurement = measure_generalizing_efficiency(fit)
    implied = implied_critical_size(fit)
    law = None if isinstance(fit, str) else fit.competition
    if as_json:
        _show(
            problem,
            measurement,
            as_document=True,
            memorizing_amplitude=None if law is None else law.memorizing.amplitude,
            memorizing_exponent=None if law is None else law.memorizing.exponent,
            mixing=None if law is None else law.mixing,
            implied_critical_size=estimate_json(implied),
            runs=[_row(outcome) for outcome in outcomes],
        )
        return
    _show(problem, measurement, as_document=False)
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
