"""Measure what facts to memorize do to the critical size, for ``docs/emergence.md``.

``python docs/emergence_runs.py STORE`` trains what the folder STORE lacks, some twelve minutes on one idle core, and
writes ``docs/results/emergence-series.json``; then ``python docs/emergence.py`` remakes the page. With names of series
behind the folder it measures those alone and keeps the others as they are.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dcrit.empirics.experiments.laboratory import Laboratory, open_runs
from dcrit.empirics.measures.critical_size import measure_multitask_critical_size, multitask_sizes_and_accuracies
from dcrit.empirics.runs.multitask import Blocks, Embedding, MultitaskConfig, Operands, beside_facts
from dcrit.theory.problems.problem import Problem

TARGET = Path(__file__).resolve().parents[2] / "docs" / "results" / "emergence-series.json"

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


def measured(series: Series, bench: Laboratory) -> dict[str, Any]:
    """One series as JSON values: every critical size, with the sizes and accuracies behind it."""
    points = []
    for n_facts in series.n_facts:
        size, runs = measure_multitask_critical_size(series.config(n_facts), bench.multitask, max_runs=MAX_RUNS)
        n_train, accuracy = multitask_sizes_and_accuracies(runs)
        points.append(
            {
                "n_facts": n_facts,
                "critical_size": size.to_dict(),
                "runs": [[int(n), round(float(a), 4)] for n, a in zip(n_train, accuracy, strict=True)],
            }
        )
        print(series.name, n_facts, size.value, size.interval, size.reason, flush=True)
    return {**asdict(series), "problem": series.problem.to_dict(), "points": points}


def main() -> None:
    """Measure, and write the document."""
    folder, *names = sys.argv[1:]
    known = {series.name: series for series in SERIES}
    for name in names or known:
        with open_runs(folder) as bench:
            found = measured(known[name], bench)
        document = json.loads(TARGET.read_text(encoding="utf-8")) if TARGET.exists() else {}
        document[name] = found
        ordered = {key: document[key] for key in known if key in document}
        TARGET.write_text(json.dumps(ordered, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
