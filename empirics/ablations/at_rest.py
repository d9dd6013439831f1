"""Sizes at rest of networks beyond the calibration, predicted first and then measured by shrinking their data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dcrit.empirics.ablations.committed import Row, read, sized, with_block
from dcrit.empirics.ablations.two_thresholds import rows_text
from dcrit.empirics.ablations.two_thresholds_fit import FOLDER
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.measures.critical_size import Sides, posterior_of, sides_of
from dcrit.empirics.measures.ungrokking import ungrokking_outcome
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.calibrations.calibration import calibration_for, shipped_calibrations
from dcrit.theory.checks import FieldError
from dcrit.theory.predictions.critical_size import predict_critical_size
from dcrit.theory.problems.problem import Problem, label

#: File of predictions, and of what was measured of them since.
FILE = "at-rest.json"

#: File of sizes at rest that were known when the law was chosen, of networks that no constant is from, and whence.
KNOWN = "rest-known.json"

#: Ends of the table in docs/results/two-thresholds.md.
BEGIN, END = "<!-- begin: at rest, remade by dcrit reproduce at-rest -->", "<!-- end: at rest -->"

#: Networks that no constant is from: modulus and width of transformers, activation and modulus of pair-MLPs.
TRANSFORMERS = ((29, 16), (31, 32), (37, 16), (37, 32), (37, 48), (43, 16), (53, 32), (59, 24), (67, 24), (79, 24))
PAIR_MLPS = (("square", 59), ("relu", 59), ("square", 89), ("relu", 89))
PAIR_MLP_WIDTH = 128

#: Horizon before and after the data shrink, in time constants, and seeds, by model: those of the calibration.
CONSTANTS, SEEDS = {"transformer": 15, "mlp": 40}, {"transformer": 3, "mlp": 2}

#: Sizes over the predicted one, at first and where the transition lies beyond them.
SIZES, BELOW, ABOVE = (0.72, 0.9, 1.12, 1.4), 0.55, 1.8


def problems() -> list[Problem]:
    """What is asked, transformers first."""
    return [
        *(
            Problem(modulus=p, model="transformer", activation="relu", width=d, learning_rate=3e-3)
            for p, d in TRANSFORMERS
        ),
        *(Problem(modulus=p, activation=activation, width=PAIR_MLP_WIDTH) for activation, p in PAIR_MLPS),
    ]


def predicted_row(problem: Problem) -> Row:
    """The size at rest of a problem by the law that ships, with its interval.

    Args:
        problem: What is asked.

    Raises:
        ValueError: The law says nothing of it.
    """
    calibration = calibration_for(problem, shipped_calibrations())
    found = None if calibration is None else predict_critical_size(problem, calibration).at_rest
    if found is None or found.value is None or found.interval is None:
        raise FieldError("problem", "be one whose size at rest the law speaks of", label(problem))
    return {
        "problem": problem.to_dict(),
        "steps": round(CONSTANTS[problem.model] * problem.time_constant),
        "predicted": round(found.value, 1),
        "predicted_interval": [round(found.interval.low, 1), round(found.interval.high, 1)],
        "runs": [],
    }


def rows(results: Path) -> list[Row]:
    """One row a problem, as it is committed, or predicted now where it is not.

    Args:
        results: Folder of committed results.
    """
    path = results / FOLDER / FILE
    known = {Problem.from_dict(row["problem"]): row for row in (read(path) if path.exists() else [])}
    return [known.get(problem) or predicted_row(problem) for problem in problems()]


def estimated(row: Row) -> Row:
    """A row with the size that its runs measure; none where accuracy does not pass one half within their sizes.

    Args:
        row: With its runs.
    """
    sizes, accuracy = _usable(row)
    found = {name: row[name] for name in ("problem", "steps", "predicted", "predicted_interval")}
    found |= {"measured": None, "n_runs": len(row["runs"]), "n_lost": len(row["runs"]) - len(sizes)}
    if sides_of(sizes, accuracy) is Sides.BOTH:
        posterior = posterior_of(sizes, accuracy, Problem.from_dict(row["problem"]).n_pairs)
        interval, measured = posterior.interval(), round(posterior.midpoint, 1)
        found |= {
            "measured": measured,
            "measured_interval": [round(interval.low, 1), round(interval.high, 1)],
            "error": round(math.log(row["predicted"] / measured), 3),
            "inside": row["predicted_interval"][0] <= measured <= row["predicted_interval"][1],
        }
    return found | {"runs": row["runs"]}


def _usable(row: Row) -> tuple[np.ndarray, np.ndarray]:
    """Sizes and accuracies of runs that had generalized before their data shrank."""
    kept = [run for run in row["runs"] if run["test_accuracy"] is not None]
    return (
        np.array([run["n_train"] for run in kept], dtype=np.float64),
        np.array([run["test_accuracy"] for run in kept], dtype=np.float64),
    )


def measure(results: Path, laboratory: Laboratory) -> None:
    """Measure what is predicted and has no runs yet, network by network.

    Args:
        results: Folder of committed results.
        laboratory: Finds or trains the runs.

    Raises:
        ValueError: Nothing was predicted yet.
    """
    path = results / FOLDER / FILE
    if not path.exists():
        raise FieldError("store", f"be left out until {path} holds what was predicted", "given")
    known = rows(results)
    for place, row in enumerate(known):
        if not row["runs"]:
            known[place] = _measured(row, laboratory)
            path.write_text(rows_text(known), encoding="utf-8")


def _measured(row: Row, laboratory: Laboratory) -> Row:
    """A row with runs at the first sizes, and at one more where the transition lies beyond them."""
    found = estimated({**row, "runs": _runs(row, SIZES, laboratory)})
    more = {Sides.ABOVE: BELOW, Sides.BELOW: ABOVE}.get(sides_of(*_usable(found)))
    if more is None:
        return found
    return estimated({**found, "runs": found["runs"] + _runs(row, (more,), laboratory)})


def _runs(row: Row, factors: Sequence[float], laboratory: Laboratory) -> list[Row]:
    """Runs at multiples of the predicted size; a seed trains on the larger set once for all of them."""
    problem, steps = Problem.from_dict(row["problem"]), row["steps"]
    sizes = [round(factor * row["predicted"]) for factor in factors]
    configs = [
        RunConfig(problem=problem, n_train=size, seed=seed, steps=steps, start="generalized")
        for seed in range(SEEDS[problem.model])
        for size in sizes
    ]
    made: list[Row] = []
    for config, run in zip(configs, laboratory.runs(configs, stage=f"at rest: {label(problem)}"), strict=True):
        accuracy = ungrokking_outcome(run).test_accuracy
        kept = None if math.isnan(accuracy) else round(accuracy, 4)
        made.append({"n_train": config.n_train, "seed": config.seed, "test_accuracy": kept})
    return made


def known_rows(results: Path) -> list[Row]:
    """Sizes that were known before, with what the law that ships says of them.

    Args:
        results: Folder of committed results.
    """
    found: list[Row] = []
    for row in read(results / FOLDER / KNOWN):
        names = ("modulus", "model", "activation", "width")
        rate = 3e-3 if row["model"] == "transformer" else 1e-2
        told = predicted_row(Problem(**{name: row[name] for name in names}, learning_rate=rate))
        low, high = told["predicted_interval"]
        found.append(
            {
                **told,
                "steps": row["steps"],
                "measured": row["measured"],
                "measured_interval": row["measured_interval"],
                "error": round(math.log(told["predicted"] / row["measured"]), 3),
                "inside": low <= row["measured"] <= high,
                "source": row["source"],
            }
        )
    return found


def at_rest(results: Path) -> dict[Path, str]:
    """The rows and the page's table of them, by path.

    Args:
        results: Folder of committed results.
    """
    found = [estimated(row) for row in rows(results)]
    page = results / "two-thresholds.md"
    return {
        results / FOLDER / FILE: rows_text(found),
        page: page_with_rows(page.read_text(encoding="utf-8"), found, known_rows(results)),
    }


def page_with_rows(page: str, found: Sequence[Row], known: Sequence[Row]) -> str:
    """The page with its tables of sizes at rest replaced.

    Args:
        page: Its text.
        found: Rows of :func:`estimated`.
        known: Rows of :func:`known_rows`.
    """
    lines = [
        "| model | σ | p | width | T [steps] | predicted (90 %) | measured (90 %) | runs | ln(predicted/measured) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in [*found, *known]:
        problem, measured = row["problem"], row["measured"]
        cells = [problem["model"], f"`{problem['activation']}`"]
        cells += [str(one) for one in (problem["modulus"], problem["width"], row["steps"])]
        cells += [sized(row["predicted"], row["predicted_interval"])]
        runs = row["source"] if "source" in row else str(row["n_runs"] or "–")
        if measured is None:
            cells += ["not measured", runs, "–"]
        else:
            ends = row["measured_interval"]
            cells += [f"{measured:.0f}" if ends is None else sized(measured, ends), runs, f"{row['error']:+.3f}"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| sizes at rest | networks | median \\|ln\\| | worst | inside 90 % |", "|---|---|---|---|---|"]
    blind = [row for row in found if row["measured"] is not None]
    for name, mine in (("predicted before", blind), ("known before", known), ("all", [*blind, *known])):
        if mine:
            errors = np.abs([row["error"] for row in mine])
            inside = sum(row["inside"] for row in mine)
            cells = [name, str(len(mine)), f"{np.median(errors):.3f}", f"{errors.max():.3f}", f"{inside}/{len(mine)}"]
            lines.append(f"| {' | '.join(cells)} |")
    return with_block(page, (BEGIN, END), "\n".join(lines))
