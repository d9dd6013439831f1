"""Competition, capacities and dynamics, measured in a world of known laws; and the guard on what is calibrated."""

import math
from typing import Any

import numpy as np
import pytest

from dcrit.empirics.experiments import capacities, competition, dynamics_points
from dcrit.empirics.experiments.capacities import CapacitiesDesign
from dcrit.empirics.experiments.competition import CompetitionDesign, ProblemEvidence
from dcrit.empirics.experiments.dynamics_points import MOST_PAIRS, DynamicsDesign, DynamicsEvidence
from dcrit.empirics.experiments.experiment import Experiment
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.measures.capacity import CapacityLine
from dcrit.empirics.measures.efficiency import CompetitionFit, EfficiencyDesign
from dcrit.empirics.runs.outcomes import outcome_of
from dcrit.theory.calibrations.calibration import Calibration, Cell, calibration_for, shipped_calibrations
from dcrit.theory.circuits.constants import constants_of
from dcrit.theory.circuits.laws import CapacityLaw
from dcrit.theory.circuits.regimes import DYNAMICS
from dcrit.theory.predictions.critical_size import predict_critical_size
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import BITS, World, competition_of, half_accuracy_size, no_multitask

PROBLEMS = tuple(Problem(modulus=31, width=width) for width in (48, 64, 56, 80))


def laboratory(world: World, *activations: str) -> Laboratory:
    return Laboratory(world, no_multitask, [calibration_of(activation) for activation in activations])


def calibration_of(activation: str) -> Calibration:
    """What calibrating the synthetic world at small moduli would give."""
    rng = np.random.default_rng(0)
    cells = [
        Cell(
            n_symbols=modulus,
            width=width,
            constants=tuple(
                constants_of(competition_of(Problem(modulus=modulus, width=width, activation=activation)))
                + 0.005 * rng.standard_normal(8)
            ),
            n_runs=33,
            n_unconverged=0,
        )
        for modulus in (17, 19, 23, 29)
        for width in (24, 32, 48, 64, 96)
    ]
    return Calibration(
        tasks=("add",),
        model="mlp",
        activation=activation,
        weight_decay=1.0,
        learning_rate=1e-2,
        capacity=CapacityLaw(bits=BITS, log_bits_error=0.02 / BITS),
        cells=tuple(cells),
    )


def test_calibrations_ship_for_both_activations() -> None:
    found = shipped_calibrations()
    assert {calibration.activation for calibration in found} == {"square", "relu"}


def test_what_ships_was_measured_at_moduli_up_to_29() -> None:
    cells = [cell for calibration in shipped_calibrations() for cell in calibration.cells]
    assert cells
    assert max(cell.n_symbols for cell in cells) <= 29


@pytest.mark.parametrize("experiment", [competition.EXPERIMENT, dynamics_points.EXPERIMENT], ids=lambda one: one.name)
def test_predictions_are_judged_above_everything_that_was_calibrated_on(experiment: Experiment[Any, Any]) -> None:
    assert experiment.designs
    for design in experiment.designs.values():
        assert design.problems
        for problem in design.problems:
            calibration = calibration_for(problem, shipped_calibrations())
            # Where none speaks for a model, nothing is predicted and nothing judged.
            assert calibration is not None or problem.model != "mlp"
            for cell in () if calibration is None else calibration.cells:
                assert problem.n_symbols > cell.n_symbols
            assert problem.modulus > 29


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def evidence(world: World) -> list[ProblemEvidence]:
    return competition.measure(CompetitionDesign(problems=PROBLEMS, seeds=2), laboratory(world, "relu", "square"))


