"""What all claims share: their table, their rulings, and how a verdict is written down."""

import json
import math
import pkgutil
import re
from dataclasses import replace
from importlib import import_module
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from dcrit.empirics import claims
from dcrit.empirics.claims.claim import CLAIMS, Claim, Finding, Ruling, Verdict, verdict_json
from dcrit.empirics.claims.effect import SIGNIFICANCE
from dcrit.empirics.experiments.laboratory import Account
from dcrit.theory.estimates import Interval
from dcrit.theory.problems.problem import label
from tests.worlds.evidence import RELU, SQUARE, judged

#: Every claim under test, in the order of the verdict table.
TABLE = (
    "gen-efficiency-flat",
    "mem-efficiency-falls",
    "dcrit-predicted",
    "dcrit-decay-free",
    "dcrit-falls-with-size",
    "capacity-linear",
    "four-dynamics",
    "star-located",
    "regime-labels",
    "dd-below-star",
    "dd-harder-task",
    "dd-peak-sqrt",
    "dd-effective-dim",
    "ungrokking",
    "semi-grokking",
    "delay-law",
    "emergence-multitask",
    "emergence-finetune",
    "emergence-split",
    "dcrit-vs-modulus",
    "task-isomorphism",
)

#: Evidence of experiments that found nothing.
NOTHING: dict[str, Any] = {"competition": [], "capacities": {}, "four-dynamics": []}


def finding(**changed: Any) -> Finding:
    fields: dict[str, Any] = {
        "predicted": 1.0,
        "measured": 1.1,
        "interval": Interval(low=1.0, high=2.0, level=0.8),
        "n_runs": 3,
        "n_unconverged": 1,
        "reason": "none",
        "p_inside": None,
        "p_outside": None,
    }
    return Finding(**(fields | changed))


def verdict(found: Finding, ruling: Ruling = "inconclusive", threshold: float | None = None) -> Verdict:
    return Verdict(
        claim=CLAIMS["dcrit-predicted"],
        finding=found,
        ruling=ruling,
        threshold=threshold,
        account=Account(seconds_by_run={"a": 1.5, "b": 2.0}),
    )


def test_claims_stand_in_the_order_of_the_table() -> None:
    assert tuple(CLAIMS) == TABLE
    assert len(TABLE) == 21


def test_every_claim_that_is_written_is_registered_once() -> None:
    modules = [import_module(f"{claims.__name__}.{found.name}") for found in pkgutil.iter_modules(claims.__path__)]
    written = [module.CLAIM for module in modules if hasattr(module, "CLAIM")]
    assert sorted(claim.id for claim in written) == sorted(CLAIMS)
    assert all(CLAIMS[claim.id] is claim for claim in written)


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_a_claim_says_what_it_is(claim: Claim[Any]) -> None:
    assert CLAIMS[claim.id] is claim
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", claim.id)
    assert re.fullmatch(r"[A-Z].*\.", claim.statement)
    assert "refuted" in claim.criterion.lower()
    bibliography = files("dcrit.theory.literature").joinpath("references.bib").read_text(encoding="utf-8")
    assert claim.source
    for key in claim.source:
        assert key == "dcrit" or f"{{{key}," in bibliography


@pytest.mark.parametrize("name", [name for name, claim in CLAIMS.items() if claim.experiment.name in NOTHING])
def test_nothing_measured_is_inconclusive(name: str) -> None:
    found = judged(name, NOTHING[CLAIMS[name].experiment.name])
    assert (found.ruling(), found.p_value) == ("inconclusive", None)
    assert (found.measured, found.interval, found.n_runs) == (None, None, 0)


@pytest.mark.parametrize(
    ("p_inside", "p_outside", "expected"),
    [
        (0.04, 0.97, "supported"),
        (SIGNIFICANCE, 0.9, "supported"),
        (0.97, 0.04, "refuted"),
        (0.06, 0.95, "inconclusive"),
        (0.6, 0.4, "inconclusive"),
        (None, 0.01, "refuted"),
        (None, 0.5, "inconclusive"),
        (0.01, None, "supported"),
        (None, None, "inconclusive"),
    ],
)
def test_the_smaller_p_value_rules(p_inside: float | None, p_outside: float | None, expected: Ruling) -> None:
    found = finding(p_inside=p_inside, p_outside=p_outside)
    assert found.ruling() == expected
    assert found.ruling(0.001) == "inconclusive"


def test_a_verdict_that_the_other_claims_take_back_says_so() -> None:
    found = finding(p_inside=0.03, p_outside=0.9)
    alone = verdict(found, ruling="supported", threshold=0.05)
    assert alone.reason == "none"
    beside = verdict(found, threshold=0.01)
    assert (
        beside.reason == "none; supported alone, but not beside the other claims (Holm: p = 0.03 where 0.01 is needed)"
    )
    assert verdict(finding()).reason == "none"
    assert verdict(finding(p_inside=0.5), threshold=0.05).reason == "none"


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, np.float64("nan")])
def test_what_is_not_a_number_is_null_in_json(odd: float) -> None:
    claim = CLAIMS["dcrit-predicted"]
    found = finding(
        predicted=odd, measured=odd, p_inside=0.03, p_outside=0.9, rows=[{"a": odd, "b": "text", "c": None, "d": 0.5}]
    )
    document = json.loads(json.dumps(verdict_json(verdict(found, "supported", 0.05)), allow_nan=False))
    assert document == {
        "id": claim.id,
        "statement": claim.statement,
        "source": ["dcrit"],
        "criterion": claim.criterion,
        "predicted": None,
        "measured": None,
        "interval": {"low": 1.0, "high": 2.0},
        "level": 0.8,
        "verdict": "supported",
        "reason": "none",
        "p_value": 0.03,
        "threshold": 0.05,
        "n_runs": 3,
        "n_unconverged": 1,
        "runs_made": 2,
        "training_seconds": 3.5,
        "rows": [{"a": None, "b": "text", "c": None, "d": 0.5}],
    }
    without = verdict_json(verdict(replace(found, interval=None)))
    assert (without["interval"], without["level"], without["threshold"]) == (None, None, None)


def test_problems_are_told_apart_in_tables() -> None:
    problems = [SQUARE, RELU, replace(SQUARE, width=32), replace(SQUARE, modulus=37), replace(SQUARE, task="sub")]
    problems.append(replace(RELU, model="transformer"))
    assert len({label(problem) for problem in problems}) == len(problems)
