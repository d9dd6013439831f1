"""An explorer's page without the seconds that its grids take, for tests that look at all else."""

import numpy as np
import pytest

import dcrit
from dcrit.api.explorer import page
from dcrit.api.explorer.grids import Grid, Subject


def without_theory(patch: pytest.MonkeyPatch) -> None:
    """Pages hold one subject with one grid of two numbers.

    Args:
        patch: Undoes it.
    """
    subject = Subject(
        calibration=dcrit.predict(dcrit.Problem()).calibration,
        tasks=("add",),
        nodes={"symbols": (10.0, 200.0)},
        grids={"size": Grid.of(("symbols",), np.array([1.0, 2.0]))},
    )
    patch.setattr(page, "subjects", lambda: [subject])
