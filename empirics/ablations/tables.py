"""Which refinement earns its place: every predictor and baseline on the same held-out configurations, as pages."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dcrit.empirics.ablations.committed import read, results_of
from dcrit.empirics.ablations.edges import edge_records
from dcrit.empirics.ablations.held_out import OTHER_TASKS
from dcrit.empirics.ablations.predictors import FIRST_RELEASE, Cells, Told, key, mixture, predictors, sizes_of
from dcrit.empirics.ablations.settled import MIDDLE, TABLE, Norm
from dcrit.empirics.measures.efficiency import CompetitionFit, fit_competition
from dcrit.theory.calibrations.calibration import calibration_for, shipped_calibrations
from dcrit.theory.calibrations.track_record import TrackRecord, fingerprint
from dcrit.theory.predictions.critical_size import predict_critical_size
from dcrit.theory.problems.problem import Problem, label

Rows = list[dict[str, Any]]

#: Measured after the form of the theory, its constants and its norm were settled, and predicted before.
BLIND = 8


def exact_margins(table: pl.DataFrame) -> list[str]:
    """Measured margin of squared networks on all pairs, over the exact maximum in the same norm, as Markdown."""
    gamma = math.sqrt(2 / 27) / (pl.col("modulus").cast(pl.Float64).sqrt() * (pl.col("modulus") - 1))
    ratio = pl.col("margin") / pl.col("neuron_norm") ** 3 / gamma
    whole = (
        (pl.col("task") == "add") & (pl.col("activation") == "square") & (pl.col("n_train") == pl.col("modulus") ** 2)
    )
    chosen = table.filter(whole).group_by("modulus", "width").agg(ratio.mean().alias("ratio"))
    widths = sorted(chosen["width"].unique())
    lines = [
        "## Against the exact maximum margin",
        "",
        "Soft margin γ/‖θ‖³ in the L2,3 norm of squared networks trained on all pairs, as a part of the exact maximum",
        "√(2/27)/(√p·(p − 1)) of Morwani et al. (2023).",
        "",
        "| p | " + " | ".join(f"H = {width}" for width in widths) + " |",
        "|---" * (len(widths) + 1) + "|",
    ]
    for modulus in sorted(chosen["modulus"].unique()):
        found = dict(chosen.filter(pl.col("modulus") == modulus).select("width", "ratio").iter_rows())
        lines.append(f"| {modulus} | " + " | ".join(f"{found[w]:.2f}" if w in found else "–" for w in widths) + " |")
    return lines


#: Prices ‖θ‖₂^(1−t)·‖θ‖_{2,κ}^t that are compared.
PRICES = (0.0, 0.25, 0.4, 0.5, 0.6, 0.75, 1.0)

BOOTSTRAPS = 500


def prices(table: pl.DataFrame) -> list[str]:
    """How well the mixture fits the trained squared networks by each price, as Markdown."""
    misfits: list[list[float]] = []
    for price in PRICES:
        cells, row = Cells.of(table, price), []
        for problem in [p for t in ("add", *OTHER_TASKS) for p in cells.problems(t, "square", 1.0)]:
            memorizing = cells.memorizing[key(problem.on_random_labels())]
            fit = fit_competition(problem, memorizing, cells.generalizing[key(problem)], resamples=0)
            row.append(fit.misfit if isinstance(fit, CompetitionFit) else math.nan)
        misfits.append(row)
    squares = np.square(np.array(misfits))
    squares = squares[:, np.isfinite(squares).all(axis=0)]  # (prices, cells)
    rng = np.random.default_rng(0)
    drawn = rng.integers(squares.shape[1], size=(BOOTSTRAPS, squares.shape[1]))
    best = [PRICES[int(squares[:, cells].sum(axis=1).argmin())] for cells in drawn]
    low, high = np.quantile(best, [0.05, 0.95], method="inverted_cdf")
    return [
        "## Which norm a margin is paid in",
        "",
        f"Root mean square residual of the mixture's fit, in ln e, over {squares.shape[1]} `square` cells, at prices",
        "‖θ‖₂^(1−t)·‖θ‖_{2,3}^t. No measured critical size takes part.",
        "",
        "| t | " + " | ".join(f"{price:g}" for price in PRICES) + " |",
        "|---" * (len(PRICES) + 1) + "|",
        "| residual | " + " | ".join(f"{value:.5f}" for value in np.sqrt(squares.mean(axis=1))) + " |",
        "",
        f"Over {BOOTSTRAPS} bootstrap samples of cells the best t lies between {low:g} and {high:g} (90 %).",
    ]


def own_constants(results: Path) -> list[str]:
    """How far each cell's own constants miss the size measured there, with and without unseen margins."""
    table, rows = pl.read_parquet(results / TABLE), read(results / "baselines.json")
    measured = {Problem.from_dict(row["problem"]): row["measured"] for row in rows if row["measured"]}
    lines = [
        "## Inside the calibration",
        "",
        "|ln(predicted/measured)| at moduli up to 29, every cell with its own constants: the error of the theory",
        "itself, without that of carrying constants to other sizes.",
        "",
        "| fit | activation | cells | median | worst |",
        "|---|---|---|---|---|",
    ]
    fits: tuple[tuple[str, Norm, bool], ...] = (
        ("√(ℓ2·ℓ2,κ), with unseen margins", MIDDLE, True),
        ("√(ℓ2·ℓ2,κ), without (u = 1)", MIDDLE, False),
        ("ℓ2, with unseen margins", 0.0, True),
        ("ℓ2,κ, with unseen margins", 1.0, True),
        ("ℓ∞, with unseen margins", "ℓ∞", True),
    )
    for name, norm, unseen in fits:
        found = dict(sizes_of(Cells.of(table, norm).calibrations(mixture(unseen=unseen))))
        for activation in ("square", "relu"):
            errors = [
                abs(math.log(found[p] / d)) for p, d in measured.items() if p in found and p.activation == activation
            ]
            lines.append(f"| {name} | {activation} | {len(errors)} | {np.median(errors):.3f} | {np.max(errors):.3f} |")
    return lines


