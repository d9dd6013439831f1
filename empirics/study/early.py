"""Whether first runs show that a prediction can come of a study, before the others are paid for.

A run that a prediction may rest on, in this order:

1. is finite;
2. fits its training set: accuracy of at least 0.99 over its last tenth;
3. on real labels: ends with a test accuracy of one half at least, halfway between chance and ceiling;
4. has a homogeneity: κ_eff of at least 0.2 where none is given;
5. has converged: ln e in its last tenth is within 0.05 of that in its seventh tenth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dcrit.empirics.study.design import StudyDesign
from dcrit.empirics.study.module_runs import ModuleOutcome, ModuleRun, outcome_at
from dcrit.theory.circuits.regimes import FITTED

#: Below this κ_eff the margin hardly depends on the norm, and margin per norm means nothing.
SMALLEST_HOMOGENEITY = 0.2

#: Rise of test accuracy in the last third of a run from which on more steps may help.
RISE = 0.02

Cause = Literal["diverged", "unfitted", "below", "homogeneity", "moving"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Why no prediction can rest on a run.

    Attributes:
        cause: Which of the five conditions does not hold.
        said: The same for people, with the numbers behind it.
        rising: Whether test accuracy still rose at the end, where it ends below one half.
    """

    cause: Cause
    said: str
    rising: bool = False


def no_homogeneity(kappa: float) -> str:
    """What is said of a margin that hardly grows with the norm."""
    return f"the margin hardly grows with the norm: κ_eff = {kappa:.2g}, so margin per norm means nothing"


def fault_of(run: ModuleRun, design: StudyDesign, chance: float) -> Fault | None:
    """Why no prediction can rest on a run; None where one can.

    Args:
        run: On real labels well above the transition, or on random ones.
        design: Which runs are made.
        chance: Accuracy of a constant guess.
    """
    kappa = run.homogeneity if design.homogeneity is None else design.homogeneity
    outcome, real = outcome_at(run, kappa), run.config.labels == "real"
    which = f"the first run on {run.config.n_train} {'examples' if real else 'random labels'}"
    if not math.isfinite(outcome.train_accuracy):
        return Fault(cause="diverged", said=f"{which} diverged")
    if outcome.train_accuracy < FITTED:
        fits = f"{outcome.train_accuracy:.3g} of them, and {FITTED:g} is needed"
        return Fault(cause="unfitted", said=f"{which} does not fit its training set: it gets right {fits}")
    if real and is_below(outcome, design, chance):
        accuracy = f"with test accuracy {outcome.test_accuracy:.3g}"
        return Fault(
            cause="below",
            said=f"{which} ends below one half, {accuracy}, so that it is not past the transition",
            rising=_rises(run),
        )
    if not kappa >= SMALLEST_HOMOGENEITY:
        return Fault(cause="homogeneity", said=no_homogeneity(kappa))
    if not outcome.converged:
        drift = f"its efficiency moves by {abs(outcome.log_efficiency_drift):.2g} in its last third"
        return Fault(cause="moving", said=f"{which} has not converged by step {run.config.steps}: {drift}")
    return None


def _rises(run: ModuleRun) -> bool:
    """Whether test accuracy rose by more than ``RISE`` in the last third of a run."""
    return run.settled("test_accuracy") - run.settled("test_accuracy", 0.6, 0.7) > RISE


def is_below(outcome: ModuleOutcome, design: StudyDesign, chance: float) -> bool:
    """Whether a run ends below one half; not where it has nothing to test on, or diverged."""
    return outcome.test_accuracy < (chance + design.ceiling) / 2


def past_transition(
    outcomes: Sequence[ModuleOutcome], design: StudyDesign, chance: float
) -> tuple[list[ModuleOutcome], int]:
    """Runs on real labels of sizes above the largest at which one ends below one half, and how many are left out.

    Args:
        outcomes: Of runs that were made to be well above the transition.
        design: Which runs were made.
        chance: Accuracy of a constant guess.
    """
    below = max((o.config.n_train for o in outcomes if is_below(o, design, chance)), default=0)
    past = [o for o in outcomes if o.config.n_train > below]
    return past, len(outcomes) - len(past)
