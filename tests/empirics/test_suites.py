import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from dcrit.empirics import critical_size
from dcrit.empirics.calibrate import CapacityLine
from dcrit.empirics.claims import CLAIMS
from dcrit.empirics.claims.claim import Evidence
from dcrit.empirics.critical_size import CriticalSizeDesign
from dcrit.empirics.efficiency import CompetitionFit, EfficiencyDesign
from dcrit.empirics.outcomes import outcome_of
from dcrit.empirics.runs import Run, RunConfig
from dcrit.empirics.suites import MOST_PAIRS, SUITES, Suite, gather, judge, measure_transitions, select
from dcrit.theory.calibration import Calibration, Cell, calibration_for, constants_of, shipped_calibrations
from dcrit.theory.laws import CapacityLaw
from dcrit.theory.prediction import predict_critical_size
from dcrit.theory.problem import Activation, Problem
from dcrit.theory.regimes import DYNAMICS
from tests.empirics.synthetic import BITS, World, competition_of, half_accuracy_size

MINIATURE = Suite(
    name="miniature",
    problems=(Problem(modulus=31, width=48), Problem(modulus=31, width=64)),
    claims=tuple(CLAIMS.values()),
    seeds=2,
    tolerance=0.05,
    max_runs=36,
    dynamics_seeds=4,
)


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(critical_size, "RESAMPLES", 30)


def calibration_of(activation: Activation) -> Calibration:
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


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_suites_are_judged_above_everything_that_was_calibrated_on(suite: Suite) -> None:
    largest = max(cell.n_symbols for calibration in shipped_calibrations() for cell in calibration.cells)
    assert suite.problems
    assert all(problem.n_symbols > largest and problem.modulus > 29 for problem in suite.problems)
    assert all(calibration_for(problem, shipped_calibrations()) is not None for problem in suite.problems)


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_has_its_name_and_known_claims(name: str) -> None:
    assert SUITES[name].name == name
    assert [CLAIMS[claim.id] for claim in SUITES[name].claims] == list(SUITES[name].claims)


# --- choosing claims ---


def test_no_claim_named_is_all_claims() -> None:
    assert select(MINIATURE, ()) is MINIATURE


def test_named_claims_alone_are_judged() -> None:
    chosen = select(MINIATURE, ("capacity-linear", "gen-efficiency-flat"))
    assert [claim.id for claim in chosen.claims] == ["capacity-linear", "gen-efficiency-flat"]
    assert replace(chosen, claims=MINIATURE.claims) == MINIATURE


def test_an_unknown_claim_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^claim must be one of gen-efficiency-flat, .*, got 'nonsense'$"):
        select(MINIATURE, ("capacity-linear", "nonsense"))
    with pytest.raises(ValueError, match="got 'four-dynamics'"):
        select(select(MINIATURE, ("capacity-linear",)), ("four-dynamics",))


# --- gathering ---


@pytest.fixture(scope="module")
def gathered() -> tuple[Evidence, World]:
    world = World()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(critical_size, "RESAMPLES", 30)
        return gather(MINIATURE, world, [calibration_of("relu"), calibration_of("square")]), world


def test_every_measurement_is_of_its_own_problem(gathered: tuple[Evidence, World]) -> None:
    evidence, _ = gathered
    assert [entry.problem for entry in evidence.problems] == list(MINIATURE.problems)
    for entry in evidence.problems:
        design = EfficiencyDesign(problem=entry.problem, seeds=2)
        assert [o.config for o in entry.memorizing] == design.memorizing()
        assert [o.config for o in entry.generalizing] == design.generalizing()
        assert {o.config.problem for o in entry.transition} == {entry.problem}
        truth = half_accuracy_size(entry.problem)
        assert isinstance(entry.fit, CompetitionFit)
        assert entry.implied.value == pytest.approx(truth, rel=0.1)
        assert entry.critical_size.estimate == pytest.approx(truth, rel=0.03)
        assert 24 <= len(entry.transition) <= 36


def test_the_prediction_is_the_calibrations_own(gathered: tuple[Evidence, World]) -> None:
    evidence, _ = gathered
    for entry in evidence.problems:
        assert entry.a_priori is not None
        assert entry.a_priori == predict_critical_size(entry.problem, calibration_of("square")).critical_size
        assert entry.a_priori.value == pytest.approx(half_accuracy_size(entry.problem), rel=0.1)


def test_capacity_is_measured_once_an_activation(gathered: tuple[Evidence, World]) -> None:
    evidence, _ = gathered
    assert list(evidence.capacities) == ["square"]
    line = evidence.capacities["square"]
    assert isinstance(line, CapacityLine)
    assert line.bits == pytest.approx(BITS, rel=1e-9)


