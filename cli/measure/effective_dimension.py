"""``dcrit measure effective-dimension``: how many directions of weight space the data determine."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.following import command_of, problem_words
from dcrit.cli.terminal.names import name_of
from dcrit.cli.terminal.output import print_json, say, span_of, table, then
from dcrit.cli.terminal.pictures import Out, check_out, draw, say_where
from dcrit.cli.terminal.session import session
from dcrit.theory.problems.problem import full_label


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
        float, options.number_of("α; 0 for ελ, the curvature of the penalty that weight decay amounts to in AdamW.")
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
    seed: options.Seed = 0,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """N_eff = Σ λ_i/(λ_i + α) over the eigenvalues of the training loss's curvature at the end of training.

    Exact, or by stochastic Lanczos quadrature with its standard error. Runs are made anew, as the store keeps no
    parameters.
    """
    from dcrit.api.instruments import effective_dimension as measure

    with session():
        check_out(out)
        found = measure(
            problem,
            n_train,
            alpha=alpha,
            matrix=matrix.value,
            method=method.value,
            probes=probes,
            seeds=seeds,
            seed=seed,
        )
        draw(found, out)
    document = found.to_dict()
    if as_json:
        print_json(document)
        return
    say(found.headline)
    measured = found.estimates["effective_dimension"]
    table(
        f"{full_label(problem)}, {n_train} examples: {matrix.value}, {document['method']}, α = {document['alpha']:.3g}",
        ["quantity", "value", "90% interval", "of", "stochastic error", "runs", "not converged", "note"],
        [
            (
                name_of(measured.quantity),
                measured.value,
                span_of(measured),
                problem.n_params,
                document["standard_error"],
                measured.n_runs,
                measured.n_unconverged or None,
                measured.reason,
            )
        ],
    )
    table(
        "runs",
        [
            "seed",
            "N_eff",
            "± trace",
            "± quadrature",
            "at α/10",
            "at 10α",
            "largest λ",
            "Lanczos steps",
            "train loss",
            "step",
        ],
        [tuple(run.values()) for run in document["runs"]],
    )
    say_where(out)
    then(command_of("train", problem_words(problem), "-n", str(n_train)), "see the curves of such runs")
