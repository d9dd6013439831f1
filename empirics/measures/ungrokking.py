"""Critical size from above: networks that generalize go on with fewer examples, until memorizing wins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dcrit.empirics.measures.critical_size import Sides, posterior_of_outcomes, sides_of, sizes_and_accuracies
from dcrit.empirics.measures.sequential import SequentialDesign
from dcrit.empirics.runs.addressed import Runner
from dcrit.empirics.runs.outcomes import Outcome, outcome_of
from dcrit.empirics.runs.single import STARTING_FRACTION, Run, RunConfig
from dcrit.theory.circuits.regimes import SEMI_GROKKING
from dcrit.theory.estimates import LEVEL, Estimate, interval_of

#: Where a size from scratch is known, the first look from above is at this fraction of it; it never enters an estimate.
FIRST_LOOK = 0.8

#: Quantiles of each of two sizes from which those of their ratio are taken, all pairs.
RATIO_POINTS = 400


@dataclass(frozen=True, kw_only=True)
class UngrokkingDesign(SequentialDesign):
    """Which runs measure the size at which a generalizing network loses its generalization.

    Sizes and seeds are chosen as from scratch. Every network is trained on 90 % of all pairs for the horizon, then goes
    on with fresh optimizer moments on a subset for as long again; a horizon of the budget is both. No run ends early,
    since one that has generalized so far may still lose it, and it loses it too slowly for short probes:
    without ``start``, a size to look at first, all sizes are equally likely at first.

    Source: varma2023.
    """

    def measure(self, outcomes: Sequence[Outcome], *, level: float = LEVEL) -> Estimate:
        """Size at which test accuracy at the horizon falls through one half, from runs that started generalized.

        Args:
            outcomes: By :func:`ungrokking_outcome`. Those that diverged or did not start generalized are counted and
                left out.
            level: Probability content of the interval.
        """
        found = replace(super().measure(outcomes, level=level), quantity="ungrokking_size")
        if outcomes and not found.n_runs:
            reason = f"no network generalized on {STARTING_FRACTION:.0%} of all pairs, so there is nothing to lose"
            return replace(found, reason=reason)
        return found

    def _probes(self) -> list[RunConfig]:
        return []

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


def ungrokking_runs(design: SequentialDesign, run: Runner[RunConfig, Run]) -> list[Outcome]:
    """Outcomes of the runs of a design, round by round."""
    found: list[Outcome] = []
    rounds = 0
    while proposals := design.propose(found):
        rounds += 1
        found += [ungrokking_outcome(one) for one in run(proposals, stage=f"ungrokking, round {rounds}")]
    return found


def measure_hysteresis(scratch: Sequence[Outcome], generalized: Sequence[Outcome], *, level: float = LEVEL) -> Estimate:
    """How far the sizes of the two directions lie apart.

    h = ln(D_scratch/D_ungrok), 0 where the outcome does not depend on the start; median and interval of
    the difference of both posteriors

    Args:
        scratch: Runs from scratch, to one horizon.
        generalized: Runs of the same problem that started generalized.
        level: Probability content of the interval.
    """
    value, interval, reason = None, None, ""
    both = (scratch, generalized)
    if all(sides_of(*sizes_and_accuracies(outcomes)) is Sides.BOTH for outcomes in both):
        up, down = (np.log(posterior_of_outcomes(outcomes).draws(RATIO_POINTS)) for outcomes in both)
        ratios = np.subtract.outer(up, down)
        value, interval = float(np.median(ratios)), interval_of(ratios, level)
    else:
        reason = "one of the two directions has no transition by the horizon"
    return Estimate(
        quantity="hysteresis",
        value=value,
        interval=interval,
        unit="ln ratio of sizes",
        horizon=scratch[0].config.horizon if scratch else None,
        n_runs=len(scratch) + len(generalized),
        reason=reason,
    )
