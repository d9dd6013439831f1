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
from dcrit.theory.advice import Advice, Setting
from dcrit.theory.calibrations.omission import Cause
from dcrit.theory.circuits.regimes import FITTED

#: All examples over the first size above the transition below which too narrow a range of sizes is left for laws.
ROOM = 1.25

#: Time constants 1/(ηλ) below which norms still move.
SETTLING = 10


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
        can_be_smaller = getattr(design, f"{role}_sizes")[0] > 1
        smaller = Advice("smaller ", Setting(f"{role}_sizes"), ", or ") if can_be_smaller else ""
        return [Advice("try ", smaller, "a larger network, or a smaller ", Setting("weight_decay"))]
    if fault.cause == "below":
        if max(design.generalizing_sizes) < largest_of(n_examples):
            return [Advice("try larger ", Setting("generalizing_sizes"))]
        if not fault.rising:
            # More steps would cost more and change nothing.
            return [f"test accuracy rises no more, and there are {n_examples} examples in all: more are needed"]
        return [Advice("give more examples, or try ", _changed(design, price, steps=4 * design.horizon))]
    return [
        Advice(
            "normalization layers take the norm out: try a module without them, or ",
            Setting("homogeneity"),
            " where you know κ (2 for a layer of weights, a ReLU and a second layer)",
        )
    ]


def advice_to_predict(
    by_role: Mapping[Role, Sequence[ModuleOutcome]],
    design: StudyDesign,
    cause: Cause | None,
    price: Price,
    *,
    past: Sequence[ModuleOutcome],
    n_examples: int,
) -> list[str]:
    """What to change so that runs converge and fit their training sets, and tell the circuits apart.

    Args:
        by_role: Outcomes by what they were made for.
        design: Which runs were made.
        cause: Why there are no laws; None where there are.
        price: What another design would cost.
        past: Those on real labels that count; others are not past the transition.
        n_examples: n.
    """
    said: list[str] = []
    n_across = len(by_role["generalizing"]) - len(past)
    largest = max((o.config.n_train for o in by_role["generalizing"]), default=0)
    first = min((o.config.n_train for o in past), default=largest)
    narrow = cause is Cause.MIXING_UNKNOWN and n_examples < ROOM * first
    if narrow:
        # Neither seeds nor other sizes help where none are left.
        above = f"sizes from {first} on lie above the transition"
        said.append(f"{above}, and there are {n_examples} examples in all: more are needed")
    elif cause in (Cause.MIXING_UNKNOWN, Cause.NO_FALL):
        more = _changed(design, price, seeds=2 * design.seeds)
        said.append(Advice("efficiencies differ too much between runs, try ", more))
    if n_across and not narrow:
        runs = "1 run on real labels is" if n_across == 1 else f"{n_across} runs on real labels are"
        across = f"{runs} not past the transition, try "
        said.append(Advice(across, Setting("generalizing_sizes"), f" from {largest}"))
    kinds: tuple[tuple[Role, str], ...] = (("generalizing", "real labels"), ("memorizing", "random labels"))
    for role, what in kinds:
        outcomes = by_role[role]
        used, n_unconverged, n_unfitted = usable(outcomes)
        n_diverged = sum(not math.isfinite(o.train_accuracy) for o in outcomes)
        n_moving = n_unconverged - n_diverged
        counted = f"{len(used)} of {len(outcomes)} runs on {what} converged and fit"
        if n_diverged:
            said.append(Advice(f"{counted}: {n_diverged} diverged, ", _slower(design, price)))
        if n_moving:
            said.append(Advice(f"{counted}: ", _longer(design, price)))
        if n_unfitted:
            fitted = [o.config.n_train for o in outcomes if o.train_accuracy >= FITTED]
            sizes = f"up to {max(fitted)}" if fitted else "below those tried"
            unfitted = f"{counted}: {n_unfitted} did not fit their training set, try "
            said.append(Advice(unfitted, Setting(f"{role}_sizes"), f" {sizes}, or a larger network"))
    return said


def _changed(design: StudyDesign, price: Price, **change: float) -> Advice:
    """One other choice, and what the study then costs."""
    ((name, value),) = change.items()
    return priced(Setting(name, value), price(replace(design, **{name: value})), design)


def _longer(design: StudyDesign, price: Price) -> Advice:
    """How many steps to take instead, and what that costs."""
    least = math.ceil(SETTLING * design.time_constant)
    below = design.horizon < least
    longer = _changed(design, price, steps=max(design.protocol_steps, least) if below else 4 * design.horizon)
    if below:
        return Advice(Setting("steps", design.horizon), f" is below {SETTLING}/(ηλ) = {least}, try ", longer)
    return Advice(f"efficiencies still moved at step {design.horizon}, try ", longer)


def _slower(design: StudyDesign, price: Price) -> Advice:
    """Which learning rate to take instead, and what that costs."""
    return Advice("try ", _changed(design, price, learning_rate=float(f"{design.learning_rate / 3:.1g}")))


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
        more = _changed(design, price, seeds=3 * design.seeds)
        return [Advice("accuracy differs more between seeds than between sizes, try ", more)]
    if side is Sides.ABOVE:
        smallest = int(sizes.min())
        if smallest <= 1:
            return ["one example is enough, so there is nothing to measure"]
        return [
            Advice("the transition lies below, try ", Setting("sizes"), f" from {max(1, smallest // 4)} to {smallest}")
        ]
    largest, most = int(sizes.max()), largest_of(n_examples)
    if largest < most:
        above = "the transition lies above by this step, try "
        return [Advice(above, Setting("sizes"), f" from {largest} to {min(most, 3 * largest)}")]
    longer = _changed(design, price, steps=4 * design.horizon)
    enough = f"nearly all {n_examples} examples are not enough by this step, try "
    return [Advice(enough, longer, ", or give more examples")]
