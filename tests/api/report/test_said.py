"""Sentences on a report's effort: what is left of declared seeds, and what more a budget would make."""

from typing import Any

import pytest

from dcrit.api.report.said import adding, effort

BASE: dict[str, Any] = {"suite": "quick", "runs": 9, "stored_runs": 0, "training_seconds": 60.0, "claims": [{}] * 5}


@pytest.mark.parametrize(
    ("budget", "declared", "beyond", "says"),
    [
        (
            None,
            0,
            0,
            "No time budget ended them, and no claim wants more of the seeds that were declared; none can be given "
            "more: each has e = 100, or was asked of all problems that it draws.",
        ),
        (None, 0, 2, "of the seeds that were declared; 2 of 5 claims can be given more than these."),
        (
            3.0,
            0,
            1,
            "a time budget of 3 minutes, and no claim wants more of the seeds that were declared; 1 of 5 claims",
        ),
        (3.0, 2, 4, "while 2 of 5 claims wanted more of the seeds that were declared; 4 of 5 claims can be given more"),
    ],
)
def test_declared_seeds_are_told_from_those_that_can_be_added(
    budget: float | None, declared: int, beyond: int, says: str
) -> None:
    report = BASE | {"budget_minutes": budget, "open_claims": declared, "extendable_claims": beyond}
    assert says in effort(report)
    assert adding(report) == ("dcrit validate quick --budget MINUTES" if beyond else None)
