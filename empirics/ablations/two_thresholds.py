"""The law of both thresholds beside what was measured: tables and constants, from committed runs.

A drawn frame of configurations was predicted before any of it was measured (``frame.json``, by a public seed), and
again by three later laws whose constants come from calibration runs alone; ``blind`` says of each row of these whether
none of its runs was known by then. No scored size entered a constant.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dcrit.empirics.ablations.committed import with_block
from dcrit.empirics.ablations.edges import page_with_edges
from dcrit.empirics.ablations.model_sizes_fit import with_narrow
from dcrit.empirics.ablations.narrow_mlps import fits_of, page_with_narrow, with_units
from dcrit.empirics.ablations.times_to_half import TIMES_TO_HALF, time_errors
from dcrit.empirics.ablations.transformer_clock import (
    SCORED as TRANSFORMERS,
)
from dcrit.empirics.ablations.transformer_clock import (
    fitted_law,
    page_with_transformers,
    scored_rows,
)
from dcrit.empirics.ablations.two_thresholds_choice import CHOICE, SHOWN, choice_rows, page_with_choice
from dcrit.empirics.ablations.two_thresholds_fit import (
    ACTIVATIONS,
    FOLDER,
    TASK_SCATTER,
    fitted_thresholds,
    law_fits,
    least_squares_fits,
    levels_of,
    optimizer_clocks,
    optimizer_rows,
    rows_at_rest,
    runs_of,
    sets_apart,
)
from dcrit.empirics.ablations.two_thresholds_optimizer import page_with_effects
from dcrit.empirics.ablations.two_thresholds_pieces import PIECES_FILE, page_with_pieces, piece_rows
from dcrit.empirics.measures.critical_size import Sides, posterior_of, sides_of
from dcrit.empirics.measures.threshold_fit import KEY, RAISED_DECAY_SCATTER, Fit, Row, problem_of
from dcrit.theory.calibrations.calibration import calibration_for, shipped_calibrations
from dcrit.theory.calibrations.thresholds import HALF, THRESHOLDS, Thresholds, thresholds_of, thresholds_text
from dcrit.theory.circuits.clock import Clock
from dcrit.theory.circuits.critical_size_law import Scatter
from dcrit.theory.circuits.finding import FINDING_EXPONENT
from dcrit.theory.estimates import half_width
from dcrit.theory.predictions.critical_size import predict_critical_size
from dcrit.theory.problems.tasks import TASKS

#: Size and ends of its interval [examples], or a size alone; None where nothing is predicted.
Found = tuple[float, tuple[float, float] | None] | None
Predictor = Callable[[Row], Found]

#: Parts of the frame, which calibration runs are no part of.
PARTS = ("near", "far", "optimizer", "falsifier")

#: Largest modulus of the near field.
NEAR = 43

#: Least width of the law's calibration runs and of the drawn frame.
USUAL = 32

#: Runs without which a size is not called measured.
FEWEST_RUNS = 4

#: Relative half width of 90 % intervals that a measurement aims at, and runs that it may take; for large runs less.
TOLERANCE, BUDGET = 0.03, 7
TOLERANCE_OF_LARGE, BUDGET_OF_LARGE, LARGE = 0.035, 5, 1e12

#: Ends of the table in docs/results/two-thresholds.md.
BEGIN, END = "<!-- begin: remade by dcrit reproduce two-thresholds -->", "<!-- end -->"

#: Times are scored between these multiples of the measured D_crit(T).
SCORED_TIMES = (1.15, 3.0)

#: Files of committed predictions, by the law's name in the tables.
COMMITTED = {
    "second law": ("second-law", "tasks-predicted"),
    "third law": ("third-law",),
    "fourth law": ("fourth-law",),
}

#: Widths of semi-grokking whose error is larger than this part of them are not scored.
WIDTH_ERROR = 0.25

#: File of how far off widths of semi-grokking are.
WIDTHS = "widths.json"


def read(results: Path, name: str) -> Any:
    """One committed document.

    Args:
        results: Folder of committed results.
        name: Its name without suffix.
    """
    return json.loads((results / FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def frame(results: Path) -> list[Row]:
    """The drawn rows."""
    return read(results, "frame")["rows"]


def key_of(row: Row) -> tuple[Any, ...]:
    """What tells questions apart."""
    return (*(row[name] for name in KEY), row["steps"])


def family(row: Row) -> str:
    """Addition and its relabelings are one."""
    return TASKS[row["task"]].same_as or row["task"]


def configuration(row: Row) -> tuple[Any, ...]:
    """Relabelings of addition, and one problem at several horizons, count once."""
    return (family(row), *(row[name] for name in KEY[1:]))


def measured(row: Row, runs: Sequence[Row]) -> Row | None:
    """Critical size at the row's horizon by the package's posterior; None where it was not reached or cut off.

    Args:
        row: Of the frame.
        runs: All runs.
    """
    mine = [run for run in runs if run["part"] in PARTS and run["start"] == "scratch" and key_of(run) == key_of(row)]
    usable = [run for run in mine if math.isfinite(run["test_accuracy"])]
    sizes = np.array([run["n_train"] for run in usable], dtype=np.float64)
    accuracy = np.array([run["test_accuracy"] for run in usable], dtype=np.float64)
    if sizes.size < FEWEST_RUNS or sides_of(sizes, accuracy) is not Sides.BOTH:
        return None
    posterior = posterior_of(sizes, accuracy, problem_of(row).n_pairs)
    interval = posterior.interval()
    large = row["operations"] >= LARGE
    budget, tolerance = (BUDGET_OF_LARGE, TOLERANCE_OF_LARGE) if large else (BUDGET, TOLERANCE)
    if len(mine) < budget and math.log(interval.high / interval.low) / 2 > tolerance:
        return None  # cut off: the design asks for more runs
    return {
        "measured": round(posterior.midpoint, 1),
        "measured_interval": [round(interval.low, 1), round(interval.high, 1)],
        "n_runs": len(usable),
        "n_lost": len(mine) - len(usable),
        "width_s": round(posterior.width, 3),
    }


def measured_rows(results: Path) -> list[Row]:
    """Every drawn row with its measured size, None where there is none yet."""
    runs = runs_of(results)
    return [
        {
            **{name: row[name] for name in (*KEY, "steps", "part")},
            **(measured(row, runs) or {"measured": None}),
        }
        for row in frame(results)
    ]


def interval_around(log_size: float, deviation: float) -> tuple[float, float]:
    """Ends of a 90 % interval [examples]."""
    spread = half_width(deviation)
    return math.exp(log_size - spread), math.exp(log_size + spread)


def design_law(results: Path) -> Predictor:
    """The law that the frame was drawn with, of addition and its relabelings, as its constants stand in the frame.

    D_inf = (D_kin^5 + D_rest^5)^(1/5),   D_crit(T) = D_inf·exp(W(m/(rT))/m)
    """
    document = read(results, "frame")

    def predict(row: Row) -> Found:
        if family(row) != "add":
            return None
        constants, symbols = document["constants"][row["activation"]], problem_of(row).n_symbols
        kinetic = constants["k0"] * symbols**FINDING_EXPONENT * (1 + constants["k1"] * symbols / row["width"])
        at_infinity = (kinetic**5 + (constants["rest"] * symbols) ** 5) ** 0.2
        clock = Clock(kinetic=at_infinity, rate=constants["r"], bend=document["m"])
        clock = clock.at(learning_rate=row["learning_rate"], weight_decay=row["weight_decay"])
        size = float(clock.critical_size(row["steps"]))
        raised = row["activation"] == "relu" and row["weight_decay"] > 1
        deviation = math.hypot(
            0.05,
            0.05 * max(0.0, math.log(symbols / 47)),
            0.08 * max(0.0, symbols / row["width"] - (1.0 if row["activation"] == "square" else 0.75)),
            0.04 * abs(math.log(row["steps"] / 4000)) / math.log(4),
            (0.16 if raised else 0.08) * abs(math.log2(row["weight_decay"])),
            0.06 * abs(math.log2(row["learning_rate"] / 1e-2)),
        )
        return size, interval_around(math.log(size), deviation)

    return predict


def committed_size(results: Path) -> dict[tuple[Any, ...], float]:
    """Size that was predicted first of every drawn row, from which a measurement starts [examples]."""
    first = [row for name in ("third-law", "tasks-predicted") for row in read(results, name)["rows"]]
    drawn = [row for row in frame(results) if row["predicted"] is not None]
    return {key_of(row): row["predicted"] for row in (*first, *drawn)}


def blind_rows(results: Path) -> dict[str, set[tuple[Any, ...]]]:
    """Questions that each law answered before any run of theirs was made; the design's before all."""
    found = {"design's law": {key_of(row) for row in frame(results) if row["predicted"] is not None}}
    for name, documents in COMMITTED.items():
        rows = [row for document in documents for row in read(results, document)["rows"]]
        found[name] = {key_of(row) for row in rows if row["blind"]}
    return found