def track_records(results: Path) -> dict[str, Any]:
    """How every shipped calibration did on what was held out, for ``dcrit predict`` to say."""
    found: dict[str, list[tuple[float, bool, Problem]]] = {}
    calibrations = shipped_calibrations()
    for name in ("held-out", "held-out-transformers"):
        for row in read(results / f"{name}.json"):
            problem = Problem.from_dict(row["problem"])
            calibration = calibration_for(problem, calibrations)
            if calibration is None:
                continue
            # Intervals of narrow networks were widened with some of these in view: that earns them no record.
            size = predict_critical_size(problem, calibration.carried_on).critical_size
            if size.value is not None and size.interval is not None and row["measured"] is not None:
                error = math.log(size.value / row["measured"])
                inside = row["measured"] in size.interval
                found.setdefault(fingerprint(calibration), []).append((error, inside, problem))
    edges, rest = edge_records(results), _rest_records(results)
    return {
        key: replace(TrackRecord.of(*zip(*pairs, strict=True)), edges=edges.get(key), at_rest=rest.get(key)).to_dict()
        for key, pairs in sorted(found.items())
    }


def _rest_records(results: Path) -> dict[str, TrackRecord]:
    """How predictions of D_rest did that were committed before they were measured, by fingerprint."""
    found: dict[str, list[tuple[float, bool, Problem]]] = {}
    calibrations = shipped_calibrations()
    for row in read(results / "two-thresholds" / "at-rest.json"):
        problem, measured, (low, high) = Problem.from_dict(row["problem"]), row["measured"], row["predicted_interval"]
        calibration = calibration_for(problem, calibrations)
        if calibration is not None and measured is not None:
            told = (math.log(row["predicted"] / measured), low <= measured <= high, problem)
            found.setdefault(fingerprint(calibration), []).append(told)
    return {key: TrackRecord.of(*zip(*told, strict=True)) for key, told in found.items()}


