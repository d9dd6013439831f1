"""Edges of semi-grokking: sizes at which mean test accuracy passes 0.1 and 0.9, predicted and measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.ablations import transformer_clock
from dcrit.empirics.ablations.committed import Row, read, text_of, with_block
from dcrit.empirics.ablations.run_rows import accuracies_of
from dcrit.empirics.ablations.two_thresholds_fit import FOLDER, runs_of
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.measures.threshold_fit import KEY, problem_of
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.store.whole_files import write_whole
from dcrit.theory.calibrations.calibration import Calibration, calibration_for, shipped_calibrations
from dcrit.theory.calibrations.thresholds import Thresholds
from dcrit.theory.calibrations.track_record import TrackRecord, fingerprint
from dcrit.theory.circuits.regimes import SEMI_GROKKING
from dcrit.theory.estimates import LEVEL, half_width
from dcrit.theory.predictions.edges import Transition
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]

#: File of the runs of narrow pair-MLPs, below docs/results/two-thresholds, and ends of the table in
#: docs/results/two-thresholds.md.
RUNS = "edges"
BEGIN, END = "<!-- begin: edges, remade by dcrit reproduce two-thresholds -->", "<!-- end: edges -->"

#: Parts of the drawn frame of pair-MLPs.
PARTS = ("near", "far", "optimizer", "falsifier")

#: Narrow pair-MLPs: moduli and widths by activation. No constant comes from these moduli at these widths.
NARROW = {"square": ((23, 31, 37, 43), (32, 40, 48)), "relu": ((31, 37, 43), (48, 56, 64))}

#: Sizes of these, as multiples of D_crit(T) by the law of wide networks, none nearer to all pairs than this part.
MULTIPLES, LARGEST_PART = (0.65, 0.75, 1.1, 1.35, 1.65, 2.0, 2.5), 0.93

SEEDS = 2

#: A drawn pair-MLP has one run a size, so a line through log-odds of accuracies within these says where they pass a
#: level: of as many runs at least, and with that error in ln D at most.
INNER, FEWEST, LARGEST_ERROR = (0.03, 0.97), 4, 0.06

#: Accuracies are cut off here, so that log-odds are numbers.
SMALLEST = 0.003

#: Kinds of networks in the table.
DRAWN, NARROW_MLPS, TRANSFORMERS = "pair-MLP, drawn", "pair-MLP, narrow", "transformer"


@dataclass(frozen=True, kw_only=True)
class Edge:
    """One measured edge.

    Attributes:
        kind: Of ``DRAWN``, ``NARROW_MLPS`` and ``TRANSFORMERS``.
        problem: The network.
        steps: T.
        level: 0.1 or 0.9.
        size: Where mean test accuracy passes it [examples].
    """

    kind: str
    problem: Problem
    steps: int
    level: float
    size: float


def configs(laws: Sequence[Calibration]) -> list[list[RunConfig]]:
    """Runs of narrow pair-MLPs, one list a network and size.

    Args:
        laws: Calibrations that say where to look.
    """
    made: list[list[RunConfig]] = []
    for activation, (moduli, widths) in NARROW.items():
        for modulus in moduli:
            for width in widths:
                problem = Problem(task="add", modulus=modulus, activation=activation, width=width)
                calibration = calibration_for(problem, laws)
                assert calibration is not None
                assert calibration.thresholds is not None
                clock = calibration.thresholds.law.clock(problem.n_symbols, width)
                size = float(clock.critical_size(problem.horizon))
                made += [
                    [RunConfig(problem=problem, n_train=math.floor(one * size), seed=seed) for seed in range(SEEDS)]
                    for one in MULTIPLES
                    if one * size < LARGEST_PART * problem.n_pairs
                ]
    return made


def measure_edges(results: Path, laboratory: Laboratory) -> None:
    """Keep settled accuracies of narrow pair-MLPs, one row a network and size.

    Args:
        results: Folder of committed results; ``edges.json`` is written.
        laboratory: Finds or trains the runs.
    """
    blocks = laboratory.blocks(configs(shipped_calibrations()), stage="edges of narrow pair-MLPs")
    rows = [accuracies_of(runs, "activation", "modulus", "width") for runs in blocks]
    write_whole(results / FOLDER / f"{RUNS}.json", text_of(rows).encode())


def passed_by_means(sizes: FloatArray, accuracy: FloatArray, level: float) -> float | None:
    """Size at which mean accuracies pass a level: log-odds linear in ln D between neighbouring sizes [examples].

    Means that fall with the size are levelled first.

    Args:
        sizes: D of each run (n,) [examples].
        accuracy: Test accuracies (n,).
        level: Test accuracy.

    Returns:
        The size; None where all means lie on one side.
    """
    blocks: list[list[float]] = []  # mean, runs, sizes
    places, where, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    for mean, count in zip(np.bincount(where, accuracy) / counts, counts, strict=True):
        blocks.append([float(mean), float(count), 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            later, earlier = blocks.pop(), blocks.pop()
            runs = earlier[1] + later[1]
            blocks.append([(earlier[0] * earlier[1] + later[0] * later[1]) / runs, runs, earlier[2] + later[2]])
    means = np.concatenate([np.full(int(n), mean) for mean, _, n in blocks])
    if not means[0] < level <= means[-1]:
        return None
    k = int(np.argmax(means >= level))
    odds = _log_odds(np.array([means[k - 1], level, means[k]]))
    part = (odds[1] - odds[0]) / (odds[2] - odds[0])
    return float(places[k - 1] * (places[k] / places[k - 1]) ** part)


def passed_by_line(sizes: FloatArray, accuracy: FloatArray, level: float) -> float | None:
    """The same by a line through log-odds over ln D, where sizes have one run each.

    Args:
        sizes: D of each run (n,) [examples].
        accuracy: Test accuracies (n,).
        level: Test accuracy.

    Returns:
        The size; None where the runs do not tell it, or all lie on one side.
    """
    inner = (accuracy > INNER[0]) & (accuracy < INNER[1])
    if inner.sum() < FEWEST or not accuracy[inner].min() <= level <= accuracy[inner].max():
        return None
    x = np.log(sizes[inner])
    if np.ptp(x) < 0.1:
        return None
    (slope, at_zero), covariance = np.polyfit(x, _log_odds(accuracy[inner]), 1, cov=True)
    if slope <= 0:
        return None
    away = float(_log_odds(np.array(level))) - at_zero
    gradient = np.array([-away / slope**2, -1 / slope])
    error = math.sqrt(float(gradient @ covariance @ gradient))
    return math.exp(away / slope) if error <= LARGEST_ERROR else None


def _log_odds(accuracy: FloatArray) -> FloatArray:
    clipped = np.clip(accuracy, SMALLEST, 1 - SMALLEST)
    return np.log(clipped / (1 - clipped))


def measured_edges(results: Path) -> Iterator[Edge]:
    """Every edge that committed runs tell, of networks that no constant comes from.

    Args:
        results: Folder of committed results.
    """
    drawn: dict[tuple[Any, ...], list[Row]] = {}
    for run in runs_of(results):
        if run["part"] in PARTS and run["start"] == "scratch" and math.isfinite(run["test_accuracy"]):
            drawn.setdefault((run["part"], run["steps"], *(run[name] for name in KEY)), []).append(run)
    for runs in drawn.values():
        yield from _edges(DRAWN, problem_of(runs[0]), runs[0]["steps"], runs)
    narrow: dict[tuple[str, int, int], list[Row]] = {}
    for row in read(results / FOLDER / f"{RUNS}.json"):
        runs = [{"n_train": row["n_train"], "test_accuracy": one} for one in row["test_accuracy"]]
        narrow.setdefault((row["activation"], row["modulus"], row["width"]), []).extend(runs)
    for (activation, modulus, width), runs in narrow.items():
        problem = Problem(task="add", modulus=modulus, activation=activation, width=width)
        yield from _edges(NARROW_MLPS, problem, problem.horizon, runs)
    every = transformer_clock.runs_of(results)
    for row in transformer_clock.frame(results):
        runs = transformer_clock.runs_like(row, every)
        yield from _edges(TRANSFORMERS, transformer_clock.problem_of(row), row["steps"], runs)


def _edges(kind: str, problem: Problem, steps: int, runs: Sequence[Row]) -> Iterator[Edge]:
    passed = passed_by_line if kind == DRAWN else passed_by_means
    sizes, accuracy = (np.array([run[name] for run in runs], dtype=np.float64) for name in ("n_train", "test_accuracy"))
    for level in SEMI_GROKKING:
        size = passed(sizes, accuracy, level)
        if size is not None:
            yield Edge(kind=kind, problem=problem, steps=steps, level=level, size=size)


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A measured edge beside what a law says.

    Attributes:
        edge: The measurement.
        error: ln(predicted/measured); inf where the best value is that it is never reached.
        inside: Whether the 90 % interval holds it.
        inside_alone: Whether one with the error of D_crit(T) alone would.
    """

    edge: Edge
    error: float
    inside: bool
    inside_alone: bool