def later_law(results: Path, name: str, fits: dict[tuple[str, str], Fit]) -> Predictor:
    """As it was committed for drawn rows, and by the same constants for others.

    Args:
        results: Folder of committed results.
        name: Of ``COMMITTED``.
        fits: Its constants.
    """
    rows = [row for file in COMMITTED[name] for row in read(results, file)["rows"]]
    committed = {key_of(row): row for row in rows}

    def predict(row: Row) -> Found:
        known = committed.get(key_of(row))
        if known is not None:
            return known["predicted"], (known["interval"][0], known["interval"][1])
        activation = row["activation"]
        log_size, variance = fits[activation, family(row)].log_size_and_variance(row)
        scatter = Scatter(
            task=TASK_SCATTER.get(family(row), 0.0), per_raised_decay=RAISED_DECAY_SCATTER[activation]
        ).variance(problem_of(row).n_symbols, learning_rate=row["learning_rate"], weight_decay=row["weight_decay"])
        return math.exp(log_size), interval_around(log_size, math.sqrt(variance + scatter))

    return predict


def law_with_units(laws: Sequence[Thresholds]) -> Predictor:
    """The law that ships.

    Args:
        laws: Of pair-MLPs.
    """

    def predict(row: Row) -> Found:
        problem = problem_of(row)
        law = thresholds_of(problem, laws)
        size = law.clocks(problem).size(HALF, row["steps"])
        if math.isinf(size):
            return None
        return size, interval_around(math.log(size), law.deviation(problem, row["steps"]))

    return predict