@pytest.mark.slow
def test_every_measurement_is_of_its_own_problem(evidence: list[ProblemEvidence]) -> None:
    assert [entry.problem for entry in evidence] == list(PROBLEMS)
    for entry in evidence:
        design = EfficiencyDesign(problem=entry.problem, seeds=2)
        assert [o.config for o in entry.memorizing] == design.memorizing()
        assert [o.config for o in entry.generalizing] == design.generalizing()
        assert {o.config.problem for o in entry.transition.outcomes} == {entry.problem}
        # Probes say where to look and are no part of what is measured.
        assert {o.config.horizon for o in entry.transition.outcomes} == {4000}
        truth = half_accuracy_size(entry.problem)
        assert isinstance(entry.fit, CompetitionFit)
        assert entry.implied.value == pytest.approx(truth, rel=0.1)
        measured = entry.transition.measured
        assert measured.value == pytest.approx(truth, rel=0.05)
        assert measured.interval is not None
        assert truth in measured.interval
        assert 4 <= len(entry.transition.outcomes) <= 12


@pytest.mark.slow
def test_the_prediction_is_the_calibrations_own(evidence: list[ProblemEvidence]) -> None:
    for entry in evidence:
        predicted = entry.transition.predicted
        assert predicted is not None
        assert predicted == predict_critical_size(entry.problem, calibration_of("square")).critical_size
        assert predicted.value == pytest.approx(half_accuracy_size(entry.problem), rel=0.1)


@pytest.mark.slow
def test_draws_of_a_transition_are_those_of_its_interval(evidence: list[ProblemEvidence]) -> None:
    for entry in evidence:
        draws, interval = entry.transition.log_size_draws(4000), entry.transition.measured.interval
        assert draws is not None
        assert interval is not None
        assert np.exp(np.quantile(draws, [0.05, 0.95])) == pytest.approx([interval.low, interval.high], rel=1e-3)


def test_capacity_is_measured_once_an_activation() -> None:
    design = CapacitiesDesign(problems=PROBLEMS[:1], seeds=2)
    found = capacities.measure(design, laboratory(World()))
    assert list(found) == ["square"]
    line = found["square"]
    assert isinstance(line, CapacityLine)
    assert line.bits == pytest.approx(BITS, rel=1e-9)


def test_dynamics_are_looked_for_where_the_predicted_curves_put_them() -> None:
    design = DynamicsDesign(problems=PROBLEMS[:2], seeds=8)
    points: list[DynamicsEvidence] = dynamics_points.measure(design, laboratory(World(), "square"))
    assert [point.predicted for point in points] == [*DYNAMICS, *DYNAMICS[1:]]
    for point in points:
        assert point.observed == (point.predicted,) * 8
        assert point.n_train <= MOST_PAIRS * point.problem.n_pairs + 0.5
        if point.predicted == "semi-grokking":
            laws = predict_critical_size(point.problem, calibration_of("square")).competition
            assert point.n_train == round(laws.size_at_accuracy(0.5).n_train)  # type: ignore[union-attr]


@pytest.mark.usefixtures("evidence")
def test_sweeps_advance_together_and_say_what_they_are_for(world: World) -> None:
    first, *rounds = world.stages
    assert first == "efficiencies"
    assert rounds == [f"critical sizes, round {k + 1}" for k in range(len(rounds))]
    assert len(rounds) >= 2
    addresses = [config.address for config in world.asked]
    assert len(set(addresses)) == len(addresses)


def test_what_no_calibration_speaks_for_is_measured_and_not_predicted() -> None:
    (entry,) = competition.measure(CompetitionDesign(problems=PROBLEMS[:1], seeds=2), laboratory(World(), "relu"))
    assert entry.transition.predicted is None
    assert entry.transition.measured.value == pytest.approx(half_accuracy_size(entry.problem), rel=0.05)
    assert dynamics_points.measure(DynamicsDesign(problems=PROBLEMS[:1]), laboratory(World(), "relu")) == []


def test_outcomes_are_those_of_their_own_runs(evidence: list[ProblemEvidence]) -> None:
    world = World()
    for entry in evidence:
        for one in [*entry.memorizing, *entry.generalizing, *entry.transition.outcomes]:
            fresh = outcome_of(world.run(one.config))
            assert one.squared_norm == fresh.squared_norm
            assert one.test_accuracy == fresh.test_accuracy or math.isnan(one.test_accuracy)
