"""The clock's quick measurement beside the posterior's: twelve problems drawn by a public seed before it was made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dcrit.empirics.ablations.two_thresholds import frame, key_of, read
from dcrit.empirics.ablations.two_thresholds_fit import KEY, Row

#: The public seed of the draw.
SEED = 2402

#: Drawn are this many at moduli of at least ``FAR``, and as many below.
HALF, FAR = 6, 53

#: Horizons of the problems that are drawn among [steps], and the most operations that one full run of theirs takes.
HORIZONS, MOST_OPERATIONS = (1000, 20_000), 3e11


def draw_problems(results: Path) -> list[Row]:
    """Twelve measured problems of the drawn frame, half of them at large moduli.

    Args:
        results: Folder of committed results.

    Raises:
        ValueError: Too few are measured.
    """
    operations = {key_of(row): row["operations"] for row in frame(results)}
    known = [
        row
        for row in read(results, "measured")
        if row["measured"] is not None
        and HORIZONS[0] <= row["steps"] <= HORIZONS[1]
        and operations[key_of(row)] <= MOST_OPERATIONS
    ]
    rng = np.random.default_rng(SEED)
    return [*_some(known, rng, far=True), *_some(known, rng, far=False)]


def _some(rows: Sequence[Row], rng: np.random.Generator, *, far: bool) -> list[Row]:
    mine = [row for row in rows if (row["modulus"] >= FAR) == far]
    chosen = sorted(rng.choice(len(mine), HALF, replace=False).tolist())
    return [{name: mine[k][name] for name in (*KEY, "steps")} for k in chosen]
