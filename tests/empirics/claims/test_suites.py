import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dcrit.empirics.claims.claim import CLAIMS
from dcrit.empirics.claims.effect import SIGNIFICANCE, holm_thresholds
from dcrit.empirics.claims.suites import SUITE_NAMES, Result, Suite, gather, judge, select, suite_of
from dcrit.empirics.experiments import capacities, competition, dynamics_points
from dcrit.empirics.experiments.capacities import CapacitiesDesign
from dcrit.empirics.experiments.competition import CompetitionDesign, ProblemEvidence
from dcrit.empirics.experiments.dynamics_points import MOST_PAIRS, DynamicsDesign, DynamicsEvidence
from dcrit.empirics.experiments.experiment import Experiment
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.measures.capacity import CapacityDesign, CapacityLine
from dcrit.empirics.measures.efficiency import CompetitionFit, EfficiencyDesign
from dcrit.empirics.runs.outcomes import outcome_of
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.theory.calibrations.calibration import Calibration, Cell, calibration_for, shipped_calibrations
from dcrit.theory.circuits.constants import constants_of
from dcrit.theory.circuits.laws import CapacityLaw
from dcrit.theory.circuits.regimes import DYNAMICS
from dcrit.theory.predictions.critical_size import predict_critical_size
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import BITS, World, competition_of, half_accuracy_size, no_multitask

#: As many as Student's t needs where problems differ by more than their own errors.
PROBLEMS = tuple(Problem(modulus=31, width=width) for width in (48, 64, 56, 80))

#: Claims judged here; others rest on experiments of their own.
NAMES = ("gen-efficiency-flat", "mem-efficiency-falls", "dcrit-predicted", "capacity-linear", "four-dynamics")


def miniature(problems: tuple[Problem, ...] = PROBLEMS) -> Suite:
    """A small suite under the name of the quick one; enough runs a place for the exact test and its correction."""
    designs: dict[str, tuple[Experiment[Any, Any], Any]] = {
        "competition": (competition.EXPERIMENT, CompetitionDesign(problems=problems, seeds=2)),
        "capacities": (capacities.EXPERIMENT, CapacitiesDesign(problems=problems[:1], seeds=2)),
        "four-dynamics": (dynamics_points.EXPERIMENT, DynamicsDesign(problems=problems[:2], seeds=8)),
    }
    small = {name: replace(experiment, designs={"quick": design}) for name, (experiment, design) in designs.items()}
    claims = [CLAIMS[name] for name in NAMES]
    return Suite(name="quick", claims=tuple(replace(one, experiment=small[one.experiment.name]) for one in claims))


MINIATURE = miniature()


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


# --- the guard between what is calibrated on and what is tested on ---


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


def test_suites_have_their_names_and_all_claims_that_have_a_part_in_them() -> None:
    for name in SUITE_NAMES:
        suite = suite_of(name)
        assert suite.name == name
        expected = [one for one, claim in CLAIMS.items() if name in claim.experiment.designs]
        assert [claim.id for claim in suite.claims] == expected
    assert set(NAMES) <= {claim.id for claim in suite_of("quick").claims}


def test_claims_of_one_experiment_share_it() -> None:
    assert [one.name for one in MINIATURE.experiments] == ["competition", "capacities", "four-dynamics"]
    assert [one.name for one in select(MINIATURE, NAMES[:2]).experiments] == ["competition"]


# --- choosing claims ---


def test_no_claim_named_is_all_claims() -> None:
    assert select(MINIATURE, ()) is MINIATURE


def test_named_claims_alone_are_judged() -> None:
    chosen = select(MINIATURE, ("capacity-linear", "gen-efficiency-flat"))
    assert [claim.id for claim in chosen.claims] == ["capacity-linear", "gen-efficiency-flat"]
    # Those not chosen stay corrected for.
    assert replace(chosen, claims=MINIATURE.claims, n_claims=None) == MINIATURE
    assert chosen.n_claims == select(chosen, ("capacity-linear",)).n_claims == len(NAMES)


