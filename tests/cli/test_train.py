"""What ``dcrit train`` says of runs beside their table."""

from typing import Any

import pytest

from dcrit.cli.train import _settled


def run(seed: int, *, converged: bool = True, ending: str = "horizon") -> dict[str, Any]:
    return {"width": 32, "n_train": 150, "seed": seed, "converged": converged, "ending": ending}


@pytest.mark.parametrize(
    ("summaries", "said"),
    [
        ([run(0), run(1)], "All 2 runs took all their steps and converged."),
        ([run(0)], "The run took all its steps and converged."),
        ([run(0, converged=False)], "The run took all its steps and did not converge: accuracies may still change."),
        (
            [run(0), run(1, converged=False), run(2)],
            "All 3 runs took all their steps; 1 did not converge, whose accuracies may still change: D = 150, seed 1.",
        ),
        (
            [run(0), run(1, converged=False), run(2, converged=False, ending="diverged")],
            "2 of 3 runs took all their steps; 1 did not converge, whose accuracies may still change: D = 150, seed 1.",
        ),
        ([run(0, converged=False, ending="diverged")], "No run took all its steps."),
    ],
)
def test_what_all_runs_have_in_common_is_a_sentence(summaries: list[dict[str, Any]], said: str) -> None:
    assert _settled(summaries, several_widths=False) == said


def test_runs_that_did_not_converge_are_named_up_to_a_number() -> None:
    said = _settled([run(0), *(run(k, converged=False) for k in range(1, 26))], several_widths=True)
    assert said.count("width 32, D = 150, seed") == 6
    assert said.endswith("seed 6; and 19 more.")
