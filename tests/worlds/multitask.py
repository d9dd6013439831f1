"""Runs of several tasks that end where a given critical size puts them, without training."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.runs.multitask import TASK_CURVES, MultitaskConfig, MultitaskCurves, MultitaskRun
from dcrit.theory.calibrations.calibration import shipped_calibrations
from tests.worlds.runs import World


@dataclass(kw_only=True)
class MultitaskWorld:
    """A runner of several tasks.

    Attributes:
        size: True critical size of the first task; inf where it is never learned.
        width: Of the transition, in ln D.
        asked: Every configuration that was asked for.
        stages: What the sweeps were called.
    """

    size: Callable[[MultitaskConfig], float]
    width: float = 0.1
    asked: list[MultitaskConfig] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)

    def __call__(self, configs: Sequence[MultitaskConfig], /, *, stage: str = "several tasks") -> list[MultitaskRun]:
        self.asked += configs
        self.stages.append(stage)
        return [self.run(config) for config in configs]

    def run(self, config: MultitaskConfig) -> MultitaskRun:
        rng = np.random.default_rng(int(config.address, 16))
        off = math.log(config.components[0].n_train) - math.log(self.size(config)) + 0.01 * rng.standard_normal()
        accuracy = 1 / (1 + math.exp(min(500.0, -off / self.width)))
        step = np.array(config.evaluation_steps(), dtype=np.float64)
        shape = (len(step), len(config.components))
        values = {name: np.full(shape, 1.0) for name in TASK_CURVES} | {"test_accuracy": np.full(shape, accuracy)}
        curves = MultitaskCurves(step=step, squared_norm=np.ones(len(step)), **values)
        return MultitaskRun(config=config, curves=curves, ending="horizon", seconds=0.5)

    def laboratory(self) -> Laboratory:
        return Laboratory(World(), self, shipped_calibrations())


def facts_of(config: MultitaskConfig) -> int:
    return config.components[1].n_train if len(config.components) > 1 else 0
