"""Planes of model size and training-set size, predicted first and then measured: dips over model size, D_mem, the star.

Transformers are looked at on both sides of their capacity, pair-MLPs around the star.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.ablations.committed import Row, read, text_of, with_block
from dcrit.empirics.ablations.model_sizes_fit import bound, fit_narrow, rows_of
from dcrit.empirics.ablations.transformer_clock import fitted_law
from dcrit.empirics.ablations.transformer_sizes import FAMILY
from dcrit.empirics.experiments.experiment import TRANSFORMER_STEPS
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.experiments.size_grid import EASY, STANDARD, Plane, grid_of
from dcrit.empirics.experiments.star import star_of
from dcrit.empirics.measures.capacity import CapacityDesign, measure_capacity
from dcrit.empirics.measures.planes import dip_of, means
from dcrit.empirics.runs.outcomes import outcome_of, settled_value
from dcrit.empirics.runs.single import Run
from dcrit.theory.calibrations.calibration import Calibration, calibration_of
from dcrit.theory.checks import FieldError
from dcrit.theory.estimates import Estimate, Interval
from dcrit.theory.predictions.double_descent import predict_double_descent
from dcrit.theory.predictions.phase_diagram import Star, predict_star
from dcrit.theory.problems.problem import Problem, label

FloatArray = NDArray[np.float64]

#: Files of what was predicted, and of what was measured afterwards.
PREDICTED, MEASURED = "model-size-predicted.json", "model-size.json"

#: Chosen when β and c were known from calibration runs at moduli 23, 29, 31 and 41, and before any run of theirs was
#: made. Sizes of transformers are 2.2 to 3 times p^1.5: at the largest no dip is expected.
PLANES = (
    Plane(
        problem=replace(FAMILY, modulus=37),
        widths=(4, 8, 12, 16, 24, 32, 48),
        sizes=(495, 563, 675),
        capacity_widths=(4, 8, 12),
        capacity_seeds=2,
        steps=TRANSFORMER_STEPS,
    ),
    Plane(
        problem=replace(FAMILY, modulus=43),
        widths=(4, 8, 12, 16, 32, 48),
        sizes=(620, 691, 846),
        capacity_widths=(4, 8, 12),
        seeds=4,
        capacity_seeds=2,
        steps=TRANSFORMER_STEPS,
    ),
    *(
        Plane(
            problem=Problem(task="add", modulus=modulus, activation=activation),
            widths=widths,
            sizes=sizes,
            capacity_widths=(8, 16, 24),
            seeds=3,
            capacity_seeds=2,
        )
        for activation, modulus, widths, sizes in (
            ("square", 37, (8, 12, 16, 20, 28, 40, 64), (200, 300, 420, 560, 720, 950)),
            ("relu", 37, (16, 24, 32, 40, 56, 80), (350, 500, 700, 900, 1150)),
            ("square", 43, (8, 12, 16, 20, 28, 40, 64), (250, 400, 560, 750, 1000, 1300)),
        )
    ),
    # A pilot where the field works: does a dip show at this horizon? Its capacities and star would cost hours.
    Plane(
        problem=replace(FAMILY, modulus=113),
        widths=(8, 16, 32, 64),
        sizes=(3000, 3500),
        capacity_widths=(),
        seeds=4,
        steps=10_000,
    ),
)

#: File of capacities that a second law predicts, whose bits per parameter grow with N/C² instead of N. Two planes had
#: shown theirs when it was made, and no capacity of the others, nor of these networks.
SECOND, SHOWN = "model-size-capacities.json", PLANES[2:4]
FURTHER = tuple(
    Problem(task="add", modulus=53, activation=activation, width=width)
    for activation, width in (("square", 8), ("square", 16), ("relu", 12), ("relu", 24))
)
CAPACITY_SEEDS = 2

#: Within this factor of the measured N a place counts as predicted.
FACTOR = 1.5


def calibration(plane: Plane) -> Calibration:
    """What answers for a plane."""
    return calibration_of(plane.problem)


def horizon(plane: Plane) -> int:
    """T of a plane [steps]."""
    return plane.steps or plane.problem.horizon


def _rounded(ends: Interval | None) -> list[float] | None:
    return None if ends is None else [round(ends.low, 1), round(ends.high, 1)]


def _ends(one: Estimate) -> Row:
    return {"value": None if one.value is None else round(one.value, 1), "interval": _rounded(one.interval)}


def half_fall(n_params: Sequence[float], accuracy: Sequence[float], lowest: int) -> float:
    """N at which accuracy has fallen by half on its way from its best narrower network to its lowest, in ln N.

    Args:
        n_params: N (K,), rising.
        accuracy: Mean accuracies (K,).
        lowest: Index of the dip.
    """
    best = int(np.argmax(accuracy[: lowest + 1]))
    half = (accuracy[best] + accuracy[lowest]) / 2
    k = next(k for k in range(best, lowest) if accuracy[k] >= half >= accuracy[k + 1])
    share = (accuracy[k] - half) / (accuracy[k] - accuracy[k + 1])
    return math.exp(math.log(n_params[k]) + share * math.log(n_params[k + 1] / n_params[k]))


def predicted(plane: Plane) -> Row:
    """What the shipped calibration says of a plane.

    Args:
        plane: To be measured.
    """
    known, steps = calibration(plane), horizon(plane)
    told = [width for width in plane.widths if not known.silence(plane.at(width), steps)]
    curves: list[Row] = []
    for n_train in plane.sizes:
        found = predict_double_descent(plane.problem, known, n_train=n_train, widths=told, horizon=steps)
        rows = (found.accuracy, found.accuracy_low, found.accuracy_high)
        names = ("accuracy", "accuracy_low", "accuracy_high")
        at = None if found.width.value is None else told.index(round(found.width.value))
        curves.append(
            {
                "n_train": n_train,
                **{name: one.round(4).tolist() for name, one in zip(names, rows, strict=True)},
                "dip": found.dip,
                "probability_of_a_dip": round(found.probability, 3),
                "depth": round(found.depth.value or 0.0, 4),
                "lowest": _ends(found.place),
                "half_fall": None
                if at is None
                else round(half_fall(found.n_params.tolist(), found.accuracy.tolist(), at), 1),
            }
        )
    star = predict_star(plane.problem, known, horizon=steps)
    return {
        "problem": plane.problem.to_dict() | {"width": None},
        "horizon": steps,
        "widths": list(plane.widths),
        "told": told,
        "curves": curves,
        "capacities": [_predicted_capacity(known, plane.at(width)) for width in plane.capacity_widths],
        "star": _star_row(star),
        "calibration": known.name,
    }


def _star_row(star: Star) -> Row:
    return {"n_params": _ends(star.n_params), "n_train": _ends(star.n_train)}


def _predicted_capacity(known: Calibration, problem: Problem) -> Row:
    low, best, high = (round(float(known.memorized(problem, deviation=z)), 1) for z in (-1.645, 0.0, 1.645))
    return {"width": problem.width, "n_params": problem.n_params, "value": best, "interval": [low, high]}


def predict_planes(results: Path) -> dict[Path, str]:
    """Predictions of the planes that have none yet; what was predicted stays as it is.

    Args:
        results: Folder of committed results.
    """
    path = results / PREDICTED
    rows: list[Row] = read(path) if path.exists() else []
    there = {_key(row["problem"]) for row in rows}
    rows += [predicted(plane) for plane in PLANES if _key(plane.problem.to_dict()) not in there]
    rows += [
        {
            "problem": plane.problem.to_dict() | {"width": None},
            "horizon": horizon(plane),
            "measured_before": True,
            "star": _star_row(predict_star(plane.problem, calibration(plane), horizon=horizon(plane))),
        }
        for plane in known_planes()
        if _key(plane.problem.to_dict()) not in there
    ]
    return {path: text_of(rows)}


def predict_capacities(results: Path) -> dict[Path, str]:
    """What the second law says of capacities that it has not said yet; what was predicted stays as it is.

    Args:
        results: Folder of committed results.
    """
    path = results / SECOND
    rows: list[Row] = read(path) if path.exists() else []
    there = [row["problem"] for row in rows]
    asked = [
        *((plane.at(width), plane not in SHOWN) for plane in PLANES for width in plane.capacity_widths),
        *((problem, True) for problem in FURTHER),
    ]
    for problem, blind in asked:
        if problem.to_dict() not in there:
            known = calibration_of(problem)
            rows.append({"problem": problem.to_dict(), **_predicted_capacity(known, problem), "blind": blind})
    return {path: text_of(rows)}


def measure_capacities(results: Path, laboratory: Laboratory) -> None:
    """Measure the capacities that belong to no plane and are not measured yet.

    Args:
        results: Folder of committed results.
        laboratory: Finds or trains the runs.
    """
    path = results / SECOND
    rows: list[Row] = read(path)
    for row in rows:
        problem = Problem.from_dict(row["problem"])
        if problem in FURTHER and "measured" not in row:
            design = CapacityDesign(problem=problem, seeds=CAPACITY_SEEDS)
            (found,) = laboratory.outcomes([design.configs()], stage=f"capacity of {label(problem)}")
            row["measured"] = _ends(measure_capacity(found))
            path.write_text(text_of(rows), encoding="utf-8")


def measure_planes(results: Path, laboratory: Laboratory) -> None:
    """Measure what is not measured yet of predicted planes; the file is written part by part.

    Args:
        results: Folder of committed results.
        laboratory: Finds or trains the runs.
    """
    path = results / MEASURED
    rows: list[Row] = read(path) if path.exists() else []
    there = {_key(row["problem"]): row for row in rows}
    asked = {_key(row["problem"]) for row in read(results / PREDICTED)}
    for plane in PLANES:
        key = _key(plane.problem.to_dict())
        if key not in asked:
            continue
        if key not in there:
            there[key] = {"problem": plane.problem.to_dict() | {"width": None}, "horizon": horizon(plane)}
            rows.append(there[key])
        for _ in measured_parts(plane, laboratory, there[key]):
            path.write_text(text_of(rows), encoding="utf-8")


def _key(problem: Row) -> tuple[Any, ...]:
    return tuple(value for name, value in sorted(problem.items()) if name != "width")


def measured_parts(plane: Plane, laboratory: Laboratory, row: Row) -> Iterator[None]:
    """Add to a row what it lacks of a plane, one part after the other: capacities, each training set, the star.

    Args:
        plane: Of which runs are found or trained.
        laboratory: Finds or trains them.
        row: What is measured by now.
    """
    stage = f"{plane.problem.model} {plane.problem.activation} mod {plane.problem.modulus}"
    if "capacities" not in row:
        found = laboratory.blocks(plane.capacity_configs(), stage=stage)
        row["capacities"] = [
            _capacity_row(plane.at(width), runs) for width, runs in zip(plane.capacity_widths, found, strict=True)
        ]
        yield
    curves: list[Row] = row.setdefault("curves", [])
    for n_train in plane.sizes:
        if n_train not in {one["n_train"] for one in curves}:
            configs = [config for config in plane.configs() if config.n_train == n_train]
            (runs,) = laboratory.blocks([configs], stage=f"{stage}, {n_train} examples")
            curves.append(_curve_row(plane, n_train, runs))
            yield
    if "star" not in row:
        runs, *capacity_runs = laboratory.blocks([plane.configs(), *plane.capacity_configs()], stage=stage)
        star = star_of(grid_of(plane, runs, capacity_runs, None))
        middle = None if star is None else star.middle()
        places = (None, None) if star is None else (star.params_interval(), star.size_interval())
        row["star"] = {
            "share": 0.0 if star is None else round(star.share, 3),
            **{
                name: {"value": None if middle is None else round(middle[k], 1), "interval": _rounded(places[k])}
                for k, name in enumerate(("n_params", "n_train"))
            },
        }
        yield


def _curve_row(plane: Plane, n_train: int, runs: Sequence[Run]) -> Row:
    """Settled accuracies over width at one training set, and their dip."""
    shape = (len(plane.widths), plane.seeds)
    test, train = (
        np.array([settled_value(run, name) for run in runs]).reshape(shape)
        for name in ("test_accuracy", "train_accuracy")
    )
    dip = dip_of(test)
    if dip is None:
        raise FieldError("widths", "be three or more with two runs that stay finite", len(test))
    n_params = [float(plane.at(width).n_params) for width in plane.widths]
    fallen = dip.depth > 0
    return {
        "n_train": n_train,
        "test_accuracy": test.round(4).tolist(),
        "train_accuracy": train.round(4).tolist(),
        "dip": dip.ruling == "dip",
        "depth": round(dip.depth, 4),
        "p_rising": round(dip.p_rising, 4),
        "lowest": round(n_params[dip.index], 1) if fallen else None,
        "half_fall": round(half_fall(n_params, means(test).tolist(), dip.index), 1) if fallen else None,
    }


def _capacity_row(problem: Problem, runs: Sequence[Run]) -> Row:
    """D_mem of one network: the mean count of overloaded runs, with Student's interval."""
    found = measure_capacity([outcome_of(run) for run in runs])
    return {"width": problem.width, "n_params": problem.n_params, **_ends(found), "n_runs": found.n_runs}


