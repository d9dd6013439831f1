"""``dcrit train``: real runs of one problem, over sizes and seeds."""

from __future__ import annotations

from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.following import then_diagram
from dcrit.cli.terminal.output import print_json, say, table
from dcrit.cli.terminal.pictures import Out, check_out, draw, say_where
from dcrit.cli.terminal.session import session
from dcrit.theory.problems.problem import Problem, full_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


#: Runs that are named where they did not converge.
MOST_NAMED = 6


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
    }
    # A column that says the same of every run is a sentence.
    alike = {"width": len(found.widths) == 1, "ending": all(one["ending"] == "horizon" for one in found.summaries)}
    shown = [name for name in columns if not alike.get(name)]
    say(found.headline)
    table(
        full_label(problem, width=False) if len(found.widths) > 1 else full_label(found.problem),
        [columns[name] for name in shown],
        [[result[name] for name in shown] for result in found.summaries],
    )
    say(_settled(found.summaries, several_widths=not alike["width"]))
    say_where(out)
    then_diagram(found.problem, steps or None, store, n_widths=len(found.widths), sizes=n_train)


def _settled(summaries: Sequence[Mapping[str, Any]], *, several_widths: bool) -> str:
    """Whether runs took all their steps and converged, and which did not converge."""
    ended = [one for one in summaries if one["ending"] == "horizon"]
    moving = [one for one in ended if not one["converged"]]
    if not ended:
        return "No run took all its steps."
    who = f"{len(ended)} of {len(summaries)} runs"
    if len(ended) == len(summaries):
        who = "The run" if len(ended) == 1 else f"All {len(ended)} runs"
    whose = "its" if len(ended) == 1 else "their"
    took = f"{who} took all {whose} steps"
    if not moving:
        return f"{took} and converged."
    if len(moving) == len(ended):
        return f"{took} and did not converge: accuracies may still change."
    widths = [f"width {one['width']}, " if several_widths else "" for one in moving]
    named = [f"{width}D = {one['n_train']}, seed {one['seed']}" for width, one in zip(widths, moving, strict=True)]
    more = f"; and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    did_not = f"{len(moving)} did not converge, whose accuracies may still change"
    return f"{took}; {did_not}: {'; '.join(named[:MOST_NAMED])}{more}."