def first_release() -> Predictor:
    """The mixture at rest, by the calibrations that ship."""
    shipped = shipped_calibrations()

    def predict(row: Row) -> Found:
        problem = problem_of(row)
        calibration = calibration_for(problem, shipped)
        found = None if calibration is None else predict_critical_size(problem, calibration).mixture
        if found is None or found.value is None:
            return None
        return found.value, None if found.interval is None else (found.interval.low, found.interval.high)

    return predict


def baselines(results: Path) -> dict[str, Predictor]:
    """Predictors without any theory, each fitted to the measured sizes at p ≤ 29 of one activation and family."""
    text = (results / "baselines.json").read_text(encoding="utf-8")
    known = [{**row["problem"], "measured": row["measured"]} for row in json.loads(text)]

    def mine(row: Row) -> list[Row]:
        return [one for one in known if one["activation"] == row["activation"] and family(one) == family(row)]

    def symbols(row: Row) -> int:
        return problem_of(row).n_symbols

    def largest(row: Row) -> Found:
        modulus = max(one["modulus"] for one in mine(row))
        here = [one for one in mine(row) if one["modulus"] == modulus]
        nearest = min(here, key=lambda one: abs(math.log(one["width"] / row["width"])))
        return nearest["measured"] * (symbols(row) / modulus) ** 1.5, None

    def power(row: Row) -> Found:
        design = np.array([[1.0, math.log(one["modulus"]), math.log(one["width"])] for one in mine(row)])
        found = np.linalg.lstsq(design, np.log([one["measured"] for one in mine(row)]), rcond=None)[0]
        return math.exp(float(found @ np.array([1.0, math.log(symbols(row)), math.log(row["width"])]))), None

    def constant_times(unit: Callable[[float], float]) -> Predictor:
        def predict(row: Row) -> Found:
            logs = [math.log(one["measured"] / unit(one["modulus"])) for one in mine(row)]
            return math.exp(float(np.mean(logs))) * unit(symbols(row)), None

        return predict

    return {
        "baseline: p^1.5 from the largest modulus": largest,
        "baseline: power law in p and width": power,
        "baseline: p·ln p": constant_times(lambda p: p * math.log(p)),
        "baseline: fraction of p²": constant_times(lambda p: p * p),
    }