#: Ends of the tables in the page, and the page.
BEGIN, END = "<!-- begin: model size, remade by dcrit reproduce model-size -->", "<!-- end: model size -->"
PAGE = "model-size.md"

#: Stars that were measured before, and predicted before that by the first release: rows of this claim's report.
REPORT, CLAIM = "standard-p-values.json", "star-located"


def known_planes() -> list[Plane]:
    """Planes of addition of the standard suite, whose stars were measured before there was a law of sizes."""
    return [one for one in (*STANDARD.planes, *STANDARD.star_planes) if one.problem.task == EASY]


def known_stars(results: Path) -> list[tuple[str, Row, Row, float]]:
    """Those planes: their names, N* as a law has it now, as measured, and as the first release had it.

    Args:
        results: Folder of committed results.
    """
    (claim,) = [one for one in read(results / REPORT)["claims"] if one["id"] == CLAIM]
    found = {one["plane"]: one for one in claim["rows"]}
    told = {_key(row["problem"]): row for row in read(results / PREDICTED)}
    rows: list[tuple[str, Row, Row, float]] = []
    for plane in known_planes():
        name, row = grid_name(plane), found[grid_name(plane)]
        measured = {"value": row["N*"], "interval": [row["N* low"], row["N* high"]]}
        rows.append((name, told[_key(plane.problem.to_dict())]["star"]["n_params"], measured, row["N* predicted"]))
    return rows


