"""``dcrit measure capacity``: how many random labels a model memorizes."""

from __future__ import annotations

from typing import Annotated

from dcrit.cli.measure.shown import show
from dcrit.cli.terminal import options
from dcrit.cli.terminal.session import laboratory
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
    from dcrit.empirics.measures.capacity import CapacityDesign, in_bits, measure_capacity
    from dcrit.empirics.runs.outcomes import outcome_of

    with options.bad_input():
        options.check_trainable(problem)
        design = CapacityDesign(problem=problem, seeds=seeds)
    with laboratory(store, machine) as bench:
        measurement = measure_capacity([outcome_of(one) for one in bench.runs(design.configs(), stage="capacity")])
    bits = in_bits(measurement, problem)
    show(problem, measurement, as_document=as_json, others=[bits])
