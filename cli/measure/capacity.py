"""``dcrit measure capacity``: how many random labels a model memorizes."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

from dcrit.cli.measure.shown import show
from dcrit.cli.terminal import options
from dcrit.cli.terminal.answered import show_several
from dcrit.cli.terminal.following import then_diagram
from dcrit.cli.terminal.output import print_json, say, span_of
from dcrit.cli.terminal.pictures import Out, check_out, draw, say_where
from dcrit.cli.terminal.session import session

if TYPE_CHECKING:
    from dcrit.api.answers import Finding

#: Width where none is given: small enough that all pairs overload the model.
NARROW = 4


@options.grouped
def capacity(
    *,
    problems: Annotated[
        options.SeveralAsked,
        options.Group(make=options.problems_from, without=("width",), defaults={"task": "random"}),
    ],
    width: Annotated[
        list[int] | None,
        options.integers_of(
            "H, hidden units of the pair-MLP, or d_model of the transformer, one or several; small enough that "
            f"all pairs overload the model. Default: {NARROW}.",
            "--width",
            "-w",
            panel="Problem",
        ),
    ] = None,
    seeds: options.Seeds = 3,
    seed: options.Seed = 0,
    store: options.StoreFolder = options.DEFAULT_STORE,
    machine: options.MachineOptions,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """The largest number of random-label examples that the model memorizes, in examples and bits per parameter.

    Labels are random, and as frequent as those of the task. The width must be small enough that all pairs overload the
    model. Several moduli or widths are answered in one table.
    """
    from dcrit.api.answers import Finding
    from dcrit.api.measurements import capacity as measure

    widths = width or [NARROW]
    lists = dict(problems.lists) | ({"widths": widths} if len(widths) > 1 else {})
    with session(machine):
        check_out(out)
        first = replace(problems.problem, width=widths[0])
        found = measure(first, **lists, seeds=seeds, seed=seed, store=store, **asdict(machine))
        draw(found, out)
    if as_json:
        print_json(found.to_dict())
        return
    if isinstance(found, Finding):
        say(found.headline)
        show(found.problem, found.estimates)
    else:
        show_several(found, ["N", "D_mem", "90% interval", "bits per parameter", "runs", "note"], _row)
    say_where(out)
    # Random labels have no critical size; the task that they stand for may.
    then_diagram(replace(first, task="add") if first.task == "random" else first, None, store)


def _row(found: Finding) -> list[object]:
    size, bits = found.estimates["capacity"], found.estimates["bits_per_parameter"]
    return [found.problem.n_params, size.value, span_of(size), bits.value, size.n_runs, size.reason]