def shipped_stars(results: Path) -> list[tuple[Row, Row]]:
    """N* of all measured planes as it is predicted today, beside what was measured.

    Its interval knows the scatter of the stars of :func:`known_stars`, which that of the predictions above did not.

    Args:
        results: Folder of committed results.
    """
    there = [(plane, found["star"]["n_params"]) for plane, _, found in scored(results) if "star" in found]
    there += [(plane, found) for plane, (_, _, found, _) in zip(known_planes(), known_stars(results), strict=True)]
    return [
        (_star_row(predict_star(plane.problem, calibration(plane), horizon=horizon(plane)))["n_params"], found)
        for plane, found in there
    ]


def grid_name(plane: Plane) -> str:
    """The plane in a few words."""
    return label(plane.problem, width=False)


def scored(results: Path) -> list[tuple[Plane, Row, Row]]:
    """Planes that are measured, each with what was predicted of it and what was measured.

    Args:
        results: Folder of committed results.
    """
    path = results / MEASURED
    found = {_key(row["problem"]): row for row in (read(path) if path.exists() else [])}
    told = {_key(row["problem"]): row for row in read(results / PREDICTED)}
    keys = [(plane, _key(plane.problem.to_dict())) for plane in PLANES]
    return [(plane, told[key], found[key]) for plane, key in keys if key in found and key in told]


