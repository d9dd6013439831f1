"""``dcrit measure homogeneity``: the degree of a model's logits in its parameters, from trained networks."""

from __future__ import annotations

import sys

from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import number, print_json, say, span, table
from dcrit.theory.problems.problem import label


def homogeneity(
    task: options.Task = "add",
    modulus: options.Modulus = 23,
    model: options.Model = options.ModelChoice.transformer,
    activation: options.Activation = options.ActivationChoice.relu,
    width: options.Width = 24,
    depth: options.Depth = 1,
    weight_decay: options.WeightDecay = 1.0,
    learning_rate: options.LearningRate = 3e-3,
    seeds: options.Seeds = 2,
    as_json: options.Json = False,
) -> None:
    """The power κ of the parameters' scale by which logits grow, on random labels and on the task.

    Exactly 2 or 3 for pair-MLPs; for transformers the constants of ``Problem.homogeneity`` come from here. Runs are
    trained to their horizon and not stored: what is measured is parameters, not curves.
    """
    from dcrit.empirics.instruments.homogeneity import HomogeneityDesign, measure_degrees, measure_homogeneity

    problem = options.problem_from(task, modulus, model, activation, width, depth, weight_decay, learning_rate)
    with options.bad_input():
        options.check_trainable(problem)
        design = HomogeneityDesign(problem=problem, seeds=seeds)
        n_runs = len(design.configs())
    found = measure_degrees(design, progress=lambda done: print(f"{done}/{n_runs} runs", file=sys.stderr))
    measurement = measure_homogeneity(found)
    rows = [
        {
            "task": one.config.problem.task,
            "n_train": one.config.n_train,
            "seed": one.config.seed,
            "train_accuracy": one.train_accuracy,
            "test_accuracy": one.test_accuracy,
            "homogeneity": one.homogeneity,
            "margin_slope": one.margin_slope,
        }
        for one in found
    ]
    if as_json:
        print_json({"problem": problem.to_dict(), measurement.quantity: measurement.to_dict(), "runs": rows})
        return
    table(
        label(problem),
        ["labels", "D", "seed", "train accuracy", "test accuracy", "κ", "d ln γ/d ln ‖θ‖"],
        [tuple(row.values()) for row in rows],
    )
    interval = measurement.interval
    ends = span(None, None) if interval is None else span(interval.low, interval.high)
    say(f"κ = {number(measurement.value)}, 90 % of networks within {ends} {measurement.reason}")
