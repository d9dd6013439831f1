"""Say of every cell that a shipped calibration leaves out as not identified whether its task was learned at all.

``python docs/unidentified.py FILE STORE`` trains what the store lacks of those cells' runs on the real task, some ten
minutes on two cores for small transformers, and writes the causes into the calibration; its constants stay as they are.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

from dcrit.cli.options import Machine
from dcrit.cli.training import training
from dcrit.empirics.efficiency import EfficiencyDesign, usable, why_not_identified
from dcrit.empirics.outcomes import outcome_of
from dcrit.theory.calibration import Calibration
from dcrit.theory.problem import Problem

NOT_IDENTIFIED = re.compile(r"^(modulus (\d+), width (\d+): the mixture is not identified: .* of its range, )")

#: Those of the calibration of small transformers.
SEEDS = 2


def main(path: Path, store: Path) -> None:
    """Rewrite the causes of a calibration's file."""
    document = json.loads(path.read_text(encoding="utf-8"))
    shipped = Calibration.from_json(path.read_text(encoding="utf-8"))
    family = Problem(
        task=shipped.tasks[0],
        model="transformer" if shipped.model == "transformer" else "mlp",
        activation="relu" if shipped.activation == "relu" else "square",
        weight_decay=shipped.weight_decay,
        learning_rate=shipped.learning_rate,
    )
    found = [(place, match) for place, text in enumerate(shipped.omitted) if (match := NOT_IDENTIFIED.match(text))]
    designs = [
        EfficiencyDesign(problem=replace(family, modulus=int(match[2]), width=int(match[3])), seeds=SEEDS)
        for _, match in found
    ]
    with training(store, Machine()) as run:
        outcomes = iter(
            outcome_of(one) for one in run([c for design in designs for c in design.generalizing()], stage="cells")
        )
        for (place, match), design in zip(found, designs, strict=True):
            problem = design.problem
            used, _, _ = usable([next(outcomes) for _ in design.generalizing()])
            cause = why_not_identified(used, problem.n_pairs, commutative=problem.definition.symmetric)
            document["omitted"][place] = match[1] + cause
            print(document["omitted"][place])
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
