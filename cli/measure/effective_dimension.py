"""``dcrit measure effective-dimension``: how many directions of weight space the data determine."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.names import name_of
from dcrit.cli.terminal.output import print_json, span_of, table
from dcrit.cli.terminal.session import session
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
    from dcrit.api.instruments import effective_dimension as measure

    with session():
        found = measure(
            problem, n_train, alpha=alpha, matrix=matrix.value, method=method.value, probes=probes, seeds=seeds
        )
    document = found.to_dict()
    if as_json:
        print_json(document)
        return
    measured = found.estimates["effective_dimension"]
    table(
        f"{label(problem)}, {n_train} examples: {matrix.value}, {document['method']}, α = {document['alpha']:.3g}",
        ["quantity", "value", "90% interval", "of", "stochastic error", "runs", "not converged", "note"],
        [
            (
                name_of(measured.quantity),
                measured.value,
                span_of(measured),
                problem.n_params,
                document["standard_error"],
                measured.n_runs,
                measured.n_unconverged,
                measured.reason,
            )
        ],
    )
    table(
        "runs",
        ["seed", "N_eff", "± trace", "± quadrature", "at α/10", "at 10α", "largest λ", "steps", "train loss", "step"],
        [tuple(run.values()) for run in document["runs"]],
    )