def scored_edges(edges: Iterable[Edge], laws: Sequence[Thresholds]) -> list[Scored]:
    """Every measured edge of which laws say something.

    Args:
        edges: Measured ones.
        laws: Those to score; of transformers with their capacity.
    """
    found: list[Scored] = []
    for edge in edges:
        (law,) = [one for one in laws if one.covers(edge.problem)] or [None]
        if law is None or law.silence(edge.problem, edge.steps):
            continue
        transition = Transition(law=law, problem=edge.problem, horizon=edge.steps)
        low, high = (transition.size_at(edge.level, chance) for chance in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
        error = math.log(transition.clocks.size(edge.level, edge.steps) / edge.size)
        alone = abs(error) <= half_width(transition.deviation)
        found.append(Scored(edge=edge, error=error, inside=low <= edge.size <= high, inside_alone=alone))
    return found


def edge_records(results: Path) -> dict[str, TrackRecord]:
    """How the edges of every shipped calibration did, by its fingerprint; those that are never reached have no error.

    Args:
        results: Folder of committed results.
    """
    edges, found = list(measured_edges(results)), {}
    for calibration in shipped_calibrations():
        law = calibration.thresholds
        some = [] if law is None else [one for one in scored_edges(edges, [law]) if math.isfinite(one.error)]
        if some:
            found[fingerprint(calibration)] = TrackRecord.of(
                [one.error for one in some], [one.inside for one in some], [one.edge.problem for one in some]
            )
    return found


def page_with_edges(page: str, results: Path, laws: Sequence[Thresholds]) -> str:
    """The page with its table of edges replaced.

    Args:
        page: Its text.
        results: Folder of committed results.
        laws: Those that ship.
    """
    every = scored_edges(measured_edges(results), laws)
    lines = [
        "| networks | mean test accuracy passes | sizes | median \\|ln\\| | worst | mean | inside 90 % "
        "| with the error of D_crit alone | best value is never |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for kind in (DRAWN, NARROW_MLPS, TRANSFORMERS):
        for level in SEMI_GROKKING:
            some = [one for one in every if one.edge.kind == kind and one.edge.level == level]
            errors = np.array([one.error for one in some if math.isfinite(one.error)])
            inside, alone = sum(one.inside for one in some), sum(one.inside_alone for one in some)
            lines.append(
                f"| {kind} | {level:g} | {len(some)} | {np.median(abs(errors)):.3f} | {abs(errors).max():.3f} "
                f"| {errors.mean():+.3f} | {inside}/{len(some)} | {alone}/{len(some)} | {len(some) - errors.size} |"
            )
    lines += ["", "| law | scatter of ln of the width between calibration networks |", "|---|---|"]
    lines += [
        f"| {law.model}, `{law.activation}`: {', '.join(law.tasks)} | {law.law.levels.scatter:.3f} |" for law in laws
    ]
    return with_block(page, (BEGIN, END), "\n".join(lines))