@dataclass(frozen=True, kw_only=True)
class Score:
    """How far off predictions of one kind were.

    Attributes:
        errors: ln(predicted/measured) of each.
        inside: Measured values inside the predicted 90 % interval; None where there are no intervals.
    """

    errors: tuple[float, ...]
    inside: int | None

    def line(self, name: str) -> str:
        """A row of the page's last table."""
        sizes = np.abs(self.errors)
        if not sizes.size:
            return f"| {name} | 0 | – | – | – | – |"
        near = int((sizes <= math.log(FACTOR)).sum())
        inside = "–" if self.inside is None else f"{self.inside}/{sizes.size}"
        return (
            f"| {name} | {sizes.size} | {np.median(sizes):.3f} | {sizes.max():.3f} | {near}/{sizes.size} | {inside} |"
        )


def score_of(pairs: Sequence[tuple[Row, Row]]) -> Score:
    """The score of predicted beside measured values, of pairs that have both."""
    known = [(one, other) for one, other in pairs if one["value"] is not None and other["value"] is not None]
    with_interval = all("interval" in one for one, _ in known)
    return Score(
        errors=tuple(math.log(one["value"] / other["value"]) for one, other in known),
        inside=sum(one["interval"][0] <= other["value"] <= one["interval"][1] for one, other in known)
        if with_interval
        else None,
    )


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """D_mem of one network, by both laws and as measured.

    Attributes:
        problem: Whose.
        first: By the law that knows N alone; None where it was not asked.
        second: By the law that knows N/C².
        blind: Nothing of the network was measured when the second law was made.
        found: What was measured.
    """

    problem: Problem
    first: Row | None
    second: Row
    blind: bool
    found: Row

    @property
    def shipped(self) -> Row | None:
        """By the law that ships: N/C² for pair-MLPs, N alone for transformers, which refuted the other."""
        return self.second if self.problem.model == "mlp" else self.first

    def line(self) -> str:
        """A row of the page's table."""
        first = "– | –" if self.first is None else f"{_sized(self.first)} | {_error(self.first, self.found)}"
        mark = "" if self.blind else " †"
        return (
            f"| {label(self.problem)} | {first} | {_sized(self.second)}{mark} | {_error(self.second, self.found)} | "
            f"{_sized(self.found)} |"
        )


