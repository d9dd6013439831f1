import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from scipy.stats import t

from dcrit.empirics import critical_size
from dcrit.empirics.calibrate import CapacityLine
from dcrit.empirics.claims import CLAIMS
from dcrit.empirics.claims.claim import (
    Claim,
    DynamicsEvidence,
    Evidence,
    ProblemEvidence,
    Ruling,
    Verdict,
    combine,
    label,
    rule,
    verdict_json,
)
from dcrit.empirics.critical_size import measure_critical_size
from dcrit.empirics.outcomes import Outcome
from dcrit.empirics.runs import RunConfig
from dcrit.theory.estimates import Interval, Prediction
from dcrit.theory.laws import CapacityLaw
from dcrit.theory.problem import Activation, Problem
from dcrit.theory.regimes import DYNAMICS, Dynamics
from tests.empirics.synthetic import outcome, outcomes_at, run_of

SQUARE, RELU = Problem(modulus=31, width=48), Problem(modulus=31, width=48, activation="relu")
BOTH = (SQUARE, RELU)
SIZES = (580, 670, 770, 860, 961)
TRUTH = 260.0


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(critical_size, "RESAMPLES", 30)


def prediction(value: float | None, *, quantity: str = "critical_size", reason: str = "") -> Prediction:
    interval = None if value is None else Interval(low=0.8 * value, high=1.25 * value)
    return Prediction(quantity=quantity, value=value, interval=interval, unit="examples", reason=reason)


def entry(
    problem: Problem = SQUARE,
    *,
    memorizing: Sequence[Outcome] = (),
    generalizing: Sequence[Outcome] = (),
    transition: Sequence[Outcome] = (),
    implied: float | None = None,
    a_priori: Prediction | None = None,
) -> ProblemEvidence:
    return ProblemEvidence(
        problem=problem,
        memorizing=memorizing,
        generalizing=generalizing,
        fit="not looked at",
        transition=transition,
        critical_size=measure_critical_size(transition),
        implied=prediction(implied),
        a_priori=a_priori,
    )


def evidence(
    *problems: ProblemEvidence,
    capacities: dict[Activation, CapacityLine | str] | None = None,
    dynamics: Sequence[DynamicsEvidence] = (),
) -> Evidence:
    return Evidence(problems=problems, capacities=capacities or {}, dynamics=dynamics)


def power_law(
    slope: float, *, noise: float = 0.01, sizes: Sequence[int] = SIZES, bend: float = 0.0, seed: int = 0, **changed: Any
) -> list[Outcome]:
    """Three runs a size with e = D^slope, bent in ln D by ``bend``."""
    rng = np.random.default_rng(seed)
    middle = float(np.mean(np.log(sizes)))

    def log_efficiency(size: int) -> float:
        x = math.log(size) - middle
        return slope * x + bend * x * x + noise * rng.standard_normal()

    return [
        outcome(
            RunConfig(problem=SQUARE, n_train=size, seed=seed),
            efficiency=math.exp(log_efficiency(size)),
            **({"test_accuracy": math.nan if size == SQUARE.n_pairs else 1.0} | changed),
        )
        for size in sizes
        for seed in range(3)
    ]


def judged(name: str, found: Evidence) -> Verdict:
    claim = CLAIMS[name]
    verdict = claim.judge(found)
    assert verdict.claim == claim.id == name
    assert verdict.reason
    text = json.dumps(verdict_json(claim, verdict), allow_nan=False)
    assert json.loads(text)["verdict"] == verdict.verdict
    if verdict.interval is not None and verdict.measured is not None:
        assert verdict.interval.low <= verdict.measured <= verdict.interval.high
    return verdict


# --- the efficiency of generalizing is flat ---


@pytest.mark.parametrize(
    ("slope", "noise", "expected"),
    [
        (0.0, 0.01, "supported"),
        (-0.06, 0.005, "supported"),
        (-0.3, 0.01, "refuted"),
        (0.3, 0.01, "refuted"),
        (0.14, 0.04, "inconclusive"),
    ],
)
def test_flat_generalizing_efficiency(slope: float, noise: float, expected: Ruling) -> None:
    entries = [entry(problem, generalizing=power_law(slope, noise=noise, seed=k)) for k, problem in enumerate(BOTH)]
    found = judged("gen-efficiency-flat", evidence(*entries))
    assert found.verdict == expected
    assert found.predicted == 0.0
    assert found.measured == pytest.approx(slope, abs=3 * noise)
    assert (found.n_runs, found.n_unconverged) == (30, 0)
    # One problem alone does not speak for networks.
    alone = judged("gen-efficiency-flat", evidence(entries[0], entry(RELU)))
    assert (alone.verdict, alone.n_runs) == ("inconclusive", 15)
    assert alone.reason.startswith("1 of 2 problems")


