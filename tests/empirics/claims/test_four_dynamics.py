from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from dcrit.empirics.claims.claim import Ruling
from dcrit.empirics.experiments.dynamics_points import DynamicsDesign, DynamicsEvidence, measure
from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.theory.calibrations.calibration import shipped_calibrations
from dcrit.theory.circuits.regimes import DYNAMICS, Dynamics
from tests.worlds.evidence import SQUARE, judged
from tests.worlds.runs import run_of

NAME = "four-dynamics"

#: Runs a point; with fewer than five the exact test decides nothing.
RUNS = 10


def point(predicted: Dynamics, observed: Sequence[Dynamics], ratio: float) -> DynamicsEvidence:
    config = RunConfig(problem=SQUARE, n_train=200, seed=0)
    return DynamicsEvidence(
        problem=SQUARE,
        n_train=200,
        predicted=predicted,
        observed=tuple(observed),
        norm_ratios=(ratio,) * len(observed),
        example=run_of(config).curves,
    )


def as_predicted(*, runs: int = RUNS, **changed: tuple[Sequence[Dynamics], float]) -> list[DynamicsEvidence]:
    ratios: dict[Dynamics, float] = {"progression": 1.0, "ungrokking": 0.8, "semi-grokking": 0.8, "grokking": 0.6}

    def point_of(kind: Dynamics) -> DynamicsEvidence:
        right: tuple[Dynamics, ...] = (kind,) * runs
        return point(kind, *changed.get(kind, (right, ratios[kind])))

    return [point_of(kind) for kind in DYNAMICS]


MISSED: tuple[Dynamics, ...] = ("ungrokking",) * RUNS
TORN: tuple[Dynamics, ...] = ("grokking", "ungrokking") * (RUNS // 2)
GROKKED: tuple[Dynamics, ...] = ("grokking",) * RUNS
MOSTLY = (*GROKKED[3:], *MISSED[:3])


@pytest.mark.parametrize(
    ("changed", "expected", "right"),
    [
        ({}, "supported", 40),
        ({"grokking": (MOSTLY, 0.6)}, "inconclusive", 37),
        ({"grokking": (MISSED, 0.6)}, "refuted", 30),
        ({"grokking": (TORN, 0.6)}, "inconclusive", 35),
        ({"grokking": (GROKKED, 0.95)}, "refuted", 40),
        ({"progression": (("progression",) * RUNS, 0.7)}, "refuted", 40),
        ({"ungrokking": (MISSED, 1.0)}, "supported", 40),
    ],
)
def test_four_dynamics(changed: dict[str, Any], expected: Ruling, right: int) -> None:
    found = judged(NAME, as_predicted(**changed))
    assert found.ruling() == expected
    assert found.measured == pytest.approx(right / (4 * RUNS))
    assert (found.predicted, found.n_runs) == (1.0, 4 * RUNS)
    assert [row["predicted"] for row in found.rows] == list(DYNAMICS)


def test_four_runs_a_point_decide_nothing() -> None:
    assert judged(NAME, as_predicted(runs=4)).ruling() == "inconclusive"
    assert judged(NAME, as_predicted(runs=5)).ruling() == "supported"


def test_no_point_to_look_at_is_inconclusive() -> None:
    found = judged(NAME, [])
    assert (found.ruling(), found.measured, found.n_runs) == ("inconclusive", None, 0)


def test_a_point_whose_runs_all_diverged_shows_nothing() -> None:
    lost = replace(point("progression", (), 1.0), n_lost=RUNS)
    found = judged(NAME, [*as_predicted()[1:], lost])
    assert (found.p_inside, found.n_runs, found.n_unconverged) == (None, 3 * RUNS, RUNS)
    alone = judged(NAME, [lost])
    assert (alone.p_value, alone.n_unconverged) == (None, RUNS)


def test_runs_that_diverged_are_no_progression() -> None:
    def diverging(configs: Sequence[RunConfig], /, *, stage: str) -> list[Run]:
        return [
            run_of(config, ending="diverged" if config.seed == 0 else "horizon", squared_norm=1.0) for config in configs
        ]

    laboratory = Laboratory(diverging, lambda *_, **__: [], shipped_calibrations())
    found = measure(DynamicsDesign(problems=(SQUARE,), seeds=3), laboratory)
    assert found
    assert all((len(one.observed), len(one.norm_ratios), one.n_lost) == (2, 2, 1) for one in found)
