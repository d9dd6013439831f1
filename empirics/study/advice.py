"""What to change where a study has no answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from dcrit.empirics.measures.critical_size import Sides, sides_of
from dcrit.empirics.measures.efficiency import usable
from dcrit.empirics.study.design import Role, StudyDesign, largest_of
from dcrit.empirics.study.module_runs import FloatArray, ModuleOutcome
from dcrit.theory.calibrations.omission import Cause
from dcrit.theory.circuits.regimes import FITTED

#: Time constants 1/(ηλ) below which norms still move.
SETTLING = 10


def with_advice(reason: str, advice: Sequence[str]) -> str:
    """A reason, and what to change."""
    return "; ".join([reason, *advice])


def advice_to_predict(
    by_role: Mapping[Role, Sequence[ModuleOutcome]], design: StudyDesign, cause: Cause | None
) -> list[str]:
    """What to change so that runs converge and fit their training sets, and tell the circuits apart.

    Args:
        by_role: Outcomes by what they were made for.
        design: Which runs were made.
        cause: Why there are no laws; None where there are.
    """
    said: list[str] = []
    if cause in (Cause.MIXING_UNKNOWN, Cause.NO_FALL):
        said.append(f"efficiencies differ too much between runs, try seeds={2 * design.seeds}")
    kinds: tuple[tuple[Role, str], ...] = (("generalizing", "real labels"), ("memorizing", "random labels"))
    for role, what in kinds:
        outcomes = by_role[role]
        used, n_unconverged, n_unfitted = usable(outcomes)
        n_diverged = sum(not math.isfinite(o.train_accuracy) for o in outcomes)
        n_moving = n_unconverged - n_diverged
        counted = f"{len(used)} of {len(outcomes)} runs on {what} converged and fit"
        if n_diverged:
            said.append(f"{counted}: {n_diverged} diverged, try learning_rate={design.learning_rate / 3:.1g}")
        if n_moving:
            said.append(f"{counted}: {_longer(design)}")
        if n_unfitted:
            fitted = [o.config.n_train for o in outcomes if o.train_accuracy >= FITTED]
            sizes = f"try {role}_sizes= up to {max(fitted)}" if fitted else f"try {role}_sizes= below those tried"
            said.append(f"{counted}: {n_unfitted} did not fit their training set, {sizes}, or a larger network")
    return said


def _longer(design: StudyDesign) -> str:
    """How many steps to take instead."""
    least = math.ceil(SETTLING * design.time_constant)
    if design.horizon < least:
        return f"steps={design.horizon} is below {SETTLING}/(ηλ) = {least}, try steps={design.protocol_steps}"
    return f"efficiencies still moved at step {design.horizon}, try steps={4 * design.horizon}"


def advice_to_measure(sizes: FloatArray, shares: FloatArray, design: StudyDesign, n_examples: int) -> list[str]:
    """What to change so that both sides of the transition are seen.

    Args:
        sizes: (k,) sizes of the runs that have a test accuracy.
        shares: (k,) their accuracies, between chance 0 and ceiling 1.
        design: Which runs were made.
        n_examples: n.
    """
    side = sides_of(sizes, shares)
    if side is Sides.NO_RUN:
        return [f"try learning_rate={design.learning_rate / 3:.1g}"]
    if side is Sides.FALLING:
        return [f"accuracy differs more between seeds than between sizes, try seeds={3 * design.seeds}"]
    if side is Sides.ABOVE:
        smallest = int(sizes.min())
        if smallest <= 1:
            return ["one example is enough, so there is nothing to measure"]
        return [f"the transition lies below, try sizes {max(1, smallest // 4)} to {smallest}"]
    largest, most = int(sizes.max()), largest_of(n_examples)
    if largest < most:
        return [f"the transition lies above by this step, try sizes {largest} to {min(most, 3 * largest)}"]
    longer = f"steps={4 * design.horizon}"
    return [f"nearly all {n_examples} examples are not enough by this step, try {longer}, or give more examples"]