def known_rows(results: Path) -> list[Row]:
    """Sizes measured before any law here was chosen, at the protocol's horizon 40/(ηλ)."""
    held_out = json.loads((results / "held-out.json").read_text(encoding="utf-8"))
    rows: list[Row] = []
    for one in held_out:
        row = {name: one["problem"][name] for name in KEY}
        steps = round(40 / (row["weight_decay"] * row["learning_rate"]))
        rows.append({**row, "steps": steps, "measured": one["measured"]})
    return rows + read(results, "known-before")


def score(rows: Sequence[Row], predict: Predictor) -> Row | None:
    """How a predictor did; configurations count once, by the mean of their errors. None where it said nothing.

    Args:
        rows: With measured sizes.
        predict: The predictor.
    """
    errors: dict[tuple[Any, ...], list[float]] = {}
    inside: list[bool] = []
    spans: list[float] = []
    for row in rows:
        found = predict(row)
        if found is None:
            continue
        errors.setdefault(configuration(row), []).append(math.log(found[0] / row["measured"]))
        if found[1] is not None:
            inside.append(found[1][0] <= row["measured"] <= found[1][1])
            spans.append(found[1][1] / found[1][0])
    if not errors:
        return None
    means = np.array([float(np.mean(one)) for one in errors.values()])
    return {
        "configurations": len(means),
        "median": round(float(np.median(abs(means))), 3),
        "worst": round(float(abs(means).max()), 3),
        "mean": round(float(means.mean()), 3),
        "inside": f"{sum(inside)}/{len(inside)}" if inside else "–",
        "median_high_over_low": round(float(np.median(spans)), 2) if spans else None,
    }


def ablation_rows(results: Path, sizes: Sequence[Row], laws: Sequence[Thresholds]) -> list[Row]:
    """Laws and baselines beside measured sizes, drawn and known before, near and far field apart.

    Args:
        results: Folder of committed results.
        sizes: Drawn rows with their measured sizes.
        laws: Those that ship.
    """
    runs = runs_of(results)
    blind = blind_rows(results)
    drawn = [row for row in sizes if row["measured"] is not None]
    predictors: dict[str, Predictor] = {
        "fifth law": law_with_units(laws),
        "fourth law": later_law(results, "fourth law", law_fits(runs)),
        "third law": later_law(results, "third law", least_squares_fits(runs)),
        "second law": later_law(results, "second law", least_squares_fits(runs, second=True)),
        "design's law": design_law(results),
        **baselines(results),
        "first release": first_release(),
    }
    known = known_rows(results)
    asked = [
        (part, field, [row for row in rows if (row["modulus"] <= NEAR) == (field == "near")])
        for part, rows in (("drawn", drawn), ("known before", known))
        for field in ("near", "far")
    ]
    asked.append((f"all of width ≥ {USUAL}", "both", [row for row in [*drawn, *known] if row["width"] >= USUAL]))
    out: list[Row] = []
    for part, field, here in asked:
        for name, predict in predictors.items():
            found = score(here, predict)
            if found is None:
                continue
            n_blind = len({configuration(row) for row in here if key_of(row) in blind.get(name, ())})
            out.append({"part": part, "field": field, "predictor": name, **found, "blind": n_blind})
    return out


