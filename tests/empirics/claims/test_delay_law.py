import math
from dataclasses import replace

import numpy as np
import pytest

from dcrit.empirics.claims.claim import Finding
from dcrit.empirics.claims.delay_law import CLAIM, PUBLISHED_ERROR
from dcrit.empirics.experiments.delays import EXPERIMENT, DelayEvidence, DelayPoint, DelaysDesign, delay_of, stages
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.experiments.transitions import Transition
from dcrit.empirics.measures.critical_size import measure_critical_size
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training.work import flops_of, work_of
from dcrit.theory.calibrations.calibration import shipped_calibrations
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import World, outcomes_at, run_of

PROBLEM = Problem(modulus=31, width=64)
HALF = 260.0


def transition() -> Transition:
    sizes = [HALF * math.exp(0.05 * k) for k in (-3, -2, -1, 0, 1, 2, 3)] * 6
    accuracy = [1 / (1 + math.exp(-math.log(size / HALF) / 0.1)) for size in sizes]
    outcomes = outcomes_at(PROBLEM, sizes, accuracy)
    return Transition(problem=PROBLEM, predicted=None, outcomes=outcomes, measured=measure_critical_size(outcomes))


def evidence(
    *, rate: float = 1.0, divergence: float = 1.0, bias: float = 1.0, censored: int = 0, seeds: int = 20
) -> list[DelayEvidence]:
    """Delays 4·(1/ηλ)^rate/ln(D/D_crit)^divergence, predicted up to a bias."""
    rng, found = np.random.default_rng(0), transition()
    size = found.measured.value
    assert size is not None
    points = []
    for problem, n_train in DelaysDesign(problems=(PROBLEM,)).cases(PROBLEM, size):
        speed = problem.time_constant / PROBLEM.time_constant
        true = 400 * speed**rate / math.log(n_train / HALF) ** divergence
        delays = true * np.exp(0.05 * rng.standard_normal(seeds))
        beyond = [1 if k < censored else 0 for k in range(seeds)]
        points.append(
            DelayPoint(
                problem=problem,
                n_train=n_train,
                delays=tuple(float(d) * (0.8 if side else 1.0) for d, side in zip(delays, beyond, strict=True)),
                beyond=tuple(beyond),
                n_lost=0,
                predicted=bias * true,
            )
        )
    return [DelayEvidence(transition=found, points=points, rates_at=round(1.4 * size), curve=np.empty((2, 0)))]


def judged(**changed: float) -> Finding:
    return CLAIM.judge(evidence(**changed))  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_law_that_holds_is_supported() -> None:
    finding = judged()
    assert finding.ruling() == "supported"
    assert finding.measured is not None
    assert finding.measured < 0.1
    names = [str(row["statement"]) for row in finding.rows[:4]]
    assert [name.split(": ")[-1] for name in names[:3]] == ["1/η", "1/λ", "1/ln(D/D_crit)"]
    assert "predicted/measured" in names[3]


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [{"rate": 0.5}, {"divergence": 2.0}, {"bias": 2.0}])
def test_one_wrong_part_refutes(wrong: dict[str, float]) -> None:
    finding = judged(**wrong)
    assert finding.ruling(0.05 / 21) == "refuted"


@pytest.mark.slow
def test_runs_without_a_delay_count_with_their_bound() -> None:
    plain, censored = judged(), judged(censored=8)
    assert censored.ruling() == "inconclusive"
    assert "at most" in censored.reason
    assert censored.measured is not None
    assert plain.measured is not None
    assert censored.measured == pytest.approx(plain.measured, abs=0.1)
    assert any(row.get("not by the horizon") == 8 for row in censored.rows)


def test_without_a_prediction_it_is_not_supported_and_without_runs_nothing_is_said() -> None:
    (entry,) = evidence()
    blind = replace(entry, points=[replace(point, predicted=None) for point in entry.points])
    assert CLAIM.judge([blind]).ruling() == "inconclusive"
    empty = CLAIM.judge([replace(entry, points=[], rates_at=None)])
    assert (empty.p_inside, empty.p_outside) == (None, None)
    assert empty.reason


@pytest.mark.slow
def test_a_prediction_of_never_is_wrong_where_runs_generalize() -> None:
    (entry,) = evidence()
    never = replace(entry, points=[replace(point, predicted=math.inf) for point in entry.points])
    finding = CLAIM.judge([never])
    assert finding.measured is not None
    assert finding.measured > PUBLISHED_ERROR
    assert math.isfinite(finding.measured)


def test_a_delay_is_read_off_the_curves() -> None:
    config = RunConfig(problem=PROBLEM, n_train=300, seed=0)
    step = np.array(config.evaluation_steps())
    train = np.where(step >= 200, 1.0, 0.5)
    late, never = np.where(step >= 1000, 0.95, 0.1), np.full(step.shape, 0.1)

    def found(test: np.ndarray, fitted: np.ndarray = train) -> tuple[float, int] | None:
        return delay_of(run_of(config, train_accuracy=fitted, test_accuracy=test))

    memorized = step[step >= 200][0]
    assert found(late) == (step[step >= 1000][0] - memorized, 0)
    assert found(never) == (step[-1] - memorized, 1)
    assert found(np.where(step >= memorized, 1.0, 0.1)) == (0.1 * PROBLEM.time_constant, -1)
    assert found(late, never) is None


@pytest.mark.slow
def test_sizes_and_rates_are_those_of_the_design() -> None:
    design = DelaysDesign(problems=(PROBLEM,), seeds=2)
    world = World()
    (entry,) = EXPERIMENT.measure(design, Laboratory(world, lambda *_, **__: [], shipped_calibrations()))
    size = entry.transition.measured.value
    assert size is not None
    assert [point.n_train for point in entry.by_size] == [round(f * size) for f in design.factors]
    rates = {(one.problem.learning_rate, one.problem.weight_decay) for one in entry.by_rate}
    assert rates == {(0.01, 1.0), (0.005, 1.0), (0.02, 1.0), (0.01, 0.5), (0.01, 2.0)}
    assert all(point.predicted is not None for point in entry.points)
    assert entry.curve.shape[0] == 2
    assert len([config for config in world.asked if config.n_train in {p.n_train for p in entry.points}]) >= 2 * 9
    assert 0 < flops_of(world.asked) <= work_of(stages(design)).flops
    assert set(EXPERIMENT.designs) == {"standard", "paper"}


@pytest.mark.parametrize(
    ("changed", "says"), [({"factors": (1.0,)}, "factors"), ({"rates": (0.0,)}, "rates"), ({"seeds": 0}, "seeds")]
)
def test_bad_designs_are_refused(changed: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        DelaysDesign(problems=(PROBLEM,), **changed)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_prediction_of_never_does_not_support_where_runs_may_still_generalize() -> None:
    (entry,) = evidence()
    silent = [
        replace(point, predicted=math.inf, beyond=(1,) * len(point.delays)) if k else point
        for k, point in enumerate(entry.points)
    ]
    row = next(
        row
        for row in CLAIM.judge([replace(entry, points=silent)]).rows
        if "predicted/measured" in str(row["statement"])
    )
    # They may all have been right, or nearly all wrong.
    assert float(row["error"] or 0) < 0.1
    assert row["p inside"] == 1.0
