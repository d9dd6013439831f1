"""Critical size from above: networks that generalize go on with fewer examples, until memorizing wins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dcrit.empirics.measures.critical_size import (
    CriticalSizeDesign,
    bootstrap_midpoints,
    measure_critical_size,
    sizes_and_accuracies,
)
from dcrit.empirics.measures.sequential import SequentialDesign
from dcrit.empirics.runs.addressed import Runner
from dcrit.empirics.runs.outcomes import Outcome, outcome_of
from dcrit.empirics.runs.single import STARTING_FRACTION, Run, RunConfig
from dcrit.theory.circuits.regimes import SEMI_GROKKING
from dcrit.theory.estimates import LEVEL, Estimate, interval_of


@dataclass(frozen=True, kw_only=True)
class UngrokkingDesign(CriticalSizeDesign):
    """Which runs measure the size at which a generalizing network loses its generalization.

    Sizes and seeds are chosen as from scratch. Every network is trained on 90 % of all pairs for the
    protocol's horizon, then goes on with fresh optimizer moments on a subset for as long again; no run
    ends early, since one that has generalized so far may still lose it.

    Source: varma2023.
    """

    def _config(self, n_train: int, seed: int) -> RunConfig:
        return RunConfig(problem=self.problem, n_train=n_train, seed=seed, start="generalized")


@dataclass(frozen=True, kw_only=True)
class SequentialUngrokkingDesign(SequentialDesign):
    """As :class:`UngrokkingDesign`, with the few runs of a sequential design.

    A horizon of the budget is one before the training set shrinks and one after. It takes ``start``, a size to
    look at first: a network that generalizes loses it too slowly for short probes.

    Source: varma2023.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.start is None:
            raise ValueError("start must be a size, got None")

    def _config(self, n_train: float, seed: int) -> RunConfig:
        return RunConfig(
            problem=self.problem, n_train=self._size(n_train), seed=seed, steps=self.steps, start="generalized"
        )


def started_generalized(run: Run) -> bool:
    """Whether the network generalized before its training set shrank: it was right on 90 % of what it had never seen.

    Errors at the first step all count as made on the pairs of neither training set: the network fits the larger one.
    """
    config = run.config
    wrong = (1 - run.curves.test_accuracy[0]) * (config.problem.n_pairs - config.n_train)
    never_seen = config.problem.n_pairs - config.before.n_train
    return bool(1 - wrong / never_seen >= SEMI_GROKKING[1])


def ungrokking_outcome(run: Run) -> Outcome:
    """Settled values; a run that had not generalized before has no test accuracy, as it has none to lose."""
    outcome = outcome_of(run)
    return outcome if started_generalized(run) else replace(outcome, test_accuracy=math.nan)


def ungrokking_runs(design: UngrokkingDesign, run: Runner[RunConfig, Run]) -> list[Run]:
    """Runs of the design, round by round."""
    found: list[Run] = []
    rounds = 0
    while proposals := design.propose([ungrokking_outcome(one) for one in found]):
        rounds += 1
        found += run(proposals, stage=f"ungrokking, round {rounds}")
    return found


def measure_ungrokking_size(runs: Sequence[Run], *, level: float = LEVEL) -> Estimate:
    """Size at which test accuracy at the horizon falls through one half, from runs that started generalized.

    Args:
        runs: Of :class:`UngrokkingDesign`. Those that diverged or did not start generalized are counted
            and left out.
        level: Probability content of the interval.
    """
    outcomes = [ungrokking_outcome(run) for run in runs]
    found = replace(measure_critical_size(outcomes, level=level), quantity="ungrokking_size")
    if found.n_runs == 0:
        return replace(
            found,
            reason=f"no network generalized on {STARTING_FRACTION:.0%} of all pairs, so there is nothing to lose",
        )
    return with_horizon(found, outcomes)


def with_horizon(measurement: Estimate, outcomes: Sequence[Outcome]) -> Estimate:
    """The measurement, where there is no transition with the horizon by which there was none, and the sizes tried.

    Args:
        measurement: Of a critical size.
        outcomes: What it was made from.
    """
    if measurement.value is not None or not outcomes:
        return measurement
    horizon = max(outcome.config.horizon for outcome in outcomes)
    n_train, accuracy = sizes_and_accuracies(outcomes)
    sizes = sorted({round(size) for size in n_train})
    if not sizes:
        return replace(measurement, reason=f"no run stayed finite to step {horizon}")
    means = [float(accuracy[n_train == size].mean()) for size in sizes]
    tried = ", ".join(f"{size} ({mean:.2f})" for size, mean in zip(sizes, means, strict=True))
    if min(means) < 0.5 <= max(means):
        said = "does not rise through one half over the sizes tried"
    else:
        said = f"is {'below one half' if means[0] < 0.5 else 'one half or more'} at every size tried"
    return replace(measurement, reason=f"no transition by step {horizon}: mean test accuracy {said}: {tried}")


def measure_hysteresis(scratch: Sequence[Outcome], generalized: Sequence[Outcome], *, level: float = LEVEL) -> Estimate:
    """How far the sizes of the two directions lie apart.

    h = ln(D_scratch/D_ungrok), 0 where the outcome does not depend on the start

    Args:
        scratch: Runs from scratch.
        generalized: Runs of the same problem that started generalized.
        level: Probability content of the bootstrap interval.
    """
    shared = {"quantity": "hysteresis", "unit": "ln ratio of sizes", "n_runs": len(scratch) + len(generalized)}
    sizes = [measure_critical_size(outcomes).value for outcomes in (scratch, generalized)]
    up, down = sizes
    if up is None or down is None:
        return Estimate(
            **shared,  # type: ignore[arg-type]
            value=None,
            interval=None,
            reason="one of the two directions has no transition by the horizon",
        )
    draws = [
        np.log(bootstrap_midpoints(*sizes_and_accuracies(outcomes), seed=seed))
        for seed, outcomes in enumerate((scratch, generalized))
    ]
    apart = math.log(up / down)
    return Estimate(
        **shared,  # type: ignore[arg-type]
        value=apart,
        interval=interval_of(draws[0] - draws[1], level).around(apart),
    )
