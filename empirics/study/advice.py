"""What to change where a study has no answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from dcrit.empirics.measures.critical_size import Sides, sides_of
from dcrit.empirics.measures.efficiency import usable
from dcrit.empirics.study.cost import Price, priced
from dcrit.empirics.study.design import Role, StudyDesign, largest_of
from dcrit.empirics.study.early import Fault
from dcrit.empirics.study.module_runs import FloatArray, ModuleOutcome
from dcrit.theory.calibrations.omission import Cause
from dcrit.theory.circuits.regimes import FITTED

#: Time constants 1/(ηλ) below which norms still move.
SETTLING = 10


def with_advice(reason: str, advice: Sequence[str]) -> str:
    """A reason, and what to change."""
    return "; ".join([reason, *advice])


def advice_on(role: Role, fault: Fault, design: StudyDesign, price: Price, n_examples: int) -> list[str]:
    """What to change where a first run shows that no prediction can come of a study.

    Args:
        role: What the run was for.
        fault: What is wrong with it.
        design: Which runs are made.
        price: What another design would cost.
        n_examples: n.
    """
    if fault.cause == "diverged":
        return [_slower(design, price)]
    if fault.cause == "moving":
        return [_longer(design, price)]
    if fault.cause == "unfitted":
        smaller = f"smaller {role}_sizes=, or " if getattr(design, f"{role}_sizes")[0] > 1 else ""
        return [f"try {smaller}a larger network, or a smaller weight_decay="]
    if fault.cause == "below":
        if max(design.generalizing_sizes) < largest_of(n_examples):
            return ["try larger generalizing_sizes="]
        longer = replace(design, steps=4 * design.horizon)
        return [f"give more examples, or try {priced(f'steps={longer.steps}', price(longer), design)}"]
    return [
        "normalization layers take the norm out: try a module without them, or homogeneity= where you know κ "
        "(2 for a layer of weights, a ReLU and a second layer)"
    ]


def advice_to_predict(
    by_role: Mapping[Role, Sequence[ModuleOutcome]],
    design: StudyDesign,
    cause: Cause | None,
    price: Price,
    n_across: int,
) -> list[str]:
    """What to change so that runs converge and fit their training sets, and tell the circuits apart.

    Args:
        by_role: Outcomes by what they were made for.
        design: Which runs were made.
        cause: Why there are no laws; None where there are.
        price: What another design would cost.
        n_across: Runs on real labels that were left out, as they are not past the transition.
    """
    said: list[str] = []
    if cause in (Cause.MIXING_UNKNOWN, Cause.NO_FALL):
        more = replace(design, seeds=2 * design.seeds)
        change = priced(f"seeds={more.seeds}", price(more), design)
        said.append(f"efficiencies differ too much between runs, try {change}")
    if n_across:
        largest = max(o.config.n_train for o in by_role["generalizing"])
        said.append(
            f"{n_across} runs on real labels are not past the transition, try generalizing_sizes= from {largest}"
        )
    kinds: tuple[tuple[Role, str], ...] = (("generalizing", "real labels"), ("memorizing", "random labels"))
    for role, what in kinds:
        outcomes = by_role[role]
        used, n_unconverged, n_unfitted = usable(outcomes)
        n_diverged = sum(not math.isfinite(o.train_accuracy) for o in outcomes)
        n_moving = n_unconverged - n_diverged
        counted = f"{len(used)} of {len(outcomes)} runs on {what} converged and fit"
        if n_diverged:
            said.append(f"{counted}: {n_diverged} diverged, {_slower(design, price)}")
        if n_moving:
            said.append(f"{counted}: {_longer(design, price)}")
        if n_unfitted:
            fitted = [o.config.n_train for o in outcomes if o.train_accuracy >= FITTED]
            sizes = f"try {role}_sizes= up to {max(fitted)}" if fitted else f"try {role}_sizes= below those tried"
            said.append(f"{counted}: {n_unfitted} did not fit their training set, {sizes}, or a larger network")
    return said


def _longer(design: StudyDesign, price: Price) -> str:
    """How many steps to take instead, and what that costs."""
    least = math.ceil(SETTLING * design.time_constant)
    below = design.horizon < least
    longer = replace(design, steps=max(design.protocol_steps, least) if below else 4 * design.horizon)
    change = f"try {priced(f'steps={longer.steps}', price(longer), design)}"
    if below:
        return f"steps={design.horizon} is below {SETTLING}/(ηλ) = {least}, {change}"
    return f"efficiencies still moved at step {design.horizon}, {change}"


def _slower(design: StudyDesign, price: Price) -> str:
    """Which learning rate to take instead, and what that costs."""
    rate = float(f"{design.learning_rate / 3:.1g}")
    slower = replace(design, learning_rate=rate)
    return f"try {priced(f'learning_rate={rate:g}', price(slower), design)}"


def advice_to_measure(
    sizes: FloatArray, shares: FloatArray, design: StudyDesign, n_examples: int, price: Price
) -> list[str]:
    """What to change so that both sides of the transition are seen.

    Args:
        sizes: (k,) sizes of the runs that have a test accuracy.
        shares: (k,) their accuracies, between chance 0 and ceiling 1.
        design: Which runs were made.
        n_examples: n.
        price: What another design would cost.
    """
    side = sides_of(sizes, shares)
    if side is Sides.NO_RUN:
        return [_slower(design, price)]
    if side is Sides.FALLING:
        more = replace(design, seeds=3 * design.seeds)
        change = priced(f"seeds={more.seeds}", price(more), design)
        return [f"accuracy differs more between seeds than between sizes, try {change}"]
    if side is Sides.ABOVE:
        smallest = int(sizes.min())
        if smallest <= 1:
            return ["one example is enough, so there is nothing to measure"]
        return [f"the transition lies below, try sizes {max(1, smallest // 4)} to {smallest}"]
    largest, most = int(sizes.max()), largest_of(n_examples)
    if largest < most:
        return [f"the transition lies above by this step, try sizes {largest} to {min(most, 3 * largest)}"]
    longer = replace(design, steps=4 * design.horizon)
    change = priced(f"steps={longer.steps}", price(longer), design)
    return [f"nearly all {n_examples} examples are not enough by this step, try {change}, or give more examples"]
