"""Every predictor of critical sizes that is compared: the mixture without one refinement each, and baselines.

Predictors are fitted to random-label runs and to runs on the real task well above the transition, at moduli up to 29;
baselines to measured critical sizes at moduli up to 29.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import lsq_linear
from scipy.stats import t as student

from dcrit.empirics.ablations.committed import read
from dcrit.empirics.ablations.settled import MIDDLE, TABLE, Norm, outcomes
from dcrit.empirics.measures.efficiency import CompetitionFit, fit_competition, usable
from dcrit.empirics.runs.outcomes import Outcome
from dcrit.theory.calibrations.calibration import FEWEST_CELLS, Calibration, Cell, calibration_for, shipped_calibrations
from dcrit.theory.circuits.constants import ANCHOR, competition_from, constants_of
from dcrit.theory.circuits.crossing import Crossing
from dcrit.theory.circuits.laws import MemorizingLaw
from dcrit.theory.circuits.regimes import FITTED
from dcrit.theory.predictions.critical_size import predict_critical_size
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]

#: Size and ends of its 90 % interval [examples]; None where nothing is predicted.
Told = tuple[float, float, float] | None
Rule = Callable[[Problem], Told]
CellRule = Callable[[Problem, Sequence[Outcome], Sequence[Outcome]], FloatArray | None]


def mixture(*, unseen: bool) -> CellRule:
    """Constants of the mixture in one cell."""

    def rule(problem: Problem, memorizing: Sequence[Outcome], generalizing: Sequence[Outcome]) -> FloatArray | None:
        fit = fit_competition(problem, memorizing, generalizing, resamples=0, unseen=unseen)
        return constants_of(fit.competition) if isinstance(fit, CompetitionFit) else None

    return rule


def crossing(*, at_d: bool) -> CellRule:
    """Constants of the bare crossing: e_gen at all pairs, or as a power of D through the runs that generalize."""

    def rule(problem: Problem, memorizing: Sequence[Outcome], generalizing: Sequence[Outcome]) -> FloatArray | None:
        mem, gen = usable(memorizing)[0], usable(generalizing)[0]
        full = [o for o in gen if o.config.n_train == problem.n_pairs]
        whole = [o for o in gen if o.config.n_train == problem.n_pairs or o.test_accuracy >= FITTED]
        if len({o.config.n_train for o in mem}) < 2 or not full:
            return None
        anchor = math.log(ANCHOR * problem.n_pairs)
        slope, level = np.polyfit(*logs(mem, anchor), 1)
        drift, log_generalizing = 0.0, float(np.mean(logs(full, anchor)[1]))
        if at_d:
            if len({o.config.n_train for o in whole}) < 2:
                return None
            drift, log_generalizing = np.polyfit(*logs(whole, anchor), 1)
        # Only the difference of the two slopes matters to a crossing.
        return np.array([level, drift - slope, log_generalizing, math.log(2.0), 0.0, 0.0, 0.0, 0.0])

    return rule


def logs(runs: Sequence[Outcome], anchor: float) -> tuple[FloatArray, FloatArray]:
    """Logarithms of D over the anchor, and of e."""
    return np.log([o.config.n_train for o in runs]) - anchor, np.log([o.efficiency for o in runs])


#: Task, modulus, activation, width and weight decay.
CellKey = tuple[str, int, str, int, float]


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Runs of every cell of one table, grouped once."""

    memorizing: dict[CellKey, list[Outcome]]
    generalizing: dict[CellKey, list[Outcome]]

    @classmethod
    def of(cls, table: pl.DataFrame, norm: Norm = MIDDLE, *, halfway: bool = False) -> Cells:
        """Outcomes by what they measure."""
        memorizing: dict[CellKey, list[Outcome]] = {}
        generalizing: dict[CellKey, list[Outcome]] = {}
        for outcome in outcomes(table, norm, halfway=halfway):
            problem = outcome.config.problem
            group = memorizing if problem.definition.rule is None else generalizing
            group.setdefault(key(problem), []).append(outcome)
        return cls(memorizing=memorizing, generalizing=generalizing)

    def problems(self, task: str, activation: str, weight_decay: float) -> list[Problem]:
        """The cells of one family."""
        found = [runs[0].config.problem for runs in self.generalizing.values()]
        return [p for p in found if (p.task, p.activation, p.weight_decay) == (task, activation, weight_decay)]

    def calibrations(self, rule: CellRule) -> list[Calibration]:
        """One calibration a family, with the constants that a rule finds."""
        made = []
        for shipped in shipped_calibrations():
            cells = []
            for problem in self.problems(shipped.tasks[0], shipped.activation, shipped.weight_decay):
                memorizing = self.memorizing.get(key(problem.on_random_labels()), [])
                constants = rule(problem, memorizing, self.generalizing[key(problem)])
                if constants is not None:
                    numbers = tuple(float(value) for value in constants)
                    cells.append(
                        Cell(
                            n_symbols=problem.n_symbols,
                            width=problem.width,
                            constants=numbers,
                            n_runs=0,
                            n_unconverged=0,
                        )
                    )
            # A family with too few cells makes no prediction, which the table counts.
            if len(cells) >= FEWEST_CELLS:
                made.append(replace(shipped, cells=tuple(cells)))
        return made


