"""The measured degree of homogeneity: how margins of trained networks grow when all parameters are scaled."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dcrit.empirics.runs.single import CURVE_NAMES, RunConfig, configs_of
from dcrit.empirics.training.batches import plan_batches
from dcrit.empirics.training.ensemble import Ensemble
from dcrit.theory.checks import check_integer
from dcrit.theory.circuits.margin import margin_from_loss
from dcrit.theory.circuits.regimes import FITTED
from dcrit.theory.estimates import LEVEL, Estimate, interval_of
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]

#: Parameters and logits are scaled by e^±ε, in float64: far above rounding, and near enough to a derivative.
EPSILON = 1e-4

#: A margin below this is none.
ROUNDING = 1e-9

#: Sizes of the runs on random labels, as fractions of all pairs.
MEMORIZING_FRACTIONS = (0.2, 0.4, 0.6)

#: Sizes of the runs on the real task, well above the transition, as fractions of all pairs.
GENERALIZING_FRACTIONS = (0.7, 0.85, 1.0)


@dataclass(frozen=True, kw_only=True)
class HomogeneityDesign:
    """The runs that measure one model's degree of homogeneity.

    Attributes:
        problem: What to measure.
        seeds: Runs per size.
        first_seed: Seeds count up from here.
    """

    problem: Problem
    seeds: int = 2
    first_seed: int = 0

    def __post_init__(self) -> None:
        check_integer("seeds", self.seeds, 1)
        check_integer("first_seed", self.first_seed, 0)

    def configs(self) -> list[RunConfig]:
        """Runs on random labels, then runs on the real task."""
        seeds = range(self.first_seed, self.first_seed + self.seeds)
        memorizing, generalizing = (
            [round(fraction * self.problem.n_pairs) for fraction in fractions]
            for fractions in (MEMORIZING_FRACTIONS, GENERALIZING_FRACTIONS)
        )
        random = configs_of(self.problem.on_random_labels(), memorizing, seeds)
        return [*random, *configs_of(self.problem, generalizing, seeds)]


@dataclass(frozen=True, kw_only=True)
class Degree:
    """The degree of one trained network.

    Attributes:
        config: What was run.
        homogeneity: κ, see :func:`degrees`.
        margin_slope: d ln γ/d ln ‖θ‖, of the soft margin itself.
        train_accuracy: On the training set.
        test_accuracy: On all other pairs; NaN where there are none.
    """

    config: RunConfig
    homogeneity: float
    margin_slope: float
    train_accuracy: float
    test_accuracy: float


def _log_margins(ensemble: Ensemble, logits: Tensor) -> FloatArray:
    """Ln γ of every member on its training set, (M,), from logits (M, C, S²); NaN where γ is not above zero."""
    losses = torch.nn.functional.cross_entropy(logits, ensemble.data["all_labels"], reduction="none")  # (M, S²)
    train = ensemble.data["is_train"]  # (M, S²)
    loss = (losses * train).sum(1) / train.sum(1)  # (M,)
    margin = margin_from_loss(loss.cpu().numpy(), ensemble.configs[0].problem.n_classes)
    return np.log(np.where(margin > ROUNDING, margin, np.nan))


@torch.no_grad()
def degrees(ensemble: Ensemble) -> tuple[FloatArray, FloatArray]:
    """Effective degree of homogeneity of every member's logits in its parameters, where it stands.

    κ = (d ln γ/d ln ‖θ‖) / (d ln γ/d ln τ)

    with all parameters scaled in the numerator and the logits scaled by τ in the denominator: scaling
    the parameters by 1 + ε changes the loss as scaling the logits by 1 + κε does. Exact for
    homogeneous networks. The denominator is near one; it differs as γ is a soft margin.

    Args:
        ensemble: Trained networks.

    Returns:
        κ and d ln γ/d ln ‖θ‖ of every member, (M,) each; NaN where the margin is not above zero.
    """
    problem, theta = ensemble.configs[0].problem, ensemble.models.theta.double()  # (M, rows, columns)

    def logits(scale: float) -> Tensor:
        return ensemble.architecture.networks(problem, theta * scale).logits_of_all_pairs()  # (M, C, S²)

    up, down = math.exp(EPSILON), math.exp(-EPSILON)
    by_parameters = _log_margins(ensemble, logits(up)) - _log_margins(ensemble, logits(down))  # (M,)
    as_it_is = logits(1.0)  # (M, C, S²)
    by_logits = _log_margins(ensemble, as_it_is * up) - _log_margins(ensemble, as_it_is * down)  # (M,)
    with np.errstate(invalid="ignore", divide="ignore"):
        kappa = by_parameters / by_logits  # (M,)
    return np.where(np.isfinite(kappa), kappa, np.nan), by_parameters / (2 * EPSILON)


def measure_degrees(design: HomogeneityDesign, *, progress: Callable[[int], None] = lambda _: None) -> list[Degree]:
    """Train the design's runs to their horizon and measure the degree of each network there.

    Runs are not taken from a store: it keeps curves and no parameters.

    Args:
        design: What to run.
        progress: Called with the number of runs just finished.

    Returns:
        One entry a run, in the order of the design.
    """
    configs, found = design.configs(), dict[str, Degree]()
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as workers do: the number of threads changes rounding
    try:
        for batch in plan_batches(configs):
            found |= {one.config.address: one for one in _trained(batch.configs)}
            progress(len(batch.configs))
    finally:
        torch.set_num_threads(n_threads)
    return [found[config.address] for config in configs]


def _trained(configs: Sequence[RunConfig]) -> list[Degree]:
    """Degrees after all steps of runs that share a batch key."""
    ensemble = Ensemble(configs)
    ensemble.advance(configs[0].horizon)
    values = dict(zip(CURVE_NAMES[1:], ensemble.evaluate().T, strict=True))
    kappa, slope = degrees(ensemble)
    return [
        Degree(
            config=config,
            homogeneity=float(kappa[member]),
            margin_slope=float(slope[member]),
            train_accuracy=float(values["train_accuracy"][member]),
            test_accuracy=float(values["test_accuracy"][member]),
        )
        for member, config in enumerate(configs)
    ]


def measure_homogeneity(found: Sequence[Degree], *, level: float = LEVEL) -> Estimate:
    """The median degree, with the range that contains that fraction of the networks: it is no constant of the model.

    Args:
        found: Of one problem's networks; those that do not fit their training set are counted and left out.
        level: Fraction of the networks inside the interval.
    """
    values = [one.homogeneity for one in found if one.train_accuracy >= FITTED and math.isfinite(one.homogeneity)]
    lost = len(found) - len(values)
    return Estimate(
        quantity="homogeneity",
        value=float(np.median(values)) if values else None,
        interval=interval_of(values, level) if values else None,
        unit="",
        n_runs=len(values),
        n_unconverged=lost,
        reason="" if values else "no network fits its training set, so no margin is above zero on all of it",
    )
