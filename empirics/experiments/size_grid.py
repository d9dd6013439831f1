"""Experiment: settled values over model size × training-set size × seeds, and the capacities beside them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.experiments.experiment import SMALL_TRANSFORMER, TRANSFORMER_STEPS, Experiment
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.measures.capacity import OVERLOADED, CapacityDesign, memorized_count
from dcrit.empirics.runs.outcomes import PERSISTENCE, first_persistent, outcome_of, settled_value
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.empirics.training.work import Stage
from dcrit.theory.calibrations.calibration import calibration_for
from dcrit.theory.checks import FieldError, check_integer
from dcrit.theory.circuits.regimes import FITTED, SEMI_GROKKING
from dcrit.theory.predictions.phase_diagram import PhaseDiagram, check_widths, default_widths, phase_diagram
from dcrit.theory.problems.problem import MOST_POINTS, Problem, label

FloatArray = NDArray[np.float64]

#: Points of the predicted map: widths, and training-set sizes between these fractions of all pairs.
MAP_WIDTHS, MAP_SIZES = 40, 60
MAP_FRACTIONS = (0.1, 0.95)


@dataclass(frozen=True, kw_only=True)
class Plane:
    """A problem at several widths and training-set sizes.

    Attributes:
        problem: Its width is replaced.
        widths: H or d, rising.
        sizes: D, rising [examples].
        capacity_widths: Widths at which random labels are memorized; at least two that all pairs overload make a curve.
        seeds: Runs per point.
        capacity_seeds: Runs per size on random labels.
        steps: Horizon [steps]; 0 stands for the protocol's.

    Raises:
        ValueError: A list does not rise, or a number is out of range.
    """

    problem: Problem
    widths: tuple[int, ...]
    sizes: tuple[int, ...]
    capacity_widths: tuple[int, ...]
    seeds: int = 5
    capacity_seeds: int = 3
    steps: int = 0

    def __post_init__(self) -> None:
        check_widths(self.widths)
        check_widths(self.sizes)
        check_integer("seeds", self.seeds, 2)
        check_integer("capacity_seeds", self.capacity_seeds, 1)
        check_integer("steps", self.steps, 0)
        for size in self.sizes:
            self.problem.check_n_train(size)
        if self.sizes[-1] == self.problem.n_pairs:
            raise FieldError("sizes", "leave pairs to test on", f"{self.sizes[-1]} of {self.problem.n_pairs}")

    def at(self, width: int) -> Problem:
        """The problem at a width."""
        return replace(self.problem, width=width)

    def configs(self) -> list[RunConfig]:
        """Runs on the task: sizes, widths and seeds, the last counting fastest."""
        return [
            RunConfig(problem=self.at(width), n_train=size, seed=seed, steps=self.steps)
            for size in self.sizes
            for width in self.widths
            for seed in range(self.seeds)
        ]

    def capacity_configs(self) -> list[list[RunConfig]]:
        """Runs on random labels, one list a width."""
        designs = [CapacityDesign(problem=self.at(width), seeds=self.capacity_seeds) for width in self.capacity_widths]
        return [[replace(config, steps=self.steps) for config in design.configs()] for design in designs]


@dataclass(frozen=True, kw_only=True)
class GridDesign:
    """Which planes are measured.

    Attributes:
        planes: Whole planes, from the narrowest model to a wide one.
        star_planes: Only around the star, on problems that no calibration has seen.
    """

    planes: tuple[Plane, ...]
    star_planes: tuple[Plane, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Grid:
    """What runs at every point of a plane settled at: arrays (sizes, widths, seeds), NaN where a run diverged.

    Attributes:
        plane: What was run.
        test_accuracy: On unseen pairs.
        train_accuracy: On the training set.
        test_loss: On unseen pairs [nats].
        fitted_at: Step from which train accuracy persists at ``FITTED``; inf where it never does [steps].
        grokked_at: Step from which test accuracy persists at the end of semi-grokking; inf where never [steps].
        memorized: Random labels memorized by each run that is overloaded, by width [examples].
        diagram: The predicted plane; None where no calibration speaks for it.
    """

    plane: Plane
    test_accuracy: FloatArray
    train_accuracy: FloatArray
    test_loss: FloatArray
    fitted_at: FloatArray
    grokked_at: FloatArray
    memorized: dict[int, FloatArray] = field(default_factory=dict)
    diagram: PhaseDiagram | None = None

    @property
    def n_params(self) -> FloatArray:
        """N at every width [parameters]."""
        return np.array([float(self.plane.at(width).n_params) for width in self.plane.widths])

    @property
    def n_runs(self) -> int:
        """Runs on the task that did not diverge."""
        return int(np.isfinite(self.test_accuracy).sum())

    @property
    def n_lost(self) -> int:
        """Runs on the task that diverged."""
        return int(np.isnan(self.test_accuracy).sum())

    @property
    def name(self) -> str:
        """The plane in a few words, for tables."""
        return label(self.plane.problem, width=False)


@dataclass(frozen=True, kw_only=True)
class GridEvidence:
    """Measured planes.

    Attributes:
        grids: Whole ones.
        star_grids: Those around the star only.
    """

    grids: Sequence[Grid]
    star_grids: Sequence[Grid] = ()


def _passages(run: Run) -> tuple[float, float]:
    """Steps from which train and test accuracy persist at their levels; inf where they never do."""
    curves, duration = run.curves, PERSISTENCE * run.config.problem.time_constant
    found = (
        first_persistent(curves.step, curve >= level, duration)
        for curve, level in ((curves.train_accuracy, FITTED), (curves.test_accuracy, SEMI_GROKKING[1]))
    )
    train, test = (math.inf if at is None else at for at in found)
    return train, test


def predicted_map(plane: Plane, laboratory: Laboratory) -> PhaseDiagram | None:
    """The plane as a calibration predicts it after its steps, over its widths as far as the laws reach."""
    calibration = calibration_for(plane.problem, laboratory.calibrations)
    if calibration is None:
        return None
    widths = default_widths(plane.problem, calibration, MAP_WIDTHS, largest=plane.widths[-1])
    low, high = MAP_FRACTIONS
    sizes = plane.problem.n_pairs * np.geomspace(low, high, MAP_SIZES)
    return phase_diagram(plane.problem, calibration, widths=widths, n_trains=sizes, horizon=plane.steps or None)


def grid_of(
    plane: Plane, runs: Sequence[Run], capacity_runs: Sequence[Sequence[Run]], diagram: PhaseDiagram | None
) -> Grid:
    """Settled values of a plane's runs, given in the order of the plane's configurations."""
    shape = (len(plane.sizes), len(plane.widths), plane.seeds)
    values = {
        name: np.array([settled_value(run, name) for run in runs]).reshape(shape)
        for name in ("test_accuracy", "train_accuracy", "test_loss")
    }
    passages = np.array([_passages(run) for run in runs]).reshape(*shape, 2)
    memorized: dict[int, FloatArray] = {}
    for width, group in zip(plane.capacity_widths, capacity_runs, strict=True):
        outcomes = [outcome_of(run) for run in group]
        counts = [memorized_count(one) for one in outcomes if one.train_accuracy < OVERLOADED]
        if len(counts) >= 2 and min(counts) > 0:
            memorized[width] = np.array(counts)
    return Grid(
        plane=plane,
        **values,
        fitted_at=passages[..., 0],
        grokked_at=passages[..., 1],
        memorized=memorized,
        diagram=diagram,
    )


def measure(design: GridDesign, laboratory: Laboratory) -> GridEvidence:
    """Every plane; predictions are made first, and all runs in one sweep."""
    planes = (*design.planes, *design.star_planes)
    diagrams = [predicted_map(plane, laboratory) for plane in planes]
    blocks = [block for plane in planes for block in (plane.configs(), *plane.capacity_configs())]
    found = iter(laboratory.blocks(blocks, stage="planes of model and training-set size"))
    grids = [
        grid_of(plane, next(found), [next(found) for _ in plane.capacity_widths], diagram)
        for plane, diagram in zip(planes, diagrams, strict=True)
    ]
    n = len(design.planes)
    return GridEvidence(grids=grids[:n], star_grids=grids[n:])


def _configs(design: GridDesign) -> Iterator[RunConfig]:
    for plane in (*design.planes, *design.star_planes):
        yield from plane.configs()
        for block in plane.capacity_configs():
            yield from block


def stages(design: GridDesign) -> list[Stage]:
    """What the design trains, all in one sweep."""
    return [Stage(known=list(_configs(design)))]


#: The tasks of every plane.
EASY, HARD = "add", "square-of-sum"

#: Fractions 0.25 to 0.85 of the 529 pairs at modulus 23, with a test set left at the largest; transformers cost more.
SIZES = (132, 185, 238, 291, 344, 450)
TRANSFORMER_SIZES = (159, 212, 264, 330, 450)

STANDARD = GridDesign(
    planes=(
        *(
            Plane(
                problem=replace(SMALL_TRANSFORMER, task=task),
                widths=(4, 8, 12, 16, 24, 32),
                sizes=TRANSFORMER_SIZES,
                capacity_widths=(4, 8),
                steps=TRANSFORMER_STEPS,
            )
            for task in (EASY, HARD)
        ),
        *(
            Plane(
                problem=Problem(task=task, modulus=23, activation=activation),
                widths=(4, 6, 8, 12, 16, 24, 32, 48, 64),
                sizes=SIZES,
                capacity_widths=(4, 6, 8, 12, 16, 24),
            )
            for activation in ("square", "relu")
            for task in (EASY, HARD)
        ),
    ),
    star_planes=tuple(
        Plane(
            problem=Problem(task="add", modulus=31, activation=activation),
            widths=(8, 12, 16, 24, 32),
            sizes=(300, 400, 500, 600, 700, 850),
            capacity_widths=(4, 6, 8, 12, 16, 24),
            seeds=3,
        )
        for activation in ("square", "relu")
    ),
)

PAPER = GridDesign(
    planes=tuple(
        Plane(
            problem=Problem(
                task=task, modulus=113, model="transformer", activation="relu", width=128, learning_rate=1e-3
            ),
            widths=tuple(range(4, 101, 4)),
            sizes=(1000, 1500, 2000, 2600, 3000, 3500, 4000, 5000, 6500, 10850),
            capacity_widths=(4, 8, 12, 16, 20, 24),
            seeds=11,
        )
        for task in (EASY, HARD)
    ),
)

EXPERIMENT: Experiment[GridDesign, GridEvidence] = Experiment(
    name="size-grid", designs={"standard": STANDARD, "paper": PAPER}, measure=measure, stages=stages
)


def plane_of(
    problem: Problem, *, points: int, widths: tuple[int, int], sizes: tuple[int, int], seeds: int = 3, steps: int = 0
) -> Plane:
    """Runs of a plane of at most K widths and K sizes, as far as whole numbers lie apart.

    Args:
        problem: Its width is replaced.
        points: K.
        widths: First and last.
        sizes: D, first and last [examples].
        seeds: Runs per point.
        steps: Horizon [steps]; 0 for the protocol's.

    Raises:
        ValueError: A number is out of range.
    """
    check_integer("points", points, 2, MOST_POINTS)
    step = problem.family.width_step
    check_integer("min_width", widths[0], 1)
    check_integer("max_width", widths[1], widths[0] + 1)
    check_integer("min_n_train", sizes[0], 1)
    check_integer("max_n_train", sizes[1], sizes[0] + 1)
    for name, width in zip(("min_width", "max_width"), widths, strict=True):
        problem.family.check_width(name, width)
    if sizes[1] >= problem.n_pairs:
        raise FieldError("max_n_train", "leave pairs to test on", f"{sizes[1]} of {problem.n_pairs}")
    return Plane(
        problem=problem,
        widths=tuple(step * width for width in _spaced(widths[0] // step, widths[1] // step, points)),
        sizes=_spaced(*sizes, points),
        capacity_widths=(),
        seeds=seeds,
        steps=steps,
    )


def _spaced(low: int, high: int, n: int) -> tuple[int, ...]:
    return tuple(np.unique(np.geomspace(low, high, n).round().astype(np.int64)).tolist())