def test_an_unknown_claim_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^claim must be one of gen-efficiency-flat, .*, got 'nonsense'$"):
        select(MINIATURE, ("capacity-linear", "nonsense"))
    with pytest.raises(ValueError, match="got 'four-dynamics'"):
        select(select(MINIATURE, ("capacity-linear",)), ("four-dynamics",))
    with pytest.raises(ValueError, match=r"got 'delay-law', a claim of standard and paper$"):
        select(MINIATURE, ("delay-law",))


# --- gathering ---

Gathered = tuple[dict[str, Result], World]


@pytest.fixture(scope="module")
def gathered() -> Gathered:
    world = World()
    return gather(MINIATURE, laboratory(world, "relu", "square")), world


def competition_evidence(gathered: Gathered) -> list[ProblemEvidence]:
    return gathered[0]["competition"].evidence


@pytest.mark.slow
def test_every_measurement_is_of_its_own_problem(gathered: Gathered) -> None:
    evidence = competition_evidence(gathered)
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
def test_the_prediction_is_the_calibrations_own(gathered: Gathered) -> None:
    for entry in competition_evidence(gathered):
        predicted = entry.transition.predicted
        assert predicted is not None
        assert predicted == predict_critical_size(entry.problem, calibration_of("square")).critical_size
        assert predicted.value == pytest.approx(half_accuracy_size(entry.problem), rel=0.1)


@pytest.mark.slow
def test_draws_of_a_transition_are_those_of_its_interval(gathered: Gathered) -> None:
    for entry in competition_evidence(gathered):
        draws, interval = entry.transition.log_size_draws(4000), entry.transition.measured.interval
        assert draws is not None
        assert interval is not None
        assert np.exp(np.quantile(draws, [0.05, 0.95])) == pytest.approx([interval.low, interval.high], rel=1e-3)


def test_capacity_is_measured_once_an_activation(gathered: Gathered) -> None:
    found = gathered[0]["capacities"].evidence
    assert list(found) == ["square"]
    line = found["square"]
    assert isinstance(line, CapacityLine)
    assert line.bits == pytest.approx(BITS, rel=1e-9)


def test_dynamics_are_looked_for_where_the_predicted_curves_put_them(gathered: Gathered) -> None:
    points: list[DynamicsEvidence] = gathered[0]["four-dynamics"].evidence
    assert [point.predicted for point in points] == [*DYNAMICS, *DYNAMICS[1:]]
    for point in points:
        assert point.observed == (point.predicted,) * 8
        assert point.n_train <= MOST_PAIRS * point.problem.n_pairs + 0.5
        if point.predicted == "semi-grokking":
            laws = predict_critical_size(point.problem, calibration_of("square")).competition
            assert point.n_train == round(laws.size_at_accuracy(0.5).n_train)  # type: ignore[union-attr]


def test_sweeps_advance_together_and_say_what_they_are_for(gathered: Gathered) -> None:
    first, *rounds, capacity, last = gathered[1].stages
    assert (first, capacity, last) == ("efficiencies", "capacities", "the four dynamics")
    assert rounds == [f"critical sizes, round {k + 1}" for k in range(len(rounds))]
    assert len(rounds) >= 2
    addresses = [config.address for config in gathered[1].asked]
    assert len(set(addresses)) == len(addresses)


@pytest.mark.slow
def test_every_experiment_is_announced_made_once_and_accounted(gathered: Gathered) -> None:
    begun: list[str] = []
    world = World()
    results = gather(MINIATURE, laboratory(world, "relu", "square"), begin=begun.append)
    assert begun == list(results) == ["competition", "capacities", "four-dynamics"]
    assert sum(result.account.n_runs for result in results.values()) == len(world.asked)
    assert results["capacities"].account.n_runs == sum(
        len(CapacityDesign(problem=replace(PROBLEMS[0], width=width), seeds=2).configs())
        for width in PROBLEMS[0].family.capacity_widths
    )
    alone = gather(select(MINIATURE, ("capacity-linear",)), laboratory(World()))
    assert list(alone) == ["capacities"]
    assert judge(MINIATURE, results) == judge(MINIATURE, gathered[0])


# --- judging ---


