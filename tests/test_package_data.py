"""What the package reads at run time is shipped with it."""

import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from dcrit.api.explorer.points import SHIPPED as MEASURED

ROOT = Path(__file__).parents[1]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
SHIPPED = {
    path
    for package, patterns in SETUPTOOLS["package-data"].items()
    for pattern in patterns
    for path in (ROOT / SETUPTOOLS["package-dir"][package]).glob(pattern)
}


def test_every_measured_size_of_the_explorer_is_shipped() -> None:
    assert {ROOT / "dcrit/api/explorer/results" / name for name in MEASURED} <= SHIPPED


def test_every_pattern_names_files() -> None:
    for package, patterns in SETUPTOOLS["package-data"].items():
        for pattern in patterns:
            assert list((ROOT / SETUPTOOLS["package-dir"][package]).glob(pattern)), (package, pattern)


@pytest.mark.parametrize("folder", ["theory", "empirics", "cli"])
def test_every_file_that_is_no_code_is_shipped(folder: str) -> None:
    data = {
        path
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    }
    assert data - SHIPPED == set()


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("dcrit.theory.literature", "published.toml"),
        ("dcrit.theory.literature", "references.bib"),
        *(("dcrit.api.explorer", f"results/{name}") for name in MEASURED),
        ("dcrit.api.explorer", "templates/explorer.html.jinja"),
        ("dcrit.api.report", "templates/report.html.jinja"),
        ("dcrit.api.report", "templates/report.md.jinja"),
    ],
)
def test_the_package_finds_it(package: str, name: str) -> None:
    assert (files(package) / name).is_file()
