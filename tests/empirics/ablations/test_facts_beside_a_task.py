"""The measured sizes behind docs/emergence.md are those of the runs beside them, and the page quotes them."""

import importlib.util
import json
import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from dcrit.empirics.measures import critical_size
from dcrit.empirics.measures.critical_size import critical_size_of

DOCS = Path(__file__).parents[3] / "docs"
DOCUMENT: dict[str, Any] = json.loads((DOCS / "results" / "emergence-series.json").read_text(encoding="utf-8"))
POINTS = [(name, point) for name, series in DOCUMENT.items() for point in series["points"]]


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS.parent / "empirics" / "ablations" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)  # dataclasses look up their own module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals are not looked at."""
    monkeypatch.setattr(critical_size, "RESAMPLES", 2)


@pytest.mark.parametrize(("name", "point"), POINTS, ids=[f"{name}-{point['n_facts']}" for name, point in POINTS])
def test_a_size_is_that_of_its_runs(name: str, point: dict[str, Any]) -> None:
    n_train, accuracy = np.array(point["runs"], dtype=np.float64).T
    size = point["critical_size"]
    found = critical_size_of(n_train, accuracy, horizon=size["horizon"])
    assert found.n_runs == size["n_runs"]
    if size["value"] is None:
        assert found.value is None
        assert found.reason == size["reason"]
    else:
        assert found.value == pytest.approx(size["value"], rel=1e-3)


def test_the_series_are_those_that_the_command_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {series.name: series for series in script("facts_series", monkeypatch).SERIES}
    assert list(DOCUMENT) == list(known)
    for name, series in DOCUMENT.items():
        assert {key: series[key] for key in asdict(known[name])} == json.loads(json.dumps(asdict(known[name])))
        assert series["problem"] == known[name].problem.to_dict()
        assert [point["n_facts"] for point in series["points"]] == list(known[name].n_facts)


def test_the_page_quotes_every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (DOCS / "emergence.md").read_text(encoding="utf-8").splitlines()
    for line in script("facts_beside_a_task", monkeypatch).Measured(DOCUMENT).table():
        assert line in page
