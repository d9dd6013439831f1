"""Commands as a shell starts them: what they load, which stream holds what, and how they end."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dcrit.cli.app import app

pytestmark = pytest.mark.processes

TIMEOUT = 300
COMMAND = [sys.executable, "-m", "dcrit"]
TINY = ["--modulus", "5", "--width", "4", "--workers", "1", "--store", "runs"]
TRAIN = ["train", *TINY, "--n-train", "10", "--n-train", "20", "--seeds", "2", "--steps", "30", "--json"]


def run(words: Sequence[str], cwd: Path, *, python: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *python, "-m", "dcrit", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=TIMEOUT, check=False)


def packages(done: subprocess.CompletedProcess[str]) -> set[str]:
    """Top-level packages that a command run with ``-X importtime`` imported."""
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if "|" in line}


@pytest.mark.parametrize(
    "words", [["--help"], ["train", "--help"], ["validate", "--help"], ["predict", "--help"]], ids=" ".join
)
def test_help_is_instant(words: list[str], tmp_path: Path) -> None:
    done = run(words, tmp_path, python=["-X", "importtime"])
    assert done.returncode == 0
    assert "Usage: python -m dcrit" in done.stdout
    assert {"typer", "dcrit"} <= packages(done)
    assert packages(done) & {"torch", "matplotlib", "sympy", "scipy", "polars", "ray"} == set()


def test_a_prediction_loads_what_it_needs(tmp_path: Path) -> None:
    done = run(["predict", "critical-size", "--json"], tmp_path, python=["-X", "importtime"])
    assert json.loads(done.stdout)["critical_size"]["value"] > 0
    assert "scipy" in packages(done)
    assert packages(done) & {"torch", "matplotlib", "sympy", "polars"} == set()


def test_bad_input_loads_nothing_heavy(tmp_path: Path) -> None:
    done = run(["train", *TINY, "--n-train", "26"], tmp_path, python=["-X", "importtime"])
    assert (done.returncode, done.stdout) == (2, "")
    assert "torch" not in packages(done)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A folder in which a command has trained, and what it printed."""
    folder = tmp_path_factory.mktemp("trained")
    done = run(TRAIN, folder)
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.fixture
def first(made_once: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """What that command printed; its folder is copied to where the test works."""
    folder, done = made_once
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return done


def verified(store: Path) -> Result:
    """What the command says that looks a store over."""
    return CliRunner().invoke(app, ["runs", "verify", "--store", str(store), "--json"])


def test_training_twice_trains_once(first: subprocess.CompletedProcess[str], tmp_path: Path) -> None:
    assert first.stderr.startswith("training: 4 runs, 0 of them stored before\n")
    files = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    assert files
    again = run(TRAIN, tmp_path, python=["-X", "importtime"])
    found, before = json.loads(again.stdout), json.loads(first.stdout)
    assert 0 < found.pop("peak_memory_bytes") < before.pop("peak_memory_bytes")  # reading alone needs no torch
    assert found == before
    assert "polars" in packages(again)
    assert "torch" not in packages(again)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files


def test_a_file_cut_short_is_found_told_and_made_again(first: subprocess.CompletedProcess[str], tmp_path: Path) -> None:
    victim = sorted((tmp_path / "runs").glob("*.parquet"))[0]
    victim.write_bytes(victim.read_bytes()[:-100])
    verdict = run(["runs", "verify", "--store", "runs"], tmp_path)
    assert verdict.returncode == 1
    assert victim.name in verdict.stdout
    again = run(TRAIN, tmp_path)
    assert again.returncode == 0, again.stderr
    assert "was damaged and its runs are made again" in again.stderr
    assert json.loads(again.stdout)["runs"] == json.loads(first.stdout)["runs"]
    assert verified(tmp_path / "runs").exit_code == 0
    assert [path.name for path in (tmp_path / "runs" / "damaged").iterdir()] == [victim.name]


def start(words: Sequence[str], cwd: Path) -> subprocess.Popen[str]:
    """A command in a process group of its own, as a shell's foreground job is."""
    # Where the tests run in the background, SIGINT is ignored, and a child would inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [*COMMAND, *words],
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)


def wait_for_a_batch(store: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not list(store.glob("*.parquet")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def told(errors: str) -> list[str]:
    """Lines of standard error, without how far a sweep was that took its time."""
    return [line for line in errors.splitlines() if not re.fullmatch(r"training: .* after \d+ (s|minutes)", line)]


def group_is_gone(group: int) -> bool:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


# Dozens of batches, a minute of work: the first is stored long before the end.
@pytest.mark.kills
@pytest.mark.skipif(os.name != "posix", reason="signals are sent as POSIX does")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_in_the_middle_keeps_whole_batches(workers: str, tmp_path: Path) -> None:
    sizes = [word for size in range(20, 110) for word in ("--n-train", str(size))]
    words = ["train", "--modulus", "11", "--width", "16", "--seeds", "4", "--steps", "3000", *sizes]
    process = start([*words, "--workers", workers, "--store", "runs", "--json"], tmp_path)
    try:
        wait_for_a_batch(tmp_path / "runs", process)
        # The terminal sends it to the whole group.
        os.killpg(process.pid, signal.SIGINT)
        out, errors = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 130, errors
        assert out == ""
        assert told(errors) == [
            "training: 360 runs, 0 of them stored before",
            "Interrupted. Finished batches are kept: the same command goes on from there.",
        ]
        assert group_is_gone(process.pid)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    verdict = verified(tmp_path / "runs")
    found = json.loads(verdict.stdout)
    assert (verdict.exit_code, found["damaged"]) == (0, [])
    assert 0 < found["n_runs"] < 360
    assert [path.name for path in (tmp_path / "runs").iterdir() if path.name.startswith(".")] == []
