"""Evidence in a file: a validation that goes on from it ends as one that kept its runs."""

import json
from dataclasses import replace

import pytest

from dcrit.empirics.claims.kept import evidence_from, evidence_text, key_of
from dcrit.empirics.claims.suites import gather, judge, suite_of
from tests.empirics.claims.test_suites import COINS, EVEN, NEVER, SURE, Coins, budget, suite

BOTH = suite(sure=SURE, open=EVEN)


def test_going_on_from_a_file_ends_as_if_it_had_never_stopped() -> None:
    straight = gather(BOTH, Coins(COINS).laboratory())
    stopped = Coins(COINS)
    limited = replace(budget(1.0), clock=lambda: 0.0 if len(stopped.asked) < 24 else 1.0)
    first = gather(BOTH, stopped.laboratory(), budget=limited)
    known, others = evidence_from(evidence_text(first).encode(), BOTH.streams)
    assert others == 0
    coins = Coins(COINS)
    again = gather(BOTH, coins.laboratory(), known=known)
    assert {stream: one.values for stream, one in again.items()} == {s: one.values for s, one in straight.items()}
    # Not one run of the file was made again, and the known evidence is as it was.
    assert len(coins.asked) == sum(one.seeds for one in straight.values()) - len(stopped.asked)
    assert known[EVEN.stream].seeds == first[EVEN.stream].seeds < 32
    totals = [len(judge(BOTH, records)[0].finding.seconds_by_run) for records in (again, straight)]
    assert totals[0] == totals[1]


def test_evidence_of_a_real_suite_returns_as_it_was() -> None:
    """Also rows of drawn problems, and numbers to their last digit."""
    streams = suite_of("standard").streams
    assert len({key_of(stream) for stream in streams}) == len(streams)
    records = gather(BOTH, Coins(COINS).laboratory())
    records[SURE.stream].values[0] = 1 / 3
    records[SURE.stream].details.append({"problem": "p", "z": None, "T": 400})
    known, _ = evidence_from(evidence_text(records).encode(), BOTH.streams)
    assert known == {
        stream: replace(one, seconds_by_run={run: float(f"{s:.4g}") for run, s in one.seconds_by_run.items()})
        for stream, one in records.items()
    }


def test_streams_of_other_claims_are_counted_and_nothing_is_written_of_those_without_a_seed() -> None:
    records = gather(suite(sure=SURE, fails=NEVER), Coins(COINS).laboratory())
    known, others = evidence_from(evidence_text(records).encode(), BOTH.streams)
    assert (list(known), others) == ([SURE.stream], 1)
    nothing = gather(BOTH, Coins(COINS).laboratory(), budget=budget(1e-9))
    assert json.loads(evidence_text(nothing))["streams"] == {}


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"[]", b'{"format": 2, "streams": {}}', b'{"format": 1}'])
def test_other_files_are_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"^evidence must be a file evidence.json of format 1, as a validation writes"):
        evidence_from(text, BOTH.streams)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": [2.0, 1.0, 1.0, 1.0]}, "evidence must hold values between 0 and 1"),
        ({"seeds": 3}, "seeds of the evidence must be"),
        ({"seeds": 6}, "seeds of the evidence must be a multiple of 4, got 6"),
        ({"runs": None}, "evidence must hold what, seeds, values, runs, details of every stream"),
    ],
)
def test_impossible_evidence_is_refused(change: dict[str, object], message: str) -> None:
    entry = {"what": "test accuracy", "seeds": 4, "values": [1.0] * 4, "runs": {"a": 1.0}, "details": []} | change
    kept = {name: value for name, value in entry.items() if value is not None}
    text = json.dumps({"format": 1, "streams": {key_of(SURE.stream): kept}})
    with pytest.raises(ValueError, match=f"^{message}"):
        evidence_from(text.encode(), BOTH.streams)
