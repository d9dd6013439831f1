"""Measured critical sizes beside facts to memorize, for the page that :mod:`facts_beside_a_task` writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dcrit.empirics.ablations.committed import read, text_of
from dcrit.empirics.ablations.facts_beside_a_task import SERIES_FILE
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.measures.critical_size import measure_multitask_critical_size, multitask_sizes_and_accuracies
from dcrit.empirics.runs.multitask import Blocks, Embedding, MultitaskConfig, Operands, beside_facts
from dcrit.theory.checks import check_choice
from dcrit.theory.problems.problem import Problem

#: Runs behind one critical size, which end earlier where its interval is narrower than 5 %.
MAX_RUNS = 28


@dataclass(frozen=True, kw_only=True)
class Series:
    """Critical sizes beside several numbers of facts, all else equal.

    Attributes:
        name: Short name.
        n_facts: D_r [examples].
        activation: σ.
        blocks: As of ``MultitaskConfig``.
        embedding: As of ``MultitaskConfig``.
        operands: As of ``beside_facts``.
        pretraining: Steps on the task alone, before both [steps].
    """

    name: str
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
    Series(name="shared", n_facts=(0, 20, 40, 80, 160)),
    Series(name="relu", n_facts=(0, 20, 40, 80), activation="relu"),
    Series(name="pretrained", n_facts=(40, 80, 160), pretraining=4000),
    Series(name="split", n_facts=(0, 80, 160), blocks="split"),
    Series(name="own operands", n_facts=(40, 160), operands="own"),
    Series(name="apart", n_facts=(0, 80), embedding="apart"),
    Series(name="apart, split", n_facts=(0, 80), embedding="apart", blocks="split"),
)


def check_series(names: Sequence[str]) -> None:
    """Refuse names that no series has.

    Raises:
        ValueError: There is no series of that name.
    """
    for name in names:
        check_choice("series", name, tuple(series.name for series in SERIES))


def measured(series: Series, laboratory: Laboratory) -> dict[str, Any]:
    """One series as JSON values: every critical size, with the sizes and accuracies behind it."""
    points: list[dict[str, Any]] = []
    for n_facts in series.n_facts:
        size, runs = measure_multitask_critical_size(series.config(n_facts), laboratory.multitask, max_runs=MAX_RUNS)
        n_train, accuracy = multitask_sizes_and_accuracies(runs)
        points.append(
            {
                "n_facts": n_facts,
                "critical_size": size.to_dict(),
                "runs": [[int(n), round(float(a), 4)] for n, a in zip(n_train, accuracy, strict=True)],
            }
        )
    return {**asdict(series), "problem": series.problem.to_dict(), "points": points}


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
