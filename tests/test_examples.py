"""Every script of the gallery runs at its small size, and the gallery's table is that of the committed results."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import dcrit

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted(path.stem for path in (ROOT / "examples").glob("*.py") if path.stem != "gallery")


@pytest.fixture
def loaded() -> Iterator[list[str]]:
    """Names of the scripts that a test loads; they import each other as scripts do."""
    before, path = set(sys.modules), list(sys.path)
    sys.path.insert(0, str(ROOT / "examples"))
    yield SCRIPTS
    sys.path[:] = path
    for name in (set(sys.modules) - before) & {*SCRIPTS, "gallery"}:
        del sys.modules[name]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_runs_at_its_small_size(name: str, loaded: list[str]) -> None:
    found = load(name).study(True)
    assert isinstance(found, dcrit.Study)
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert document["n_runs"] == len(found.result.runs) >= 8
    assert document["measured_critical_size"]["horizon"] == found.result.design.steps
    roles = {role for role, _ in found.result.runs}
    assert "probing" in roles
    # A study that finds out early that it cannot predict makes no memorizing runs, and says why.
    if found.result.design.predict and "memorizing" not in roles:
        assert found.result.predicted.value is None
        assert found.result.predicted.reason
    else:
        assert ("memorizing" in roles) == found.result.design.predict


class AskedError(Exception):
    """A script asks for a study."""


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_result_is_that_of_the_design_in_its_script(
    name: str, loaded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def ask(factory: object, inputs: Any, labels: Any, **choices: Any) -> None:
        asked.update(choices)
        asked["n_examples"] = len(labels)
        raise AskedError

    script = load(name)
    monkeypatch.setattr(dcrit, "study", ask)
    with pytest.raises(AskedError):
        script.study(False)
    found = json.loads((ROOT / "docs" / "results" / "studies" / f"{name}.json").read_text(encoding="utf-8"))
    assert found["n_examples"] == asked.pop("n_examples")
    assert asked.keys() >= {"max_runs", "steps"}
    del asked["budget_minutes"]  # a limit that changes nothing
    assert {one: found["design"][one] for one in asked} == asked


def test_the_table_is_that_of_the_committed_results(loaded: list[str]) -> None:
    gallery = load("gallery")
    page = gallery.PAGE.read_text(encoding="utf-8")
    assert gallery.with_table(page) == page
    results = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in gallery.RESULTS.glob("*.json")}
    assert results
    for name, one in results.items():
        assert name in SCRIPTS
        assert one["command"] == f"python examples/{name}.py"
        assert f"| [{name}](../../examples/{name}.py) |" in page
