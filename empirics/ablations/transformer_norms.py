"""How far squared norms of transformers fall: constants from calibration runs, and larger moduli beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dcrit.empirics.ablations.committed import Row, with_block
from dcrit.empirics.measures.threshold_fit import rounded
from dcrit.theory.circuits.norms import NormLaw

#: Ends of the table in docs/results/two-thresholds.md.
BEGIN, END = "<!-- begin: norms, remade by dcrit reproduce two-thresholds -->", "<!-- end: norms -->"

#: Test accuracy from which a run has generalized, and up to which it is in memory.
GENERALIZED, IN_MEMORY = 0.97, 0.5

#: Generalized runs that memorized first: they were right on half of what mirror images leave no sooner [steps].
MEMORIZED_FIRST = 1000.0


def in_rule(runs: Sequence[Row]) -> list[Row]:
    """Runs that generalized, and whose norm had five time constants to settle after that."""
    return [run for run in runs if run["test_accuracy"] > GENERALIZED and run["ending"] == "decided"]


def in_memory(runs: Sequence[Row]) -> list[Row]:
    """Runs that had not generalized by their horizon."""
    return [run for run in runs if run["test_accuracy"] < IN_MEMORY and run["ending"] == "horizon"]


def norm_law(runs: Sequence[Row]) -> NormLaw:
    """Least squares in logarithms.

    Args:
        runs: Calibration runs.
    """
    memory, rule = in_memory(runs), in_rule(runs)
    (top, top_examples, top_width), scatter_top = _power_law(memory, "norm_largest", ("n_train", "width"))
    (resting, memory_examples), scatter_memory = _power_law(memory, "norm_at_end", ("n_train",))
    (ruled, rule_symbols), scatter_rule = _power_law(rule, "norm_at_end", ("modulus",))
    values = {
        "top": math.exp(top),
        "top_examples": top_examples,
        "top_width": top_width,
        "memory": math.exp(resting),
        "memory_examples": memory_examples,
        "rule": math.exp(ruled),
        "rule_symbols": rule_symbols,
        "scatter_top": scatter_top,
        "scatter_memory": scatter_memory,
        "scatter_rule": scatter_rule,
    }
    return NormLaw(**{name: rounded(value, 4) for name, value in values.items()})


def _power_law(rows: Sequence[Row], name: str, axes: Sequence[str]) -> tuple[list[float], float]:
    """Logarithm of the prefactor, and exponents; scatter of the logarithm about it."""
    design = np.array([[1.0, *(math.log(row[axis]) for axis in axes)] for row in rows])
    values = np.log([row[name] for row in rows])
    found = np.linalg.lstsq(design, values, rcond=None)[0]
    left = values - design @ found
    return found.tolist(), math.sqrt(float(left @ left) / (len(rows) - design.shape[1]))


def table_rows(law: NormLaw, runs: Sequence[Row]) -> list[Row]:
    """Falls of committed runs at larger moduli beside the law's, one row a network, horizon and outcome.

    Args:
        law: From calibration runs.
        runs: Drawn runs.
    """
    cells: dict[tuple[int, int, int, bool], list[tuple[float, float, bool]]] = {}
    first = [run for run in in_rule(runs) if (run["time_beyond_mirrors"] or 0.0) > MEMORIZED_FIRST]
    for generalizes, mine in ((True, first), (False, in_memory(runs))):
        for run in mine:
            symbols = run["modulus"] - (run["task"] == "mul")
            told, interval = law.fall(symbols, run["width"], run["n_train"], generalizes=generalizes)
            seen = run["norm_at_end"] / run["norm_largest"]
            place = run["modulus"], run["width"], run["steps"], generalizes
            cells.setdefault(place, []).append((told, seen, seen in interval))
    return [
        {
            "modulus": modulus,
            "width": width,
            "steps": steps,
            "generalizes": generalizes,
            "n_runs": len(found),
            "predicted": round(float(np.median([told for told, _, _ in found])), 3),
            "measured": round(float(np.median([seen for _, seen, _ in found])), 3),
            "inside": sum(inside for *_, inside in found),
        }
        for (modulus, width, steps, generalizes), found in sorted(cells.items())
    ]


def page_with_norms(page: str, law: NormLaw, runs: Sequence[Row]) -> str:
    """The page with its table of norms replaced.

    Args:
        page: Its text.
        law: From calibration runs.
        runs: Drawn runs.
    """
    lines = [
        "| p | d | T [steps] | outcome | runs | predicted | measured | inside 90 % |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in table_rows(law, runs):
        cells = [str(row[name]) for name in ("modulus", "width", "steps")]
        cells += ["generalized" if row["generalizes"] else "in memory", str(row["n_runs"])]
        cells += [f"{row['predicted']:.2f}", f"{row['measured']:.2f}", f"{row['inside']}/{row['n_runs']}"]
        lines.append(f"| {' | '.join(cells)} |")
    return with_block(page, (BEGIN, END), "\n".join(lines))