def test_flatness_is_judged_by_the_mean_over_problems() -> None:
    rising, falling = (entry(generalizing=power_law(slope, noise=0.003)) for slope in (0.2, -0.2))
    assert judged("gen-efficiency-flat", evidence(rising, falling)).verdict == "supported"
    assert judged("gen-efficiency-flat", evidence(rising, rising)).verdict == "refuted"


def test_flatness_rests_on_converged_runs_that_generalize_fully() -> None:
    good = power_law(0.0)
    memorized = power_law(-2.0, test_accuracy=0.9)
    unconverged = power_law(-2.0, converged=False)
    mixed = [entry(problem, generalizing=[*good, *memorized, *unconverged]) for problem in BOTH]
    found = judged("gen-efficiency-flat", evidence(*mixed))
    assert found.verdict == "supported"
    assert (found.n_runs, found.n_unconverged) == (30, 30)
    none = judged("gen-efficiency-flat", evidence(*(entry(problem, generalizing=memorized) for problem in BOTH)))
    assert (none.verdict, none.measured, none.interval, none.n_runs) == ("inconclusive", None, None, 0)


# --- the efficiency of memorizing falls ---


@pytest.mark.parametrize(
    ("slope", "noise", "bend", "expected"),
    [
        (-0.7, 0.02, 0.0, "supported"),
        (-0.1, 0.01, 0.0, "refuted"),
        (0.4, 0.01, 0.0, "refuted"),
        (-0.17, 0.06, 0.0, "inconclusive"),
        # It falls, but scattered or bent too far from a power law.
        (-0.7, 0.15, 0.0, "inconclusive"),
        (-1.0, 0.01, -0.6, "inconclusive"),
    ],
)
def test_falling_memorizing_efficiency(slope: float, noise: float, bend: float, expected: Ruling) -> None:
    runs = power_law(slope, noise=noise, bend=bend, sizes=(115, 173, 250, 365, 519, 721))
    found = judged("mem-efficiency-falls", evidence(entry(memorizing=runs)))
    assert found.verdict == expected
    assert found.measured == pytest.approx(slope, abs=0.02 + noise)
    assert found.n_runs == 18


@pytest.mark.parametrize(
    ("slopes", "expected"),
    [
        ((-0.7, -0.6), "supported"),
        ((-0.7, -0.1), "refuted"),
        ((-0.7, None), "inconclusive"),
        ((-0.1, None), "refuted"),
        ((), "inconclusive"),
    ],
)
def test_memorizing_has_to_fall_in_every_problem(slopes: tuple[float | None, ...], expected: Ruling) -> None:
    entries = [
        entry(memorizing=power_law(-0.7, sizes=(200, 400)) if slope is None else power_law(slope)) for slope in slopes
    ]
    found = judged("mem-efficiency-falls", evidence(*entries))
    assert found.verdict == expected
    known = [slope for slope in slopes if slope is not None]
    assert found.measured == (pytest.approx(np.mean(known), abs=0.05) if known else None)


def test_overloaded_runs_do_not_speak_of_memorizing_efficiency() -> None:
    overloaded = power_law(-5.0, train_accuracy=0.8)
    found = judged("mem-efficiency-falls", evidence(entry(memorizing=[*power_law(-0.7), *overloaded])))
    assert (found.verdict, found.n_runs) == ("supported", 15)
    assert found.rows[0]["over capacity"] == 15


# --- the critical size is predicted ---


def transition(problem: Problem = SQUARE, *, truth: float = TRUTH, noise: float = 0.02, seed: int = 0) -> list[Outcome]:
    rng = np.random.default_rng(seed)
    sizes = np.repeat(np.round(truth * np.exp([-0.4, -0.2, -0.08, 0.0, 0.08, 0.2, 0.4])), 4)
    accuracy = 1 / (1 + np.exp(-np.log(sizes / truth) / 0.12)) + noise * rng.standard_normal(sizes.size)
    return outcomes_at(problem, sizes.tolist(), accuracy.clip(0, 1).tolist())


@pytest.mark.parametrize(
    ("factor", "noise", "expected"),
    [
        (1.03, 0.02, "supported"),
        (0.97, 0.02, "supported"),
        (1.3, 0.02, "refuted"),
        (0.7, 0.02, "refuted"),
        (math.exp(0.1), 0.1, "inconclusive"),
    ],
)
def test_predicted_critical_size(factor: float, noise: float, expected: Ruling) -> None:
    runs = transition(noise=noise)
    found = judged("dcrit-predicted", evidence(entry(transition=runs, a_priori=prediction(factor * TRUTH))))
    assert found.verdict == expected
    assert found.predicted == 0.10
    assert found.measured == pytest.approx(abs(math.log(factor)), abs=0.02)
    assert (found.n_runs, found.n_unconverged) == (28, 0)


