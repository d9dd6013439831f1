import json
import math
from pathlib import Path

import pytest

from dcrit.empirics.ablations.clock_method import (
    FAR,
    FIRST_SEED,
    MOST_OPERATIONS,
    draw_problems,
    estimated_again,
)
from dcrit.empirics.ablations.two_thresholds import frame, key_of, read
from dcrit.empirics.ablations.two_thresholds_fit import runs_of

RESULTS = Path(__file__).parents[3] / "docs" / "results"


def test_the_committed_draw_is_that_of_the_seed() -> None:
    drawn = read(RESULTS, "clock-drawn")
    assert draw_problems(RESULTS) == drawn
    assert len({key_of(row) for row in drawn}) == 12
    assert sum(row["modulus"] >= FAR for row in drawn) == 6
    operations = {key_of(row): row["operations"] for row in frame(RESULTS)}
    assert all(operations[key_of(row)] <= MOST_OPERATIONS for row in drawn)


@pytest.mark.slow
def test_committed_sizes_are_those_of_the_committed_times() -> None:
    ((path, text),) = estimated_again(RESULTS).items()
    made, committed = json.loads(text), json.loads(path.read_text(encoding="utf-8"))
    assert [key_of(row) for row in made["rows"]] == [key_of(row) for row in read(RESULTS, "clock-drawn")]
    for new, old in zip(made["rows"], committed["rows"], strict=True):
        assert new["clock"] == pytest.approx(old["clock"], rel=2e-3)
        assert {**new, "clock": 0, "clock_interval": 0, "log_ratio": 0} == {
            **old,
            "clock": 0,
            "clock_interval": 0,
            "log_ratio": 0,
        }


def test_the_runs_are_fresh_and_keep_to_one_horizon() -> None:
    known = {(key_of(row), row["seed"]) for row in runs_of(RESULTS)}
    document = read(RESULTS, "clock-method")
    for row in document["rows"]:
        assert all(one["seed"] >= FIRST_SEED and (key_of(row), one["seed"]) not in known for one in row["runs"])
        assert sum(one["last_step"] for one in row["runs"]) <= row["steps"]
        assert row["log_ratio"] == pytest.approx(math.log(row["clock"] / row["posterior"]), abs=2e-4)
    errors = sorted(abs(row["log_ratio"]) for row in document["rows"])
    assert document["summary"]["median"] == pytest.approx((errors[5] + errors[6]) / 2, abs=2e-4)
    assert document["summary"]["worst"] == errors[-1]
