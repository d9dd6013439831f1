"""Measure again what a shipped calibration of transformers says beside its cells, whose constants stay as they are.

``python docs/remeasure.py FILE STORE`` trains what the store lacks, some twenty minutes on two cores, and writes into
the file the law of D_sym, and of every cell left out as not identified whether its task was learned at all.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

from dcrit.empirics.experiments.laboratory import open_runs
from dcrit.empirics.measures.calibrate import CalibrationDesign
from dcrit.empirics.measures.efficiency import EfficiencyDesign, usable, why_not_identified
from dcrit.empirics.measures.symmetry import SymmetryDesign, fit_symmetry
from dcrit.empirics.runs.addressed import Runner
from dcrit.empirics.runs.outcomes import outcome_of
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.theory.calibrations.calibration import Calibration
from dcrit.theory.problems.problem import Problem

OMITTED = re.compile(r"^modulus (\d+), width (\d+): ")
NOT_IDENTIFIED = re.compile(r"^(modulus \d+, width \d+: the mixture is not identified: .* of its range, )")


def design_of(shipped: Calibration) -> CalibrationDesign:
    """The runs behind a calibration of transformers, two seeds a size."""
    family = Problem(
        task=shipped.tasks[0],
        model="transformer",
        activation="relu",
        weight_decay=shipped.weight_decay,
        learning_rate=shipped.learning_rate,
    )
    omitted = [(int(found[1]), int(found[2])) for found in map(OMITTED.match, shipped.omitted) if found]
    places = [*((cell.n_symbols, cell.width) for cell in shipped.cells), *omitted]
    moduli, widths = (tuple(sorted({place[axis] for place in places})) for axis in (0, 1))
    return CalibrationDesign(family=family, moduli=moduli, widths=widths, seeds=2)


def causes(shipped: Calibration, design: CalibrationDesign, run: Runner[RunConfig, Run]) -> list[str]:
    """What is said of omitted cells, those that are not identified judged by runs on the real task."""
    said: list[str] = []
    for text in shipped.omitted:
        place, found = OMITTED.match(text), NOT_IDENTIFIED.match(text)
        if place is None or found is None:
            said.append(text)
            continue
        problem = replace(design.family, modulus=int(place[1]), width=int(place[2]))
        runs = run(EfficiencyDesign(problem=problem, seeds=design.seeds).generalizing(), stage=place[0])
        used, _, _ = usable([outcome_of(one) for one in runs])
        said.append(found[1] + why_not_identified(used, problem.n_pairs, commutative=problem.definition.commutative))
    return said


def main(path: Path, store: Path) -> None:
    """Rewrite a calibration's file."""
    shipped = Calibration.from_json(path.read_text(encoding="utf-8"))
    design = design_of(shipped)
    with open_runs(store) as bench:
        plans = [SymmetryDesign(problem=problem) for problem in design.symmetry_problems()]
        law = fit_symmetry(
            [outcome_of(one) for one in bench.runs([c for p in plans for c in p.configs()], stage="D_sym")]
        )
        if isinstance(law, str):
            raise SystemExit(law)
        found = replace(shipped, omitted=tuple(causes(shipped, design, bench.runs)), symmetry=law)
    path.write_text(found.to_json(), encoding="utf-8")
    print(json.dumps(law.to_dict()), *found.omitted, sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
