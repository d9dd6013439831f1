"""``dcrit study``: the critical size of anybody's own network, predicted and measured."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.names import name_of
from dcrit.cli.terminal.output import print_json, remark, say, span_of, table
from dcrit.cli.terminal.pictures import Out, check_out, draw, say_where
from dcrit.cli.terminal.session import session
from dcrit.cli.train import DeviceChoice


class OptimizerChoice(StrEnum):
    """Optimizers of a study."""

    adamw = "adamw"
    sgd = "sgd"


def _number(text: str, *names: str) -> object:
    """An option that takes a number."""
    return typer.Option(*names, parser=options.decimal, metavar="NUMBER", help=text)


def _integer(text: str, *names: str) -> object:
    """An option that takes an integer."""
    return typer.Option(*names, parser=options.integer, metavar="INTEGER", help=text)


def study(
    file: Annotated[
        Path,
        typer.Argument(
            help="Python file that defines factory, a function of a seed that returns a new torch module; inputs, all "
            "examples; and labels, their classes. It is run."
        ),
    ],
    learning_rate: Annotated[float, _number("η, step size.")] = 0.01,
    weight_decay: Annotated[float, _number("λ, weight decay; 0 for none, which is measured and not predicted.")] = 1.0,
    optimizer: Annotated[
        OptimizerChoice, options.one_of(OptimizerChoice, "AdamW, or gradient descent without momentum.")
    ] = OptimizerChoice.adamw,
    batch_size: Annotated[int, _integer("Examples a step; 0 for all.")] = 0,
    steps: options.Steps = 0,
    seeds: options.Seeds = 2,
    first_seed: Annotated[
        int, _integer("First seed; the others count up from it. Another one makes fresh runs.", "--seed")
    ] = 0,
    tolerance: Annotated[float, _number("Relative half width of the interval to reach.")] = 0.1,
    max_runs: Annotated[int, _integer("Full runs across the transition at most.")] = 12,
    budget_minutes: Annotated[
        float, _number("What the study may take at most, in minutes; one that would take longer is refused.")
    ] = 15.0,
    ceiling: Annotated[float, _number("Best possible test accuracy, as where labels are noisy.")] = 1.0,
    device: Annotated[
        DeviceChoice,
        options.one_of(DeviceChoice, "Where to train; auto takes the GPU where there is one.", panel="Machine"),
    ] = DeviceChoice.auto,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """The critical size of your own network on your own data: predicted first, then measured.

    The file is Python that you wrote, and it is run. 'dcrit.study' in Python takes the same three, and more choices.
    """
    from dcrit.api.own import model_and_data
    from dcrit.api.own import study as study_of

    with session():
        check_out(out)
        found = study_of(
            *model_and_data(file),
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            optimizer=optimizer.value,
            batch_size=batch_size,
            steps=steps,
            seeds=seeds,
            first_seed=first_seed,
            tolerance=tolerance,
            max_runs=max_runs,
            budget_minutes=budget_minutes,
            ceiling=ceiling,
            device=device.value,
        )
        draw(found, out)
    if as_json:
        print_json(found.to_dict())
        return
    result = found.result
    say(found.headline)
    say(result.comparison)
    table(
        f"{file.name}: {result.n_params} parameters, {result.n_examples} examples",
        ["quantity", "value", f"{result.design.level:.0%} interval", "runs", "not converged", "note"],
        [
            [name_of(one.quantity), one.value, span_of(one), one.n_runs, one.n_unconverged or None, one.reason]
            for one in result.estimates()
        ],
    )
    remark(f"One half is test accuracy {result.half_accuracy:.3g}, between chance and the ceiling.")
    say_where(out)
