import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcrit.empirics.ablations import model_sizes as sizes
from dcrit.empirics.ablations import model_sizes_fit as narrow
from dcrit.empirics.ablations.committed import Row
from dcrit.empirics.experiments.size_grid import Plane
from dcrit.empirics.runs.single import Run
from dcrit.theory.calibrations.thresholds import Thresholds, thresholds_of
from dcrit.theory.circuits.overload import Overload
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import run_of

RESULTS = Path(__file__).parents[3] / "docs" / "results"


def transformers() -> Thresholds:
    return thresholds_of(Problem(model="transformer"))


def wide_law() -> Thresholds:
    law = transformers()
    levels = replace(law.law.levels, width_exponent=0.0, low=0.19439, high=0.19439)
    return narrow.bound(replace(law, law=replace(law.law, levels=levels), overload=None))


@pytest.mark.slow
def test_constants_of_narrow_networks_are_found_again() -> None:
    truth = Overload(exponent=0.4, grain=11.0, scatter=0.05, load=10.0, width=4)
    law = narrow.narrowed(wide_law(), truth)
    signs = np.random.default_rng(4).choice([-1, 1], 99)
    rows = [
        {**row, "test_accuracy": [narrow.expected(law, row) + 1e-4 * sign] * 4}
        for row, sign in zip(narrow.rows_of(RESULTS), signs, strict=False)
    ]
    found = narrow.fit_narrow(wide_law(), rows)
    assert found.overload.exponent == pytest.approx(0.4, abs=2e-3)
    assert found.overload.grain == pytest.approx(11.0, rel=2e-3)
    assert found.rms == pytest.approx(1e-4, rel=0.2)
    assert 0 < found.overload.scatter < 1e-3
    assert 0 < found.errors[0] < 1e-3
    assert found.overload.width == 4


@pytest.mark.slow
def test_the_law_that_ships_has_the_constants_of_the_committed_runs() -> None:
    found, shipped = narrow.fit_narrow(wide_law(), narrow.rows_of(RESULTS)), transformers().overload
    assert shipped is not None
    assert found.overload.exponent == pytest.approx(shipped.exponent, rel=1e-3)
    assert found.overload.grain == pytest.approx(shipped.grain, rel=1e-3)
    assert found.overload.scatter == pytest.approx(shipped.scatter, rel=0.02)
    assert found.rms < 0.05
    assert found.n_runs == sum(len(row["test_accuracy"]) for row in narrow.rows_of(RESULTS))


def test_at_the_usual_width_seeds_scatter_as_they_did() -> None:
    law = narrow.narrowed(wide_law(), Overload(exponent=0.4, grain=11.0, scatter=0.05, load=10.0, width=4))
    wide = wide_law().law.levels.shifts(43, 32)
    assert law.law.levels.shifts(43, 32)[0.9] == pytest.approx(wide[0.9], rel=1e-3)
    assert law.law.levels.shifts(43, 8)[0.9] == pytest.approx(2 * wide[0.9], rel=1e-3)


def test_no_calibration_run_is_of_a_plane() -> None:
    rows = narrow.rows_of(RESULTS)
    moduli = {row["modulus"] for row in rows}
    assert moduli == {23, 29, 31, 41}
    assert {plane.problem.modulus for plane in sizes.PLANES if plane.problem.model == "transformer"}.isdisjoint(moduli)


def test_half_of_a_fall_is_interpolated_in_ln_n() -> None:
    assert sizes.half_fall([100, 1000, 4000, 9000], [0.2, 0.6, 0.2, 0.5], 2) == pytest.approx(2000)
    assert sizes.half_fall([100, 1000, 4000], [0.5, 0.1, 0.4], 1) == pytest.approx(math.sqrt(100_000))


