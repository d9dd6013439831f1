"""What an answer says in one sentence: as sure as its probabilities, and no surer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dcrit.theory.advice import Advice
from dcrit.theory.written import number, probability, span

if TYPE_CHECKING:
    from dcrit.theory.estimates import Estimate
    from dcrit.theory.problems.problem import Problem

#: Probability from which on something is said as it is, and from which on it is said to be likely.
SURE, LIKELY = 0.9, 0.5


def chance_cell(chance: float) -> str:
    """A probability as a table shows it.

    Args:
        chance: Between 0 and 1.
    """
    return probability(chance).replace("above ", ">").replace("below ", "<")


def said_of(chance: float, yes: str, no: str) -> str:
    """Whether something is so, as surely as its probability allows.

    Args:
        chance: That it is so.
        yes: The sentence that says so.
        no: The sentence that says it is not.
    """
    known = f"probability {probability(chance)}"
    if chance >= SURE:
        return f"{yes}: {known}"
    if chance >= LIKELY:
        return f"more likely than not, {yes}: {known}"
    if chance > 1 - SURE:
        return f"more likely not: {yes} with {known}"
    return f"{no}: {yes} with {known}"


def said_of_kinds(chances: Mapping[str, float], unknown: str) -> str:
    """Which of several kinds it is, as surely as their probabilities allow.

    Args:
        chances: Probability of each kind; they sum to 1.
        unknown: The kind that says that nothing is known.
    """
    best, second = sorted(chances, key=lambda name: -chances[name])[:2]
    chance = chances[best]
    if best == unknown and chance >= LIKELY:
        return "cannot tell: nothing is known so far outside the calibration"
    if chance >= SURE:
        return f"{best}: probability {probability(chance)}"
    then = f"{second} {probability(chances[second])}"
    if chance >= LIKELY:
        return f"more likely than not {best}: probability {probability(chance)}, then {then}"
    return f"cannot tell: {best} has probability {probability(chance)}, {then}"


def at_rates(problem: Problem) -> str:
    """η and λ in brackets where they are not the defaults, to stand behind what holds for them alone; else empty.

    Args:
        problem: What was asked about.
    """
    from dcrit.theory.problems.problem import rates_label

    rates = rates_label(problem)
    return f" ({rates})" if rates else ""


def said_of_size(name: str, found: Estimate, outside: Sequence[str] = ()) -> str:
    """A number with its interval, or why there is none; then how far outside the calibration it lies.

    Args:
        name: What it is.
        found: The estimate.
        outside: What of the question lies outside the calibration, and by how much: one phrase each.
    """
    if found.value is None:
        reason = found.reason or "the calibration says nothing of it"
        return reason if reason.startswith("cannot tell") else Advice(f"{name}: ", reason)
    words = f"{name} = {number(found.value)} {found.unit}"
    if found.interval is not None:
        within = span(found.interval.low, found.interval.high)
        words += f" ({found.interval.level:.0%} interval {within})"
    if not found.extrapolated:
        return words
    why = outside[0] if outside else "this lies outside the calibration"
    more = f", and {len(outside) - 1} more such" if len(outside) > 1 else ""
    return f"{words}; the interval is widened, as {why}{more}"
