"""The measured sizes behind docs/results/emergence.md are those of the runs beside them, and the page quotes them."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcrit.empirics.ablations.facts_beside_a_task import Measured
from dcrit.empirics.ablations.facts_series import SERIES
from dcrit.empirics.measures.critical_size import critical_size_of
from dcrit.theory.problems.problem import Problem

DOCS = Path(__file__).parents[3] / "docs"
DOCUMENT: dict[str, Any] = json.loads((DOCS / "results" / "emergence-series.json").read_text(encoding="utf-8"))
POINTS = [(name, point) for name, series in DOCUMENT.items() for point in series["points"]]


@pytest.mark.parametrize(("name", "point"), POINTS, ids=[f"{name}-{point['n_facts']}" for name, point in POINTS])
def test_a_size_is_that_of_its_runs(name: str, point: dict[str, Any]) -> None:
    n_train, accuracy = np.array(point["runs"], dtype=np.float64).T
    size = point["critical_size"]
    found = critical_size_of(n_train, accuracy, largest=361, horizon=size["horizon"]).to_dict()
    assert found.pop("value") == pytest.approx(size["value"])
    assert found.pop("interval") == pytest.approx(size["interval"])
    assert found.items() <= size.items()


def test_the_series_are_those_that_the_command_measures() -> None:
    known = {series.name: series for series in SERIES}
    assert list(DOCUMENT) == list(known)
    for name, series in DOCUMENT.items():
        assert {key: series[key] for key in asdict(known[name])} == json.loads(json.dumps(asdict(known[name])))
        assert Problem.from_dict(series["problem"]) == known[name].problem
        assert [point["n_facts"] for point in series["points"]] == list(known[name].n_facts)


def test_the_page_quotes_every_size() -> None:
    page = (DOCS / "results" / "emergence.md").read_text(encoding="utf-8").splitlines()
    for line in Measured(DOCUMENT).table():
        assert line in page