def test_scores_count_what_has_both_values() -> None:
    pairs = [
        ({"value": 150.0, "interval": [90, 200]}, {"value": 100.0}),
        ({"value": 50.0, "interval": [40, 60]}, {"value": 100.0}),
        ({"value": None, "interval": None}, {"value": 100.0}),
        ({"value": 50.0, "interval": [40, 60]}, {"value": None}),
    ]
    found = sizes.score_of(pairs)
    assert found.errors == pytest.approx((math.log(1.5), -math.log(2)))
    assert found.inside == 1
    assert found.line("N*") == "| N* | 2 | 0.549 | 0.693 | 1/2 | 1/2 |"
    assert sizes.score_of([]).line("N*") == "| N* | 0 | – | – | – | – |"


PLANE = Plane(
    problem=Problem(task="add", modulus=23, activation="relu"),
    widths=(8, 16, 32, 64),
    sizes=(200, 300),
    capacity_widths=(8,),
    seeds=3,
)


def test_a_measured_plane_has_its_dips_and_capacities() -> None:
    accuracy, same = {8: 0.6, 16: 0.1, 32: 0.2, 64: 0.9}, dict.fromkeys(PLANE.widths, 0.5)
    runs = [
        run_of(one, test_accuracy=(accuracy if one.n_train == 200 else same)[one.problem.width] + 0.001 * one.seed)
        for one in PLANE.configs()
    ]
    first, second = (
        sizes._curve_row(PLANE, size, [run for run in runs if run.config.n_train == size]) for size in PLANE.sizes
    )
    n_params = [PLANE.at(width).n_params for width in PLANE.widths]
    assert first["dip"]
    assert first["depth"] == pytest.approx(0.5, abs=0.01)
    assert first["lowest"] == n_params[1]
    assert first["half_fall"] == pytest.approx(math.sqrt(n_params[0] * n_params[1]), rel=0.01)
    assert not second["dip"]
    (overloaded,) = PLANE.capacity_configs()
    capacity = sizes._capacity_row(PLANE.at(8), [run_of(config, train_accuracy=0.5) for config in overloaded])
    assert capacity["n_params"] == n_params[0]
    counts = [n * (0.5 - 1 / 23) / (1 - 1 / 23) for n in (423, 529)]
    assert capacity["value"] == pytest.approx(np.mean(counts), rel=0.01)


def test_only_what_lacks_is_measured() -> None:
    asked: list[str] = []

    class Bench:
        def blocks(self, blocks: Any, *, stage: str) -> list[list[Run]]:
            asked.append(stage)
            return [
                [
                    run_of(one, test_accuracy=0.5 + 0.01 * one.seed, train_accuracy=0.5 + 0.01 * one.seed)
                    for one in block
                ]
                for block in blocks
            ]

    row: Row = {"curves": [{"n_train": 200}]}
    parts = list(sizes.measured_parts(PLANE, Bench(), row))  # type: ignore[arg-type]
    assert len(parts) == len(asked) == 3
    assert asked[1].endswith("300 examples")
    assert [one["n_train"] for one in row["curves"]] == [200, 300]
    assert set(row) == {"curves", "capacities", "star"}
    assert not list(sizes.measured_parts(PLANE, Bench(), row))  # type: ignore[arg-type]


def test_what_was_predicted_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old: list[Row] = json.loads((RESULTS / sizes.PREDICTED).read_text(encoding="utf-8"))
    (tmp_path / sizes.PREDICTED).write_text(json.dumps(old), encoding="utf-8")

    def never(*_: Any, **__: Any) -> Row:
        raise AssertionError("predicted again")

    monkeypatch.setattr(sizes, "predicted", never)
    monkeypatch.setattr(sizes, "predict_star", never)
    (text,) = sizes.predict_planes(tmp_path).values()
    assert json.loads(text) == old
    assert len(old) == len(sizes.PLANES) + len(sizes.known_planes())


def test_stars_lie_inside_their_intervals_as_often_as_these_say() -> None:
    pairs = sizes.shipped_stars(RESULTS)
    inside = sum(told["interval"][0] <= found["value"] <= told["interval"][1] for told, found in pairs)
    # Of 7 at 90 %, fewer than 5 are inside in 1 of 40 times, if the intervals are right.
    assert len(pairs) >= 7
    assert inside >= 5
