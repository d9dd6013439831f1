"""What trained networks hold, beyond their curves; parameters are not stored, so runs are made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dcrit.api.answers import Finding
from dcrit.theory.arguments import hinting
from dcrit.theory.checks import check_integer
from dcrit.theory.estimates import Estimate
from dcrit.theory.problems.problem import Problem, full_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from dcrit.empirics.instruments.circuit_runs import CircuitHistory
    from dcrit.empirics.instruments.curvature import Matrix
    from dcrit.empirics.instruments.effective_dimension import Method


@hinting(problem=Problem)
def homogeneity(problem: Problem, *, seeds: int = 2, seed: int = 0) -> Finding:
    """Train on random labels and on the task: the power κ of the parameters' scale by which logits grow.

    Args:
        problem: What to measure.
        seeds: Runs at every size.
        seed: First seed; another one makes fresh runs.

    Returns:
        The median κ; one row a network.

    Raises:
        ValueError: A value is out of range.
    """
    from dcrit.empirics.instruments.homogeneity import HomogeneityDesign, measure_degrees, measure_homogeneity
    from dcrit.empirics.runs.single import check_trainable
    from dcrit.empirics.training.progress import display

    check_trainable(problem)
    check_integer("seed", seed, 0)
    design = HomogeneityDesign(problem=problem, seeds=seeds, first_seed=seed)
    n_runs = len(design.configs())
    with display("homogeneity", n_runs, n_runs) as progress:
        found = measure_degrees(design, progress=progress)
    measured = measure_homogeneity(found)
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
    return Finding(
        asked=f"homogeneity: {full_label(problem)}",
        problem=problem,
        estimates={measured.quantity: measured},
        found=found,
        document={measured.quantity: measured.to_dict(), "runs": rows},
        rows=rows,
    )


@hinting(problem=Problem)
def circuits(problem: Problem, n_train: int, *, seeds: int = 5, seed: int = 0, device: str = "auto") -> Finding:
    """Train and split the logits over training: the Fourier circuit that generalizes, and the rest that memorizes.

    Args:
        problem: A task that is addition in a cyclic group once symbols are renamed.
        n_train: D [examples].
        seeds: Runs.
        seed: First seed; another one makes fresh runs.
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        The generalizing share w of the margin at the end, measured and predicted; one row a step, means of all runs.

    Raises:
        ValueError: A value is out of range, or the task is no cyclic group.
    """
    from dcrit.empirics.instruments.circuit_runs import (
        CircuitDesign,
        circuit_histories,
        mean_over_seeds,
        measure_generalizing_share,
        predict_generalizing_share,
    )
    from dcrit.empirics.runs.single import check_trainable
    from dcrit.empirics.training.devices import resolve_device
    from dcrit.empirics.training.progress import display
    from dcrit.theory.calibrations.calibration import calibration_for, shipped_calibrations

    check_trainable(problem)
    check_integer("seed", seed, 0)
    design = CircuitDesign(problem=problem, n_train=n_train, seeds=seeds, first_seed=seed)
    with display("circuits", seeds, seeds * problem.horizon) as progress:
        histories = circuit_histories(design, device=resolve_device(device), progress=progress)
    measured = measure_generalizing_share(histories)
    predicted = predict_generalizing_share(problem, n_train, calibration_for(problem, shipped_calibrations()))
    rows = mean_over_seeds(histories)

    def draw(ax: Axes) -> None:
        from dcrit.figures.measured.circuits import draw_margins

        draw_margins(ax, rows)

    return Finding(
        asked=f"circuits: {full_label(problem)}, D = {n_train}",
        problem=problem,
        estimates={measured.quantity: measured, "predicted_generalizing_share": predicted},
        found=histories,
        document={
            "n_train": n_train,
            measured.quantity: measured.to_dict(),
            "predicted_generalizing_share": predicted.to_dict(),
            "over_training": rows,
            "runs": [_circuits_of(history) for history in histories],
        },
        rows=rows,
        draw=draw,
    )


def _circuits_of(history: CircuitHistory) -> dict[str, Any]:
    """One run at its end."""
    from dcrit.empirics.instruments.circuit_runs import QUANTITIES

    return {
        "seed": history.config.seed,
        "diverged": not history.finite,
        "key_frequencies": list(history.circuits[-1].keys) if history.circuits else [],
        "frequency_power": list(history.circuits[-1].power) if history.circuits else [],
        **{name: history.settled(name) for name in QUANTITIES},
    }


@hinting(problem=Problem)
def effective_dimension(
    problem: Problem,
    n_train: int,
    *,
    alpha: float = 0.0,
    matrix: Matrix = "gauss-newton",
    method: Method = "auto",
    probes: int = 10,
    seeds: int = 3,
    seed: int = 0,
    device: str = "auto",
) -> Finding:
    """Train and count directions that the data determine: N_eff = Σ λ_i/(λ_i + α) over the loss's curvature.

    Args:
        problem: What to measure.
        n_train: D [examples].
        alpha: α; 0 for ελ, the curvature of the penalty that weight decay amounts to in AdamW.
        matrix: ``gauss-newton`` or ``hessian``.
        method: ``exact``: all eigenvalues; ``lanczos``: stochastic quadrature; ``auto``: exact up to 3000 parameters.
        probes: Random vectors of the stochastic trace.
        seeds: Runs.
        seed: First seed; another one makes fresh runs.
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        The mean N_eff; one row a run.

    Raises:
        ValueError: A value is out of range.
    """
    from dcrit.empirics.instruments.effective_dimension import (
        EffectiveDimensionDesign,
        dimension_of,
        measure_effective_dimension,
        settled_snapshots,
        stochastic_error,
    )
    from dcrit.empirics.runs.single import check_trainable
    from dcrit.empirics.training.devices import resolve_device
    from dcrit.empirics.training.progress import display

    check_trainable(problem)
    check_integer("seed", seed, 0)
    design = EffectiveDimensionDesign(
        problem=problem,
        n_train=n_train,
        alpha=alpha,
        matrix=matrix,
        method=method,
        probes=probes,
        seeds=seeds,
        first_seed=seed,
    )
    with display("training", seeds, seeds * problem.horizon) as progress:
        taken = settled_snapshots(design.configs(), device=resolve_device(device), progress=progress)
    finite = [one for one in taken if one is not None]
    # How many steps Lanczos takes shows as it goes: a bar over the most it may take ends early.
    with display("eigenvalues", len(finite), len(finite) * design.most_products) as progress:
        found = [dimension_of(one, design, progress) for one in finite]
    measured: Estimate = measure_effective_dimension(found, n_lost=len(taken) - len(finite))
    rows = [
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
    return Finding(
        asked=f"effective dimensionality: {full_label(problem)}, D = {n_train}",
        problem=problem,
        estimates={measured.quantity: measured},
        found=found,
        document={
            "n_train": n_train,
            measured.quantity: measured.to_dict(),
            "alpha": design.penalty,
            "matrix": matrix,
            "method": "exact" if design.is_exact else "lanczos",
            "n_params": problem.n_params,
            "standard_error": stochastic_error(found),
            "runs": rows,
        },
        rows=rows,
    )
