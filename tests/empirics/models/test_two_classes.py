"""The circuits of a task with two classes, where memorizing is wrong by nothing on average."""

import math
from typing import cast

import numpy as np
import pytest
from scipy.special import expit

from dcrit.empirics.measures.efficiency import CompetitionFit, EfficiencyDesign, fit_competition, implied_critical_size
from dcrit.empirics.runs.outcomes import Outcome
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.study.design import StudyDesign
from dcrit.empirics.study.module_runs import ModuleOutcome
from dcrit.empirics.study.study import _measured, _predicted
from dcrit.theory.circuits.laws import GeneralizingLaw, MemorizingLaw
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import TAIL, outcome

PROBLEM = Problem(task="sparse-parity", modulus=12)

#: Upper quartile of the normal distribution, in standard deviations.
QUARTILE = 0.6744897501960817

MEMORIZING = MemorizingLaw(amplitude=0.15, exponent=0.9)
GENERALIZING = GeneralizingLaw(full_data=1.3e-3, n_pairs=PROBLEM.n_pairs)
MIXING, TRANSFER = 3.0, 0.9


def spread(n_train: float) -> float:
    """Of a memorizing network's deficits on unseen pairs, whose mean is zero, in units of its margin."""
    return 0.05 * n_train**0.2


def observed() -> tuple[list[Outcome], list[Outcome]]:
    design = EfficiencyDesign(problem=PROBLEM, seeds=3)
    tails = np.array([-TAIL, 0.0, TAIL])
    memorizing, generalizing = [], []
    for config in design.memorizing():
        wiggle = math.exp(0.01 * np.random.default_rng(config.seed).standard_normal())
        efficiency = math.exp(float(MEMORIZING.log_efficiency(math.log(config.n_train)))) * wiggle
        deficits = tuple(spread(config.n_train) * tails)
        memorizing.append(outcome(config, efficiency=efficiency, deficits=deficits))
    for config in design.generalizing():
        log_size = math.log(config.n_train)
        memory = float(MEMORIZING.log_efficiency(log_size))
        log_general = float(GENERALIZING.log_efficiency(log_size))
        efficiency = math.exp(np.logaddexp(MIXING * log_general, MIXING * memory) / MIXING)
        share = float(expit(MIXING * (log_general - memory)))
        deficits = tuple((1 - share) * spread(config.n_train) * tails - share * TRANSFER)
        generalizing.append(outcome(config, efficiency=efficiency, deficits=deficits, test_accuracy=1.0))
    return memorizing, generalizing


@pytest.mark.slow
def test_the_critical_size_is_where_three_quarters_are_right() -> None:
    fit = fit_competition(PROBLEM, *observed())
    assert isinstance(fit, CompetitionFit), fit
    assert fit.competition.mixing == pytest.approx(MIXING, rel=0.05)
    implied = implied_critical_size(fit).value
    assert implied is not None
    # A margin of w·u beats deficits (1 − w)·N(0, σ²) on three quarters of the unseen pairs where it is their quartile.
    memory, general = (float(law.log_efficiency(math.log(implied))) for law in (MEMORIZING, GENERALIZING))
    odds = math.exp(MIXING * (general - memory))
    assert odds * TRANSFER == pytest.approx(QUARTILE * spread(implied), rel=0.1)


@pytest.mark.slow
def test_a_study_predicts_three_quarters_where_that_is_its_one_half() -> None:
    fit = fit_competition(PROBLEM, *observed())
    assert isinstance(fit, CompetitionFit), fit
    found = _predicted(fit, 0.75, 0.9, n_classes=2)
    assert found.value == pytest.approx(implied_critical_size(fit).value)


def test_a_study_counts_two_classes_from_chance_once() -> None:
    design = StudyDesign(n_classes=2)
    sizes = [50, 70, 85, 100, 118, 140, 200]
    found = _measured(
        [
            cast("ModuleOutcome", outcome(RunConfig(problem=PROBLEM, n_train=size, seed=k), test_accuracy=accuracy))
            for size in sizes
            for k, accuracy in enumerate([0.5 + 0.5 * float(expit(math.log(size / 100) / 0.15))] * 3)
        ],
        0.5,
        0.75,
        design,
        n_examples=400,
        note="",
        price=lambda _: pytest.fail("a study that found its size asks for no other"),
    )
    assert found.value == pytest.approx(100, rel=0.02)
