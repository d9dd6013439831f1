"""Which of the laws of two thresholds and a clock calibration runs alone would have ship.

The fourth law has the third's form. Its constants are most likely ones: the third's are by least squares in ln D.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from dcrit.empirics.ablations.committed import Row, with_block
from dcrit.empirics.ablations.two_thresholds_fit import (
    ACTIVATIONS,
    SECOND_REST_PRIOR,
    calibration_rows,
    likely,
    rest_sizes,
    told_apart,
)
from dcrit.empirics.measures.seed_fit import networks_of
from dcrit.empirics.measures.threshold_fit import (
    EARLIEST,
    REST_PRIOR,
    Fit,
    fit,
    problem_of,
)

#: File of the rows, and ends of the table in docs/results/two-thresholds.md.
CHOICE = "laws-on-calibration.json"
BEGIN, END = (
    "<!-- begin: laws on calibration runs, remade by dcrit reproduce two-thresholds -->",
    "<!-- end: choice -->",
)

#: What pages call each predictor.
SHOWN = {
    "fifth law": "the law that ships",
    "fourth law": "without noise of units",
    "third law": "that form, by least squares",
    "second law": "width in D_kin alone, by least squares",
    "design's law": "the law that the frame was drawn with",
    "first release": "circuits at rest alone",
}

#: Worlds of made-up times, and the network and horizon whose critical size is asked for in them.
WORLDS, ASKED = 12, (113, 128, 4000.0)

Rest: TypeAlias = Sequence[tuple[int, int, float]]


def laws_of(rows: Sequence[Row], at_rest: Rest) -> dict[str, Fit]:
    """All laws by name, of runs of addition with one activation.

    Args:
        rows: Their runs.
        at_rest: Symbols, width and size of networks whose data shrank.
    """
    told = told_apart(rows, "add")
    return {
        "second law": fit(told, SECOND_REST_PRIOR[rows[0]["activation"]], rest_loaded=False),
        "third law": fit(told, REST_PRIOR, at_rest=at_rest),
        "fourth law": likely(rows, "add", at_rest=at_rest),
    }


def residuals(law: Fit, rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    """Errors ln D − ln D_crit(t), and |predicted/measured − 1| of the time, of runs whose time is told apart.

    Args:
        law: Constants.
        rows: Runs of addition.
    """
    sizes: list[float] = []
    times: list[float] = []
    for row in told_apart(rows, "add"):
        clock = law.clock(problem_of(row).n_symbols, row["width"])
        sizes.append(math.log(row["n_train"] / float(clock.critical_size(row["time_50"]))))
        # A size below D_inf has no time: it counts as the horizon.
        times.append(abs(min(float(clock.time(row["n_train"])), row["steps"]) / row["time_50"] - 1))
    return sizes, times


def made_up_errors(rows: Sequence[Row], at_rest: Rest, truth: Fit) -> dict[str, list[float]]:
    """Errors ln(found/true) of a critical size, by law, in worlds where a law makes the times of the same runs.

    Args:
        rows: Runs of addition with one activation.
        at_rest: Networks whose data shrank; the law says their sizes, too.
        truth: That law; runs scatter about it as they do about the fit.
    """
    rested = [(n_symbols, width, truth.clock(n_symbols, width).rest) for n_symbols, width, _ in at_rest]
    size = float(truth.clock(*ASKED[:2]).critical_size(ASKED[2]))
    found: dict[str, list[float]] = {}
    for world in range(WORLDS):
        luck = np.exp(truth.scatter * np.random.default_rng(world).standard_normal(len(rows)))
        made: list[Row] = []
        for row, own in zip(rows, luck.tolist(), strict=True):
            time = float(truth.clock(problem_of(row).n_symbols, row["width"]).time(row["n_train"] * own))
            made.append({**row, "time_50": time if time <= row["steps"] else None})
        for name, law in laws_of(made, rested).items():
            found.setdefault(name, []).append(math.log(float(law.clock(*ASKED[:2]).critical_size(ASKED[2])) / size))
    return found


def choice_rows(runs: Sequence[Row]) -> list[Row]:
    """How each law does on calibration runs of addition, also on those of a modulus that its constants do not know.

    Args:
        runs: All runs.
    """
    found: list[Row] = []
    for activation in ACTIVATIONS:
        rows, at_rest = calibration_rows(runs, activation, "add"), rest_sizes(runs, activation)
        laws = laws_of(rows, at_rest)
        own = {name: residuals(law, rows)[0] for name, law in laws.items()}
        made_up = made_up_errors(rows, at_rest, laws["fourth law"])
        unseen: dict[str, list[float]] = {name: [] for name in own}
        times: dict[str, list[float]] = {name: [] for name in own}
        likelihood = dict.fromkeys(own, 0.0)
        for modulus in sorted({row["modulus"] for row in rows}):
            mine = [row for row in rows if row["modulus"] == modulus]
            others = [row for row in rows if row["modulus"] != modulus]
            for name, law in laws_of(others, [one for one in at_rest if one[0] != modulus]).items():
                sizes, errors = residuals(law, mine)
                unseen[name] += sizes
                times[name] += errors
                likelihood[name] += sum(
                    one.log_likelihood(law.clock(one.n_symbols, one.width), law.scatter, EARLIEST)
                    for one in networks_of(mine, "time_50")
                )
        for name, mine in own.items():
            found.append(
                {
                    "law": name,
                    "activation": activation,
                    "runs": len(rows),
                    "told_apart": len(mine),
                    "residual": round(float(np.sqrt(np.mean(np.square(mine)))), 4),
                    "unseen_residual": round(float(np.sqrt(np.mean(np.square(unseen[name])))), 4),
                    "unseen_time_error": round(float(np.mean(times[name])), 3),
                    "unseen_log_likelihood": round(likelihood[name], 1),
                    "made_up_bias": round(float(np.mean(made_up[name])), 3),
                    "made_up_error": round(float(np.std(made_up[name]) / math.sqrt(WORLDS)), 3),
                }
            )
    return found


def page_with_choice(page: str, rows: Sequence[Row]) -> str:
    """The page with its table of laws on calibration runs replaced.

    Args:
        page: Its text.
        rows: Of :func:`choice_rows`.
    """
    lines = [
        "| law | σ | runs | told apart | residual of ln D | at a modulus left out | error of t there | ln L there "
        "| bias in made-up times |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {SHOWN[row['law']]} | `{row['activation']}` | {row['runs']} | {row['told_apart']} | {row['residual']:.4f} "
        f"| {row['unseen_residual']:.4f} | {row['unseen_time_error']:.1%} | {row['unseen_log_likelihood']:.1f} "
        f"| {row['made_up_bias']:+.3f} ± {row['made_up_error']:.3f} |"
        for row in rows
    ]
    return with_block(page, (BEGIN, END), "\n".join(lines))