def key(problem: Problem) -> CellKey:
    """What tells cells apart."""
    return problem.task, problem.modulus, problem.activation, problem.width, problem.weight_decay


#: What the first release said, and what it says now under its own name.
FIRST_RELEASE = "first release: the mixture at rest"


def constants_carried(calibrations: list[Calibration], size: str = "mixture") -> Rule:
    """Carry the constants to the problem and solve there: for the mixture, or what ``size`` names."""

    def rule(problem: Problem) -> Told:
        calibration = calibration_for(problem, calibrations)
        try:
            found = None if calibration is None else getattr(predict_critical_size(problem, calibration), size)
        except ValueError:
            return None
        if found is None or found.value is None:
            return None
        return found.value, found.interval.low, found.interval.high

    return rule


Features = Callable[[Problem], list[float]]


def regression(sizes: list[tuple[Problem, float]], features: Features, scale: Callable[[Problem], float]) -> Rule:
    """Least squares of ln(D/scale) on features, by task family and activation, with its predictive interval."""

    def family(problem: Problem) -> tuple[str, str]:
        return problem.definition.same_as or problem.task, problem.activation

    def rule(problem: Problem) -> Told:
        known = [(p, d) for p, d in sizes if family(p) == family(problem)]
        x = np.array([features(p) for p, _ in known])
        y = np.log([d / scale(p) for p, d in known])
        if len(x) <= x.shape[1]:
            return None
        inverse = np.linalg.pinv(x.T @ x)
        coefficients = inverse @ x.T @ y
        freedom = len(x) - x.shape[1]
        scatter = np.square(y - x @ coefficients).sum() / freedom
        at = np.array(features(problem))
        half = student.ppf(0.95, freedom) * math.sqrt(scatter * (1 + at @ inverse @ at))
        best = float(at @ coefficients) + math.log(scale(problem))
        return math.exp(best), math.exp(best - half), math.exp(best + half)

    return rule


def sizes_of(calibrations: list[Calibration]) -> list[tuple[Problem, float]]:
    """The critical size that each cell's own constants imply."""
    found = []
    for calibration in calibrations:
        if calibration.weight_decay != 1.0:
            continue
        for cell in calibration.cells:
            problem = Problem(
                task=calibration.tasks[0],
                modulus=cell.n_symbols,
                activation=calibration.activation,  # type: ignore[arg-type]
                width=cell.width,
            )
            size = competition_from(np.array(cell.constants), problem.n_pairs).size_at_accuracy(0.5)
            if isinstance(size, Crossing):
                found.append((problem, size.n_train))
    return found


def saturating_sizes(cells: Cells, calibrations: list[Calibration]) -> list[tuple[Problem, float]]:
    """Critical sizes of the cells with e_mem = A·D^(−β)·(1 − D/D_mem)^δ, its three constants fitted."""
    found = []
    for calibration in calibrations:
        for problem in cells.problems(calibration.tasks[0], calibration.activation, calibration.weight_decay):
            memorizing = cells.memorizing[key(problem.on_random_labels())]
            fit = fit_competition(problem, memorizing, cells.generalizing[key(problem)], resamples=0)
            if not isinstance(fit, CompetitionFit):
                continue
            room = float(calibration.memorized(problem))
            mem = [o for o in usable(memorizing)[0] if o.config.n_train < 0.98 * room]
            x, y = logs(mem, 0.0)
            left = np.log1p(-np.exp(x) / room)
            best = lsq_linear(
                np.stack([np.ones_like(x), -x, left], axis=1), y, bounds=([-np.inf, 0.0, 0.0], [np.inf, np.inf, 5.0])
            ).x
            law = MemorizingLaw(
                amplitude=math.exp(best[0]), exponent=float(best[1]), capacity=room, saturation=float(best[2])
            )
            size = replace(fit.competition, memorizing=law).size_at_accuracy(0.5)
            if isinstance(size, Crossing):
                found.append((problem, size.n_train))
    return found


