"""What an experiment is: designs by suite, the runs they ask for, and where those runs are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from dcrit.empirics.dimensions import DimensionConfig, DimensionRun, DimensionRunner
from dcrit.empirics.experiments.work import Stage, Work, work_of
from dcrit.empirics.mixtures import MixtureConfig, MixtureRun, MixtureRunner
from dcrit.empirics.outcomes import Outcome, outcome_of
from dcrit.empirics.runs import Run, RunConfig, Runner
from dcrit.theory.calibration import Calibration, calibration_for
from dcrit.theory.prediction import CriticalSizePrediction, predict_critical_size
from dcrit.theory.problem import Problem

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
        train_mixtures: Trains mixtures, or finds them.
        calibrations: Constants for predictions made before any run of a suite.
        measure_dimensions: Looks at networks' curvature, or finds what was found; needed by experiments on it alone.
    """

    def __init__(
        self,
        run: Runner,
        train_mixtures: MixtureRunner,
        calibrations: Sequence[Calibration],
        measure_dimensions: DimensionRunner | None = None,
    ) -> None:
        self.calibrations = calibrations
        self._measure_dimensions = measure_dimensions
        self._run, self._train_mixtures = run, train_mixtures
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

    def mixtures(self, configs: Sequence[MixtureConfig], /, *, stage: str = "mixtures") -> Sequence[MixtureRun]:
        """Finished runs of mixtures in the order of the configurations; this is a :class:`MixtureRunner`."""
        found = self._train_mixtures(configs, stage=stage)
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
