"""Runs in the plane of model size and training-set size, beside the regimes that are predicted there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from dcrit.empirics.measures.planes import means
from dcrit.empirics.runs.outcomes import outcome_of, shown_by
from dcrit.empirics.runs.single import Run
from dcrit.theory.circuits.regimes import shown_from_scratch
from dcrit.theory.predictions.phase_diagram import PhaseDiagram
from dcrit.theory.predictions.regime import REGIMES


def place_of(run: Run) -> tuple[int, int, int]:
    """Width, number of parameters and training-set size of a run."""
    return run.config.problem.width, run.config.problem.n_params, run.config.n_train


def most_show(runs: Sequence[Run]) -> tuple[str, int]:
    """What most of some runs from scratch show, in the words of ``dcrit classify``, and how many do.

    Args:
        runs: Finished runs.
    """
    return Counter(map(shown_by, runs)).most_common(1)[0]


def as_predicted(shown: str, region: str) -> bool:
    """Whether runs show what training from scratch shows in a region.

    Grokking without a delay is grokking there, and a training set that is memorized in part is beyond capacity as it is
    in progression.

    Args:
        shown: What most runs show.
        region: The regime that is predicted.
    """
    others = (("generalized at once", "grokking"), ("partial memorization", "progression"))
    return shown == shown_from_scratch(region) or (shown, region) in others


def points_in_plane(runs: Sequence[Run], diagram: PhaseDiagram | None) -> list[dict[str, Any]]:
    """One row a width and size: runs, mean test accuracy, what most show, how many do, and what was predicted.

    Args:
        runs: Finished runs of one problem at any width.
        diagram: The predicted plane; its regime nearest to a point is the point's, and a point outside of it has none.
            None where there is no plane.
    """
    rows: list[dict[str, Any]] = []
    for (width, n_params, n_train), some in groupby(sorted(runs, key=place_of), key=place_of):
        group = list(some)
        most, n_showing = most_show(group)
        accuracy = float(means(np.array([outcome_of(run).test_accuracy for run in group])))
        rows.append(
            {
                "width": width,
                "n_params": n_params,
                "n_train": n_train,
                "n_runs": len(group),
                "test_accuracy": accuracy if np.isfinite(accuracy) else None,
                "dynamics": most,
                "n_showing": n_showing,
                "predicted": None if diagram is None else _regime_at(diagram, width, n_train),
            }
        )
    return rows


def _regime_at(diagram: PhaseDiagram, width: int, n_train: int) -> str | None:
    """The regime of the point of the plane that is nearest in both logarithms; None outside of it."""
    for values, one in ((diagram.widths, width), (diagram.n_trains, n_train)):
        if not values[0] * (1 - 1e-9) <= one <= values[-1] * (1 + 1e-9):
            return None
    row = int(np.abs(np.log(diagram.n_trains / n_train)).argmin())
    column = int(np.abs(np.log(diagram.widths / width)).argmin())
    return REGIMES[int(diagram.codes[row, column])]
