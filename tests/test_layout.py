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

#: Imports go from right to left only.
LAYERS = ("theory", "empirics", "figures", "cli")

MODULES = sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))
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


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_one_way(path: Path) -> None:
    layer = LAYERS.index(path.relative_to(ROOT).parts[0])
    forbidden = tuple(f"dcrit.{name}" for name in LAYERS[layer + 1 :])
    for module in imported(TREES[path]):
        assert not any(f"{module}.".startswith(f"{name}.") for name in forbidden), module
        if layer == 0:
            assert module.split(".")[0] not in {"torch", "matplotlib", "polars", "typer", "rich"}


def test_sympy_is_imported_by_the_closed_forms_alone() -> None:
    users = {name_of(path) for path, tree in TREES.items() if any(m.split(".")[0] == "sympy" for m in imported(tree))}
    assert users == {"theory/circuits/closed_forms.py"}


def test_every_subpackage_is_listed_mapped_and_linked() -> None:
    packages = {path.parent.relative_to(ROOT) for path in MODULES if path.name == "__init__.py"}
    expected = {"dcrit": "dcrit"} | {"dcrit." + str(path).replace("/", "."): str(path) for path in packages}
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


@pytest.mark.parametrize("path", [path for path in MODULES if cited(TREES[path])], ids=name_of)
def test_sources_are_in_the_bibliography(path: Path) -> None:
    for paragraph, keys in cited(TREES[path]):
        assert keys or paragraph.startswith("Source: own "), paragraph
        assert set(keys) <= set(bibliography()), paragraph


def test_sources_of_claims_are_in_the_bibliography() -> None:
    claims = [
        node
        for path, tree in TREES.items()
        if path.parent.name == "claims"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Claim"
    ]
    assert claims
    for claim in claims:
        (source,) = [ast.literal_eval(keyword.value) for keyword in claim.keywords if keyword.arg == "source"]
        assert source
        assert set(source) <= {*bibliography(), OURS}