@pytest.mark.parametrize(
    ("factors", "expected", "inside"),
    [
        ((1.05, 0.96, 1.02), "supported", 3),
        # The median is as small, but not over any three problems like these.
        ((1.05, 0.96, 2.0), "inconclusive", 2),
        ((1.5, 0.6, 2.0), "refuted", 0),
    ],
)
def test_the_prediction_error_is_a_median_over_problems(
    factors: tuple[float, ...], expected: Ruling, inside: int
) -> None:
    entries = [
        entry(transition=transition(seed=k), a_priori=prediction(factor * TRUTH), implied=0.9 * TRUTH)
        for k, factor in enumerate(factors)
    ]
    found = judged("dcrit-predicted", evidence(*entries))
    assert found.verdict == expected
    assert found.measured == pytest.approx(np.median(np.abs(np.log(factors))), abs=0.02)
    assert f"over 3 problems; {inside} of them inside" in found.reason
    assert "0.10" in found.reason
    assert [row["ln ratio"] for row in found.rows] == pytest.approx(np.log(factors).tolist(), abs=0.02)


def test_problems_without_prediction_or_transition_are_shown_and_not_judged() -> None:
    flat = outcomes_at(SQUARE, [100, 300, 900], [0.0, 0.1, 0.2])
    entries = [
        entry(transition=transition(), a_priori=prediction(1.02 * TRUTH)),
        entry(transition=transition(seed=1)),
        entry(transition=transition(seed=2), a_priori=prediction(None, reason="memorizing wins")),
        entry(transition=flat, a_priori=prediction(5.0)),
        entry(),
    ]
    found = judged("dcrit-predicted", evidence(*entries))
    # What is there is good, but not complete.
    assert found.verdict == "inconclusive"
    assert judged("dcrit-predicted", evidence(entries[0])).verdict == "supported"
    assert found.n_runs == 28
    notes = [str(row["note"]) for row in found.rows]
    assert notes[:3] == ["", "no calibration ships for it", "memorizing wins"]
    assert all(note.startswith("no transition") for note in notes[3:])
    assert "nan" not in found.reason
    none = judged("dcrit-predicted", evidence(*entries[1:]))
    assert (none.verdict, none.measured, none.interval) == ("inconclusive", None, None)


# --- capacity is linear ---


def line(slope: float, error: float, bits: float = 2.0) -> CapacityLine:
    return CapacityLine(
        bits=bits,
        bits_error=0.03,
        n_sizes=5,
        n_runs=30,
        points=((100, 40.0, 38.0, 43.0),),
        law=CapacityLaw(bits=bits, slope=slope, slope_error=error),
    )


@pytest.mark.parametrize(
    ("slope", "error", "expected"),
    [
        (1.0, 0.02, "supported"),
        (0.9, 0.02, "supported"),
        (0.6, 0.02, "refuted"),
        (1.4, 0.02, "refuted"),
        (1.0, 0.1, "inconclusive"),
        (0.85, 0.02, "inconclusive"),
    ],
)
def test_linear_capacity(slope: float, error: float, expected: Ruling) -> None:
    found = judged("capacity-linear", evidence(capacities={"square": line(slope, error)}))
    assert found.verdict == expected
    assert (found.predicted, found.measured, found.n_runs) == (1.0, slope, 30)
    assert found.interval is not None
    half = float(t.ppf(0.95, 3)) * error
    assert (found.interval.low, found.interval.high) == pytest.approx((slope - half, slope + half))


@pytest.mark.parametrize(
    ("other", "expected"),
    [(line(1.0, 0.01), "supported"), (line(0.5, 0.01), "refuted"), ("too few overloaded", "inconclusive")],
)
def test_capacity_has_to_be_linear_for_every_activation(other: CapacityLine | str, expected: Ruling) -> None:
    found = judged("capacity-linear", evidence(capacities={"square": line(1.02, 0.01, bits=2.2), "relu": other}))
    assert found.verdict == expected
    assert "square 2.20" in found.reason


def test_no_capacity_is_inconclusive() -> None:
    nothing: list[dict[Activation, CapacityLine | str]] = [{}, {"square": "none", "relu": "none"}]
    for capacities in nothing:
        found = judged("capacity-linear", evidence(capacities=capacities))
        assert (found.verdict, found.measured, found.n_runs) == ("inconclusive", None, 0)


# --- four dynamics ---


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


def as_predicted(**changed: tuple[Sequence[Dynamics], float]) -> list[DynamicsEvidence]:
    ratios: dict[Dynamics, float] = {"progression": 1.0, "ungrokking": 0.8, "semi-grokking": 0.8, "grokking": 0.6}

    def point_of(kind: Dynamics) -> DynamicsEvidence:
        right: tuple[Dynamics, ...] = (kind, kind, kind, kind)
        return point(kind, *changed.get(kind, (right, ratios[kind])))

    return [point_of(kind) for kind in DYNAMICS]


