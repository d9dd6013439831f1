"""Outcomes and finished runs drawn from known laws instead of trained."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dcrit.empirics.measures.sequential import PROBE_SHIFT
from dcrit.empirics.runs.multitask import MultitaskConfig, MultitaskRun
from dcrit.empirics.runs.outcomes import Outcome
from dcrit.empirics.runs.single import CURVE_NAMES, Curves, Ending, Run, RunConfig
from dcrit.theory.circuits.laws import GeneralizingLaw, MemorizingLaw, capacity
from dcrit.theory.circuits.margin import loss_from_margin
from dcrit.theory.circuits.mixture import Competition, DeficitLaw
from dcrit.theory.problems.problem import Problem

MARGIN = 12.0
BITS = 2.0

#: 10 % and 90 % quantiles of the normal distribution, in standard deviations.
TAIL = 1.2815515655446004


def competition_of(problem: Problem) -> Competition:
    """Laws whose half-accuracy size lies near 45 % of all pairs, smaller in wider networks."""
    wider = math.log(problem.width / 48)
    if problem.activation == "relu":
        return Competition(
            memorizing=MemorizingLaw(amplitude=0.30 * math.exp(-0.1 * wider), exponent=0.75),
            generalizing=GeneralizingLaw(full_data=3.0e-3 * (31**2 / problem.n_pairs) ** 0.75, n_pairs=problem.n_pairs),
            deficits=DeficitLaw(median=0.14, median_exponent=0.3, spread=0.06, spread_exponent=0.35),
            mixing=3.0,
        )
    return Competition(
        memorizing=MemorizingLaw(amplitude=0.0126 * math.exp(-0.1 * wider), exponent=0.73),
        generalizing=GeneralizingLaw(full_data=1.4e-4 * (31**2 / problem.n_pairs) ** 0.73, n_pairs=problem.n_pairs),
        deficits=DeficitLaw(median=0.026, median_exponent=0.52, spread=0.013, spread_exponent=0.54),
        mixing=8.0,
    )


def half_accuracy_size(problem: Problem) -> float:
    """True critical size of the laws above."""
    return competition_of(problem).size_at_accuracy(0.5).n_train  # type: ignore[union-attr]


def outcome(config: RunConfig, **changed: Any) -> Outcome:
    """A converged run that fits everything, but for what is said otherwise."""
    fields: dict[str, Any] = {
        "train_accuracy": 1.0,
        "test_accuracy": 0.02,
        "margin": MARGIN,
        "squared_norm": 100.0,
        "efficiency": 1e-3,
        "log_efficiency_drift": 0.0,
        "deficits": (0.1, 0.5, 0.9),
        "converged": True,
    }
    return Outcome(config=config, **(fields | changed))


def outcomes_at(problem: Problem, n_train: Sequence[float], accuracy: Sequence[float]) -> list[Outcome]:
    """Outcomes of those test accuracies, every one with a seed of its own."""
    return [
        outcome(RunConfig(problem=problem, n_train=round(size), seed=seed), test_accuracy=float(value))
        for seed, (size, value) in enumerate(zip(n_train, accuracy, strict=True))
    ]


def run_of(config: RunConfig, *, ending: Ending = "horizon", **given: ArrayLike) -> Run:
    """A run with those curves, standing still where one number is given, and at 0 where none is."""
    step = np.array(config.evaluation_steps(), dtype=np.float64)
    values = {name: np.full_like(step, given.get(name, 0.0)) for name in CURVE_NAMES} | {"step": step}
    return Run(config=config, curves=Curves(**values), ending=ending, seconds=0.5)


@dataclass(kw_only=True)
class World:
    """A runner that trains nothing: every run ends where :func:`competition_of` puts it.

    A run shorter than the protocol's horizon generalizes only as one on fewer examples would.

    Attributes:
        noise: Standard deviation of ln e between runs; that of the log-odds of test accuracy is ten times this.
        bits: Capacity [bits/parameter].
        asked: Every configuration that was asked for.
        stages: What the sweeps were called.
    """

    noise: float = 0.01
    bits: float = BITS
    asked: list[RunConfig] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)

    def __call__(self, configs: Sequence[RunConfig], /, *, stage: str) -> list[Run]:
        self.asked += configs
        self.stages.append(stage)
        return [self.run(config) for config in configs]

    def run(self, config: RunConfig) -> Run:
        problem, n_train = config.problem, config.n_train
        laws, log_size = competition_of(problem), math.log(n_train)
        is_random = problem.definition.rule is None
        rng = np.random.default_rng(int(config.address, 16))
        log_efficiency = float((laws.memorizing if is_random else laws).log_efficiency(log_size))
        efficiency = math.exp(log_efficiency + self.noise * rng.standard_normal())
        room, chance = float(capacity(self.bits, problem.n_params, problem.n_classes)), 1 / problem.n_classes
        fitted = min(1.0, room / n_train)
        deficits = math.exp(float(laws.deficits.log_median(log_size))) + np.array([-TAIL, 0.0, TAIL]) * math.exp(
            float(laws.deficits.log_spread(log_size))
        )
        if not is_random:
            # What the generalizing share of the margin overcomes, as the deficit of the mixture.
            share = 1 / (1 + math.exp(-float(laws.log_odds(log_size))))
            deficits = (1 - share) * deficits - share
        lag = PROBE_SHIFT if config.horizon < replace(config, steps=0).horizon else 0.0
        test = chance if is_random or fitted < 1 else float(laws.test_accuracy(n_train * math.exp(-lag)))
        test += test * (1 - test) * 10 * self.noise * float(rng.standard_normal())
        # Networks that come to generalize have overshot before.
        progress = np.array(config.evaluation_steps()) / config.horizon
        overshoot = 1 + 0.5 * ((progress > 0.05) & (progress < 0.3) & (test > 0.5) & (not is_random))
        return run_of(
            config,
            train_loss=float(loss_from_margin(MARGIN, problem.n_classes)),
            train_accuracy=fitted + (1 - fitted) * chance,
            test_accuracy=math.nan if n_train == problem.n_pairs else test,
            squared_norm=overshoot * (MARGIN / efficiency) ** (2 / problem.homogeneity),
            neuron_norm=math.sqrt(overshoot[-1]) * (MARGIN / efficiency) ** (1 / problem.homogeneity),
            **dict(zip(("deficit_low", "deficit_median", "deficit_high"), (MARGIN * deficits).tolist(), strict=True)),
        )


def no_multitask(configs: Sequence[MultitaskConfig], /, *, stage: str = "several tasks") -> list[MultitaskRun]:
    """A runner where several tasks are never to be trained."""
    assert not configs, stage
    return []