def score_of_fits(results: Path, sizes: Sequence[Row]) -> Callable[[Mapping[tuple[str, str], Fit], bool], Row]:
    """Scores constants on all measured sizes of the near or of the far field.

    Args:
        results: Folder of committed results.
        sizes: Drawn rows with their measured sizes.
    """
    measured = [row for row in sizes if row["measured"] is not None] + known_rows(results)

    def scored(fits: Mapping[tuple[str, str], Fit], far: bool) -> Row:
        def predict(row: Row) -> Found:
            return math.exp(fits[row["activation"], family(row)].log_size_and_variance(row)[0]), None

        found = score([row for row in measured if (row["modulus"] > NEAR) == far], predict)
        return {} if found is None else found

    return scored


def final_width(row: Row, runs: Sequence[Row]) -> tuple[float, float] | None:
    """Width ln D_0.9 − ln D_0.1 from final accuracies, and its error: log-odds linear in ln D between 0.03 and 0.97.

    Args:
        row: Of the frame.
        runs: All runs.
    """
    inner = [
        run
        for run in runs
        if run["part"] in PARTS and key_of(run) == key_of(row) and 0.03 < run["test_accuracy"] < 0.97
    ]
    if len(inner) < 4:
        return None
    x = np.log([run["n_train"] for run in inner])
    odds = np.array([math.log(run["test_accuracy"] / (1 - run["test_accuracy"])) for run in inner])
    if np.ptp(x) < 0.1:
        return None
    slope, covariance = np.polyfit(x, odds, 1, cov=True)
    width = 2 * math.log(9) / float(slope[0])
    return width, width * math.sqrt(float(covariance[0, 0])) / float(slope[0])


def time_rows(results: Path, sizes: Sequence[Row]) -> list[Row]:
    """Errors of the clock's times at 1.15 … 3 times D_crit(T), and widths of semi-grokking, of every measured row.

    Args:
        results: Folder of committed results.
        sizes: Drawn rows with their measured sizes.
    """
    runs = runs_of(results)
    fits = law_fits(runs)
    levels = {activation: levels_of(runs, activation, fits) for activation in ACTIVATIONS}
    out: list[Row] = []
    for row in sizes:
        if row["measured"] is None:
            continue
        symbols = problem_of(row).n_symbols
        clock = fits[row["activation"], family(row)].clock(symbols, row["width"])
        clock = clock.at(learning_rate=row["learning_rate"], weight_decay=row["weight_decay"])
        mine = [
            run
            for run in runs
            if run["part"] == row["part"]
            and key_of(run) == key_of(row)
            and SCORED_TIMES[0] <= run["n_train"] / row["measured"] <= SCORED_TIMES[1]
        ]
        errors = [float(clock.time(run["n_train"])) / run["time_50"] - 1 for run in mine if run["time_50"] is not None]
        width, shifts = final_width(row, runs), levels[row["activation"]].shifts(symbols, row["width"])
        out.append(
            {
                **{name: row[name] for name in (*KEY, "steps")},
                "time_errors": [round(error, 3) for error in errors],
                "censored": len(mine) - len(errors),
                "semi_grokking": None if width is None else [round(value, 3) for value in width],
                "predicted_semi_grokking": round(shifts[0.9] - shifts[0.1], 3) if family(row) == "add" else None,
            }
        )
    return out


def width_scores(times: Sequence[Row]) -> list[Row]:
    """How far off widths of semi-grokking are, of addition; configurations count once, by the mean of their errors.

    Args:
        times: Of :func:`time_rows`.
    """
    errors: dict[tuple[Any, ...], list[float]] = {}
    for row in times:
        if row["predicted_semi_grokking"] is not None and row["semi_grokking"] is not None:
            width, deviation = row["semi_grokking"]
            if deviation <= WIDTH_ERROR * width:
                errors.setdefault(configuration(row), []).append(math.log(row["predicted_semi_grokking"] / width))
    means = np.array([float(np.mean(one)) for one in errors.values()])
    return [
        {
            "configurations": len(means),
            "median": round(float(np.median(abs(means))), 3),
            "worst": round(float(abs(means).max()), 3),
            "mean": round(float(means.mean()), 3),
        }
    ]


def rows_text(rows: Sequence[Row]) -> str:
    """Rows as a JSON document, one on a line."""
    lines = ",\n ".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return f"[\n {lines}\n]\n"


