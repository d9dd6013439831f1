"""What several pages say of a report: what was trained for it, what ended that, and what decides each claim."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dcrit.theory.written import confidence_sequence, number


def effort(report: Mapping[str, Any]) -> str:
    """Sentences on the runs behind a report: how many, whether a budget of time ended them, and who wants more.

    Args:
        report: Its document.
    """
    from dcrit.empirics.training.budget import duration

    before = report["stored_runs"]
    said = f"{report['runs']} runs" + (f", {before} of them made by earlier calls," if before else "")
    said += f" took {duration(report['training_seconds'])} of training on one core."
    minutes, n_open, n_more = report["budget_minutes"], report["open_claims"], report["extendable_claims"]
    total = len(report["claims"])
    enough = "no claim wants more of the seeds that were declared"
    more = f"{n_more} of {total} claims can be given more than these."
    if not n_more:
        more = "none can be given more: each has e = 100, or was asked of all problems that it draws."
    if minutes is None:
        return f"{said} No time budget ended them, and {enough}; {more}"
    said += f" The last call had a time budget of {number(minutes)} minutes"
    if not n_open:
        return f"{said}, and {enough}; {more}"
    wanted = f"{n_open} of {total} claims wanted more of the seeds that were declared"
    return f"{said}, which ended it while {wanted}; {more}"


def adding(report: Mapping[str, Any]) -> str | None:
    """The command that adds evidence; None where no claim can be given more, declared seeds or others.

    Args:
        report: The report's document.
    """
    return f"dcrit validate {report['suite']} --budget MINUTES" if report["extendable_claims"] else None


#: What that command does, behind its name.
ADDS = "makes fresh runs for so many minutes and adds them to those that are stored."


def sequence_of(claim: Mapping[str, Any], *, between: str = "–") -> str:
    """The confidence sequence of what decides a claim, as people read it.

    Args:
        claim: As the report's document has it.
        between: What stands between both ends.
    """
    row = claim["rows"][claim["leading"]]
    return confidence_sequence(row, row["seeds"], between=between)