def test_the_verdicts_are_those_the_world_deserves(gathered: Gathered) -> None:
    verdicts = judge(MINIATURE, gathered[0])
    assert [one.claim.id for one in verdicts] == list(NAMES)
    rulings = {one.claim.id: one.ruling for one in verdicts}
    # Four problems are too few for the sign test of their median: 1/16 at best.
    assert rulings.pop("dcrit-predicted") == "inconclusive"
    assert set(rulings.values()) == {"supported"}
    chosen = judge(select(MINIATURE, ("capacity-linear",)), gathered[0])
    assert [(one.claim.id, one.threshold) for one in chosen] == [("capacity-linear", SIGNIFICANCE / len(NAMES))]


@pytest.mark.slow
def test_verdicts_are_corrected_for_their_number(gathered: Gathered) -> None:
    verdicts = judge(MINIATURE, gathered[0])
    assert [one.threshold for one in verdicts] == holm_thresholds([one.finding.p_value for one in verdicts])
    # Five runs a place decide alone, and no longer beside the other claims.
    points: list[DynamicsEvidence] = gathered[0]["four-dynamics"].evidence
    few = [replace(one, observed=one.observed[:5], norm_ratios=one.norm_ratios[:5]) for one in points]
    results = gathered[0] | {"four-dynamics": replace(gathered[0]["four-dynamics"], evidence=few)}
    (claim,) = select(MINIATURE, ("four-dynamics",)).claims
    assert [one.ruling for one in judge(Suite(name="quick", claims=(claim,)), results)] == ["supported"]
    assert [one.ruling for one in judge(select(MINIATURE, ("four-dynamics",)), results)] == ["inconclusive"]
    shadowed = replace(MINIATURE, claims=(*MINIATURE.claims, MINIATURE.claims[-1]))
    last = judge(shadowed, results)[-1]
    # Left beside it are its double and the prediction, which four problems cannot decide.
    assert last.threshold == pytest.approx(SIGNIFICANCE / 3)
    assert (last.ruling, last.finding.ruling()) == ("inconclusive", "supported")
    assert "supported alone, but not beside the other claims" in last.reason


def test_claims_that_share_an_experiment_share_its_account(gathered: Gathered) -> None:
    accounts = {one.claim.id: one.account for one in judge(MINIATURE, gathered[0])}
    assert accounts["gen-efficiency-flat"] is accounts["dcrit-predicted"] is gathered[0]["competition"].account
    assert accounts["capacity-linear"] is gathered[0]["capacities"].account


@pytest.mark.slow
def test_what_no_calibration_speaks_for_is_measured_and_not_predicted() -> None:
    suite = miniature(PROBLEMS[:1])
    results = gather(suite, laboratory(World(), "relu"))
    (entry,) = results["competition"].evidence
    assert entry.transition.predicted is None
    assert entry.transition.measured.value == pytest.approx(half_accuracy_size(entry.problem), rel=0.05)
    assert results["four-dynamics"].evidence == []
    rulings = {one.claim.id: one.ruling for one in judge(suite, results)}
    assert rulings["dcrit-predicted"] == rulings["four-dynamics"] == "inconclusive"
    assert rulings["mem-efficiency-falls"] == "supported"


class Failing(World):
    """A world in which every network diverges."""

    def run(self, config: RunConfig) -> Run:
        return replace(super().run(config), ending="diverged")


def test_a_world_without_results_is_inconclusive_throughout() -> None:
    results = gather(MINIATURE, laboratory(Failing()))
    assert results["four-dynamics"].evidence == []
    for one in judge(MINIATURE, results):
        assert (one.claim.id, one.ruling, one.threshold) == (one.claim.id, "inconclusive", None)
        assert one.finding.measured is None


def test_outcomes_are_those_of_their_own_runs(gathered: Gathered) -> None:
    world = World()
    for entry in competition_evidence(gathered):
        for one in [*entry.memorizing, *entry.generalizing, *entry.transition.outcomes]:
            fresh = outcome_of(world.run(one.config))
            assert one.squared_norm == fresh.squared_norm
            assert one.test_accuracy == fresh.test_accuracy or math.isnan(one.test_accuracy)