def capacities(results: Path) -> list[Capacity]:
    """Capacities that were predicted and are measured.

    Args:
        results: Folder of committed results.
    """
    first: dict[Problem, Row] = {}
    measured: dict[Problem, Row] = {}
    for plane, told, found in scored(results):
        for one, other in zip(told["capacities"], found.get("capacities", []), strict=False):
            first[plane.at(one["width"])], measured[plane.at(one["width"])] = one, other
    rows: list[Capacity] = []
    for row in read(results / SECOND):
        problem = Problem.from_dict(row["problem"])
        seen = row.get("measured", measured.get(problem))
        if seen is not None and seen["value"] is not None:
            told = first.get(problem)
            rows.append(Capacity(problem=problem, first=told, second=row, blind=row["blind"], found=seen))
    return rows


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Accuracy over width at one training set of a plane, predicted and measured.

    Attributes:
        plane: Whose.
        widths: At which something was predicted.
        told: What was predicted.
        found: What was measured.
    """

    plane: Plane
    widths: Sequence[int]
    told: Row
    found: Row

    @property
    def right(self) -> bool:
        """Whether there is a dip where one was predicted, and none where none was."""
        return bool(self.told["dip"] == self.found["dip"])

    def line(self) -> str:
        """A row of the page's first table."""
        expected = dict(zip(self.widths, self.told["accuracy"], strict=True))
        seen = means(np.array(self.found["test_accuracy"]))
        cells = [
            f"{width}: {mean:.2f}" + (f" ({expected[width]:.2f})" if width in expected else "")
            for width, mean in zip(self.plane.widths, seen, strict=True)
        ]
        places = [f"{one['half_fall']:.0f}" if one["dip"] else "–" for one in (self.found, self.told)]
        return (
            f"| {grid_name(self.plane)}, {horizon(self.plane)} | {self.told['n_train']} | {', '.join(cells)} | "
            f"{_word(self.found)} {self.found['depth']:.2f}, p = {self.found['p_rising']:.3f} | "
            f"{_word(self.told)} {self.told['depth']:.2f}, P = {self.told['probability_of_a_dip']:.2f} | "
            f"{places[0]} ({places[1]}) |"
        )


def _word(one: Row) -> str:
    return "yes:" if one["dip"] else "no:"


def curve_rows(plane: Plane, told: Row, found: Row) -> list[Curve]:
    """Training sets of a plane."""
    measured = {one["n_train"]: one for one in found.get("curves", [])}
    return [
        Curve(plane=plane, widths=told["told"], told=one, found=measured[one["n_train"]])
        for one in told["curves"]
        if one["n_train"] in measured
    ]


