"""Every script of the gallery runs at its small size, and the gallery's table is that of the committed results."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

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
    assert ("memorizing" in roles) == found.result.design.predict


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
