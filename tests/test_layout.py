"""Guards on how the code is laid out; nothing here looks at what it computes."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

#: Top-level folders with code.
LAYERS = ("theory", "empirics", "figures", "cli")

#: Rooms by level: each imports only what lies before its own level. Each is a folder.
LEVELS = (
    ("theory",),
    ("empirics.runs",),
    ("empirics.store", "empirics.models", "empirics.measures"),
    ("empirics.training", "empirics.curves"),
    ("empirics.instruments", "empirics.study"),
    ("empirics.experiments",),
    ("empirics.claims", "empirics.ablations"),
    ("figures",),
    ("api",),
    ("cli",),
)
LEVEL_OF = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}

#: What ``theory`` runs without.
HEAVY = {"torch", "matplotlib", "polars", "typer", "rich"}

MODULES = sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))
MODULES += sorted(path for path in (ROOT / "dcrit").glob("*.py") if path.name != "__main__.py")
MODULES += sorted((ROOT / "dcrit/api").rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}

#: Marks our own claims and measurements among the sources.
OURS = "dcrit"


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def configuration() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]


def bibliography() -> list[str]:
    return re.findall(
        r"^@\w+\{([^,\s]+),", (ROOT / "theory/literature/references.bib").read_text(encoding="utf-8"), re.MULTILINE
    )


def imported(tree: ast.Module) -> set[str]:
    """Modules that are imported anywhere in a file, in functions as well."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def cited(tree: ast.Module) -> list[tuple[str, list[str]]]:
    """Every ``Source:`` paragraph of a docstring with the keys in it."""
    found: list[tuple[str, list[str]]] = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            for paragraph in (ast.get_docstring(node) or "").split("\n\n"):
                if paragraph.startswith("Source:"):
                    found.append((paragraph, re.findall(r"\b[a-z]+\d{4}[a-z]?\b", paragraph)))
    return found


@pytest.mark.processes
def test_theory_runs_without_torch_and_matplotlib() -> None:
    code = (
        "import importlib, pkgutil, sys, dcrit.theory\n"
        "for module in pkgutil.walk_packages(dcrit.theory.__path__, 'dcrit.theory.'):\n"
        "    importlib.import_module(module.name)\n"
        "print(*sorted(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    theory = [path.relative_to(ROOT).with_suffix("") for path in MODULES if path.is_relative_to(ROOT / "theory")]
    expected = {"dcrit." + ".".join(one.parts) for one in theory if one.name != "__init__"}
    assert expected <= set(loaded)
    assert not {"torch", "matplotlib"} & set(loaded)


def module_of(path: Path) -> str:
    """The dotted name under which a file is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    named = parts if parts[0] == "dcrit" else ("dcrit", *parts)
    return ".".join(named[:-1] if named[-1] == "__init__" else named)


MODULE_NAMES = {module_of(path) for path in MODULES}


def module_in(name: str) -> str | None:
    """The module of this package in which an imported name is: ``dcrit.a.b.f`` is in ``dcrit.a.b``."""
    while name and name not in MODULE_NAMES:
        name = name.rpartition(".")[0]
    return name or None


def room_of(module: str) -> str | None:
    """The room of a module; none for what lies loose in ``dcrit`` and ``empirics``."""
    parts = module.split(".")[1:]
    room = ".".join(parts[: 2 if parts[:1] == ["empirics"] else 1])
    return room if room in LEVEL_OF else None


def misplaced(path: Path) -> list[str]:
    """Imports of a module that do not go down: up, sideways, or out of the theory."""
    room = room_of(module_of(path))
    found: list[str] = []
    for name in sorted(imported(TREES[path])):
        target = room_of(module_in(name) or "")
        if room and target not in {None, room} and LEVEL_OF[str(target)] >= LEVEL_OF[room]:
            found.append(f"{name_of(path)} imports {name}")
        if room == "theory" and name.split(".")[0] in HEAVY:
            found.append(f"{name_of(path)} imports {name}")
    return found


def test_imports_go_down_the_rooms() -> None:
    # Loose modules that tie rooms together would hide an import that goes up, so there are few of them.
    loose = {path for path in MODULES if room_of(module_of(path)) is None}
    assert {path for path in loose if path.name != "__init__.py"} <= set((ROOT / "empirics").glob("*.py"))
    assert len([path for path in (ROOT / "empirics").glob("*.py") if path.name != "__init__.py"]) <= 3
    folders = {path.parent.name for path in MODULES if path.parent.parent == ROOT / "empirics"}
    assert {f"empirics.{name}" for name in folders} == {room for room in LEVEL_OF if room.startswith("empirics.")}
    assert [fault for path in MODULES if path not in loose for fault in misplaced(path)] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    waiting = {
        module_of(path): {module for name in imported(TREES[path]) if (module := module_in(name))} - {module_of(path)}
        for path in MODULES
    }
    while ready := {module for module, needed in waiting.items() if not needed}:
        waiting = {module: needed - ready for module, needed in waiting.items() if module not in ready}
    assert waiting == {}


def test_sympy_is_imported_by_the_closed_forms_alone() -> None:
    users = {name_of(path) for path, tree in TREES.items() if any(m.split(".")[0] == "sympy" for m in imported(tree))}
    assert users == {"theory/circuits/closed_forms.py", "theory/circuits/threshold_forms.py"}


def test_every_subpackage_is_listed_mapped_and_linked() -> None:
    packages = {path.parent.relative_to(ROOT) for path in MODULES if path.name == "__init__.py"}
    expected = {module_of(ROOT / path / "__init__.py"): str(path) for path in packages}
    assert set(LAYERS) <= {str(path) for path in packages}
    assert sorted(configuration()["packages"]) == sorted(expected)
    assert configuration()["package-dir"] == expected
    for layer in LAYERS:
        link = ROOT / "dcrit" / layer
        assert link.is_symlink()
        assert not link.readlink().is_absolute()
        assert link.resolve() == ROOT / layer


def test_every_folder_with_code_is_a_package() -> None:
    for path in MODULES:
        assert (path.parent / "__init__.py").is_file(), f"{name_of(path.parent)} needs an __init__.py"


def test_bibliography_keys_are_unique() -> None:
    keys = bibliography()
    assert keys
    assert len(keys) == len(set(keys))


def test_sources_are_in_the_bibliography() -> None:
    known = set(bibliography())
    sources = [(path, paragraph, keys) for path in MODULES for paragraph, keys in cited(TREES[path])]
    assert len(sources) > 50
    assert [
        f"{name_of(path)}: {paragraph}"
        for path, paragraph, keys in sources
        if not (keys or paragraph.startswith("Source: own ")) or not set(keys) <= known
    ] == []


def test_sources_of_claims_are_in_the_bibliography() -> None:
    files = sorted((ROOT / "empirics/claims/declared").glob("*.toml"))
    assert len(files) > 21
    for path in files:
        source = tomllib.loads(path.read_text(encoding="utf-8"))["source"]
        assert source
        assert set(source) <= {*bibliography(), OURS}
