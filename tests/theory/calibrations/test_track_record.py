"""How predictions did: the shipped record is that of the committed held-out results, and of no other constants."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcrit.theory.calibrations.calibration import Calibration, calibration_for, shipped_calibrations
from dcrit.theory.calibrations.track_record import TrackRecord, fingerprint, track_record
from dcrit.theory.predictions.critical_size import predict_critical_size
from dcrit.theory.problems.problem import Problem

RESULTS = Path(__file__).parents[3] / "docs" / "results"


@pytest.mark.slow
def test_the_shipped_record_is_that_of_the_committed_results() -> None:
    calibrations = shipped_calibrations()
    found: dict[str, list[tuple[float, bool]]] = {}
    for name in ("held-out", "held-out-transformers"):
        for row in json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")):
            problem = Problem.from_dict(row["problem"])
            calibration = calibration_for(problem, calibrations)
            if calibration is None:
                continue
            size = predict_critical_size(problem, calibration.carried_on).critical_size
            if size.value is None:
                assert size.reason.startswith("cannot tell")
                continue
            assert size.interval is not None
            error = math.log(size.value / row["measured"])
            found.setdefault(fingerprint(calibration), []).append((error, row["measured"] in size.interval))
    for calibration in calibrations:
        record, pairs = track_record(calibration), found[fingerprint(calibration)]
        assert record is not None
        assert record.n_configurations == len(pairs)
        assert record.n_inside == sum(inside for _, inside in pairs)
        assert record.worst_error == pytest.approx(max(abs(error) for error, _ in pairs), abs=1e-4)
        assert record.bias == pytest.approx(sum(error for error, _ in pairs) / len(pairs), abs=1e-4)


def test_other_constants_have_no_record() -> None:
    calibration: Calibration = shipped_calibrations()[0]
    assert track_record(calibration) is not None
    assert track_record(replace(calibration, learning_rate=calibration.learning_rate * 1.01)) is None


@given(st.lists(st.tuples(st.floats(-3, 3), st.booleans()), min_size=1, max_size=30))
def test_a_record_adds_up(pairs: list[tuple[float, bool]]) -> None:
    record = TrackRecord.of([error for error, _ in pairs], [inside for _, inside in pairs])
    assert record.n_configurations == len(pairs)
    assert 0 <= record.n_inside <= len(pairs)
    assert record.median_error <= record.worst_error
    assert abs(record.bias) <= record.worst_error + 1e-4
    assert f"{record.n_inside} of {len(pairs)} inside" in record.sentences()[0]


@pytest.mark.parametrize(
    ("changed", "name"),
    [({"n_configurations": 0}, "n_configurations"), ({"n_inside": 9}, "n_inside"), ({"median_error": 2.0}, "median")],
)
def test_impossible_records_are_refused(changed: dict[str, float], name: str) -> None:
    record = TrackRecord(n_configurations=4, median_error=0.1, worst_error=0.2, bias=0.0, n_inside=3)
    with pytest.raises(ValueError, match=f"^{name}"):
        replace(record, **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(("inside", "n", "chance"), [(5, 9, 0.0083), (4, 4, 1.0), (9, 10, 0.651), (1, 3, 0.028)])
def test_intervals_are_too_narrow_where_so_few_inside_are_rare(inside: int, n: int, chance: float) -> None:
    assert sum(math.comb(n, k) * 0.9**k * 0.1 ** (n - k) for k in range(inside + 1)) == pytest.approx(chance, rel=0.01)
    record = TrackRecord(n_configurations=n, median_error=0.1, worst_error=0.2, bias=0.0, n_inside=inside)
    assert record.is_overconfident == (chance < 0.05)


def test_the_shipped_record_of_sizes_at_rest_is_that_of_the_committed_results() -> None:
    rows = [
        row
        for row in json.loads((RESULTS / "two-thresholds" / "at-rest.json").read_text(encoding="utf-8"))
        if row["problem"]["model"] == "transformer" and row["measured"] is not None
    ]
    calibration = calibration_for(Problem.from_dict(rows[0]["problem"]), shipped_calibrations())
    assert calibration is not None
    record = track_record(calibration)
    assert record is not None
    assert record.at_rest is not None
    assert record.by_size()["at_rest"] == record.at_rest
    assert record.at_rest.n_configurations == len(rows)
    assert record.at_rest.n_inside == sum(row["inside"] for row in rows)
    assert record.at_rest.worst_error == pytest.approx(max(abs(row["error"]) for row in rows), abs=1e-3)
