"""Evidence as a suite would gather it, drawn from known laws instead of trained."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dcrit.empirics.experiments.capacities import Capacities
from dcrit.empirics.experiments.competition import ProblemEvidence
from dcrit.empirics.experiments.dynamics_points import DynamicsEvidence
from dcrit.empirics.experiments.transitions import Transition
from dcrit.empirics.measures.capacity import CapacityLine
from dcrit.empirics.measures.critical_size import measure_critical_size
from dcrit.empirics.measures.efficiency import CompetitionFit, EfficiencyDesign, NoLaws, implied_critical_size
from dcrit.empirics.runs.outcomes import Outcome
from dcrit.empirics.runs.single import CURVE_NAMES, Curves, RunConfig
from dcrit.theory.calibrations.omission import Cause
from dcrit.theory.circuits.laws import CapacityLaw, GeneralizingLaw, MemorizingLaw
from dcrit.theory.circuits.mixture import Competition, DeficitLaw
from dcrit.theory.circuits.regimes import Dynamics
from dcrit.theory.estimates import Estimate, Interval
from dcrit.theory.problems.problem import Problem

Evidence = dict[str, Any]

BITS: dict[str, float] = {"square": 2.1, "relu": 1.2}


def competition_of(problem: Problem) -> Competition:
    """Constants of the size that real networks have."""
    smaller = (48 / problem.width) ** 0.1
    if problem.activation == "square":
        return Competition(
            memorizing=MemorizingLaw(amplitude=0.0126 * smaller, exponent=0.73),
            generalizing=GeneralizingLaw(full_data=1.95e-4, n_pairs=problem.n_pairs),
            deficits=DeficitLaw(median=0.026, median_exponent=0.52, spread=0.013, spread_exponent=0.54),
            mixing=6.0,
        )
    return Competition(
        memorizing=MemorizingLaw(amplitude=0.29 * smaller, exponent=0.75),
        generalizing=GeneralizingLaw(full_data=2.4e-3, n_pairs=problem.n_pairs),
        deficits=DeficitLaw(median=0.14, median_exponent=0.31, spread=0.06, spread_exponent=0.34),
        mixing=2.4,
    )


def outcome(config: RunConfig, efficiency: float, **changed: float) -> Outcome:
    laws = competition_of(config.problem)
    at = np.log(config.n_train)
    median, spread = np.exp(laws.deficits.log_median(at)), np.exp(laws.deficits.log_spread(at))
    margin = 15.0
    fields = {
        "train_accuracy": 1.0,
        "test_accuracy": 0.03,
        "margin": margin,
        "squared_norm": (margin / efficiency) ** (2 / config.problem.homogeneity),
        "efficiency": efficiency,
        "log_efficiency_drift": 0.01,
        "converged": True,
    }
    deficits = tuple(float(median + z * spread) for z in (-1.2816, 0.0, 1.2816))
    return Outcome(config=config, deficits=deficits, **{**fields, **changed})  # type: ignore[arg-type]


def fit_of(problem: Problem, n_draws: int = 25) -> CompetitionFit:
    """The known laws, and others near them."""
    laws, rng = competition_of(problem), np.random.default_rng(1)

    def near() -> Competition:
        log_memory, log_general, log_mixing = rng.normal(0, [0.02, 0.01, 0.1])
        return replace(
            laws,
            memorizing=replace(laws.memorizing, amplitude=laws.memorizing.amplitude * np.exp(log_memory)),
            generalizing=replace(laws.generalizing, full_data=laws.generalizing.full_data * np.exp(log_general)),
            mixing=laws.mixing * np.exp(log_mixing),
        )

    draws = tuple(near() for _ in range(n_draws))
    return CompetitionFit(
        problem=problem, competition=laws, draws=draws, n_runs=33, n_unconverged=0, n_unfitted=0, misfit=0.0
    )


def problem_evidence(problem: Problem, *, a_priori: float = 1.04, seed: int = 0) -> ProblemEvidence:
    """Runs of a problem whose laws are known.

    Args:
        problem: The problem.
        a_priori: Prediction over truth.
        seed: Of the noise between runs.
    """
    rng = np.random.default_rng(seed)
    laws, fit = competition_of(problem), fit_of(problem)
    implied = implied_critical_size(fit)
    truth = implied.value
    assert truth is not None
    design = EfficiencyDesign(problem=problem, seeds=3)

    def noisy(log_efficiency: object) -> float:
        return float(np.exp(log_efficiency + 0.015 * rng.standard_normal()))  # type: ignore[operator]

    memorizing = [outcome(c, noisy(laws.memorizing.log_efficiency(np.log(c.n_train)))) for c in design.memorizing()]
    generalizing = [outcome(c, noisy(laws.log_efficiency(np.log(c.n_train)))) for c in design.generalizing()]
    transition: list[Outcome] = []
    factors = (0.8, 0.86, 0.92, 0.97, 1.0, 1.03, 1.08, 1.15, 1.25)
    for k, size in enumerate([*(factor * truth for factor in factors), 0.9 * problem.n_pairs]):
        config = RunConfig(problem=problem, n_train=round(size), seed=k, until="generalized")
        expected = float(laws.test_accuracy(config.n_train))
        accuracy = np.clip(rng.normal(expected, 0.3 * np.sqrt(expected * (1 - expected))), 0.0, 1.0)
        efficiency = noisy(laws.log_efficiency(np.log(config.n_train)))
        transition.append(outcome(config, efficiency, test_accuracy=float(accuracy)))
    return ProblemEvidence(
        memorizing=memorizing,
        generalizing=generalizing,
        fit=fit,
        implied=implied,
        transition=Transition(
            problem=problem,
            predicted=Estimate(
                quantity="critical_size",
                value=a_priori * truth,
                interval=Interval(low=0.85 * a_priori * truth, high=1.2 * a_priori * truth),
                unit="examples",
            ),
            outcomes=transition,
            measured=measure_critical_size(transition),
        ),
    )


def capacity_line(activation: str, modulus: int = 31) -> CapacityLine:
    family = Problem(task="random", modulus=modulus, activation=activation)
    problems = [replace(family, width=width) for width in (2, 3, 4, 6, 8)]
    bits = BITS[activation]
    wiggle = (1.03, 0.98, 1.0, 1.02, 0.97)
    sizes = [w * bits * problem.n_params / math.log2(modulus) for w, problem in zip(wiggle, problems, strict=True)]
    return CapacityLine(
        bits=bits,
        bits_error=0.025,
        n_sizes=5,
        n_runs=20,
        law=CapacityLaw(bits=bits, slope=0.99, slope_error=0.02),
        points=tuple((p.n_params, d, 0.95 * d, 1.06 * d) for p, d in zip(problems, sizes, strict=True)),
    )


def curves_of(kind: Dynamics, steps: int = 4000) -> Curves:
    """Training curves with the shape of one of the dynamics."""
    config = RunConfig(problem=Problem(modulus=31), n_train=300, seed=0, steps=steps)
    step = np.array(config.evaluation_steps(), dtype=np.float64)

    def rise(start: float, width: float) -> np.ndarray:
        return 1 / (1 + np.exp(-(np.log(np.maximum(step, 0.5)) - np.log(start)) / width))

    late = {"progression": 0.35, "ungrokking": 0.01, "semi-grokking": 0.52, "grokking": 0.97}[kind]
    top = 0.55 if kind == "progression" else 1.0
    train = 0.03 + (top - 0.03) * rise(60, 0.3)
    test = 0.03 + late * rise(60 if kind == "progression" else 900, 0.3)
    norm = 150 + 1600 * rise(80, 0.4) - (600 * rise(1100, 0.3) if kind == "grokking" else 0)
    values = {name: np.zeros_like(step) for name in CURVE_NAMES} | {
        "step": step,
        "train_accuracy": train,
        "test_accuracy": test,
        "squared_norm": norm / (6 if kind == "progression" else 1),
    }
    return Curves(**values)


def dynamics_evidence(problem: Problem, kinds: Sequence[Dynamics]) -> list[DynamicsEvidence]:
    sizes = {"progression": 120, "ungrokking": 170, "semi-grokking": 265, "grokking": 420}
    return [
        DynamicsEvidence(
            problem=replace(problem, width=4) if kind == "progression" else problem,
            n_train=sizes[kind],
            predicted=kind,
            observed=(kind, kind, kind, "grokking"),
            norm_ratios=(0.7,) * 4,
            example=curves_of(kind),
        )
        for kind in kinds
    ]


def complete_evidence() -> Evidence:
    """What a suite gathers, by the name of the experiment."""
    activations: tuple[str, ...] = ("square", "relu")
    problems = [Problem(modulus=31, activation=kind, width=width) for kind in activations for width in (48, 96)]
    factors = (1.06, 0.93, 1.08, 1.15)
    entries = [
        problem_evidence(problem, a_priori=factor, seed=k)
        for k, (problem, factor) in enumerate(zip(problems, factors, strict=True))
    ]
    lines: Capacities = {activation: capacity_line(activation) for activation in activations}
    points = [
        *dynamics_evidence(problems[0], ["progression", "ungrokking", "semi-grokking", "grokking"]),
        *dynamics_evidence(problems[2], ["ungrokking"]),
    ]
    return {"competition": entries, "capacities": lines, "four-dynamics": points}


NO_FIT = "only 3 runs on random labels converged and fit their training set, 4 over two sizes needed"
NO_TRANSITION = "no transition: test accuracy does not reach one half at every size from 115 to 865"
NO_CAPACITY = "only 2 model sizes are overloaded by random labels, three needed"


def without_fit(entry: ProblemEvidence) -> ProblemEvidence:
    lack = NoLaws(cause=Cause.FEW_MEMORIZING, reason=NO_FIT)
    return replace(entry, fit=lack, implied=replace(entry.implied, value=None, interval=None, reason=NO_FIT))


def without_transition(entry: ProblemEvidence) -> ProblemEvidence:
    measured = replace(entry.transition.measured, value=None, interval=None, reason=NO_TRANSITION)
    outcomes = [replace(o, test_accuracy=0.02) for o in entry.transition.outcomes]
    return replace(entry, transition=replace(entry.transition, outcomes=outcomes, measured=measured))


def without_prediction(entry: ProblemEvidence) -> ProblemEvidence:
    return replace(entry, transition=replace(entry.transition, predicted=None))


def with_lost_runs(entry: ProblemEvidence) -> ProblemEvidence:
    """Some runs on random labels did not converge, some did not fit, and some of all kinds diverged."""
    memorizing = [
        replace(o, converged=k % 3 != 0, train_accuracy=0.9 if k % 4 == 0 else 1.0)
        for k, o in enumerate(entry.memorizing)
    ]
    memorizing[5] = replace(memorizing[5], efficiency=math.nan, converged=False)
    outcomes = [
        replace(o, test_accuracy=math.nan) if k % 9 == 0 else o for k, o in enumerate(entry.transition.outcomes)
    ]
    return replace(entry, memorizing=memorizing, transition=replace(entry.transition, outcomes=outcomes))


def without_runs(entry: ProblemEvidence) -> ProblemEvidence:
    bare = without_prediction(without_transition(without_fit(entry)))
    return replace(bare, memorizing=[], generalizing=[], transition=replace(bare.transition, outcomes=[]))


def gappy_evidence(complete: Evidence) -> Evidence:
    """Everything that can be missing, is."""
    first, second, third, fourth = complete["competition"]
    return {
        "competition": [
            without_prediction(with_lost_runs(first)),
            with_lost_runs(without_fit(second)),
            without_transition(third),
            without_runs(fourth),
        ],
        "capacities": {"square": complete["capacities"]["square"], "relu": NO_CAPACITY},
        "four-dynamics": dynamics_evidence(first.problem, ["ungrokking", "grokking"]),
    }


EMPTY: Evidence = {"competition": [], "capacities": {}, "four-dynamics": []}


def crowded_evidence() -> list[ProblemEvidence]:
    """More problems than fit beside each other, at two moduli."""
    activations: tuple[str, ...] = ("square", "relu")
    problems = [
        Problem(modulus=modulus, activation=activation, width=width)
        for modulus in (31, 37)
        for activation in activations
        for width in (32, 48, 64, 96, 128)
    ]
    return [problem_evidence(one, a_priori=1 + 0.03 * (k * 7 % 5 - 2), seed=k) for k, one in enumerate(problems)]
