"""Both circuits over training and over seeds, and the generalizing share beside the theory's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from scipy.special import expit

from dcrit.empirics.instruments.circuits import Circuits, cyclic_group, split_circuits
from dcrit.empirics.instruments.snapshots import Snapshot, snapshot_steps, visit
from dcrit.empirics.measures.statistics import student
from dcrit.empirics.runs.single import RunConfig, configs_of
from dcrit.empirics.training.ensemble import Progress
from dcrit.theory.calibrations.calibration import Calibration
from dcrit.theory.checks import FieldError, check_integer
from dcrit.theory.circuits.constants import competition_from
from dcrit.theory.estimates import LEVEL, Estimate, interval_of
from dcrit.theory.predictions.critical_size import describes_network, sensible_draws
from dcrit.theory.problems.problem import Problem

#: Draws of the constants behind the interval of the predicted share.
N_DRAWS = 1000

#: What is averaged over settled snapshots and over seeds.
QUANTITIES = tuple(field.name for field in fields(Circuits) if field.type == "float")


@dataclass(frozen=True, kw_only=True)
class CircuitDesign:
    """The runs that are taken apart.

    Attributes:
        problem: A task that is a cyclic group.
        n_train: D, below the number of pairs [examples].
        seeds: Runs.
        first_seed: Seeds count up from here.

    Raises:
        ValueError: A field is out of range, the task is no cyclic group, or D leaves no unseen pairs.
    """

    problem: Problem
    n_train: int
    seeds: int = 5
    first_seed: int = 0

    def __post_init__(self) -> None:
        cyclic_group(self.problem)
        check_integer("n_train", self.n_train, 1)
        if self.n_train >= self.problem.n_pairs:
            raise FieldError(
                "n_train",
                (
                    f"be at most {self.problem.n_pairs - 1}, to leave unseen pairs on which generalizing differs "
                    "from memorizing"
                ),
                self.n_train,
            )
        check_integer("seeds", self.seeds, 1)
        check_integer("first_seed", self.first_seed, 0)

    def configs(self) -> list[RunConfig]:
        """Runs on the real task, to the horizon."""
        return configs_of(self.problem, self.n_train, range(self.first_seed, self.first_seed + self.seeds))


@dataclass(frozen=True, kw_only=True)
class CircuitHistory:
    """One run taken apart.

    Attributes:
        config: What was run.
        circuits: By step, up to where the run diverged if it did.
        finite: The run did not diverge.
    """

    config: RunConfig
    circuits: tuple[Circuits, ...]
    finite: bool

    def settled(self, name: str) -> float:
        """Median of a quantity over the snapshots in the last tenth; NaN for a diverged run."""
        start = snapshot_steps(self.config, 0)[0]
        return float(np.median([getattr(one, name) for one in self.circuits if one.step >= start] or [math.nan]))


def circuit_histories(
    design: CircuitDesign, *, device: str = "cpu", progress: Progress = lambda _: None
) -> list[CircuitHistory]:
    """Train the runs of a design and take them apart, over training.

    Args:
        design: What to run.
        device: Where to train.
        progress: Called with the number of model-steps just finished.
    """
    configs = design.configs()
    steps = snapshot_steps(configs[0])

    def look(snapshot: Snapshot) -> Circuits | None:
        return split_circuits(snapshot) if snapshot.finite else None

    histories = []
    for config, seen in zip(configs, visit(configs, steps, look, device=device, progress=progress), strict=True):
        whole = [one for one in seen if one is not None]
        histories.append(CircuitHistory(config=config, circuits=tuple(whole), finite=len(whole) == len(seen)))
    return histories


def mean_over_seeds(histories: Sequence[CircuitHistory]) -> list[dict[str, float]]:
    """Quantities of both circuits by step, and how many frequencies are key, as means over finite runs."""
    finite = [history.circuits for history in histories if history.finite]
    return [
        {"step": at[0].step, "n_keys": float(np.mean([len(one.keys) for one in at]))}
        | {name: float(np.mean([getattr(one, name) for one in at])) for name in QUANTITIES}
        for at in zip(*finite, strict=True)
    ]


def measure_generalizing_share(histories: Sequence[CircuitHistory], *, level: float = LEVEL) -> Estimate:
    """Generalizing share w of the training margin at the end of training, over seeds.

    Args:
        histories: Runs of one design; diverged ones are counted and left out.
        level: Probability content of the interval.
    """
    values = [history.settled("share") for history in histories if history.finite]
    return student(
        "generalizing_share", values, unit="fraction of the margin", level=level, lost=len(histories) - len(values)
    )


def predict_generalizing_share(
    problem: Problem, n_train: int, calibration: Calibration | None, *, level: float = LEVEL, seed: int = 0
) -> Estimate:
    """The share that the theory expects, before any training.

    w/(1 − w) = (e_gen/e_mem(D))^b

    Args:
        problem: The question.
        n_train: D [examples].
        calibration: Constants; None where there are none.
        level: Probability content of the interval.
        seed: Of the draws of the constants.
    """
    shared = {"quantity": "generalizing_share", "unit": "fraction of the margin"}
    if calibration is None or not calibration.covers(problem):
        return Estimate(**shared, value=None, interval=None, reason="no calibration covers the problem")  # type: ignore[arg-type]
    central = calibration.constants(problem)
    extrapolated = calibration.distance(problem) > 0
    if not describes_network(central):
        return Estimate(
            **shared,  # type: ignore[arg-type]
            value=None,
            interval=None,
            extrapolated=extrapolated,
            reason="the calibration's laws do not reach so far outside",
        )

    def share(constants: np.ndarray) -> float:
        return float(expit(competition_from(constants, problem.n_pairs).log_odds(math.log(n_train))))

    value = share(central)
    drawn = sensible_draws(problem, calibration, N_DRAWS, np.random.default_rng(seed))
    found = interval_of([share(constants) for constants in drawn], level)
    return Estimate(
        **shared,  # type: ignore[arg-type]
        value=value,
        # Far outside the calibration the draws are skewed; what is called best must not lie outside its interval.
        interval=found.around(value),
        extrapolated=extrapolated,
    )
