"""``dcrit train``: real runs of one problem, over sizes and seeds."""

from __future__ import annotations

from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.following import then_diagram
from dcrit.cli.terminal.output import print_json, say, table
from dcrit.cli.terminal.pictures import Out, check_out, draw, say_where
from dcrit.cli.terminal.session import session
from dcrit.theory.problems.problem import Problem, full_label


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
    n_train: options.Sizes,
    problem: Annotated[Problem, options.Group(make=options.problem_from, without=("width",))],
    width: options.Widths = None,
    seeds: options.Seeds = 3,
    seed: options.Seed = 0,
    steps: options.Steps = 0,
    precision: Annotated[
        PrecisionChoice,
        options.one_of(PrecisionChoice, "Floating-point type of weights and gradients."),
    ] = PrecisionChoice.float32,
    device: Annotated[
        DeviceChoice,
        options.one_of(DeviceChoice, "Where to train; auto takes the GPU where there is one.", panel="Machine"),
    ] = DeviceChoice.auto,
    store: options.StoreFolder = options.DEFAULT_STORE,
    tensorboard: Annotated[
        Path | None,
        typer.Option(help="Folder in which the curves of these runs are logged for TensorBoard when all are finished."),
    ] = None,
    machine: options.MachineOptions,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """Train a problem at every given size and width with every seed; what the store holds is not trained again.

    Several widths and sizes make a plane, which 'dcrit predict phase-diagram --store' lays over the theory. Several
    widths at one size are what 'dcrit predict double-descent --store' lays over the theory.

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
        check_out(out)
        found = train_runs(
            replace(problem, width=width[0]) if width else problem,
            n_train,
            widths=width or None,
            seeds=seeds,
            seed=seed,
            steps=steps,
            precision=precision.value,
            store=store,
            tensorboard=tensorboard,
            **asdict(replace(machine, device=device.value)),
        )
        draw(found, out)
    if as_json:
        print_json(found.to_dict())
        return
    columns = {
        "width": "width",
        "n_train": "D",
        "seed": "seed",
        "dynamics": "dynamics",
        "train_accuracy": "train",
        "test_accuracy": "test",
        "generalized_at": f"test ≥ {GENERALIZED:g} at",
        "ending": "ending",
        "converged": "converged",
    }
    shown = [name for name in columns if name != "width" or len(found.widths) > 1]
    say(found.headline)
    table(
        full_label(problem, width=False) if len(found.widths) > 1 else full_label(found.problem),
        [columns[name] for name in shown],
        [[result[name] for name in shown] for result in found.summaries],
    )
    say_where(out)
    then_diagram(found.problem, steps or None, store, n_widths=len(found.widths), sizes=n_train)