def test_dynamics_are_looked_for_where_the_predicted_curves_put_them(gathered: tuple[Evidence, World]) -> None:
    evidence, _ = gathered
    assert [point.predicted for point in evidence.dynamics] == [*DYNAMICS, *DYNAMICS[1:]]
    for point in evidence.dynamics:
        assert point.observed == (point.predicted,) * 4
        assert point.n_train <= MOST_PAIRS * point.problem.n_pairs + 0.5
        if point.predicted == "semi-grokking":
            competition = predict_critical_size(point.problem, calibration_of("square")).competition
            assert point.n_train == round(competition.size_at_accuracy(0.5).n_train)  # type: ignore[union-attr]


def test_sweeps_advance_together_and_say_what_they_are_for(gathered: tuple[Evidence, World]) -> None:
    _, world = gathered
    first, *rounds, last = world.stages
    assert (first, last) == ("efficiencies and capacities", "the four dynamics")
    assert rounds == [f"critical sizes, round {k + 1}" for k in range(len(rounds))]
    assert len(rounds) >= 2
    addresses = [config.address for config in world.asked]
    assert len(set(addresses)) == len(addresses)


def test_the_verdicts_are_those_the_world_deserves(gathered: tuple[Evidence, World]) -> None:
    evidence, _ = gathered
    verdicts = judge(MINIATURE, evidence)
    assert [claim.id for claim, _ in verdicts] == list(CLAIMS)
    assert {claim.id: verdict.verdict for claim, verdict in verdicts} == dict.fromkeys(CLAIMS, "supported")
    chosen = judge(select(MINIATURE, ("capacity-linear",)), evidence)
    assert [claim.id for claim, _ in chosen] == ["capacity-linear"]


def test_the_same_world_gives_the_same_verdicts(gathered: tuple[Evidence, World]) -> None:
    evidence, _ = gathered
    again = gather(MINIATURE, World(), [calibration_of("relu"), calibration_of("square")])
    assert judge(MINIATURE, again) == judge(MINIATURE, evidence)


def test_what_no_calibration_speaks_for_is_measured_and_not_predicted() -> None:
    suite = replace(MINIATURE, problems=MINIATURE.problems[:1])
    evidence = gather(suite, World(), [calibration_of("relu")])
    (entry,) = evidence.problems
    assert entry.a_priori is None
    assert entry.critical_size.estimate == pytest.approx(half_accuracy_size(entry.problem), rel=0.03)
    assert evidence.dynamics == []
    verdicts = {claim.id: verdict.verdict for claim, verdict in judge(suite, evidence)}
    assert verdicts["dcrit-predicted"] == verdicts["four-dynamics"] == "inconclusive"
    assert verdicts["mem-efficiency-falls"] == "supported"


class Failing(World):
    """A world in which every network diverges."""

    def run(self, config: RunConfig) -> Run:
        return replace(super().run(config), ending="diverged")


def test_a_world_without_results_is_inconclusive_throughout() -> None:
    evidence = gather(MINIATURE, Failing(), [])
    assert evidence.dynamics == []
    for claim, verdict in judge(MINIATURE, evidence):
        assert (claim.id, verdict.verdict) == (claim.id, "inconclusive")
        assert verdict.measured is None


def test_transitions_advance_round_by_round_together() -> None:
    designs = [
        CriticalSizeDesign(problem=MINIATURE.problems[0], tolerance=1e-6, max_runs=30),
        CriticalSizeDesign(problem=MINIATURE.problems[1], tolerance=1e-6, max_runs=14),
    ]
    sizes: list[list[Problem]] = []

    class Watched(World):
        def __call__(self, configs: Sequence[RunConfig], /, *, stage: str) -> list[Run]:
            sizes.append([config.problem for config in configs])
            return super().__call__(configs, stage=stage)

    found = measure_transitions(designs, Watched())
    first, second = MINIATURE.problems
    assert sizes == [[first] * 12 + [second] * 12, [first] * 12 + [second] * 2, [first] * 6]
    assert [len(outcomes) for outcomes in found] == [30, 14]
    assert [{o.config.problem for o in outcomes} for outcomes in found] == [{first}, {second}]
    assert measure_transitions([], World()) == []


def test_outcomes_are_those_of_their_own_runs(gathered: tuple[Evidence, World]) -> None:
    evidence, _ = gathered
    world = World()
    for entry in evidence.problems:
        for one in [*entry.memorizing, *entry.generalizing, *entry.transition]:
            fresh = outcome_of(world.run(one.config))
            assert one.squared_norm == fresh.squared_norm
            assert one.test_accuracy == fresh.test_accuracy or math.isnan(one.test_accuracy)