def powers(problem: Problem) -> list[float]:
    """1, ln S, ln H."""
    return [1.0, math.log(problem.n_symbols / 20), math.log(problem.width / 48)]


def quadratic(problem: Problem) -> list[float]:
    """Those, ln²H and ln S·ln H."""
    one, s, h = powers(problem)
    return [one, s, h, h * h, s * h]


def load(problem: Problem) -> list[float]:
    """1, the logarithm of pairs per parameter S²/N ∝ S/H, and its square: one dimensionless number."""
    x = math.log(problem.n_symbols / problem.width)
    return [1.0, x, x * x]


def predictors(results: Path) -> dict[str, Rule]:
    """Everything that is compared, by the sentence that the table shows.

    Args:
        results: Folder of the committed results.
    """
    table = pl.read_parquet(results / TABLE)
    own = Cells.of(table)
    others: dict[str, Norm] = {"ℓ2": 0.0, "ℓ2,κ": 1.0, "ℓ∞": "ℓ∞"}
    cells = {name: Cells.of(table, norm) for name, norm in others.items()}
    whole = own.calibrations(mixture(unseen=True))
    plain = own.calibrations(mixture(unseen=False))
    at_one = [calibration for calibration in whole if calibration.weight_decay == 1.0]
    rows = read(results / "baselines.json")
    known = [(Problem.from_dict(row["problem"]), row["measured"]) for row in rows if row["measured"]]
    rules: dict[str, Rule] = {
        # What narrow networks add to the error was chosen with two of these networks in view, so it earns nothing here.
        "**dcrit as shipped**": constants_carried([one.carried_on for one in shipped_calibrations()], "critical_size"),
        FIRST_RELEASE: constants_carried(shipped_calibrations()),
        "mixture, deficits, unseen margins (the same, refitted here)": constants_carried(whole),
        "… without unseen margins (u = 1)": constants_carried(plain),
        "… without deficits: the mixture's own crossing": constants_carried(whole, "crossing"),
        "… carrying sizes, not constants": regression(sizes_of(at_one), quadratic, lambda _: 1.0),
        "… carrying D/p² over the load S/H alone": regression(sizes_of(at_one), load, lambda p: p.n_pairs),
    }
    rules["… carrying sizes, e_mem bent by capacity"] = regression(
        saturating_sizes(own, at_one), quadratic, lambda _: 1.0
    )
    rules["… with everything read at half the horizon, `square` alone"] = constants_carried(
        Cells.of(table, halfway=True).calibrations(mixture(unseen=True))
    )
    for norm in others:
        rules[f"… in the {norm} norm"] = constants_carried(cells[norm].calibrations(mixture(unseen=True)))
        rules[f"… in the {norm} norm, without unseen margins"] = constants_carried(
            cells[norm].calibrations(mixture(unseen=False))
        )
    for norm, found in (("√(ℓ2·ℓ2,κ)", own), *cells.items()):
        made = found.calibrations(crossing(at_d=False))
        rules[f"bare crossing, e_gen at all pairs, {norm}"] = constants_carried(made, "crossing")
    for norm, found in (("√(ℓ2·ℓ2,κ)", own), ("ℓ2", cells["ℓ2"])):
        made = found.calibrations(crossing(at_d=True))
        rules[f"bare crossing, e_gen at D itself, {norm}"] = constants_carried(made, "crossing")
    rules["baseline: constant fraction of p²"] = regression(known, lambda _: [1.0], lambda p: p.n_pairs)
    rules["baseline: constant times p·ln p"] = regression(
        known, lambda _: [1.0], lambda p: p.n_symbols * math.log(p.n_symbols)
    )
    rules["baseline: power law in p and width"] = regression(known, powers, lambda _: 1.0)
    return rules
