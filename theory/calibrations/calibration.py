"""Constants measured on small problems, and the laws that carry them to other sizes."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcrit.theory.advice import Advice, Setting
from dcrit.theory.calibrations.bounded_files import read_bounded
from dcrit.theory.calibrations.facts import FACTS
from dcrit.theory.calibrations.omission import Omission
from dcrit.theory.calibrations.outside import CELLS, LAW, Axis, beyond, optimizer_axes
from dcrit.theory.calibrations.thresholds import (
    HORIZON,
    LOAD,
    SYMBOLS,
    THRESHOLDS,
    WIDTH,
    Thresholds,
    check_subject,
    shipped_thresholds,
)
from dcrit.theory.checks import FieldError, check_integer, check_probability
from dcrit.theory.circuits.constants import CONSTANTS
from dcrit.theory.circuits.laws import CapacityLaw
from dcrit.theory.circuits.symmetry import SymmetryLaw
from dcrit.theory.problems.problem import MOST_MODULUS, MOST_WIDTH, Problem, check_rate
from dcrit.theory.problems.tasks import relabelings

FloatArray = NDArray[np.float64]

#: Outside the calibrated domain the standard error grows by this factor for every factor e beyond its edge.
WIDENING = 2.0

#: Beyond this many factors e outside, nothing is left to widen, and numbers would overflow.
FARTHEST = 6.0

#: Over so large a factor of ε, in ln, widening is that of a factor e of all else: pair-MLPs take times that differ less
#: over five powers of ten of ε than over a factor of 4 of 1 − β₂ (docs/explanation/two-thresholds.md).
EPSILON_FACTOR = math.log(100)

#: Most bytes of a file, and largest size of a constant: they are logarithms and exponents, and e^100 is no efficiency.
LARGEST_FILE, LARGEST_MEASURED = 16_000_000, 100.0

#: Version of the file: others are refused. 1 and 2 mean other units of efficiency, or omissions as plain sentences.
FORMAT = 3


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What was measured at one modulus and width.

    Attributes:
        n_symbols: S.
        width: H.
        constants: (8,) values in the order of ``CONSTANTS``.
        n_runs: Runs they rest on.
        n_unconverged: Runs left out because they had not converged.

    Raises:
        ValueError: A number is out of range.
    """

    n_symbols: int
    width: int
    constants: tuple[float, ...]
    n_runs: int
    n_unconverged: int

    def __post_init__(self) -> None:
        check_integer("n_symbols", self.n_symbols, 2, MOST_MODULUS)
        check_integer("width", self.width, 1, MOST_WIDTH)
        check_integer("n_runs", self.n_runs, 0)
        check_integer("n_unconverged", self.n_unconverged, 0)
        if len(self.constants) != len(CONSTANTS) or not all(abs(v) <= LARGEST_MEASURED for v in self.constants):
            raise FieldError(
                "constants",
                f"be {len(CONSTANTS)} finite numbers of at most {LARGEST_MEASURED:g} in size",
                repr(self.constants[: len(CONSTANTS) + 1]),
            )


def _features(n_symbols: int, width: int) -> FloatArray:
    """Regressors of the scaling laws: (5,). Centred, so that they are nearly uncorrelated."""
    s, h = math.log(n_symbols / 20), math.log(width / 48)
    return np.array([1.0, s, h, h * h, s * h])


#: Regressors of the mixing exponent among those: the constant and ln H.
MIXING_REGRESSORS = [0, 2]


#: Fewest cells that determine the laws and the scatter about them: as many as regressors and constants.
FEWEST_CELLS = len(_features(20, 48)) + len(CONSTANTS)


