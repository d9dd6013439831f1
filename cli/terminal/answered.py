"""Answers to one question about several problems as one table for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dcrit.api.several import Answers
from dcrit.cli.terminal.output import remark, say, table

if TYPE_CHECKING:
    from pathlib import Path

    from dcrit.empirics.measures.beside import LeftOut
    from dcrit.theory.calibrations.calibration import Calibration
    from dcrit.theory.calibrations.track_record import TrackRecord
    from dcrit.theory.problems.problem import Problem

#: What answers differ by, as columns name it.
SYMBOLS = {"modulus": "p", "width": "width", "n_train": "D"}


def show_several(found: Answers[Any], columns: Sequence[str], row_of: Callable[[Any], Sequence[object]]) -> None:
    """Print one row an answer, behind what tells it apart.

    Args:
        found: The answers.
        columns: Names of what each has.
        row_of: These of one answer.
    """
    names = [name for name in found.varied[0] if _varies(name, found.varied)]
    table(
        found.title,
        [*(SYMBOLS[name] for name in names), *columns],
        [
            [*(where[name] for name in names), *row_of(one)]
            for where, one in zip(found.varied, found.answers, strict=True)
        ],
    )


def _varies(name: str, varied: Sequence[Mapping[str, int]]) -> bool:
    return len({where[name] for where in varied}) > 1


def say_outside(outside: Sequence[str]) -> None:
    """Name what of a question lies outside the calibration."""
    if outside:
        say(f"Outside the calibration, so intervals are wider: {'; '.join(outside)}.")


def say_calibration(problem: Problem, given: Calibration | Path | None) -> None:
    """Name the constants that a prediction rests on, and between what sizes they were measured.

    Args:
        problem: The question.
        given: Constants, or a file of one's own; None for those that ship.
    """
    from dcrit.api.predictions import chosen_calibration

    chosen = chosen_calibration(problem, given)
    remark(f"calibration: {chosen.subject} ({chosen.ranges})")


def say_record(record: TrackRecord | None) -> None:
    """Say how far off earlier predictions from the same constants were, where that is known."""
    for sentence in () if record is None else record.sentences():
        remark(sentence)


def say_none_beside(store: str, left_out: Sequence[LeftOut]) -> None:
    """Say that no run of a folder may lie over a prediction, and why.

    Args:
        store: The folder.
        left_out: Its runs, by reason.
    """
    if not left_out:
        say(f"{store} holds no runs of single networks.")
        return
    reasons = "; ".join(map(str, left_out))
    say(f"No run in {store} was trained as this prediction assumes: {reasons}. 'dcrit runs list' shows what is there.")
