"""Wheel and source archive hold the whole package, and work where nothing but them and its dependencies is."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

pytestmark = pytest.mark.builds

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES: dict[str, str] = PROJECT["tool"]["setuptools"]["package-dir"]


def run(words: Sequence[str | Path], cwd: Path) -> str:
    """What a program prints; it sees no other checkout of this project and no package index."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        words,
        cwd=cwd,
        env={**environment, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_CACHE_DIR": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is built, since setuptools leaves its work beside it."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for folder in sorted({path.split("/")[0] for path in PACKAGES.values()}):
        ignored = shutil.ignore_patterns("__pycache__", "gallery")
        shutil.copytree(ROOT / folder, source / folder, symlinks=True, ignore=ignored)
    # The explorer ships measured sizes by a link to where they are committed.
    shutil.copytree(ROOT / "docs" / "results", source / "docs" / "results")
    return source


def built_from(source: Path | str, out: Path, cwd: Path) -> Path:
    """The wheel of a folder or of an archive of source."""
    words = ("--no-deps", "--no-build-isolation", "--wheel-dir", out, source)
    run([sys.executable, "-m", "pip", "wheel", *words], cwd)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a clone."""
    return built_from(".", tmp_path_factory.mktemp("wheel"), source)


@pytest.fixture(scope="module")
def archive(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source as it is shipped."""
    out = tmp_path_factory.mktemp("archive")
    run([sys.executable, "-c", f"from setuptools import build_meta; build_meta.build_sdist({str(out)!r})"], source)
    (built,) = out.iterdir()
    return built


def contents(wheel: Path) -> dict[str, bytes]:
    """Every file of a wheel, but for the list of them."""
    with zipfile.ZipFile(wheel) as opened:
        return {name: opened.read(name) for name in opened.namelist() if not name.endswith("/RECORD")}


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs of a fresh environment that has the wheel, and finds its dependencies among those of the tests."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False)
    programs = home / "bin"
    run([sys.executable, "-m", "pip", "--python", programs / "python", "install", "--no-deps", wheel], home)
    (libraries,) = home.glob("lib/python*/site-packages")
    # A path in such a file is searched last, and the links of editable installs in that folder are not followed.
    (libraries / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return programs


def test_it_holds_every_module_and_all_data(wheel: Path) -> None:
    expected = {
        f"{package.replace('.', '/')}/{path.name}"
        for package, folder in PACKAGES.items()
        for path in (ROOT / folder).glob("*.py")
    }
    for package, patterns in PROJECT["tool"]["setuptools"]["package-data"].items():
        folder = ROOT / PACKAGES[package]
        found = [path.relative_to(folder) for pattern in patterns for path in folder.glob(pattern)]
        assert found, package
        expected |= {f"{package.replace('.', '/')}/{path}" for path in found}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == expected


def test_the_archive_of_the_source_makes_the_same_wheel(
    archive: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    version = PROJECT["project"]["version"]
    assert archive.name == f"dcrit-{version}.tar.gz"
    again = built_from(str(archive), tmp_path_factory.mktemp("again"), tmp_path_factory.mktemp("elsewhere"))
    assert again.name == wheel.name == f"dcrit-{version}-py3-none-any.whl"
    assert contents(again) == contents(wheel)
    assert "dcrit/py.typed" in contents(wheel)


def test_the_installed_command_knows_its_version_and_is_no_checkout(installed: Path, tmp_path: Path) -> None:
    assert run([installed / "dcrit", "--version"], tmp_path).strip() == PROJECT["project"]["version"]
    place = run([installed / "python", "-c", "import dcrit.theory; print(*dcrit.theory.__path__)"], tmp_path).strip()
    assert Path(place).is_relative_to(installed.parent)


def test_the_installed_command_predicts(installed: Path, tmp_path: Path) -> None:
    found = json.loads(run([installed / "dcrit", "predict", "critical-size", "--json"], tmp_path))
    size = found["critical_size"]
    assert size["interval"]["low"] <= size["value"] <= size["interval"]["high"]


def test_the_installed_command_trains(installed: Path, tmp_path: Path) -> None:
    words = ["train", "--modulus", "5", "--width", "8", "--n-train", "15", "--seeds", "1", "--steps", "40", "--json"]
    (trained,) = json.loads(run([installed / "dcrit", *words], tmp_path))["runs"]
    assert trained["n_train"] == 15
    assert 0 <= trained["train_accuracy"] <= 1


def test_the_version_is_one_everywhere() -> None:
    version = PROJECT["project"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == version


def test_every_module_of_the_wheel_is_imported_from_it(installed: Path, tmp_path: Path) -> None:
    code = (
        "import importlib, pkgutil, dcrit\n"
        "for module in pkgutil.walk_packages(dcrit.__path__, 'dcrit.'):\n"
        "    if module.name != 'dcrit.__main__':\n"
        "        print(importlib.import_module(module.name).__file__)"
    )
    places = run([installed / "python", "-c", code], tmp_path).split()
    assert len(places) > 100
    assert all(Path(place).is_relative_to(installed.parent) for place in places)
