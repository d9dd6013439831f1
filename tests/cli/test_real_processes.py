"""What only real processes show: imports, exit codes of signals, and a store that survives them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HEAVY = ("torch", "matplotlib", "sympy", "polars", "scipy")


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dcrit", *words], cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )


def imported(words: list[str], cwd: Path) -> set[str]:
    """Heavy modules that a command has loaded when it ends."""
    probe = (
        "import sys, atexit\n"
        f"atexit.register(lambda: sys.stderr.write('HEAVY ' + ' '.join(m for m in {HEAVY!r} if m in sys.modules)))\n"
        f"sys.argv = ['dcrit', *{words!r}]\n"
        "from dcrit.cli.app import main\nmain()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.rpartition("HEAVY ")[2].split())


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    assert imported(["--help"], tmp_path) == set()


def test_a_prediction_needs_neither_torch_nor_pictures(tmp_path: Path) -> None:
    assert imported(["predict", "critical-size", "--json"], tmp_path) == {"scipy"}


def test_exit_codes_and_streams(tmp_path: Path) -> None:
    good = run("predict", "critical-size", "--json", cwd=tmp_path)
    assert (good.returncode, good.stderr) == (0, "")
    assert json.loads(good.stdout)["critical_size"] > 0
    bad = run("predict", "critical-size", "--width", "0", cwd=tmp_path)
    assert (bad.returncode, bad.stdout) == (2, "")
    assert "Traceback" not in bad.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as POSIX does")
def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    words = ["train", "--modulus", "11", "--width", "16", "--seeds", "2", "--workers", "1", "--store", "runs"]
    short, endless = ["--n-train", "60", "--steps", "50"], ["--n-train", "60", "--steps", "10000000"]
    assert run(*words, *short, cwd=tmp_path).returncode == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "dcrit", *words, *endless],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    assert "training: 2 runs" in line
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "Interrupted. Finished batches are kept" in errors
    assert "Traceback" not in errors
    verdict = run("runs", "verify", "--store", "runs", "--json", cwd=tmp_path)
    assert (verdict.returncode, json.loads(verdict.stdout)["n_runs"]) == (0, 2)