def _range(values: Sequence[float]) -> str:
    """From the least to the largest of some values."""
    return f"{min(values):.0f} to {max(values):.0f}"


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Measured cells of one problem family, and the scaling laws through them.

    Every constant y is a quadratic in ln H and linear in ln S, jointly Gaussian around it:

        y = Bᵀx(S, H) + ε,  ε ~ N(0, Σ)

    except that the mixing exponent is a power of H alone.

    Attributes:
        tasks: Tasks it speaks for.
        model: Model family.
        activation: σ.
        weight_decay: λ of the runs.
        learning_rate: η of the runs.
        beta2: β₂ of the runs.
        epsilon: ε of the runs.
        capacity: D_mem(N).
        cells: Measurements; at least as many as there are regressors plus constants.
        omitted: Measurements that are lacking, each with its cause.
        symmetry: When the table is memorized as unordered pairs; None for networks that tell both symbols apart, and
            where it was not measured.
        thresholds: The law of critical sizes from scratch by a horizon and at rest; None where none is known: then
            sizes from scratch are taken for those at rest.

    Raises:
        ValueError: A field is out of range, or there are too few cells to fit the laws and their scatter.

    Source: own runs, by ``dcrit calibrate``.
    """

    tasks: tuple[str, ...]
    model: str
    activation: str
    weight_decay: float
    learning_rate: float
    capacity: CapacityLaw
    cells: tuple[Cell, ...]
    omitted: tuple[Omission, ...] = ()
    symmetry: SymmetryLaw | None = None
    thresholds: Thresholds | None = None
    beta2: float = Problem.beta2
    epsilon: float = Problem.epsilon

    def __post_init__(self) -> None:
        check_subject(self.tasks, self.model, self.activation)
        check_rate("weight_decay", self.weight_decay)
        check_rate("learning_rate", self.learning_rate)
        check_probability("beta2", self.beta2)
        check_rate("epsilon", self.epsilon)
        if len(self.cells) < FEWEST_CELLS:
            raise FieldError("cells", f"be at least {FEWEST_CELLS}", len(self.cells))
        law = self.thresholds
        if law is not None and (law.model, law.activation, set(law.tasks)) != (
            *(self.model, self.activation),
            set(self.tasks),
        ):
            raise FieldError(
                "thresholds",
                f"be of {self.tasks}, {self.model} and {self.activation}",
                f"{law.tasks}, {law.model} and {law.activation}",
            )
        if law is not None and law.overload is not None:
            bound = replace(law, capacity=self.capacity, symmetry=self.symmetry)
            object.__setattr__(self, "thresholds", bound)
        x = np.array([_features(cell.n_symbols, cell.width) for cell in self.cells])
        if np.linalg.matrix_rank(x) < x.shape[1]:
            raise FieldError("cells", "lie at 2 or more moduli, and 3 or more widths", "fewer")

    @property
    def subject(self) -> str:
        """What it speaks for, in a word."""
        return f"{self.tasks[0]}-{self.model}-{self.activation}"

    @property
    def name(self) -> str:
        """Short name for people."""
        sizes = sorted({cell.n_symbols for cell in self.cells})
        widths = sorted({cell.width for cell in self.cells})
        return (
            f"{self.subject} ({len(self.cells)} cells, {sizes[0]}-{sizes[-1]} symbols, widths {widths[0]}-{widths[-1]})"
        )

    @property
    def carried_on(self) -> Calibration:
        """The same with the law's errors as its constants alone give them, however narrow a network is."""
        return self if self.thresholds is None else replace(self, thresholds=self.thresholds.carried_on)

    @property
    def ranges(self) -> str:
        """Between what symbols, widths and steps its constants were measured, for each set of runs behind it."""
        symbols, widths = [cell.n_symbols for cell in self.cells], [cell.width for cell in self.cells]
        cells = f"{CELLS}: {len(self.cells)} cells, {_range(symbols)} symbols, widths {_range(widths)}"
        if self.thresholds is None:
            return cells
        reach = self.thresholds.reach
        law = (
            f"{LAW}: {_range(reach[SYMBOLS])} symbols, widths {_range(reach[WIDTH])}, up to {reach[LOAD][1]:.3g} "
            f"symbols per unit of width, {_range(reach[HORIZON])} steps"
        )
        return f"{law}; {cells}"

    @property
    def largest_n_symbols(self) -> int:
        """Largest S of the runs behind the constants."""
        law = () if self.thresholds is None else (self.thresholds.calibrated.n_symbols[1],)
        return max(*(cell.n_symbols for cell in self.cells), *law)

    @cached_property
    def _regression(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """B (5, 8), (XᵀX)⁻¹ (5, 5) and Σ (8, 8).

        How circuits share weights is a matter of the architecture: the mixing exponent's law has no
        modulus in it, so its rows of B for S are zero.
        """
        x = np.array([_features(cell.n_symbols, cell.width) for cell in self.cells])  # (n, 5)
        y = np.array([cell.constants for cell in self.cells])  # (n, 8)
        inverse: FloatArray = np.linalg.inv(x.T @ x).astype(np.float64)
        coefficients = inverse @ x.T @ y
        mixing = CONSTANTS.index("log_mixing")
        coefficients[:, mixing] = 0.0
        coefficients[MIXING_REGRESSORS, mixing] = np.linalg.lstsq(x[:, MIXING_REGRESSORS], y[:, mixing], rcond=None)[0]
        residual = y - x @ coefficients
        return coefficients, inverse, residual.T @ residual / (len(x) - x.shape[1])

    def covers(self, problem: Problem) -> bool:
        """Whether the calibration speaks for that task or one that is the same to the model, and for its activation."""
        same = relabelings(problem.definition, shares_embedding=problem.family.shares_embedding)
        known = not set(self.tasks).isdisjoint(same)
        return known and problem.model == self.model and problem.activation == self.activation

    def distance(self, problem: Problem) -> float:
        """How far outside the calibrated box a problem lies, in factors of e; 0 inside.

        β₂ counts by the factors of 1 − β₂, and ε by those of its power 1/4.6: factors of 100.
        """
        return self._distance(self._axes(problem))

    @staticmethod
    def _distance(found: tuple[Axis, ...]) -> float:
        *axes, (_, epsilon, (calibrated, _)) = found
        factors = sum(max(0.0, math.log(low / value), math.log(value / high)) for _, value, (low, high) in axes)
        return factors + abs(math.log(epsilon / calibrated)) / EPSILON_FACTOR

    def outside(self, problem: Problem) -> tuple[str, ...]:
        """What of a problem lies outside the calibrated box, and by how much: one phrase each.

        Beside a law of sizes from scratch, which has ranges of its own, phrases say that these are those of the cells.
        """
        return beyond(self._axes(problem), "" if self.thresholds is None else CELLS)

    def silence(self, problem: Problem, horizon: float) -> str:
        """Why nothing is said of sizes and times from scratch; empty where something is.

        The law says what it knows of other β₂ and ε. Without a law nobody knows what these do.

        Args:
            problem: The question.
            horizon: T [steps].
        """
        if self.thresholds is not None:
            return self.thresholds.silence(problem, horizon)
        unknown = beyond(self._axes(problem)[-2:])
        return f"cannot tell: {', '.join(unknown)}, and no run says what that does" if unknown else ""

    def _axes(self, problem: Problem) -> tuple[Axis, ...]:
        symbols, widths = [cell.n_symbols for cell in self.cells], [cell.width for cell in self.cells]
        own = {name: getattr(self, name) for name in problem.optimizer}
        return (
            ("the number of symbols", problem.n_symbols, (min(symbols), max(symbols))),
            ("the width", problem.width, (min(widths), max(widths))),
            *optimizer_axes(problem, **own),
        )

    def memorized(self, problem: Problem, *, deviation: ArrayLike = 0.0) -> FloatArray:
        """D_mem of a problem, some standard errors above its best value; these widen outside the calibrated domain.

        A law that knows C_0 says how its errors grow with size and classes: another optimizer alone widens them then.

        Args:
            problem: The question.
            deviation: Standard errors, any shape.

        Returns:
            D_mem [examples], shape of ``deviation``.
        """
        axes = self._axes(problem)[2 if self.capacity.n_classes is not None else 0 :]
        widened = np.asarray(deviation, dtype=np.float64) * WIDENING ** min(self._distance(axes), FARTHEST)
        return self.capacity.capacity(problem.n_params, problem.n_classes, deviation=widened)

    def symmetric_sizes(
        self, problem: Problem, n_draws: int, rng: np.random.Generator, *, accuracy: float = 0.5
    ) -> tuple[float, FloatArray]:
        """Size from which on a part of mirror images comes right, its best value and draws [examples].

        Draws widen outside the calibrated domain. Both are 0 where nothing says that the network sees (a, b) and
        (b, a) alike, or where their labels differ.
        """
        if self.symmetry is None or not problem.definition.commutative:
            return 0.0, np.zeros(n_draws)
        best = self.symmetry.size(problem.n_symbols, problem.width, accuracy=accuracy)
        widening = WIDENING ** min(self.distance(problem), FARTHEST)
        return best, best * self.symmetry.draw(problem.n_symbols, problem.width, n_draws, rng, widening=widening)

    def constants(self, problem: Problem) -> FloatArray:
        """Best values of the constants for a problem: (8,)."""
        return _features(problem.n_symbols, problem.width) @ self._regression[0]

    def draw(self, problem: Problem, n_draws: int, rng: np.random.Generator) -> FloatArray:
        """Constants drawn from their predictive distribution, a multivariate t: (n_draws, 8).

        Its scale is Σ·(1 + xᵀ(XᵀX)⁻¹x): scatter between cells and uncertainty of the laws. Outside
        the calibrated domain it widens further, by ``WIDENING`` per factor e up to ``FARTHEST`` of them.
        """
        _, inverse, scatter = self._regression
        x = _features(problem.n_symbols, problem.width)
        scale = (1.0 + x @ inverse @ x) * WIDENING ** (2 * min(self.distance(problem), FARTHEST))
        freedom = len(self.cells) - len(x) - len(CONSTANTS) + 1
        normal = rng.multivariate_normal(np.zeros(len(CONSTANTS)), scatter * scale, size=n_draws, method="eigh")
        chi = np.sqrt(freedom / rng.chisquare(freedom, size=n_draws))
        return self.constants(problem) + normal * chi[:, None]

    def to_json(self) -> str:
        """The calibration as a JSON document."""
        document: dict[str, Any] = {
            "format": FORMAT,
            "tasks": list(self.tasks),
            "model": self.model,
            "activation": self.activation,
            "weight_decay": self.weight_decay,
            "learning_rate": self.learning_rate,
            **{name: getattr(self, name) for name, then in Problem.ADDED_LATER.items() if getattr(self, name) != then},
            "capacity": {
                name: float(f"{value:.6g}") for name, value in asdict(self.capacity).items() if value is not None
            },
            "constants": list(CONSTANTS),
            "cells": [
                [cell.n_symbols, cell.width, cell.n_runs, cell.n_unconverged, *(round(v, 6) for v in cell.constants)]
                for cell in self.cells
            ],
            "omitted": [one.to_dict() for one in self.omitted],
        }
        if self.symmetry is not None:
            document["symmetry"] = self.symmetry.to_dict()
        if self.thresholds is not None:
            document["thresholds"] = self.thresholds.to_dict()
        return json.dumps(document, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Inverse of :meth:`to_json`.

        Raises:
            ValueError: The text is not such a document.
        """
        try:
            document: dict[str, Any] = json.loads(text)
            if document["format"] != FORMAT:
                why = "'dcrit calibrate' with the same options and store writes it anew, from the runs that are there"
                raise FieldError("format", f"be {FORMAT}", repr(document["format"]), why=why)
            if tuple(document["constants"]) != CONSTANTS:
                raise FieldError("constants", f"be {', '.join(CONSTANTS)}", repr(document["constants"]))
            for name in ("tasks", "omitted"):
                if not isinstance(document[name], list):
                    raise FieldError(name, "be a list", repr(document[name]))
            return cls(
                tasks=tuple(document["tasks"]),
                model=str(document["model"]),
                activation=str(document["activation"]),
                weight_decay=float(document["weight_decay"]),
                learning_rate=float(document["learning_rate"]),
                **{name: float(document.get(name, then)) for name, then in Problem.ADDED_LATER.items()},
                capacity=CapacityLaw(**{str(name): float(value) for name, value in document["capacity"].items()}),
                cells=tuple(
                    Cell(
                        n_symbols=int(row[0]),
                        width=int(row[1]),
                        n_runs=int(row[2]),
                        n_unconverged=int(row[3]),
                        constants=tuple(float(value) for value in row[4:]),
                    )
                    for row in document["cells"]
                ),
                omitted=tuple(map(Omission.from_dict, document["omitted"])),
                symmetry=SymmetryLaw.from_dict(document["symmetry"]) if "symmetry" in document else None,
                thresholds=Thresholds.from_dict(document["thresholds"]) if "thresholds" in document else None,
            )
        except ValueError as error:
            raise FieldError(
                "calibration", "be a document written by 'dcrit calibrate'", "another", why=error
            ) from error
        except (KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError) as error:
            reason = f"{type(error).__name__} {str(error)[:200]}"
            raise FieldError(
                "calibration", "be a document written by 'dcrit calibrate'", "another", why=reason
            ) from error


def load_calibration(path: Path) -> Calibration:
    """A calibration from a file.

    Raises:
        ValueError: The file cannot be read, is too large or is not a calibration.
    """
    try:
        text = read_bounded(path, "calibration", LARGEST_FILE).decode("utf-8")
    except UnicodeDecodeError as error:
        raise FieldError("calibration", "be a file of UTF-8 text", path, why=error.reason) from error
    return Calibration.from_json(text)


#: The file beside them that says how far off their predictions were.
TRACK_RECORD = "track_record.json"


def shipped_calibrations() -> list[Calibration]:
    """The calibrations that come with the package."""
    folder = files("dcrit.theory.calibrations")
    names = sorted(
        one.name
        for one in folder.iterdir()
        if one.name.endswith(".json") and one.name not in (TRACK_RECORD, THRESHOLDS, FACTS)
    )
    found = [Calibration.from_json((folder / name).read_text(encoding="utf-8")) for name in names]
    laws = {(law.tasks, law.model, law.activation): law for law in shipped_thresholds()}
    return [replace(one, thresholds=laws.get((one.tasks, one.model, one.activation))) for one in found]


def calibration_of(problem: Problem, path: Path | None = None) -> Calibration:
    """The calibration that answers for a problem: that of a file, or the nearest that ships.

    Args:
        problem: The question.
        path: File to read; None for one that ships.

    Raises:
        ValueError: The task has no rule, the file is no calibration, or none ships for the problem.
    """
    if problem.definition.rule is None:
        raise FieldError("task", "have a rule to find", f"'{problem.task}'", why="on random labels nothing generalizes")
    if path is not None:
        return load_calibration(path)
    shipped = shipped_calibrations()
    chosen = calibration_for(problem, shipped)
    if chosen is None:
        known = "; ".join(sorted({f"{', '.join(one.tasks)} ({one.activation} {one.model})" for one in shipped}))
        raise FieldError(
            "task",
            f"be, with activation and model, one that a calibration ships for: {known}",
            f"'{problem.task}' with '{problem.activation}' and '{problem.model}'",
            why=Advice(
                "No calibration ships for that; 'dcrit calibrate' measures one, and ",
                Setting("calibration", blank="FILE"),
                " uses it",
            ),
        )
    return chosen


def calibration_for(problem: Problem, calibrations: Sequence[Calibration]) -> Calibration | None:
    """The calibration nearest to a problem among those that speak for it; None where there is none."""
    covering = [calibration for calibration in calibrations if calibration.covers(problem)]
    return min(covering, key=lambda calibration: calibration.distance(problem), default=None)
