"""The measured constants of the law of both thresholds, for the tasks and networks that they speak of."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dcrit.theory.calibrations.outside import LAW, beyond, optimizer_axes
from dcrit.theory.checks import FieldError, check_choice, check_integer, check_positive
from dcrit.theory.circuits.branches import BranchLaw
from dcrit.theory.circuits.clock import Clock, LevelClocks, Pace
from dcrit.theory.circuits.critical_size_law import CriticalSizeLaw, Levels, Scatter
from dcrit.theory.circuits.finding import FindingLaw
from dcrit.theory.circuits.laws import CapacityLaw
from dcrit.theory.circuits.norms import NormLaw
from dcrit.theory.circuits.overload import Memory, Overload
from dcrit.theory.circuits.symmetry import SymmetryLaw
from dcrit.theory.circuits.unit_noise import UnitNoise
from dcrit.theory.families.family import FAMILIES
from dcrit.theory.problems.problem import Problem
from dcrit.theory.problems.tasks import TASKS

FloatArray = NDArray[np.float64]

#: The file that ships, written by ``dcrit reproduce two-thresholds``.
THRESHOLDS = "thresholds.json"

FORMAT = 2

#: Over this many times the largest load S/H of a calibration run, nothing is said of a network.
FARTHEST_LOAD = 1.5

#: Over this many times the weight decay of the calibration runs, nothing is said: networks of width 64 at p = 23 then
#: need not fit their training set. At λ = 2 all do, at λ = 4 those of relu end at train accuracies of 0.90 to 0.95.
FARTHEST_DECAY = 2.0

#: An interval whose ends lie apart by more than this factor says nothing.
WIDEST = 10.0

#: Standard deviation of a ln D of which nothing is known: its interval says nothing, and draws of it stay numbers.
UNTOLD = 10.0


#: What of a question may lie outside the calibration runs, beside the optimizer.
RANGES = ("n_symbols", "width", "load", "steps")

#: The same in words.
SYMBOLS, WIDTH, LOAD, HORIZON = "the number of symbols", "the width", "symbols per unit of width", "the horizon"

#: Numbers of the optimizer whose effect is known between two values alone.
EFFECTS = ("beta2", "epsilon")


#: Test accuracy at which D_crit is.
HALF = 0.5

#: What of networks at rest is kept.
AT_REST = "load_at_rest"

#: Standard deviation of ln D_rest, and of ln D_crit(T), per ln of how far S/H lies beyond that of measured networks.
#: A transformer of width 16 at p = 37 has a D_rest 0.51 above the line in ln, at 1.7 times the largest S/d of those at
#: rest; a squared pair-MLP of p/H = 1.9 a D_crit 0.44 above the law, at 1.3 times the largest.
PER_LOAD = 1.0


def check_subject(tasks: tuple[str, ...], model: str, activation: str) -> None:
    """Refuse constants that speak of no task, or of a task or network that does not exist.

    Raises:
        ValueError: There is no task, or a name is unknown.
    """
    if not tasks:
        raise FieldError("tasks", "name at least one task", "none")
    for task in tasks:
        TASKS.find(task)
    check_choice("activation", activation, FAMILIES.find(model).activations)


@dataclass(frozen=True, kw_only=True)
class CalibratedRange:
    """Between which values the runs lay that constants were fitted to.

    Attributes:
        n_symbols: Least and largest S.
        width: Least and largest H.
        load: Least and largest S/H.
        steps: Earliest time to test accuracy 1/2, and the horizon of the runs [steps].
        beta2: Least and largest β₂ at which its effect on the clock was measured.
        epsilon: Least and largest ε, likewise.
        n_runs: How many they were.
        load_at_rest: Least and largest S/H of the networks at rest among them; None where that is not kept.

    Raises:
        ValueError: A range is none.
    """

    n_symbols: tuple[int, int]
    width: tuple[int, int]
    load: tuple[float, float]
    steps: tuple[float, float]
    n_runs: int
    beta2: tuple[float, float] = (0.98, 0.98)
    epsilon: tuple[float, float] = (1e-8, 1e-8)
    load_at_rest: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        for name in (*RANGES, *EFFECTS, *((AT_REST,) if self.load_at_rest else ())):
            low, high = getattr(self, name)
            check_positive(name, low)
            check_positive(name, high)
            if low > high:
                raise FieldError(name, "be a range from low to high", f"{low!r} to {high!r}")
        check_integer("n_runs", self.n_runs, 1)


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """The law of both thresholds and the clock, for one family of tasks and networks.

    Attributes:
        tasks: Tasks it speaks for.
        model: Model family.
        activation: σ.
        law: Constants with their errors.
        calibrated: Where the runs lay that they were fitted to.
        overload: What narrow networks and those over capacity do; None where that is not measured.
        units: What part of the rule few hidden units hold; None likewise.
        capacity: D_mem(N), of the calibration that the law belongs to.
        symmetry: When memory is of unordered pairs, likewise; None where both symbols are told apart.
        branches: How likely a seed memorizes unordered pairs; None where that was not measured.
        norms: How far the squared norm falls; None likewise.

    Raises:
        ValueError: A field is out of range.

    Source: own runs, by ``dcrit reproduce two-thresholds``.
    """

    tasks: tuple[str, ...]
    model: str
    activation: str
    law: CriticalSizeLaw
    calibrated: CalibratedRange
    overload: Overload | None = None
    units: UnitNoise | None = None
    capacity: CapacityLaw | None = None
    symmetry: SymmetryLaw | None = None
    branches: BranchLaw | None = None
    norms: NormLaw | None = None

    def __post_init__(self) -> None:
        check_subject(self.tasks, self.model, self.activation)

    def covers(self, problem: Problem) -> bool:
        """Whether the law speaks for that task, model and activation at all."""
        return problem.task in self.tasks and problem.model == self.model and problem.activation == self.activation

    def clocks(self, problem: Problem) -> LevelClocks:
        """Times and sizes of every test accuracy."""
        found = self.law.level_clocks(problem.n_symbols, problem.width, **problem.optimizer)
        if self.units is not None:
            return replace(found, memory=Memory(ceiling=self.units.ceiling(problem.n_symbols, problem.width)))
        if self.overload is None or self.capacity is None:
            return found
        memorized = float(self.capacity.capacity(problem.n_params, problem.n_classes))
        memory = self.overload.memory(problem.n_symbols, problem.width, memorized, self.symmetry)
        return replace(found, memory=memory)

    def earliest(self, problem: Problem) -> float:
        """Step before which calibration runs tell no times apart, at the pace of the problem's optimizer [steps]."""
        return self.calibrated.steps[0] / self.law.pace.factor(**problem.optimizer)

    def drawn_clocks(self, problem: Problem, n_draws: int) -> list[Clock]:
        """Clocks of test accuracy 1/2 with constants drawn by their covariance, the same at every call.

        Args:
            problem: The question.
            n_draws: How many.
        """
        return self.law.drawn_clocks(problem.n_symbols, problem.width, n_draws, **problem.optimizer)

    def deviation(self, problem: Problem, horizon: float) -> float:
        """Standard deviation of ln D_crit(T).

        Args:
            problem: The question.
            horizon: T [steps].
        """
        return float(self.deviations(problem, horizon))

    def deviations(self, problem: Problem, horizons: ArrayLike) -> FloatArray:
        """Standard deviations of ln D_crit(T) at many horizons at once; larger for narrower networks than the measured.

        Args:
            problem: The question.
            horizons: T, any shape [steps].

        Raises:
            ValueError: A horizon is not above 0.
        """
        own = self.law.deviations(problem.n_symbols, problem.width, horizons, **problem.optimizer)
        own = np.hypot(own, self.deviation_of_units(problem))
        if self.overload is not None:
            narrow = problem.n_symbols / problem.width > self.calibrated.load[1]
            return np.hypot(own, self.overload.scatter if narrow else 0.0)
        beyond_load = math.log(problem.n_symbols / problem.width / self.largest_load)
        return np.hypot(own, PER_LOAD * max(0.0, beyond_load))

    def deviation_of_units(self, problem: Problem) -> float:
        """Standard deviation of ln D_crit(T) of a network that holds a part of the rule only.

        Half of what κ one standard deviation higher and lower does, and the lag of such networks. Nothing is known
        where a network with the lower κ is never right on half of what it has not seen. Where one with κ itself is
        not, there is no D_crit(T), and the lag remains.
        """
        if self.units is None:
            return 0.0
        held = self.units.ceiling(problem.n_symbols, problem.width)
        lag = self.units.lag * (1 - held)
        if held <= HALF:
            return lag
        levels = self.law.level_clocks(problem.n_symbols, problem.width, **problem.optimizer)
        lower, higher = (self.units.moved(z).ceiling(problem.n_symbols, problem.width) for z in (-1.0, 1.0))
        if lower <= HALF:
            return UNTOLD
        return min(UNTOLD, math.hypot(lag, (levels.shift(HALF / lower) - levels.shift(HALF / higher)) / 2))

    def deviation_at_rest(self, problem: Problem) -> float:
        """Standard deviation of ln D_rest; larger for narrower networks than those at rest that were measured."""
        own = self.law.deviation_at_rest(problem.n_symbols, problem.width, **problem.optimizer)
        if self.calibrated.load_at_rest is None:
            return own
        beyond_load = math.log(problem.n_symbols / problem.width / self.calibrated.load_at_rest[1])
        return math.hypot(own, PER_LOAD * max(0.0, beyond_load))

    @property
    def carried_on(self) -> Thresholds:
        """The law with the error of its constants alone, however narrow a network is; who asks adds what is lacking."""
        return replace(
            self,
            calibrated=replace(self.calibrated, load=(self.calibrated.load[0], sys.float_info.max)),
            units=None if self.units is None else replace(self.units, scatter=0.0, lag=0.0),
        )

    @property
    def _narrow(self) -> tuple[Overload | UnitNoise, ...]:
        """What is known of narrow networks."""
        return tuple(one for one in (self.overload, self.units) if one is not None)

    @property
    def largest_load(self) -> float:
        """Largest S/H that runs behind it had."""
        return max([self.calibrated.load[1], *(one.load for one in self._narrow)])

    @property
    def reach(self) -> dict[str, tuple[float, float]]:
        """Least and largest value that runs behind it had, by what it is a value of; the optimizer aside."""
        ranges = self.calibrated
        return {
            SYMBOLS: ranges.n_symbols,
            WIDTH: (min([ranges.width[0], *(one.width for one in self._narrow)]), ranges.width[1]),
            LOAD: (ranges.load[0], self.largest_load),
            HORIZON: ranges.steps,
        }

    def outside_at_rest(self, problem: Problem) -> tuple[str, ...]:
        """What of a question about D_rest lies outside the networks at rest, one phrase each."""
        if self.calibrated.load_at_rest is None:
            return ()
        load = problem.n_symbols / problem.width
        return beyond((("at rest, symbols per unit of width", load, self.calibrated.load_at_rest),))

    def outside(self, problem: Problem, horizon: float) -> tuple[str, ...]:
        """What of a question lies outside the calibration runs, and by how much: one phrase each.

        Args:
            problem: The question.
            horizon: T [steps].
        """
        reach = self.reach
        asked = {
            SYMBOLS: problem.n_symbols,
            WIDTH: problem.width,
            LOAD: problem.n_symbols / problem.width,
            HORIZON: horizon,
        }
        first, last = (
            [(name, asked[name], reach[name]) for name in some] for some in ((SYMBOLS, WIDTH, LOAD), (HORIZON,))
        )
        axes = (*first, *optimizer_axes(problem, **self.law.pace.optimizer), *last)
        return beyond(axes, LAW)

    def silence(self, problem: Problem, horizon: float) -> str:
        """Why the law says nothing of a question; empty where it speaks.

        Args:
            problem: The question.
            horizon: T [steps].
        """
        load, most = problem.n_symbols / problem.width, FARTHEST_LOAD * self.largest_load
        if load > most:
            return (
                f"cannot tell: there are {load:.3g} symbols per unit of width; the law is calibrated up to "
                f"{self.largest_load:.3g} and says nothing beyond {most:.3g}"
            )
        axes = (("β₂", problem.beta2, self.calibrated.beta2), ("ε", problem.epsilon, self.calibrated.epsilon))
        for name, value, (least, largest) in axes:
            if not least * (1 - 1e-9) <= value <= largest * (1 + 1e-9):
                known = f"{least:g}" if least == largest else f"between {least:g} and {largest:g}"
                return f"cannot tell: AdamW's {name} is {value:g}, and in calibration runs it was {known}"
        decay, usual = problem.weight_decay, self.law.pace.optimizer["weight_decay"]
        if decay > FARTHEST_DECAY * usual:
            return (
                f"cannot tell: weight decay {decay:g} is {decay / usual:.3g} times that of calibration runs, and "
                f"above {FARTHEST_DECAY * usual:g} a network need not fit its examples"
            )
        ratio = math.exp(min(700.0, 2 * 1.645 * self.deviation(problem, horizon)))
        if ratio > WIDEST:
            apart = "more than 100" if ratio > 100 else f"{ratio:.3g}"
            return (
                f"cannot tell: the interval's ends would be {apart} times apart; "
                f"{', '.join(self.outside(problem, horizon))}"
            )
        return ""

    def to_dict(self) -> dict[str, Any]:
        """Fields as JSON values."""
        law, thresholds = self.law, self.law.thresholds
        return {
            "tasks": list(self.tasks),
            "model": self.model,
            "activation": self.activation,
            "pace": asdict(law.pace),
            "constants": {
                **asdict(thresholds),
                "rate": law.rate,
                "bend": law.bend,
                "sharpness": law.sharpness,
            },
            "fitted": list(law.fitted),
            "covariance": [list(line) for line in law.covariance],
            "levels": asdict(law.levels),
            "scatter": asdict(law.scatter),
            "calibrated": {
                **{name: list(getattr(self.calibrated, name)) for name in (*RANGES, *EFFECTS)},
                "n_runs": self.calibrated.n_runs,
                **({} if self.calibrated.load_at_rest is None else {AT_REST: list(self.calibrated.load_at_rest)}),
            },
            **({} if self.overload is None else {"overload": asdict(self.overload)}),
            **({} if self.units is None else {"units": asdict(self.units)}),
            **({} if self.branches is None else {"branches": self.branches.to_dict()}),
            **({} if self.norms is None else {"norms": self.norms.to_dict()}),
        }

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`.

        Raises:
            ValueError: The document is none, or a constant is out of range.
        """
        try:
            constants = dict(document["constants"])
            law = CriticalSizeLaw(
                thresholds=FindingLaw(**{name: float(constants.pop(name)) for name in ("prefactor", "load", "rest")}),
                levels=Levels(**{str(name): float(value) for name, value in document["levels"].items()}),
                fitted=tuple(str(name) for name in document["fitted"]),
                covariance=tuple(tuple(float(value) for value in line) for line in document["covariance"]),
                scatter=Scatter(**document["scatter"]),
                pace=Pace(**document["pace"]),
                **{str(name): float(value) for name, value in constants.items()},
            )
            ranges = document["calibrated"]
            known = (*RANGES, *(name for name in (*EFFECTS, AT_REST) if name in ranges))
            spans: Any = {name: (ranges[name][0], ranges[name][1]) for name in known}
            return cls(
                tasks=tuple(str(task) for task in document["tasks"]),
                model=str(document["model"]),
                activation=str(document["activation"]),
                law=law,
                calibrated=CalibratedRange(n_runs=ranges["n_runs"], **spans),
                overload=Overload(**document["overload"]) if "overload" in document else None,
                units=UnitNoise(**document["units"]) if "units" in document else None,
                branches=BranchLaw.from_dict(document["branches"]) if "branches" in document else None,
                norms=NormLaw.from_dict(document["norms"]) if "norms" in document else None,
            )
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise FieldError(
                "thresholds",
                "be a document written by 'dcrit reproduce two-thresholds'",
                "another",
                why=f"{type(error).__name__} {str(error)[:200]}",
            ) from error


def thresholds_text(laws: list[Thresholds]) -> str:
    """Laws as the JSON document that ships."""
    document = {"format": FORMAT, "laws": [law.to_dict() for law in laws]}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def thresholds_from(text: str) -> tuple[Thresholds, ...]:
    """Inverse of :func:`thresholds_text`.

    Raises:
        ValueError: The text is no such document.
    """
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise FieldError("format", f"be {FORMAT}", repr(document["format"]))
        return tuple(Thresholds.from_dict(law) for law in document["laws"])
    except (KeyError, TypeError, RecursionError) as error:
        raise FieldError(
            "thresholds", "be a document written by 'dcrit reproduce two-thresholds'", "another", why=error
        ) from error


@cache
def shipped_thresholds() -> tuple[Thresholds, ...]:
    """The laws that come with the package."""
    return thresholds_from((files("dcrit.theory.calibrations") / THRESHOLDS).read_text(encoding="utf-8"))


def thresholds_of(problem: Problem, laws: Sequence[Thresholds] | None = None) -> Thresholds:
    """The law of a problem's task, model and activation; its modulus and its width do not matter.

    Args:
        problem: Whose.
        laws: Those to choose from; None for the ones that come with the package.

    Raises:
        ValueError: There is none.
    """
    found = [law for law in (shipped_thresholds() if laws is None else laws) if law.covers(problem)]
    if len(found) != 1:
        raise FieldError("laws", f"hold one of {problem.task}, {problem.model} and {problem.activation}", len(found))
    return found[0]
