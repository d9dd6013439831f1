"""Measured critical sizes beside facts to memorize: the runs behind them, and the file that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.ablations.committed import read, text_of
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.experiments.multitask_transitions import measure_multitask_transitions
from dcrit.empirics.measures.critical_size import critical_size_of, sizes_and_accuracies
from dcrit.empirics.runs.multitask import Blocks, Embedding, MultitaskConfig, Operands, beside_facts
from dcrit.theory.checks import check_choice
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]

#: Among the committed results: the measured sizes.
SERIES_FILE = "emergence-series.json"

#: A measurement ends where its interval is so narrow, relative half width, or at so many horizons of training.
TOLERANCE, BUDGET = 0.02, 28.0


@dataclass(frozen=True, kw_only=True)
class Series:
    """Critical sizes beside several numbers of facts, all else equal.

    Attributes:
        name: Short name.
        meaning: What is trained, for people.
        alone: Name of the series whose D_crit(0) it is compared with.
        n_facts: D_r [examples].
        activation: σ.
        blocks: As of ``MultitaskConfig``.
        embedding: As of ``MultitaskConfig``.
        operands: As of ``beside_facts``.
        pretraining: Steps on the task alone, before both [steps].
    """

    name: str
    meaning: str
    alone: str
    n_facts: tuple[int, ...]
    activation: str = "square"
    blocks: Blocks = "shared"
    embedding: Embedding = "merged"
    operands: Operands = "shared"
    pretraining: int = 0

    @property
    def problem(self) -> Problem:
        """The task: addition mod 19 at width 64."""
        return Problem(task="add", modulus=19, activation=self.activation, width=64)

    def config(self, n_facts: int) -> MultitaskConfig:
        """What is trained; seeds count up from 0 and the size is chosen round by round."""
        return beside_facts(
            self.problem,
            n_train=1,
            n_facts=n_facts,
            blocks=self.blocks,
            embedding=self.embedding,
            operands=self.operands,
            pretraining=self.pretraining,
        )


SERIES = (
    Series(
        name="shared",
        meaning="`square`, one block, facts on the task's operands",
        alone="shared",
        n_facts=(0, 20, 40, 80, 160),
    ),
    Series(
        name="relu",
        meaning="`relu`, one block, facts on the task's operands",
        alone="relu",
        n_facts=(0, 20, 40, 80),
        activation="relu",
    ),
    Series(
        name="pretrained",
        meaning="`square`, one block, trained on the task alone first",
        alone="shared",
        n_facts=(40, 80, 160),
        pretraining=4000,
    ),
    Series(
        name="split",
        meaning="`square`, a block for each, shared W",
        alone="split",
        n_facts=(0, 80, 160),
        blocks="split",
    ),
    Series(
        name="own operands",
        meaning="`square`, one block, facts on operands of their own",
        alone="shared",
        n_facts=(40, 160),
        operands="own",
    ),
    Series(
        name="apart",
        meaning="`square`, shared embedding below one block",
        alone="apart",
        n_facts=(0, 80),
        embedding="apart",
    ),
    Series(
        name="apart, split",
        meaning="`square`, shared embedding below a block for each",
        alone="apart, split",
        n_facts=(0, 80),
        embedding="apart",
        blocks="split",
    ),
)


def check_series(names: Sequence[str]) -> None:
    """Refuse names that no series has.

    Raises:
        ValueError: There is no series of that name.
    """
    for name in names:
        check_choice("series", name, tuple(series.name for series in SERIES))


def estimated(series: Series, n_facts: int, n_train: FloatArray, accuracy: FloatArray, n_lost: int) -> dict[str, Any]:
    """One critical size as JSON values, with the sizes and accuracies that it rests on."""
    rounded = accuracy.round(4)
    horizon = series.config(n_facts).horizon
    size = critical_size_of(n_train, rounded, largest=series.problem.n_pairs, horizon=horizon, n_lost=n_lost)
    runs = [[int(n), float(a)] for n, a in zip(n_train, rounded, strict=True)]
    return {"n_facts": n_facts, "critical_size": size.to_dict(), "runs": runs}


def document_of(series: Series, points: list[dict[str, Any]]) -> dict[str, Any]:
    """One series as JSON values."""
    return {**asdict(series), "problem": series.problem.to_dict(), "points": points}


def measured(series: Series, laboratory: Laboratory) -> dict[str, Any]:
    """One series, from runs that are trained or found."""
    templates = [series.config(n_facts) for n_facts in series.n_facts]
    found = measure_multitask_transitions(templates, laboratory, tolerance=TOLERANCE, budget=BUDGET, stage=series.name)
    points: list[dict[str, Any]] = []
    for n_facts, one in zip(series.n_facts, found, strict=True):
        n_train, accuracy = sizes_and_accuracies(one.outcomes)
        points.append(estimated(series, n_facts, n_train, accuracy, len(one.outcomes) - n_train.size))
    return document_of(series, points)


def estimated_again(results: Path) -> dict[Path, str]:
    """The document of all series, every size estimated from the sizes and accuracies that it holds, by its file."""
    path, known = results / SERIES_FILE, {series.name: series for series in SERIES}
    document: dict[str, Any] = {}
    for name, found in read(path).items():
        points: list[dict[str, Any]] = []
        for one in found["points"]:
            n_train, accuracy = np.array(one["runs"], dtype=np.float64).T
            n_lost = one["critical_size"]["n_unconverged"]
            points.append(estimated(known[name], one["n_facts"], n_train, accuracy, n_lost))
        document[name] = document_of(known[name], points)
    return {path: text_of(document)}


def measured_series(names: Sequence[str], results: Path, laboratory: Laboratory) -> dict[Path, str]:
    """The document of all series, those named measured now and the others as they are, by its file.

    Args:
        names: Of series; all of them where none is named.
        results: Folder of the committed results.
        laboratory: Finds or trains the runs.

    Raises:
        ValueError: There is no series of that name.
    """
    check_series(names)
    known, path = {series.name: series for series in SERIES}, results / SERIES_FILE
    document = read(path) if path.exists() else {}
    document |= {name: measured(known[name], laboratory) for name in names or known}
    return {path: text_of({name: document[name] for name in known if name in document})}
