"""``dcrit train``: real runs of one problem, over sizes and seeds."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import print_json, table
from dcrit.cli.terminal.session import laboratory
from dcrit.theory.problems.problem import label


class PrecisionChoice(StrEnum):
    """Floating-point types."""

    float32 = "float32"
    float64 = "float64"


class DeviceChoice(StrEnum):
    """Where to train."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


@options.grouped
def train(
    *,
    n_train: Annotated[
        list[int],
        typer.Option(parser=options.integer, metavar="INTEGER", help="Training-set size; may be given several times."),
    ],
    problem: options.ProblemOptions,
    seeds: options.Seeds = 3,
    steps: Annotated[
        int, typer.Option(parser=options.integer, metavar="INTEGER", help="Horizon; 0 for the protocol's 40/(ηλ).")
    ] = 0,
    precision: Annotated[
        PrecisionChoice,
        options.one_of(PrecisionChoice, "Floating-point type."),
    ] = PrecisionChoice.float32,
    device: Annotated[
        DeviceChoice,
        options.one_of(DeviceChoice, "Where to train."),
    ] = DeviceChoice.auto,
    store: options.StoreFolder = options.DEFAULT_STORE,
    tensorboard: Annotated[
        Path | None,
        typer.Option(help="Folder in which the curves of these runs are logged for TensorBoard when all are finished."),
    ] = None,
    machine: options.MachineOptions,
    as_json: options.Json = False,
) -> None:
    """Train one problem at every given size with every seed; what the store holds is not run again.

    With --json also what a step took: seconds_per_step, on one core and for one model; model_steps_per_second, its
    inverse; flops_per_step, counted in products of matrices; peak_memory_bytes, of the largest process of this
    command or the GPU, null on a cluster.

    The dynamics are "unsettled" where the efficiency still moves at the horizon (converged is false): accuracies may
    then still change. They are null where a run diverged or has no unseen pairs.
    """
    from dcrit.empirics.runs.outcomes import summary_of
    from dcrit.empirics.runs.single import RunConfig
    from dcrit.empirics.training.cost import peak_memory_bytes
    from dcrit.theory.checks import check_integer
    from dcrit.theory.circuits.regimes import FITTED, GENERALIZED

    machine = replace(machine, device=device.value)
    with options.bad_input():
        check_integer("seeds", seeds, 1)
        configs = [
            RunConfig(problem=problem, n_train=size, seed=seed, steps=steps, precision=precision.value)
            for size in n_train
            for seed in range(seeds)
        ]
        if tensorboard is not None:
            from dcrit.empirics.store.tensorboard import check_tensorboard

            check_tensorboard(tensorboard)
    results, seconds = [], 0.0
    with laboratory(store, machine) as bench:
        for one in bench.runs(configs, stage="training"):
            if tensorboard is not None:
                from dcrit.empirics.store.tensorboard import log_curves

                with options.bad_input():
                    log_curves([one], tensorboard)
            seconds += one.seconds
            results.append(summary_of(one))
    if as_json:
        steps_taken = sum(result["steps"] for result in results)
        operations = sum(result["steps"] * problem.step_flops(result["n_train"]) for result in results)
        print_json(
            {
                "problem": problem.to_dict(),
                "memorized_accuracy": FITTED,
                "generalized_accuracy": GENERALIZED,
                "runs": results,
                "seconds_per_step": seconds / steps_taken if steps_taken else None,
                "model_steps_per_second": steps_taken / seconds if seconds else None,
                "flops_per_step": operations / steps_taken if steps_taken else None,
                # Of what nodes of a cluster held nothing is known here.
                "peak_memory_bytes": peak_memory_bytes() if machine.executor == "local" else None,
            }
        )
        return
    shown = ("n_train", "seed", "dynamics", "train_accuracy", "test_accuracy", "generalized_at", "ending", "converged")
    table(
        label(problem),
        ["D", "seed", "dynamics", "train", "test", f"test ≥ {GENERALIZED:g} at", "ending", "converged"],
        [[result[name] for name in shown] for result in results],
    )
