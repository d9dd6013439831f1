"""What the theory says over a grid of questions, small enough to travel inside a page that only interpolates it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcrit.theory.calibrations.calibration import Calibration, calibration_for, shipped_calibrations
from dcrit.theory.calibrations.outside import LAW
from dcrit.theory.calibrations.thresholds import (
    FARTHEST_DECAY,
    FARTHEST_LOAD,
    HORIZON,
    LOAD,
    PER_LOAD,
    SYMBOLS,
    UNTOLD,
    WIDEST,
    WIDTH,
    Thresholds,
)
from dcrit.theory.circuits.clock import log_odds
from dcrit.theory.circuits.constants import CONSTANTS
from dcrit.theory.circuits.regimes import SEMI_GROKKING, region_label
from dcrit.theory.circuits.symmetry import mirrored_fraction
from dcrit.theory.estimates import LEVEL, half_width
from dcrit.theory.families.family import FAMILIES
from dcrit.theory.predictions.critical_size import LARGEST_FRACTION, LEAST_EXPONENT, LEAST_MIXING, law_normal
from dcrit.theory.predictions.delay import delay_steps
from dcrit.theory.predictions.edges import LARGEST_SPREAD, N_SPREADS
from dcrit.theory.predictions.phase_diagram import N_DRAWS, SMALLEST_FRACTION, STAR_SCATTER, star_widths
from dcrit.theory.predictions.regime import REGIMES, STANDS_OUT, fit_range
from dcrit.theory.problems.problem import HORIZON as TIME_CONSTANTS
from dcrit.theory.problems.problem import Problem
from dcrit.theory.problems.tasks import TASKS

FloatArray = NDArray[np.float64]

#: Moduli that the page asks about.
MODULI = (11, 199)

#: What of a question may lie outside the calibration, beside the weight decay, and what the page calls it.
REACH = ((SYMBOLS, "symbols"), (WIDTH, "width"), (LOAD, "load"), (HORIZON, "horizon"))

#: Parts of all pairs at which it is told what is known without the rule.
PARTS = (0.003, 0.01, 0.03, 0.06, 0.12, 0.2, 0.3, 0.45, 0.65, 0.85, 1.0)

#: Ceilings with κ one standard deviation lower and higher.
CEILINGS = ("ceiling_low", "ceiling_high")

#: Largest log-odds of a part.
LARGEST_ODDS = 30.0

#: Numbers of symbols, between which the page interpolates: those of tasks have one less at most.
NODES = (10, 15, 22, 33, 47, 68, 97, 140, 200)

#: Widths, in steps of a family's own.
WIDTHS = {1: (1, 2, 4, 8, 13, 22, 36, 60, 100, 170, 280, 480, 800, 1024), 4: (1, 2, 3, 5, 8, 13, 20, 32)}

#: Horizons [steps] and weight decays, of which 1 is the clocks' reference: errors have a bend there.
HORIZONS = tuple(np.geomspace(10, 1e6, 24).tolist())
DECAYS = (0.125, 0.25, 0.5, 0.71, 1.0, 1.41, 2.0, 4.0, 8.0)

#: Times to memorize take longer to compute and are smooth: at fewer symbols and decays, and parts of p².
MEMORIZING = {
    "symbols": (10, 22, 47, 97, 200),
    "decay": (0.125, 0.5, 1.0, 2.0, 8.0),
    "part": (0.02, 0.04, 0.08, 0.15, 0.25, 0.4, 0.65, 1.0),
}

#: Constants of circuits at rest without which there is no network, and the least value of each.
LEAST = {"memorizing_exponent": LEAST_EXPONENT, "log_mixing": LEAST_MIXING}

#: Values of a grid are 16-bit numbers; the last stands for what does not exist.
LARGEST_CODE = 2**16 - 2
NOTHING = 2**16 - 1


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Values over a grid, coded in 16 bits.

    Attributes:
        axes: Names of its axes.
        codes: Values as codes, NaN as ``NOTHING``.
        low: Value of code 0.
        step: Difference of two codes.
    """

    axes: tuple[str, ...]
    codes: NDArray[np.uint16]
    low: float
    step: float

    @classmethod
    def of(cls, axes: Sequence[str], values: FloatArray) -> Grid:
        """Code values, of which some may be NaN.

        Args:
            axes: Name of each axis.
            values: Array with as many axes.
        """
        known = np.isfinite(values)
        low = float(values[known].min()) if known.any() else 0.0
        span = float(values[known].max()) - low if known.any() else 0.0
        step = span / LARGEST_CODE or 1.0
        codes = np.where(known, np.round((np.where(known, values, low) - low) / step), NOTHING).astype(np.uint16)
        return cls(axes=tuple(axes), codes=codes, low=low, step=step)

    @property
    def values(self) -> FloatArray:
        """What the codes stand for."""
        return np.where(self.codes == NOTHING, np.nan, self.low + self.step * self.codes)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What the page knows of one law: for some tasks, one model and one activation.

    Attributes:
        calibration: Whose law it is.
        tasks: Tasks it speaks for.
        nodes: Places of the grids along each axis.
        grids: By name.
    """

    calibration: Calibration
    tasks: tuple[str, ...]
    nodes: Mapping[str, tuple[float, ...]]
    grids: Mapping[str, Grid]

    def facts(self) -> dict[str, Any]:
        """All but the grids' values, as JSON values."""
        one, law = self.calibration, law_of(self.calibration)
        family = FAMILIES[one.model]
        widths = [cell.width for cell in one.cells]
        return {
            "tasks": list(self.tasks),
            "model": one.model,
            "activation": one.activation,
            "calibration": one.name,
            "learning_rate": family.learning_rate,
            "width_name": family.width_unit,
            "width_symbol": family.width_symbol,
            "width_step": family.width_step,
            "nodes": {name: list(places) for name, places in self.nodes.items()},
            "ranges": [
                *([name, axis, *law.reach[name]] for name, axis in REACH[:-1]),
                ["the weight decay", "decay", *[law.law.pace.weight_decay] * 2],
                *([name, axis, *law.reach[name]] for name, axis in REACH[-1:]),
            ],
            "farthest_load": FARTHEST_LOAD * law.largest_load,
            "usual_decay": law.law.pace.weight_decay,
            "overload": None if law.overload is None else law.overload.exponent,
            "width_scatter": law.law.levels.scatter,
            "lag": None if law.units is None else law.units.lag,
            "most_from_scratch": law.largest_load if law.overload is None else None,
            "most_at_rest": None if law.calibrated.load_at_rest is None else law.calibrated.load_at_rest[1],
            "star_widths": star_widths(_problem(one, self.tasks[0], moduli_of(self.tasks[0])[0]), one),
            "widths": [max(family.width_step, min(widths) // 2), max(widths)],
            "fits": _fits(one),
        }


def law_of(calibration: Calibration) -> Thresholds:
    """The law of both thresholds of a calibration.

    Raises:
        ValueError: It has none, so that nothing is known of other horizons.
    """
    if calibration.thresholds is None:
        raise ValueError(f"{calibration.name} has no law of both thresholds")
    return calibration.thresholds


def subjects() -> Iterator[Subject]:
    """Every law that ships, with the tasks that it speaks for; each takes a second or two."""
    shipped = [one for one in shipped_calibrations() if one.thresholds is not None]
    for calibration in shipped:
        names = tuple(
            name
            for name, task in TASKS.items()
            if task.rule is not None
            and (moduli := moduli_of(name))
            and calibration_for(_problem(calibration, name, moduli[-1]), shipped) is calibration
        )
        yield subject_of(calibration, names)


def moduli_of(task: str) -> list[int]:
    """Moduli within ``MODULI`` at which a task has as many classes as symbols, as laws of S alone take it."""
    found: list[int] = []
    for modulus in range(MODULI[0], MODULI[1] + 1):
        try:
            TASKS[task].check_modulus(modulus)
        except ValueError:
            continue
        if TASKS[task].n_symbols(modulus) == TASKS[task].n_classes(modulus):
            found.append(modulus)
    return found


def subject_of(calibration: Calibration, tasks: tuple[str, ...]) -> Subject:
    """Compute all grids of one law.

    Args:
        calibration: Whose law it is.
        tasks: Tasks it speaks for.
    """
    family, law = FAMILIES[calibration.model], law_of(calibration)
    widths = tuple(family.width_step * one for one in WIDTHS[family.width_step])
    nodes: dict[str, tuple[float, ...]] = {
        "symbols": NODES,
        "width": widths,
        "horizon": HORIZONS,
        "decay": DECAYS,
        "few_symbols": MEMORIZING["symbols"],
        "few_decays": MEMORIZING["decay"],
        "part": MEMORIZING["part"],
        "known_part": PARTS,
    }
    # As many classes as symbols, and any modulus is one.
    plain = next(name for name in tasks if TASKS[name].n_symbols(MODULI[0]) == MODULI[0])
    shape = (len(NODES), len(widths))
    flat = {
        name: np.empty(shape)
        for name in (
            *("rest", "onset", "completion", "ceiling", "capacity", "capacity_variance", "params", *LEAST),
            *(() if law.units is None else CEILINGS),
        )
    }
    spread = {name: np.empty((*shape, len(DECAYS))) for name in ("rest_deviation", "capacity_widening")}
    half, deviation = (np.empty((*shape, len(DECAYS), len(HORIZONS))) for _ in range(2))
    mirrored, unordered = np.empty((len(NODES), len(PARTS))), np.empty((*shape, len(PARTS)))
    steps = np.array(HORIZONS)
    for (i, n_symbols), (j, width) in product(enumerate(NODES), enumerate(widths)):
        here = _problem(calibration, plain, n_symbols, width=width)
        clocks = law.clocks(here)
        flat["rest"][i, j] = math.log(clocks.half.rest)
        flat["onset"][i, j], flat["completion"][i, j] = (clocks.shift(level) for level in SEMI_GROKKING)
        memory = clocks.memory
        flat["ceiling"][i, j] = _odds_against(memory.ceiling)
        if law.units is not None:
            for name, moved in zip(CEILINGS, (-1.0, 1.0), strict=True):
                flat[name][i, j] = _odds_against(law.units.moved(moved).ceiling(n_symbols, width))
        if memory.symmetry is not None:
            sizes = np.array(PARTS) * here.n_pairs
            seen = memory.symmetry.mirrored_at(sizes / (memory.symmetric_size or 1.0))
            mirrored[i] = np.minimum(1.0, mirrored_fraction(sizes, n_symbols))
            unordered[i, j] = np.clip(log_odds(np.clip(seen, 1e-15, 1 - 1e-15)), -LARGEST_ODDS, LARGEST_ODDS)
        memorized = float(calibration.memorized(here))
        above = float(calibration.capacity.capacity(here.n_params, here.n_classes, deviation=1.0))
        error = math.log(above / memorized)
        flat["capacity"][i, j] = math.log(memorized)
        # Errors add in squares, which are smooth.
        flat["capacity_variance"][i, j] = error**2
        flat["params"][i, j] = math.log(here.n_params)
        constants = calibration.constants(here)
        for name in LEAST:
            flat[name][i, j] = constants[CONSTANTS.index(name)]
        for k, decay in enumerate(DECAYS):
            asked = replace(here, weight_decay=decay)
            half[i, j, k] = np.log(law.clocks(asked).half.critical_size(steps))
            # The widening beyond the networks that were measured has a bend, so the page adds it.
            deviation[i, j, k] = np.log(
                law.deviations(asked, steps)
                if law.overload is not None
                else law.law.deviations(asked.n_symbols, asked.width, steps, **asked.optimizer)
            )
            own = law.law.deviation_at_rest(asked.n_symbols, asked.width, **asked.optimizer)
            spread["rest_deviation"][i, j, k] = math.log(own)
            # Outside the calibration errors widen by a factor.
            ratio = math.log(float(calibration.memorized(asked, deviation=1.0)) / memorized)
            spread["capacity_widening"][i, j, k] = math.log(ratio / error)
    few = [nodes[name] for name in ("few_symbols", "width", "few_decays")]
    memorizing = np.array(
        [
            _memorizing(_problem(calibration, plain, int(s), width=int(h), weight_decay=decay), calibration)
            for s, h, decay in product(*few)
        ]
    ).reshape(*map(len, few), len(nodes["part"]))
    plane = ("symbols", "width")
    grids = {
        "half": Grid.of((*plane, "decay", "horizon"), half),
        "deviation": Grid.of((*plane, "decay", "horizon"), deviation),
        **{name: Grid.of(plane, values) for name, values in flat.items()},
        **{name: Grid.of((*plane, "decay"), values) for name, values in spread.items()},
        "memorized": Grid.of(("few_symbols", "width", "few_decays", "part"), memorizing),
    }
    if law.overload is not None and law.symmetry is not None:
        grids["mirrored"] = Grid.of(("symbols", "known_part"), mirrored)
        grids["unordered"] = Grid.of((*plane, "known_part"), unordered)
    return Subject(calibration=calibration, tasks=tasks, nodes=nodes, grids=grids)


def _odds_against(ceiling: float) -> float:
    """Log-odds of what a network does not hold of the rule, within what a grid may have."""
    return -LARGEST_ODDS if ceiling == 1 else max(-LARGEST_ODDS, math.log(1 / ceiling - 1))


def common_facts() -> dict[str, Any]:
    """What all laws have in common, as JSON values."""
    normal = law_normal(N_DRAWS, 0), *(np.random.default_rng([0, k]).standard_normal(N_DRAWS) for k in (1, 2))
    return {
        "level": LEVEL,
        "half_width": half_width(1.0, level=LEVEL),
        "widest": WIDEST,
        "per_load": PER_LOAD,
        "largest_deviation": UNTOLD,
        "largest_spread": LARGEST_SPREAD,
        "n_spreads": N_SPREADS,
        "least": LEAST,
        "largest_fraction": LARGEST_FRACTION,
        "smallest_fraction": SMALLEST_FRACTION,
        "protocol": TIME_CONSTANTS,
        "levels": list(SEMI_GROKKING),
        "stands_out": STANDS_OUT,
        "law": LAW,
        "regimes": list(REGIMES),
        "region_labels": [region_label(name) for name in REGIMES],
        "star_scatter": STAR_SCATTER,
        "farthest_decay": FARTHEST_DECAY,
        "draws": [np.round(one, 5).tolist() for one in normal],
        "tasks": {
            name: {"formula": task.formula, "moduli": moduli, "symbols": [task.n_symbols(one) for one in moduli]}
            for name, task in TASKS.items()
            if task.rule is not None and (moduli := moduli_of(name))
        },
        "untold": [name for name, task in TASKS.items() if task.rule is not None and not moduli_of(name)],
    }


def _problem(calibration: Calibration, task: str, modulus: int, **fields: Any) -> Problem:
    family = FAMILIES[calibration.model]
    width = fields.pop("width", family.width_step * WIDTHS[family.width_step][-1])
    return Problem(
        task=task, modulus=modulus, model=calibration.model, activation=calibration.activation, width=width, **fields
    )


def _memorizing(problem: Problem, calibration: Calibration) -> FloatArray:
    """One over the steps to memorize parts of all pairs; 0 where that never happens, and little near it."""
    sizes = np.array(MEMORIZING["part"]) * problem.n_pairs
    constants = np.tile(calibration.constants(problem), (len(sizes), 1))
    return 1 / np.maximum(1.0, delay_steps(constants, problem, sizes).memorize)


def _fits(calibration: Calibration) -> list[list[float]]:
    """By measured number of symbols, between which widths the generalizing circuit begins to fit; at 0 where it did."""
    plain = replace(Problem(), task=calibration.tasks[0], model=calibration.model, activation=calibration.activation)
    found: list[list[float]] = []
    for n_symbols in sorted({cell.n_symbols for cell in calibration.cells}):
        between = fit_range(replace(plain, modulus=n_symbols), calibration)
        found.append([n_symbols, *((0, 0) if between is None else (between.unfit, between.fitted))])
    return found
