"""``dcrit measure capacity``: how many random labels a model memorizes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from dcrit.cli.measure.shown import show
from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import print_json
from dcrit.cli.terminal.session import session
from dcrit.theory.problems.problem import Problem


@options.grouped
def capacity(
    *,
    problem: Annotated[Problem, options.Group(make=options.problem_from, defaults={"task": "random", "width": 4})],
    seeds: options.Seeds = 3,
    store: options.StoreFolder = options.DEFAULT_STORE,
    machine: options.MachineOptions,
    as_json: options.Json = False,
) -> None:
    """The largest number of random-label examples that the model memorizes, in examples and bits per parameter.

    Labels are random, and as frequent as those of the task.
    The width must be small enough that all pairs overload the model.
    """
    from dcrit.api.measurements import capacity as measure

    with session(machine):
        found = measure(problem, seeds=seeds, store=store, **asdict(machine))
    if as_json:
        print_json(found.to_dict())
    else:
        show(problem, found.estimates)
