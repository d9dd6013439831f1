"""``dcrit predict double-descent``: whether test accuracy dips as a model grows, where and how deep."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.answered import say_calibration, say_none_beside, say_outside
from dcrit.cli.terminal.calibrations import AskedOptions, WidthOptions
from dcrit.cli.terminal.following import (
    calibration_words,
    command_of,
    descent_command,
    diagram_command,
    horizon_words,
    list_of,
    problem_words,
    store_words,
)
from dcrit.cli.terminal.names import name_of
from dcrit.cli.terminal.output import print_json, row_of, say, table, then
from dcrit.cli.terminal.pictures import Out, check_out, save, say_where
from dcrit.cli.terminal.session import session
from dcrit.theory.problems.problem import full_label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dcrit.api.double_descent import LaidOver, SizeCurve

#: Seeds of each width of the runs that the next command makes.
SEEDS = 5


@options.grouped
def double_descent(
    *,
    n_train: options.NTrain,
    problem: options.AnyWidth,
    widths: WidthOptions,
    sharp_capacity: Annotated[
        bool, typer.Option("--sharp-capacity", help="Let memorizing stop at capacity, as the starting theory has it.")
    ] = False,
    asked: AskedOptions,
    store: options.OverTheory = None,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """A dip of test accuracy over model size at a fixed training set, or none: where, how deep, how sure.

    The first line says that there is a dip from probability 0.9 on, that one is more likely than not from 0.5 on, and
    below that that it is more likely not there. The width of the problem that --json prints plays no part. Test loss is
    not predicted.

    With --store also what your own runs of this problem reach, with this training-set size and this horizon: a row a
    width in the table, a point a seed in the picture, and their test loss beside it.
    """
    from dcrit.api.double_descent import double_descent as predict
    from dcrit.cli.terminal.over_width import OF_A_DIP

    with session():
        check_out(out)
        answer = predict(problem, n_train, **widths, sharp_capacity=sharp_capacity, **asked, store=store)
        if out is not None:
            save(answer.figure(), out)
    found = answer.found
    if as_json:
        print_json(answer.to_dict() | {"out": None if out is None else str(out)})
        return
    say(answer.headline)
    title = f"{full_label(problem, width=False)}, {n_train} examples, after {found.horizon} steps"
    rows = [row_of(name_of(name), value) for name, value in answer.estimates.items()]
    table(title, ["of the dip", "value", f"{asked['level']:.0%} interval", "note"], rows)
    say(
        f"{OF_A_DIP} Its place moves with the training-set size as "
        f"N ∝ D^{found.params_exponent:.2f}, width ∝ D^{found.width_exponent:.2f}."
    )
    if answer.runs is not None:
        _show_runs(answer.runs, str(store), found.horizon)
    say_calibration(problem, asked["calibration"])
    say_outside(answer.to_dict()["outside"])
    say_where(out)
    more = [*(["--sharp-capacity"] if sharp_capacity else []), *calibration_words(asked["calibration"])]
    _say_next(answer, asked["horizon"], store, more)


def _show_runs(laid: LaidOver, store: str, horizon: int) -> None:
    """What the runs of a folder reach at each width, beside what is predicted there."""
    # Help is to be instant, and this takes the theory.
    from dcrit.cli.terminal.over_width import say_over_width

    if not laid.measured:
        say_none_beside(store, laid.left_out)
        return
    say_over_width(laid, f"your runs in {store}: test accuracy after {horizon} steps, predicted and measured")
    say(f"Of {store}, {laid.told}.")
    say(laid.verdict)
    n = len(laid.measured)
    say(f"At {laid.n_inside} of {n} width{'s' * (n != 1)} the mean lies inside the interval of the prediction.")


def _say_next(answer: SizeCurve, horizon: int | None, store: Path | None, more: Sequence[str]) -> None:
    """Name the commands that make such runs and lay them over the curve; where there are some, the one of the plane.

    Args:
        answer: The curve.
        horizon: T, where it was asked for [steps].
        store: Folder of runs that was given.
        more: Other options that the curve was asked with.
    """
    problem, n_train = answer.problem, answer.found.n_train
    if answer.runs is not None and answer.runs.measured:
        assert store is not None
        then(diagram_command(problem, horizon, store), "see where these runs lie in the plane of both sizes")
        return
    from dcrit.api.costs import time_of
    from dcrit.empirics.runs.single import configs_of
    from dcrit.theory.predictions.phase_diagram import few_widths

    folder, some = store or options.DEFAULT_STORE, few_widths(answer.found.widths, problem.family.width_step)
    configs = [
        config
        for width in some
        for config in configs_of(replace(problem, width=width), n_train, range(SEEDS), steps=horizon or 0)
    ]
    words = [*problem_words(problem, without=["width"]), "-w", list_of(some), "-n", str(n_train), "-s", str(SEEDS)]
    then(
        command_of("train", words, horizon_words(horizon), store_words(folder)),
        f"train {len(configs)} such networks (about {time_of(configs)} on one idle core) and lay them over this curve",
        descent_command(problem, n_train, horizon, folder, more),
    )
