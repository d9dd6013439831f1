"""``dcrit study``: the critical size of anybody's own network, predicted and measured."""

from __future__ import annotations

import contextlib
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.following import command_of
from dcrit.cli.terminal.given import given
from dcrit.cli.terminal.names import name_of
from dcrit.cli.terminal.output import print_json, remark, say, span_of, table, then
from dcrit.cli.terminal.pictures import Out, check_out, draw, say_where
from dcrit.cli.terminal.session import session
from dcrit.cli.train import DeviceChoice, PrecisionChoice

if TYPE_CHECKING:
    from dcrit.theory.estimates import Estimate

_TRAINING, _RUNS = "How networks are trained", "Which runs are made"

#: Options that a study repeats, and that are those of a problem elsewhere.
RECIPE = ("learning_rate", "weight_decay", "beta2", "epsilon", "steps")


class OptimizerChoice(StrEnum):
    """Optimizers of a study."""

    adamw = "adamw"
    sgd = "sgd"


class LossChoice(StrEnum):
    """Losses of a study."""

    cross_entropy = "cross-entropy"
    mean_squared_error = "mean-squared-error"


class LabelsChoice(StrEnum):
    """Random labels of a study."""

    uniform = "uniform"
    permuted = "permuted"


def _sizes(text: str) -> Any:
    """An option that takes training-set sizes."""
    return options.integers_of(f"{text} Default: chosen.", panel=_RUNS)