MISSED: tuple[Dynamics, ...] = ("ungrokking",) * 4
TORN: tuple[Dynamics, ...] = ("grokking", "grokking", "ungrokking", "ungrokking")
MOSTLY: tuple[Dynamics, ...] = ("grokking", "grokking", "grokking", "ungrokking")
GROKKED: tuple[Dynamics, ...] = ("grokking",) * 4


@pytest.mark.parametrize(
    ("changed", "expected", "share"),
    [
        ({}, "supported", 1.0),
        ({"grokking": (MOSTLY, 0.6)}, "inconclusive", 15 / 16),
        ({"grokking": (MISSED, 0.6)}, "refuted", 12 / 16),
        ({"grokking": (TORN, 0.6)}, "inconclusive", 14 / 16),
        ({"grokking": (GROKKED, 0.95)}, "refuted", 1.0),
        ({"progression": (("progression",) * 4, 0.7)}, "refuted", 1.0),
        ({"ungrokking": (MISSED, 1.0)}, "supported", 1.0),
    ],
)
def test_four_dynamics(changed: dict[str, Any], expected: Ruling, share: float) -> None:
    found = judged("four-dynamics", evidence(dynamics=as_predicted(**changed)))
    assert found.verdict == expected
    assert found.measured == pytest.approx(share)
    assert (found.predicted, found.n_runs) == (1.0, 16)
    assert [row["predicted"] for row in found.rows] == list(DYNAMICS)


def test_no_point_to_look_at_is_inconclusive() -> None:
    found = judged("four-dynamics", evidence())
    assert (found.verdict, found.measured, found.n_runs) == ("inconclusive", None, 0)


# --- what all claims share ---


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_a_claim_says_what_it_is(claim: Claim) -> None:
    assert CLAIMS[claim.id] is claim
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", claim.id)
    assert re.fullmatch(r"[A-Z].*\.", claim.statement)
    assert "refuted" in claim.criterion.lower()
    bibliography = files("dcrit.theory").joinpath("references.bib").read_text(encoding="utf-8")
    assert claim.source
    for key in claim.source:
        assert key == "dcrit" or f"{{{key}," in bibliography


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_nothing_measured_is_inconclusive(claim: Claim) -> None:
    found = judged(claim.id, evidence())
    assert (found.verdict, found.measured, found.interval, found.n_runs) == ("inconclusive", None, None, 0)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.05, 0.05, "supported"),
        (-0.1, 0.1, "supported"),
        (0.11, 0.2, "refuted"),
        (-0.3, -0.11, "refuted"),
        (0.05, 0.15, "inconclusive"),
        (-0.5, 0.5, "inconclusive"),
    ],
)
def test_an_interval_rules(low: float, high: float, expected: Ruling) -> None:
    assert rule(Interval(low=low, high=high), inside=(-0.1, 0.1)) == expected


@pytest.mark.parametrize(
    ("rulings", "expected"),
    [
        (["supported", "supported"], "supported"),
        (["supported", "inconclusive"], "inconclusive"),
        (["inconclusive", "refuted", "supported"], "refuted"),
        ([], "inconclusive"),
    ],
)
def test_rulings_combine(rulings: list[Ruling], expected: Ruling) -> None:
    assert combine(rulings) == expected


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, np.float64("nan")])
def test_what_is_not_a_number_is_null_in_json(odd: float) -> None:
    claim = CLAIMS["dcrit-predicted"]
    verdict = Verdict(
        claim=claim.id,
        verdict="inconclusive",
        predicted=odd,
        measured=odd,
        interval=Interval(low=1.0, high=2.0, level=0.8),
        n_runs=3,
        n_unconverged=1,
        reason="none",
        rows=[{"a": odd, "b": "text", "c": None, "d": 0.5}],
    )
    document = json.loads(json.dumps(verdict_json(claim, verdict), allow_nan=False))
    assert document == {
        "id": claim.id,
        "statement": claim.statement,
        "source": ["dcrit"],
        "criterion": claim.criterion,
        "predicted": None,
        "measured": None,
        "interval": [1.0, 2.0],
        "level": 0.8,
        "verdict": "inconclusive",
        "reason": "none",
        "n_runs": 3,
        "n_unconverged": 1,
        "rows": [{"a": None, "b": "text", "c": None, "d": 0.5}],
    }
    without = verdict_json(claim, replace(verdict, interval=None))
    assert (without["interval"], without["level"]) == (None, None)


def test_problems_are_told_apart_in_tables() -> None:
    problems = [SQUARE, RELU, replace(SQUARE, width=32), replace(SQUARE, modulus=37), replace(SQUARE, task="sub")]
    assert len({label(problem) for problem in problems}) == len(problems)
