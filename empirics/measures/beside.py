"""Which finished runs may lie over a prediction, and why others may not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.problems.problem import Problem

#: Why a run is left out, in the order in which it is looked for; a run counts for the first alone.
PROBLEM = "of another problem"
START = "that start from a network that generalizes"
UNSEEN = "without unseen pairs"
SIZE = "with another training-set size"
HORIZON = "with another horizon"
STOPPED = "that stopped at half of what they could reach"
DIVERGED = "that diverged"


class Finished(Protocol):
    """A finished run, or what a store tells of it without its curves."""

    @property
    def config(self) -> RunConfig: ...  # noqa: D102
    @property
    def ending(self) -> str: ...  # noqa: D102


One = TypeVar("One", bound=Finished)


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Runs that have no place over a prediction for one reason.

    Attributes:
        why: The reason, as it follows "runs".
        n_runs: How many.
        values: Their training-set sizes or horizons, where these are the reason, rising.
    """

    why: str
    n_runs: int
    values: tuple[int, ...] = ()

    def __str__(self) -> str:
        named = f" ({', '.join(map(str, self.values))})" if self.values else ""
        return f"{self.n_runs} {self.why}{named}"

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        return {"why": self.why, "n_runs": self.n_runs, "values": list(self.values)}


def choose(
    found: Iterable[One], problem: Problem, *, horizon: int, n_train: int | None = None
) -> tuple[list[One], list[LeftOut]]:
    """Runs of a problem at any width that were trained as a prediction assumes, and the number of others by reason.

    Args:
        found: Any runs.
        problem: The question; its width plays no part.
        horizon: T [steps].
        n_train: D; None for any [examples].

    Returns:
        The runs that may lie over the prediction, and why others may not, in the order of the reasons above.
    """
    kept: list[One] = []
    others: dict[str, list[int | None]] = {
        why: [] for why in (PROBLEM, START, UNSEEN, SIZE, HORIZON, STOPPED, DIVERGED)
    }
    for one in found:
        config = one.config
        if replace(config.problem, width=problem.width) != problem:
            others[PROBLEM].append(None)
        elif config.start != "scratch":
            others[START].append(None)
        elif config.n_train >= config.problem.n_pairs:
            others[UNSEEN].append(None)
        elif n_train not in (None, config.n_train):
            others[SIZE].append(config.n_train)
        elif config.horizon != horizon:
            others[HORIZON].append(config.horizon)
        elif config.until not in ("horizon", "generalized"):
            others[STOPPED].append(None)
        elif one.ending == "diverged":
            others[DIVERGED].append(None)
        else:
            kept.append(one)
    left_out = [
        LeftOut(why=why, n_runs=len(values), values=tuple(sorted({one for one in values if one is not None})))
        for why, values in others.items()
        if values
    ]
    return kept, left_out


def told(n_runs: int, left_out: Sequence[LeftOut]) -> str:
    """How many runs lie over a prediction and how many were left out and why, in a sentence.

    Args:
        n_runs: Those that lie over it.
        left_out: The others.
    """
    runs = "1 run lies" if n_runs == 1 else f"{n_runs or 'no'} runs lie"
    if not left_out:
        return f"{runs} over the prediction, none was left out"
    n_others = sum(one.n_runs for one in left_out)
    were = "was" if n_others == 1 else "were"
    return f"{runs} over the prediction, {n_others} {were} left out: {', '.join(map(str, left_out))}"