@options.grouped
def study(
    *,
    file: Annotated[
        Path,
        typer.Argument(
            help="Python file that defines factory, a function of a seed that returns a new torch module; inputs, all "
            "examples; and labels, their classes. It is run."
        ),
    ],
    learning_rate: Annotated[float, options.number_of("η, step size.", panel=_TRAINING)] = 0.01,
    weight_decay: Annotated[
        float, options.number_of("λ, weight decay; 0 for none, which is measured and not predicted.", panel=_TRAINING)
    ] = 1.0,
    optimizer: Annotated[
        OptimizerChoice, options.one_of(OptimizerChoice, "AdamW, or gradient descent.", panel=_TRAINING)
    ] = OptimizerChoice.adamw,
    beta2: Annotated[float, options.number_of("β₂ of AdamW.", panel=_TRAINING)] = 0.98,
    epsilon: Annotated[float, options.number_of("ε of AdamW.", panel=_TRAINING)] = 1e-8,
    momentum: Annotated[float, options.number_of("Of gradient descent.", panel=_TRAINING)] = 0.0,
    warm_up: Annotated[int, options.integer_of("Steps in which the learning rate rises from 0.", panel=_TRAINING)] = 0,
    batch_size: Annotated[int, options.integer_of("Examples a step; 0 for all.", panel=_TRAINING)] = 0,
    loss: Annotated[
        LossChoice, options.one_of(LossChoice, "What is made small.", panel=_TRAINING)
    ] = LossChoice.cross_entropy,
    loss_precision: Annotated[
        PrecisionChoice,
        options.one_of(PrecisionChoice, "Of the loss; float32 for studies of softmax collapse.", panel=_TRAINING),
    ] = PrecisionChoice.float64,
    label_noise: Annotated[
        float,
        options.number_of(
            "Part of the training labels that is replaced by another class. Not predicted.", panel=_TRAINING
        ),
    ] = 0.0,
    steps: options.Steps = 0,
    predict: Annotated[
        bool,
        typer.Option(
            help="Whether to train on random labels and to predict the size before it is measured.",
            rich_help_panel=_RUNS,
        ),
    ] = True,
    sizes: Annotated[list[int] | None, _sizes("Training-set sizes across the transition.")] = None,
    generalizing_sizes: Annotated[list[int] | None, _sizes("Sizes on real labels, well above the transition.")] = None,
    memorizing_sizes: Annotated[list[int] | None, _sizes("Sizes on random labels that fit.")] = None,
    overloading_sizes: Annotated[list[int] | None, _sizes("Sizes on random labels that do not all fit.")] = None,
    seeds: options.Seeds = 2,
    first_seed: Annotated[
        int,
        options.integer_of(
            "First seed; the others count up from it. Another one makes fresh runs.", "--seed", panel=_RUNS
        ),
    ] = 0,
    tolerance: Annotated[float, options.number_of("Relative half width of the interval to reach.", panel=_RUNS)] = 0.1,
    max_runs: Annotated[int, options.integer_of("Full runs across the transition at most.", panel=_RUNS)] = 12,
    budget_minutes: Annotated[
        float,
        options.number_of(
            "What the study may take at most, in minutes; one that would take longer is refused.", panel=_RUNS
        ),
    ] = 15.0,
    n_classes: Annotated[
        int | None, options.integer_of("C, classes; default: the largest label and one.", panel=_RUNS)
    ] = None,
    random_labels: Annotated[
        LabelsChoice,
        options.one_of(LabelsChoice, "Drawn evenly among all classes, or the real ones, shuffled.", panel=_RUNS),
    ] = LabelsChoice.uniform,
    homogeneity: Annotated[
        float | None, options.number_of("κ, where it is known. Default: measured.", panel=_RUNS)
    ] = None,
    ceiling: Annotated[
        float, options.number_of("Best possible test accuracy, as where labels are noisy.", panel=_RUNS)
    ] = 1.0,
    level: options.Level = 0.9,
    device: Annotated[
        DeviceChoice,
        options.one_of(DeviceChoice, "Where to train; auto takes the GPU where there is one.", panel="Machine"),
    ] = DeviceChoice.auto,
    store: options.StoreFolder = options.DEFAULT_STORE,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """The critical size of your own network on your own data: predicted first, then measured.

    The file is Python that you wrote, and it is run. 'dcrit.study' in Python takes the same three and the same choices.
    """
    from dcrit.api.own import model_and_data
    from dcrit.api.own import study as study_of

    more: dict[str, Any] = {} if n_classes is None else {"n_classes": n_classes}
    # What the file prints is not the answer of the command.
    with session(), contextlib.redirect_stdout(sys.stderr):
        check_out(out)
        found = study_of(
            *model_and_data(file),
            store=store,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            optimizer=optimizer.value,
            beta2=beta2,
            epsilon=epsilon,
            momentum=momentum,
            warm_up=warm_up,
            batch_size=batch_size,
            loss=loss.value,
            loss_precision=loss_precision.value,
            label_noise=label_noise,
            steps=steps,
            predict=predict,
            sizes=sizes or (),
            generalizing_sizes=generalizing_sizes or (),
            memorizing_sizes=memorizing_sizes or (),
            overloading_sizes=overloading_sizes or (),
            seeds=seeds,
            first_seed=first_seed,
            tolerance=tolerance,
            max_runs=max_runs,
            budget_minutes=budget_minutes,
            random_labels=random_labels.value,
            homogeneity=homogeneity,
            ceiling=ceiling,
            level=level,
            device=device.value,
            **more,
        )
        draw(found, out)
    if as_json:
        print_json(found.to_dict())
        return
    result = found.result
    say(found.headline)
    say(result.comparison)
    *details, predicted, measured = result.estimates()
    table(
        f"{file.name}: {result.n_params} parameters, {result.n_examples} examples",
        ["quantity", "value", f"{result.design.level:.0%} interval", "runs", "not converged", "note"],
        [
            [
                name_of(one.quantity),
                one.value,
                span_of(one),
                # A prediction has no runs of its own.
                None if one.quantity == "predicted_critical_size" else one.n_runs,
                one.n_unconverged or None,
                one.reason,
            ]
            for one in (predicted, measured, *details)
            # Others are missing for the reason that the sentence above gives.
            if one.value is not None or one.reason != result.why_no_laws
        ],
    )
    if result.n_found:
        remark(f"{result.n_found} of {len(result.runs)} runs were in {store} already.")
    say_where(out)
    # Those that no other next command repeats, as it may be about another problem.
    recipe = [word for name in RECIPE for word in given().words.get(name, ())]
    if out is None:
        then(command_of("study", str(file), recipe, "-o", "study.png"), "draw it; its runs are not made again")
    elif closer := _closer(measured, tolerance, max_runs, seeds=seeds if sizes else 0):
        command = command_of("study", str(file), recipe, closer, "-o", str(out))
        then(command, "measure it more closely; these runs are kept")


def _closer(measured: Estimate, tolerance: float, max_runs: int, *, seeds: int) -> list[str]:
    """Options with which the same study narrows the interval of what it measured; empty where none would.

    Args:
        measured: The critical size.
        tolerance: Relative half width that was asked for.
        max_runs: Runs that were allowed.
        seeds: At each size, where sizes were given and no others are chosen; else 0.
    """
    if not measured.value or measured.interval is None:
        return []
    if seeds:
        return ["--seeds", str(2 * seeds)]
    reached = (measured.interval.high - measured.interval.low) / (2 * measured.value)
    least = min(tolerance, reached) / 2
    return ["--tolerance", f"{least:.1g}", "--max-runs", str(2 * max_runs)] if least > 0 else []