def constants(results: Path) -> str:
    """Constants of narrow networks as Markdown, from committed calibration runs.

    Args:
        results: Folder of committed results.
    """
    found = fit_narrow(bound(fitted_law(results)), rows_of(results))
    narrow = found.overload
    return (
        "| β | c | scatter in ln D | accuracies are missed by | runs |\n|---|---|---|---|---|\n"
        f"| {narrow.exponent:.3f} ± {found.errors[0]:.3f} | {narrow.grain:.1f} ± {found.errors[1]:.1f} | "
        f"{narrow.scatter:.3f} | {found.rms:.3f} (rms of means) | {found.n_runs} |"
    )


def tables(results: Path) -> str:
    """What was predicted beside what was measured, as Markdown.

    Args:
        results: Folder of committed results.
    """
    rows, before, memory = scored(results), known_stars(results), capacities(results)
    dips = [dip for row in rows for dip in curve_rows(*row)]
    both = [dip for dip in dips if dip.told["dip"] and dip.found["dip"]]
    lines = [
        "| plane, T | D | accuracy over width: measured (predicted) | dip measured | dip predicted | half-way N |",
        "|---|---|---|---|---|---|",
        *(dip.line() for dip in dips),
        "",
        "| network | D_mem by N (90 %) | ln | D_mem by N/C² (90 %) | ln | measured (90 %) |",
        "|---|---|---|---|---|---|",
        *(one.line() for one in memory),
    ]
    lines += [
        "",
        "| plane | N* predicted (90 %) | measured (90 %) | ln | at rest alone |",
        "|---|---|---|---|---|",
    ]
    stars = [
        (plane, told["star"]["n_params"], found["star"]["n_params"]) for plane, told, found in rows if "star" in found
    ]
    lines += [f"| {grid_name(plane)} | {_beside(told, found)} | – |" for plane, told, found in stars]
    lines += [f"| {name} † | {_beside(now, found)} | {then:.0f} |" for name, now, found, then in before]
    lines += [
        "",
        "† was measured before the law was made. *At rest alone* is what the theory of circuits at rest said then.",
        "",
        f"| predicted | how many | median \\|ln\\| | worst | within {FACTOR:g} | inside 90 % |",
        "|---|---|---|---|---|---|",
        score_of([(one.first, one.found) for one in memory if one.first is not None]).line("D_mem by N"),
        *(
            score_of([(one.second, one.found) for one in memory if one.blind and one.problem.model == model]).line(
                f"D_mem by N/C², blind, {name}"
            )
            for model, name in (("mlp", "pair-MLPs"), ("transformer", "transformers"))
        ),
        score_of([(one.shipped, one.found) for one in memory if one.shipped is not None]).line("D_mem as shipped"),
        score_of([(told, found) for _, told, found in stars]).line("N*"),
        score_of([(now, found) for _, now, found, _ in before]).line("N* †"),
        score_of([({"value": then}, found) for _, _, found, then in before]).line("N* †, at rest alone"),
        score_of(shipped_stars(results)).line("N* as shipped"),
        score_of([({"value": dip.told["half_fall"]}, {"value": dip.found["half_fall"]}) for dip in both]).line(
            "half-way N of a dip"
        ),
        "",
        f"Whether there is a dip is predicted right for {sum(dip.right for dip in dips)} of {len(dips)} training sets.",
    ]
    return "\n".join(lines)


def _sized(one: Row) -> str:
    low, high = one["interval"]
    return f"{one['value']:.0f} ({low:.0f} – {high:.0f})"


def _beside(one: Row, other: Row) -> str:
    """Predicted, measured and ln of their ratio, as three cells."""
    shown = [_sized(each) if each["value"] is not None else "none" for each in (one, other)]
    return f"{shown[0]} | {shown[1]} | {_error(one, other)}"


def _error(one: Row, other: Row) -> str:
    """The logarithm of predicted over measured, where there are both."""
    errors = score_of([(one, other)]).errors
    return f"{errors[0]:+.3f}" if errors else "–"


def model_size(results: Path) -> dict[Path, str]:
    """The page with its tables remade.

    Args:
        results: Folder of committed results.
    """
    page = results / PAGE
    text = with_block(page.read_text(encoding="utf-8"), (BEGIN, END), f"{constants(results)}\n\n{tables(results)}")
    return {page: text}
