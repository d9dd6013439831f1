"""How many directions of parameter space the training data pins down: N_eff of the loss's curvature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from dcrit.empirics.instruments.curvature import Matrix, curvature_product, dense
from dcrit.empirics.instruments.lanczos import MOST_STEPS, exact_dimension, stochastic_dimension
from dcrit.empirics.instruments.snapshots import Snapshot, snapshot_steps, visit
from dcrit.empirics.measures.statistics import student
from dcrit.empirics.runs.single import RunConfig, configs_of
from dcrit.empirics.training.ensemble import Progress
from dcrit.theory.checks import check_choice, check_integer, check_positive
from dcrit.theory.estimates import LEVEL, Estimate
from dcrit.theory.problems.problem import Problem

Method = Literal["auto", "exact", "lanczos"]

#: Most parameters for which all eigenvalues are computed.
EXACT_PARAMS = 3000


def default_alpha(problem: Problem) -> float:
    """α = ελ: curvature of the penalty whose balance with the loss is AdamW's fixed point, at small weights.

    AdamW comes to rest where L(θ) − (ε/λ)·Σ_i (λ|θ_i| + ln(1 − λ|θ_i|)) is stationary. In each θ_i the penalty
    has the curvature ελ/(1 − λ|θ_i|)², so ελ is what weight decay amounts to in units of the mean loss.
    """
    return problem.epsilon * problem.weight_decay


@dataclass(frozen=True, kw_only=True)
class EffectiveDimensionDesign:
    """What is measured, and how.

    Attributes:
        problem: Task, architecture and optimizer.
        n_train: D [examples].
        alpha: α; 0 for ελ, see :func:`default_alpha`.
        matrix: ``gauss-newton`` or ``hessian``.
        method: ``exact``: all eigenvalues; ``lanczos``: stochastic quadrature; ``auto``: exact up to 3000 parameters.
        probes: Random vectors of the stochastic trace.
        seeds: Runs.
        first_seed: Seeds count up from here.

    Raises:
        ValueError: A field is out of range.
    """

    problem: Problem
    n_train: int
    alpha: float = 0.0
    matrix: Matrix = "gauss-newton"
    method: Method = "auto"
    probes: int = 10
    seeds: int = 3
    first_seed: int = 0

    def __post_init__(self) -> None:
        self.problem.check_n_train(self.n_train)
        if self.alpha != 0:
            check_positive("alpha", self.alpha)
        check_choice("matrix", self.matrix, ("gauss-newton", "hessian"))
        check_choice("method", self.method, ("auto", "exact", "lanczos"))
        check_integer("probes", self.probes, 2)
        check_integer("seeds", self.seeds, 1)
        check_integer("first_seed", self.first_seed, 0)

    @property
    def penalty(self) -> float:
        """α in use."""
        return self.alpha or default_alpha(self.problem)

    @property
    def is_exact(self) -> bool:
        """Whether all eigenvalues are computed."""
        return self.method == "exact" or (self.method == "auto" and self.problem.n_params <= EXACT_PARAMS)

    @property
    def most_products(self) -> int:
        """Products with the curvature that one run takes at most."""
        n_params = self.problem.n_params
        return n_params if self.is_exact else self.probes * min(MOST_STEPS, n_params)

    def configs(self) -> list[RunConfig]:
        """Runs to the horizon."""
        return configs_of(self.problem, self.n_train, range(self.first_seed, self.first_seed + self.seeds))


@dataclass(frozen=True, kw_only=True)
class EffectiveDimension:
    """N_eff of one network.

    Attributes:
        config: What was run.
        step: Step at which the network was looked at [steps].
        train_loss: There [nats].
        value: N_eff at α [parameters].
        standard_error: Stochastic one of the trace, 0 where it is exact [parameters].
        quadrature_error: Half the distance of the bounds that Lanczos quadrature gives; for the Hessian, which
            has none, the last change; 0 where it is exact [parameters].
        smaller: N_eff at α/10.
        larger: N_eff at 10α.
        largest: Largest eigenvalue, or the estimate of it [nats per squared parameter].
        steps: Lanczos steps; 0 where it is exact.
    """

    config: RunConfig
    step: int
    train_loss: float
    value: float
    standard_error: float
    quadrature_error: float
    smaller: float
    larger: float
    largest: float
    steps: int


def dimension_of(
    snapshot: Snapshot, design: EffectiveDimensionDesign, progress: Progress = lambda _: None
) -> EffectiveDimension:
    """N_eff of one network.

    Args:
        snapshot: Of a run of the design.
        design: α, matrix and method.
        progress: Called with the number of products just finished.
    """
    product, n_params = curvature_product(snapshot, design.matrix), design.problem.n_params
    if design.is_exact:
        found = exact_dimension(dense(product, n_params, progress), design.penalty)
    else:
        found = stochastic_dimension(
            product,
            n_params,
            design.penalty,
            probes=design.probes,
            positive=design.matrix == "gauss-newton",
            seed=snapshot.config.seed,
            progress=progress,
        )
    return EffectiveDimension(
        config=snapshot.config,
        step=snapshot.step,
        train_loss=train_loss(snapshot),
        **found,  # type: ignore[arg-type]
    )


def train_loss(snapshot: Snapshot) -> float:
    """Mean cross-entropy on the training set [nats]."""
    pairs = snapshot.is_train.nonzero()[0]
    logits, labels = torch.from_numpy(snapshot.logits[:, pairs].T), torch.from_numpy(snapshot.labels[pairs])
    return torch.nn.functional.cross_entropy(logits, labels).item()


def settled_snapshots(
    configs: Sequence[RunConfig], *, device: str = "cpu", progress: Progress = lambda _: None
) -> list[Snapshot | None]:
    """Every run's snapshot of median training loss over the last tenth; None for a diverged run.

    Args:
        configs: What to run, from scratch, to one horizon.
        device: Where to train.
        progress: Called with the number of model-steps just finished.
    """
    steps = snapshot_steps(configs[0], 0)
    kept: list[Snapshot | None] = []
    for taken in visit(configs, steps, lambda snapshot: snapshot, device=device, progress=progress):
        ordered = sorted(taken, key=train_loss)
        kept.append(ordered[len(ordered) // 2] if all(one.finite for one in taken) else None)
    return kept


def measure_effective_dimension(
    found: Sequence[EffectiveDimension], *, n_lost: int = 0, level: float = LEVEL
) -> Estimate:
    """Mean N_eff over runs with Student's interval, which contains the stochastic error of each run's trace.

    Args:
        found: One a run.
        n_lost: Runs that diverged.
        level: Probability content of the interval.
    """
    values = [one.value for one in found]
    return student("effective_dimension", values, unit="parameters", level=level, lost=n_lost)


def stochastic_error(found: Sequence[EffectiveDimension]) -> float:
    """Standard error that the random probes alone give to the mean over runs; 0 where traces are exact."""
    return float(np.linalg.norm([one.standard_error for one in found]) / max(1, len(found)))
