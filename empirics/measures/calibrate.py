"""Measure the constants of a problem family: the cells of a calibration, from small real runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from dcrit.empirics.measures.capacity import CapacityDesign, CapacityLine
from dcrit.empirics.measures.efficiency import EfficiencyDesign, NoLaws, fit_competition
from dcrit.empirics.measures.symmetry import SymmetryDesign, fit_symmetry
from dcrit.empirics.runs.addressed import Runner
from dcrit.empirics.runs.outcomes import outcome_of
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.theory.calibrations.calibration import FEWEST_CELLS, Calibration, Cell
from dcrit.theory.calibrations.omission import Cause, Omission
from dcrit.theory.checks import FieldError, check_integer
from dcrit.theory.circuits.constants import constants_of
from dcrit.theory.problems.problem import Problem
from dcrit.theory.problems.tasks import relabelings

#: Calibrations that ship stay at or below this modulus; larger ones are kept for testing.
LARGEST_MODULUS = 29

MODULI = (17, 19, 23, 29)
WIDTHS = (16, 24, 32, 48, 64, 96, 128, 256)


#: The size at which pairs are memorized without their order bends over these widths, which have no cells.
NARROW_WIDTHS = (8, 12)


@dataclass(frozen=True, kw_only=True)
class CalibrationDesign:
    """The runs behind one calibration.

    Attributes:
        problem: Its modulus and width are replaced.
        moduli: p of the cells.
        widths: H of the cells.
        seeds: Runs per size in a cell.

    Raises:
        ValueError: A list holds a bad value, there are too few to fit the scaling laws to, or the task has no rule
            to generalize to.
    """

    problem: Problem
    moduli: tuple[int, ...] = MODULI
    widths: tuple[int, ...] = WIDTHS
    seeds: int = 3

    def __post_init__(self) -> None:
        self.problem.check_rule()
        # The scaling laws have a slope in the modulus and a curvature in the width.
        for name, values, fewest in (("modulus", self.moduli, 2), ("width", self.widths, 3)):
            if len(set(values)) < fewest:
                got = ", ".join(map(str, values)) or "none"
                raise FieldError(name, f"be given at least {fewest} different values", got)
        n_cells = len(set(self.moduli)) * len(set(self.widths))
        if n_cells < FEWEST_CELLS:
            raise FieldError(
                "modulus",
                f"make at least {FEWEST_CELLS} cells together with width",
                f"{len(set(self.moduli))} moduli by {len(set(self.widths))} widths",
            )
        check_integer("seeds", self.seeds, 1)
        for problem in self.problems():
            problem.definition.check_modulus(problem.modulus)

    def problems(self) -> list[Problem]:
        """One problem a cell."""
        return [replace(self.problem, modulus=p, width=h) for p in self.moduli for h in self.widths]

    def capacity_problems(self) -> list[Problem]:
        """Problems small enough to be overloaded, at the largest modulus, where most labels exist.

        Where widths come in steps, only at the largest modulus of any calibration are three overloaded.
        """
        modulus = max(self.moduli)
        if self.problem.family.width_step > 1:
            modulus = max(modulus, LARGEST_MODULUS)
        return [replace(self.problem, modulus=modulus, width=h) for h in self.problem.family.capacity_widths]

    def symmetry_problems(self) -> list[Problem]:
        """Problems at which to find out from which size on a commutative table is memorized as unordered pairs.

        Only families with one embedding see both symbols alike, and symmetric Latin squares have odd order. The size is
        carried to larger moduli, so the largest one of any calibration is among them.
        """
        if not self.problem.family.shares_embedding or not self.problem.definition.commutative:
            return []
        moduli = sorted({*self.moduli, LARGEST_MODULUS})
        widths = sorted({*self.widths, *NARROW_WIDTHS})
        problems = [replace(self.problem, modulus=p, width=h) for p in moduli for h in widths]
        return [problem for problem in problems if problem.n_symbols % 2]


def omission_of(problem: Problem, lack: NoLaws) -> Omission:
    """That a problem's cell could not be measured."""
    return Omission(n_symbols=problem.n_symbols, width=problem.width, cause=lack.cause, reason=lack.reason)


def calibrate(
    design: CalibrationDesign, run: Runner[RunConfig, Run], *, note: Callable[[Omission], None] = lambda _: None
) -> Calibration:
    """Measure a calibration.

    Args:
        design: What to run.
        run: Trains, or finds in a store.
        note: Told about every measurement that is lacking.

    Returns:
        The calibration; cells without a measurement are listed in it with their reasons.

    Raises:
        ValueError: Too few cells, or no capacity, could be measured.
    """
    problems, overloaded = design.problems(), design.capacity_problems()
    plans = [EfficiencyDesign(problem=problem, seeds=design.seeds) for problem in problems]
    capacities = [CapacityDesign(problem=problem, seeds=design.seeds) for problem in overloaded]
    blocks = [block for plan in plans for block in (plan.memorizing(), plan.generalizing())]
    blocks += [plan.configs() for plan in capacities]
    symmetric = [SymmetryDesign(problem=problem) for problem in design.symmetry_problems()]
    blocks += [plan.configs() for plan in symmetric]
    runs = run([config for block in blocks for config in block], stage=f"calibrating {design.problem.activation}")
    outcomes = map(outcome_of, runs)
    results = [[next(outcomes) for _ in block] for block in blocks]
    cells: list[Cell] = []
    omitted: list[Omission] = []
    for place, problem in enumerate(problems):
        fit = fit_competition(problem, results[2 * place], results[2 * place + 1], resamples=0)
        if isinstance(fit, NoLaws):
            omitted.append(omission_of(problem, fit))
            note(omitted[-1])
        else:
            cells.append(
                Cell(
                    n_symbols=problem.n_symbols,
                    width=problem.width,
                    constants=tuple(float(value) for value in constants_of(fit.competition)),
                    n_runs=fit.n_runs,
                    n_unconverged=fit.n_unconverged,
                )
            )
    line = CapacityLine.fit(
        list(zip(overloaded, results[2 * len(problems) : len(results) - len(symmetric)], strict=True))
    )
    if isinstance(line, str):
        raise ValueError(f"capacity could not be measured: {line}")
    symmetry = None
    if symmetric:
        found = fit_symmetry([outcome for block in results[len(results) - len(symmetric) :] for outcome in block])
        if isinstance(found, str):
            omitted.append(Omission(cause=Cause.NO_SYMMETRY, reason=found))
            note(omitted[-1])
        else:
            symmetry = found
    problem = design.problem
    return Calibration(
        tasks=relabelings(problem.definition, shares_embedding=problem.family.shares_embedding),
        model=problem.model,
        activation=problem.activation,
        **problem.optimizer,
        capacity=line.law,
        cells=tuple(cells),
        omitted=tuple(omitted),
        symmetry=symmetry,
    )