def page_with_table(page: str, rows: Sequence[Row]) -> str:
    """The page with its table of the ablation replaced.

    Args:
        page: Its text.
        rows: Of :func:`ablation_rows`.
    """
    lines = [
        "| sizes | field | predictor | configurations | median | worst | mean | inside 90 % | high/low | blind |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        span = "–" if row["median_high_over_low"] is None else f"{row['median_high_over_low']:.2f}"
        shown = SHOWN.get(row["predictor"], row["predictor"])
        lines.append(
            f"| {row['part']} | {row['field']} | {shown} | {row['configurations']} | {row['median']:.3f} "
            f"| {row['worst']:.3f} | {row['mean']:+.3f} | {row['inside']} | {span} | {row['blind'] or '–'} |"
        )
    return with_block(page, (BEGIN, END), "\n".join(lines))


def two_thresholds(results: Path) -> dict[Path, str]:
    """Constants that ship, and all tables, from committed runs: what is to be written, by its path.

    Args:
        results: Folder of committed results.
    """
    folder, sizes = results / FOLDER, measured_rows(results)
    wide = fitted_thresholds(results)
    narrow = fits_of(wide, results)
    laws = [*with_units(wide, narrow), with_narrow(fitted_law(results), results)]
    ablation = ablation_rows(results, sizes, laws)
    page = results / "two-thresholds.md"
    pieces = piece_rows(runs_of(results), score_of_fits(results, sizes))
    text = page_with_pieces(page_with_table(page.read_text(encoding="utf-8"), ablation), pieces)
    runs = runs_of(results)
    clocks, choice, times = optimizer_clocks(law_fits(runs)), choice_rows(runs), time_rows(results, sizes)
    text = page_with_narrow(page_with_choice(text, choice), narrow)
    return {
        page: page_with_edges(
            page_with_transformers(page_with_effects(text, optimizer_rows(results), clocks), results), results, laws
        ),
        folder / CHOICE: rows_text(choice),
        folder / WIDTHS: rows_text(width_scores(times)),
        folder / TRANSFORMERS: rows_text(scored_rows(results)),
        results.parents[1] / "theory" / "calibrations" / THRESHOLDS: thresholds_text(laws),
        folder / "measured.json": rows_text(sizes),
        folder / "ablation.json": rows_text(ablation),
        folder / PIECES_FILE: rows_text(pieces),
        folder / "times.json": rows_text(times),
        folder / TIMES_TO_HALF: rows_text(time_errors(results, laws)),
    }


def collapsed(row: Row, law: Thresholds, width: int, horizon: float) -> float:
    """A measured size as it would be at another width, horizon, λ and η, by the law's ratio: its error stays.

    Args:
        row: With a measured size.
        law: Of its task and activation.
        width: H.
        horizon: T [steps].
    """
    problem = problem_of(row)
    own = float(law.clocks(problem).half.critical_size(row["steps"]))
    return row["measured"] * float(law.law.clock(problem.n_symbols, width).critical_size(horizon)) / own


def sizes_over_modulus(results: Path, law: Thresholds, width: int, horizon: float) -> list[Row]:
    """Measured sizes of addition and its relabelings, at one width and horizon (:func:`collapsed`) and at rest.

    Args:
        results: Folder of committed results.
        law: Of addition, with one activation.
        width: H.
        horizon: T [steps].

    Returns:
        Rows of n_symbols, size, interval (None where none was kept), at_rest and what sets the network apart.
    """
    runs = runs_of(results)
    drawn = [row for row in measured_rows(results) if row["measured"] is not None]
    found: list[Row] = []
    for row in [*drawn, *known_rows(results)]:
        if row["activation"] != law.activation or family(row) != "add":
            continue
        size, ends = collapsed(row, law, width, horizon), row.get("measured_interval")
        interval = None if ends is None else [size * end / row["measured"] for end in ends]
        problem = problem_of(row)
        apart = sets_apart(problem.model, problem.width, problem.weight_decay, beside=width)
        found.append(
            {"n_symbols": problem.n_symbols, "size": size, "interval": interval, "at_rest": False, "apart": apart}
        )
    return found + rows_at_rest(runs, law, width)
