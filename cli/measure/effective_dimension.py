"""``dcrit measure effective-dimension``: how many directions of weight space the data determine."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from dcrit.cli.measure.circuits import display
from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import print_json, span_of, table
from dcrit.theory.problems.problem import label


class MatrixChoice(StrEnum):
    """Curvatures of the training loss."""

    gauss_newton = "gauss-newton"
    hessian = "hessian"


class MethodChoice(StrEnum):
    """How eigenvalues enter."""

    auto = "auto"
    exact = "exact"
    lanczos = "lanczos"


@options.grouped
def effective_dimension(
    *,
    n_train: options.NTrain,
    problem: options.ProblemOptions,
    alpha: Annotated[
        float,
        typer.Option(
            parser=options.decimal,
            metavar="NUMBER",
            help="α; 0 for ελ, the curvature of the penalty that weight decay amounts to in AdamW.",
        ),
    ] = 0.0,
    matrix: Annotated[
        MatrixChoice,
        options.one_of(MatrixChoice, "Curvature of the training loss."),
    ] = MatrixChoice.gauss_newton,
    method: Annotated[
        MethodChoice,
        options.one_of(MethodChoice, "All eigenvalues, Lanczos quadrature, or exact up to 3000 parameters."),
    ] = MethodChoice.auto,
    probes: Annotated[
        int,
        typer.Option(
            parser=options.integer_to(100_000), metavar="INTEGER", help="Random vectors of the stochastic trace."
        ),
    ] = 10,
    seeds: options.Seeds = 3,
    as_json: options.Json = False,
) -> None:
    """N_eff = Σ λ_i/(λ_i + α) over the eigenvalues of the training loss's curvature at the end of training.

    Exact, or by stochastic Lanczos quadrature with its standard error. Runs are made anew, as the store keeps no
    parameters.
    """
    from dcrit.empirics.instruments.effective_dimension import (
        EffectiveDimensionDesign,
        dimension_of,
        measure_effective_dimension,
        settled_snapshots,
        stochastic_error,
    )
    from dcrit.empirics.training.devices import resolve_device

    with options.bad_input():
        options.check_trainable(problem)
        design = EffectiveDimensionDesign(
            problem=problem,
            n_train=n_train,
            alpha=alpha,
            matrix=matrix.value,
            method=method.value,
            probes=probes,
            seeds=seeds,
        )
    with display("training", seeds, seeds * design.configs()[0].horizon) as progress:
        taken = settled_snapshots(design.configs(), device=resolve_device("auto"), progress=progress)
    finite = [one for one in taken if one is not None]
    # How many steps Lanczos takes shows as it goes: a bar over the most it may take ends early.
    with display("eigenvalues", len(finite), len(finite) * design.most_products) as progress:
        found = [dimension_of(one, design, progress) for one in finite]
    measured = measure_effective_dimension(found, n_lost=len(taken) - len(finite))
    runs = [
        {
            "seed": one.config.seed,
            "effective_dimension": one.value,
            "standard_error": one.standard_error,
            "quadrature_error": one.quadrature_error,
            "at_smaller_alpha": one.smaller,
            "at_larger_alpha": one.larger,
            "largest_eigenvalue": one.largest,
            "lanczos_steps": one.steps,
            "train_loss": one.train_loss,
            "step": one.step,
        }
        for one in found
    ]
    used = "exact" if design.is_exact else "lanczos"
    if as_json:
        print_json(
            {
                "problem": problem.to_dict(),
                "n_train": n_train,
                measured.quantity: measured.to_dict(),
                "alpha": design.penalty,
                "matrix": matrix.value,
                "method": used,
                "n_params": problem.n_params,
                "standard_error": stochastic_error(found),
                "runs": runs,
            }
        )
        return
    table(
        f"{label(problem)}, {n_train} examples: {matrix.value}, {used}, α = {design.penalty:.3g}",
        ["quantity", "value", "90% interval", "of", "stochastic error", "runs", "not converged", "note"],
        [
            (
                measured.quantity,
                measured.value,
                span_of(measured),
                problem.n_params,
                stochastic_error(found),
                measured.n_runs,
                measured.n_unconverged,
                measured.reason,
            )
        ],
    )
    table(
        "runs",
        ["seed", "N_eff", "± trace", "± quadrature", "at α/10", "at 10α", "largest λ", "steps", "train loss", "step"],
        [tuple(run.values()) for run in runs],
    )
