"""What an experiment is: designs by suite, the runs they ask for, and where those runs are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from dcrit.empirics.runs.dimensions import DimensionConfig, DimensionRun, DimensionRunner
from dcrit.empirics.runs.multitask import MultitaskConfig, MultitaskRun, MultitaskRunner
from dcrit.empirics.runs.outcomes import Outcome, outcome_of
from dcrit.empirics.runs.single import Run, RunConfig, Runner
from dcrit.empirics.training.work import Stage, Work, work_of
from dcrit.theory.calibrations.calibration import Calibration, calibration_for
from dcrit.theory.predictions.critical_size import CriticalSizePrediction, predict_critical_size
from dcrit.theory.problems.problem import Problem

SuiteName = Literal["quick", "standard", "paper"]
Design = TypeVar("Design")
Evidence = TypeVar("Evidence")


@dataclass(kw_only=True)
class Account:
    """What an experiment rests on, found in a store or trained now.

    Attributes:
        seconds_by_run: Training time of every different run, by its address [s].
    """

    seconds_by_run: dict[str, float] = field(default_factory=dict)

    @property
    def n_runs(self) -> int:
        """Different runs."""
        return len(self.seconds_by_run)

    @property
    def seconds(self) -> float:
        """Training time of those runs, whenever they were made [s of one core]."""
        return sum(self.seconds_by_run.values())


class Laboratory:
    """Where experiments are made: it trains or finds runs, holds the calibrations, and keeps account.

    Args:
        run: Trains networks, or finds them in a store.
        train_multitask: Trains networks on several tasks, or finds them.
        calibrations: Constants for predictions made before any run of a suite.
        measure_dimensions: Looks at networks' curvature, or finds what was found; needed by experiments on it alone.
    """

    def __init__(
        self,
        run: Runner,
        train_multitask: MultitaskRunner,
        calibrations: Sequence[Calibration],
        measure_dimensions: DimensionRunner | None = None,
    ) -> None:
        self.calibrations = calibrations
        self._measure_dimensions = measure_dimensions
        self._run, self._train_multitask = run, train_multitask
        self._account = Account()

    @contextmanager
    def account(self) -> Iterator[Account]:
        """An account of everything that is asked for meanwhile; it enters the one that was kept before as well."""
        outer, self._account = self._account, Account()
        try:
            yield self._account
        finally:
            outer.seconds_by_run |= self._account.seconds_by_run
            self._account = outer

    def runs(self, configs: Sequence[RunConfig], /, *, stage: str) -> Sequence[Run]:
        """Finished runs in the order of the configurations; this is a :class:`Runner`."""
        found = self._run(configs, stage=stage)
        self._account.seconds_by_run |= {one.config.address: one.seconds for one in found}
        return found

    def blocks(self, blocks: Sequence[Sequence[RunConfig]], *, stage: str) -> list[list[Run]]:
        """Finished runs of several lists, all trained in one sweep."""
        found = iter(self.runs([config for block in blocks for config in block], stage=stage))
        return [[next(found) for _ in block] for block in blocks]

    def outcomes(self, blocks: Sequence[Sequence[RunConfig]], *, stage: str) -> list[list[Outcome]]:
        """Settled values of several lists of runs, all trained in one sweep."""
        return [[outcome_of(one) for one in block] for block in self.blocks(blocks, stage=stage)]

    def multitask(
        self, configs: Sequence[MultitaskConfig], /, *, stage: str = "several tasks"
    ) -> Sequence[MultitaskRun]:
        """Finished runs of several tasks in the order of the configurations; this is a :class:`MultitaskRunner`."""
        found = self._train_multitask(configs, stage=stage)
        self._account.seconds_by_run |= {one.config.address: one.seconds for one in found}
        return found

    def dimensions(self, configs: Sequence[DimensionConfig], /) -> list[DimensionRun]:
        """Effective dimensionalities in the order of the configurations; this is a :class:`DimensionRunner`.

        Raises:
            ValueError: The laboratory was made without a way to measure them.
        """
        if self._measure_dimensions is None:
            raise ValueError("measure_dimensions must be given for experiments on curvature, got None")
        found = self._measure_dimensions(configs)
        self._account.seconds_by_run |= {one.config.address: one.seconds for one in found}
        return found

    def predict(self, problem: Problem) -> CriticalSizePrediction | None:
        """What a calibration says before any run; None where none speaks for the problem."""
        calibration = calibration_for(problem, self.calibrations)
        return None if calibration is None else predict_critical_size(problem, calibration)


@dataclass(frozen=True, kw_only=True)
class Experiment(Generic[Design, Evidence]):
    """Runs that one or several claims and figures rest on.

    Attributes:
        name: What it measures, in a few words joined by hyphens.
        designs: What is run, by suite; a suite that is not named has no part of it.
        measure: Makes the runs of a design and turns them into evidence.
        stages: What a design trains at most, stage by stage.
    """

    name: str
    designs: Mapping[SuiteName, Design]
    measure: Callable[[Design, Laboratory], Evidence]
    stages: Callable[[Design], Sequence[Stage]]

    def work(self, suite: SuiteName, device: str = "cpu") -> Work:
        """Upper bound of what it trains in a suite.

        Args:
            suite: One that it has a part of.
            device: ``cpu`` or ``cuda``.
        """
        return work_of(self.stages(self.designs[suite]), device)


#: One layer that two cores train in seconds.
SMALL_TRANSFORMER = Problem(
    task="add", modulus=23, model="transformer", activation="relu", width=24, learning_rate=3e-3
)

#: Horizon of small transformers where many are trained: 15 time constants instead of 40 [steps].
TRANSFORMER_STEPS = 5000

#: Published: one layer, relu, width 128, learning rate 1e-3, weight decay 1. Source: nanda2023.
PUBLISHED_TRANSFORMER = Problem(
    task="add", modulus=113, model="transformer", activation="relu", width=128, learning_rate=1e-3
)
