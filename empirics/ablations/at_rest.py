"""Sizes at rest of networks beyond the calibration, predicted first and then measured by shrinking their data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from scipy import stats
from scipy.optimize import curve_fit

from dcrit.empirics.ablations.committed import Row, read, sized, with_block
from dcrit.empirics.ablations.two_thresholds import rows_text
from dcrit.empirics.ablations.two_thresholds_fit import FOLDER, rest_sizes
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

#: Largest modulus of the networks that the steeper line is fitted to.
NEAR = 47

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

    Transformers of larger moduli also get what the steeper line says, once networks that it is fitted to are measured.

    Args:
        results: Folder of committed results.
    """
    path = results / FOLDER / FILE
    known = {Problem.from_dict(row["problem"]): row for row in (read(path) if path.exists() else [])}
    found = [known.get(problem) or predicted_row(problem) for problem in problems()]
    asked = [row for row in found if _is_far(row) and not row["runs"] and "steeper" not in row]
    near = [row for row in found if row["problem"]["model"] == "transformer" and not _is_far(row)]
    if asked and near and all(row.get("measured") for row in near):
        told = iter(steeper_line(near_sizes(results, near), [_symbols_and_width(row) for row in asked]))
        found = [{**row, **next(told)} if row in asked else row for row in found]
    return found


def _is_far(row: Row) -> bool:
    return row["problem"]["model"] == "transformer" and row["problem"]["modulus"] > NEAR


def _symbols_and_width(row: Row) -> tuple[int, int]:
    return row["problem"]["modulus"], row["problem"]["width"]


def near_sizes(results: Path, near: Sequence[Row]) -> list[tuple[int, int, float]]:
    """Symbols, width and D_rest of every transformer of addition at a small modulus.

    Args:
        results: Folder of committed results.
        near: Rows of such transformers, measured.
    """
    runs = pl.read_parquet(results / FOLDER / "transformer-runs.parquet").to_dicts()
    known = [row for row in read(results / FOLDER / KNOWN) if row["model"] == "transformer" and row["modulus"] <= NEAR]
    return [
        *rest_sizes(runs, "relu", "transformer"),
        *((row["modulus"], row["width"], row["measured"]) for row in known),
        *((*_symbols_and_width(row), row["measured"]) for row in near),
    ]


def steeper_line(sizes: Sequence[tuple[int, int, float]], asked: Sequence[tuple[int, int]]) -> list[Row]:
    """D_rest by a line with a load of its own, which narrow networks ask for.

    D_rest = ρ·S·(1 + k·S/d),   ρ and k by least squares of ln D_rest

    Args:
        sizes: Symbols S, width d and D_rest of measured networks.
        asked: S and d of others.

    Returns:
        A row of the size and its 90 % interval for each that is asked: of the constants' errors and the residuals.
    """
    symbols, width, measured = np.array(sizes, dtype=np.float64).T  # (n,) each

    def log_size(load: np.ndarray, log_slope: float, k: float) -> np.ndarray:
        return log_slope + np.log1p(k * load)

    (log_slope, k), covariance = curve_fit(log_size, symbols / width, np.log(measured / symbols), p0=(1.0, 0.5))
    residuals = np.log(measured / symbols) - log_size(symbols / width, log_slope, k)  # (n,)
    left = len(sizes) - 2
    variance = float(residuals @ residuals) / left
    found: list[Row] = []
    for s, d in asked:
        slope = np.array([1.0, s / d / (1 + k * s / d)])  # (2,)
        spread = stats.t.ppf(0.95, left) * math.sqrt(float(slope @ covariance @ slope) + variance)
        size = s * math.exp(float(log_size(np.array(s / d), log_slope, k)))
        ends = [round(size * math.exp(sign * spread), 1) for sign in (-1, 1)]
        found.append({"steeper": round(size, 1), "steeper_interval": ends})
    return found


def estimated(row: Row) -> Row:
    """A row with the size that its runs measure; none where accuracy does not pass one half within their sizes.

    Args:
        row: With its runs.
    """
    sizes, accuracy = _usable(row)
    names = ("problem", "steps", "predicted", "predicted_interval", "steeper", "steeper_interval")
    found = {name: row[name] for name in names if name in row}
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
        if "steeper" in row:
            low, high = row["steeper_interval"]
            found |= {
                "steeper_error": round(math.log(row["steeper"] / measured), 3),
                "steeper_inside": low <= measured <= high,
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
        runs = row["source"] if "source" in row else _counted(row)
        if measured is None:
            cells += [_missing(row), runs, "–"]
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
    lines += _steeper_lines([row for row in found if "steeper" in row])
    return with_block(page, (BEGIN, END), "\n".join(lines))


def _missing(row: Row) -> str:
    """Why a row has no measured size."""
    return "not within the sizes of its runs" if row["n_runs"] else "not measured"


def _counted(row: Row) -> str:
    """Runs of a row, and how many of them had not generalized before their data shrank, which say nothing."""
    return f"{row['n_runs'] or '–'}" + (f", {row['n_lost']} of them lost" if row["n_lost"] else "")


def _steeper_lines(found: Sequence[Row]) -> list[str]:
    """The table of what the steeper line says."""
    if not found:
        return []
    lines = [
        "",
        "Narrow transformers need more than the law says. A steeper line, D_rest = ρ·S·(1 + k·S/d), was fitted to all "
        f"at p ≤ {NEAR}. What it says of larger moduli was committed before any of their results was read:",
        "",
        "| p | width | T [steps] | steeper line (90 %) | measured (90 %) | ln(predicted/measured) | of the law |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in found:
        cells = [*map(str, (*_symbols_and_width(row), row["steps"])), sized(row["steeper"], row["steeper_interval"])]
        if row["measured"] is None:
            cells += [_missing(row), "–", "–"]
        else:
            cells += [sized(row["measured"], row["measured_interval"])]
            cells += [f"{row['steeper_error']:+.3f}", f"{row['error']:+.3f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines
