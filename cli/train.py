"""``dcrit train``: real runs of one problem, over sizes and seeds."""

from __future__ import annotations

from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import print_json, table
from dcrit.cli.terminal.session import session
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
    steps: options.Steps = 0,
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

    The dynamics are named as 'dcrit classify' names them: a run that never generalized shows memorization, and
    ungrokking is losing what was had. They are "unsettled" where the efficiency still moves at the horizon (converged
    is false): accuracies may then still change. They are null where a run diverged or has no unseen pairs.
    """
    from dcrit.api.training import train as train_runs
    from dcrit.theory.circuits.regimes import GENERALIZED

    with session(machine):
        found = train_runs(
            problem,
            n_train,
            seeds=seeds,
            steps=steps,
            precision=precision.value,
            store=store,
            tensorboard=tensorboard,
            **asdict(replace(machine, device=device.value)),
        )
    if as_json:
        print_json(found.to_dict())
        return
    shown = ("n_train", "seed", "dynamics", "train_accuracy", "test_accuracy", "generalized_at", "ending", "converged")
    table(
        label(problem),
        ["D", "seed", "dynamics", "train", "test", f"test ≥ {GENERALIZED:g} at", "ending", "converged"],
        [[result[name] for name in shown] for result in found.summaries],
    )