def transformers(rows: Rows) -> list[str]:
    """Small transformers: from scratch they wait for a memory of unordered pairs; at rest circuits tie earlier."""
    lines = [
        "## Small transformers",
        "",
        "One layer, `relu`, learning rate 3e-3, by the law that ships. Beside it stand what circuits at rest need (the",
        "mixture) and where both circuits are equally efficient (the crossing). To a transformer, which embeds both",
        "symbols alike, subtraction is no relabeling of addition, and no calibration speaks for it.",
        "",
        "| configuration | measured (90 %) | predicted (90 %) | ln ratio | mixture at rest | ln ratio | crossing "
        "| ln ratio |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        problem = Problem.from_dict(row["problem"])
        calibration = calibration_for(problem, shipped_calibrations())
        told = None if calibration is None else predict_critical_size(problem, calibration)
        low, high = row["interval"]["low"], row["interval"]["high"]
        cells = [label(problem), f"{row['measured']:.0f} ({low:.0f} – {high:.0f})"]
        for one in (None,) * 3 if told is None else (told.critical_size, told.at_rest, told.crossing):
            if one is None or one.value is None or one.interval is None:
                cells += ["–", "–"]
            else:
                cells.append(f"{one.value:.0f} ({one.interval.low:.0f} – {one.interval.high:.0f})")
                cells.append(f"{math.log(one.value / row['measured']):+.3f}")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def score(told: Sequence[Told], held: Rows) -> dict[str, float]:
    """Errors and coverage over the configurations that have a prediction."""
    pairs = [(t, row["measured"]) for t, row in zip(told, held, strict=True) if t is not None]
    errors = [math.log(t[0] / measured) for t, measured in pairs]
    found = {
        "median": np.median(np.abs(errors)),
        "worst": np.max(np.abs(errors)),
        "bias": np.mean(errors),
        "coverage": np.mean([t[1] <= measured <= t[2] for t, measured in pairs]),
    }
    # What lies beyond differs between machines.
    return {"n": len(errors)} | {name: round(float(value), 5) for name, value in found.items()}


def ablation(clone: Path) -> dict[Path, str]:
    """Every predictor on the same held-out configurations: the page, its numbers, and the track record that ships.

    Args:
        clone: Top folder of a clone of the repository.

    Returns:
        Texts by file.

    Raises:
        ValueError: It is no clone.
    """
    results = results_of(clone)
    held: Rows = read(results / "held-out.json")
    problems = [Problem.from_dict(row["problem"]) for row in held]
    summary: list[dict[str, Any]] = []
    shipped: list[Told] = []
    for name, rule in predictors(results).items():
        told = [rule(problem) for problem in problems]
        shipped = shipped or told
        if name == FIRST_RELEASE:
            summary.append({"predictor": f"{name}, last {BLIND} alone", **score(told[-BLIND:], held[-BLIND:])})
        summary.append({"predictor": name, **score(told, held)})
    record = clone / "theory" / "calibrations" / "track_record.json"
    return {
        record: json.dumps(track_records(results), indent=1) + "\n",
        results / "ablation.json": json.dumps(summary, indent=1) + "\n",
        results / "ablation.md": page(summary, held, problems, shipped, results),
    }


def page(summary: Rows, held: Rows, problems: Sequence[Problem], shipped: Sequence[Told], results: Path) -> str:
    """All tables as Markdown."""
    lines = [
        "# What each refinement is worth",
        "",
        "Every predictor on the same configurations, which no constant is fitted to. Errors are",
        "|ln(predicted/measured)|, and coverage is the part of the configurations inside the 90 % interval.",
        "`dcrit reproduce ablation` writes this page.",
        "",
        "* **dcrit as shipped** is the law of [two thresholds and a clock](../explanation/two-thresholds.md). These",
        "  sizes were known when its form was chosen. [Another page](two-thresholds.md) has larger and blind ones.",
        "  Intervals are those of its constants alone. What narrow networks add was chosen with two of these in view.",
        "* **First release** is the theory of circuits at rest alone; the last 8 configurations were blind to it. The",
        "  lines below it (…) change one piece of it.",
        "* **Baselines** are fitted to critical sizes measured at moduli up to 29, which no predictor sees.",
        "",
        "| predictor | configurations | median | worst | mean ln ratio | coverage |",
        "|---|---|---|---|---|---|",
        *(
            f"| {s['predictor']} | {s['n']} | {s['median']:.3f} | {s['worst']:.3f} | {s['bias']:+.3f} "
            f"| {s['coverage']:.0%} |"
            for s in summary
        ),
        "",
        "## The configurations",
        "",
        "| configuration | weight decay | measured (90 %) | predicted (90 %) | ln ratio |",
        "|---|---|---|---|---|",
    ]
    for problem, row, told in zip(problems, held, shipped, strict=True):
        low, high = row["interval"]["low"], row["interval"]["high"]
        cells = [label(problem), f"{problem.weight_decay:g}", f"{row['measured']:.0f} ({low:.0f} – {high:.0f})"]
        cells += ["–", "–"]
        if told is not None:
            ratio = math.log(told[0] / row["measured"])
            cells[-2:] = [f"{told[0]:.0f} ({told[1]:.0f} – {told[2]:.0f})", f"{ratio:+.3f}"]
        lines.append(f"| {' | '.join(cells)} |")
    table, rows = pl.read_parquet(results / TABLE), read(results / "held-out-transformers.json")
    lines += ["", *transformers(rows), "", *prices(table), "", *own_constants(results), "", *exact_margins(table)]
    return "\n".join(lines) + "\n"
