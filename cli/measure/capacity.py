"""``dcrit measure capacity``: how many random labels a model memorizes."""

from __future__ import annotations

from dcrit.cli.measure.shown import show
from dcrit.cli.terminal import options
from dcrit.cli.terminal.session import laboratory


def capacity(
    task: options.Task = "random",
    modulus: options.Modulus = 23,
    model: options.Model = options.ModelChoice.mlp,
    activation: options.Activation = options.ActivationChoice.square,
    width: options.Width = 4,
    depth: options.Depth = 1,
    weight_decay: options.WeightDecay = 1.0,
    learning_rate: options.LearningRate = 1e-2,
    seeds: options.Seeds = 3,
    store: options.StoreFolder = options.DEFAULT_STORE,
    workers: options.Workers = 0,
    executor: options.Executor = options.ExecutorChoice.local,
    address: options.Address = None,
    as_json: options.Json = False,
) -> None:
    """The largest number of random-label examples that the model memorizes, in examples and bits per parameter.

    Labels are random, and as frequent as those of the task.
    The width must be small enough that all pairs overload the model.
    """
    from dcrit.empirics.measures.capacity import CapacityDesign, in_bits, measure_capacity
    from dcrit.empirics.runs.outcomes import outcome_of

    problem = options.problem_from(task, modulus, model, activation, width, depth, weight_decay, learning_rate)
    machine = options.machine_from(workers, executor, address)
    with options.bad_input():
        options.check_trainable(problem)
        design = CapacityDesign(problem=problem, seeds=seeds)
    with laboratory(store, machine) as bench:
        measurement = measure_capacity([outcome_of(one) for one in bench.runs(design.configs(), stage="capacity")])
    bits = in_bits(measurement, problem)
    show(problem, measurement, as_document=as_json, others=[bits])
