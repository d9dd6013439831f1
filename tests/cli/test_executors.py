"""Where commands train: what their options refuse, and a cluster that a command starts itself."""

import contextlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dcrit.cli.app import app
from tests.cli.test_processes import TIMEOUT, start, told, verified, wait_for_a_batch

TRAIN = ["train", "--modulus", "5", "--width", "5", "--n-train", "10", "--seeds", "6", "--steps", "40"]

#: Set in a test's commands, and so in all that they start.
MARK = "DCRIT_TESTED_AS"

BAD = [
    ([*TRAIN, "--executor", "slurm"], "'--executor': must be one of local, ray, got 'slurm'"),
    ([*TRAIN, "--address", "auto"], "--address must be left out without --executor ray, got 'auto'"),
    (["calibrate", "--out", "c.json", "--address", "auto"], "--address must be left out without --executor ray"),
    (["validate", "quick", "--address", "auto"], "--address must be left out without --executor ray"),
    (["measure", "critical-size", "--address", "auto"], "--address must be left out without --executor ray"),
    (["measure", "capacity", "--address", "auto"], "--address must be left out without --executor ray"),
    (["measure", "efficiency", "--address", "auto"], "--address must be left out without --executor ray"),
    ([*TRAIN, "--executor", "ray", "--address", "nowhere"], "--address must be 'auto' or host:port of a .* 'nowhere'"),
    ([*TRAIN, "--executor", "ray", "--address", "127.0.0.1:1"], "--address must be .* got '127.0.0.1:1': .*refused"),
    ([*TRAIN, "--executor", "ray", "--workers", "-1"], "--workers must be an integer of at least 0, got -1"),
    (
        ["validate", "paper", "--executor", "ray", "--address", "auto"],
        "--workers must be at least 1 beside --address and a budget of 30 minutes, got 0",
    ),
]


@pytest.mark.parametrize(("words", "sentence"), BAD)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, words, env={"COLUMNS": "400"})
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.search(sentence, result.stderr), result.stderr
    assert list(tmp_path.rglob("*")) == []


def test_without_ray_the_command_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "ray" else found(name, *rest))
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, [*TRAIN, "--executor", "ray"], env={"COLUMNS": "400"})
    assert result.exit_code == 2
    assert "--executor must be 'local' where Ray is not installed, got 'ray': pip install 'dcrit[ray]'" in result.stderr
    assert list(tmp_path.iterdir()) == []


needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc; Ray ends with its parent on Linux")


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A value in the environment of all that a test starts; whatever is left of it is ended."""
    value = uuid.uuid4().hex
    monkeypatch.setenv(MARK, value)
    # What other programs hold of this machine's memory must not decide a test.
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "0")
    yield value
    for process in processes_with(value):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def processes_with(mark: str) -> list[int]:
    wanted, found = f"{MARK}={mark}".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0") and int(folder.name) != os.getpid():
                found.append(int(folder.name))
        except OSError:
            continue  # it ended meanwhile
    return found


def trainers(mark: str) -> list[int]:
    """Processes that train, by the name of their task."""
    found = []
    for process in processes_with(mark):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{process}/cmdline").read_bytes().startswith(b"ray::dcrit"):
                found.append(process)
    return found


def all_gone(mark: str, which: Callable[[str], list[int]] = processes_with) -> bool:
    deadline = time.monotonic() + TIMEOUT
    while which(mark):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def kill_a_worker(mark: str) -> None:
    """Kill a process that trains, as soon as there is one."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        for process in trainers(mark):
            os.kill(process, signal.SIGKILL)
            return
        time.sleep(0.02)
    pytest.fail("nothing trains")


# Seconds of work, far longer than it takes to find a process; widths of 16 have the same bits in batches of any size.
LONGER = ["train", "--modulus", "11", "--width", "16", "--n-train", "60", "--seeds", "30", "--steps", "2000", "--json"]


@pytest.mark.kills
@pytest.mark.ray
@needs_ray
@on_linux
def test_a_cluster_of_its_own_loses_a_worker_trains_the_same_runs_and_is_gone(tmp_path: Path, mark: str) -> None:
    process = start([*LONGER, "--executor", "ray", "--workers", "2", "--store", "there"], tmp_path)
    kill_a_worker(mark)
    out, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, errors
    assert errors.startswith("training: 30 runs, 0 of them stored before\n")
    assert re.search(r"a worker of the cluster died while it trained \d+ runs; they are trained again in two", errors)
    assert re.search(r"training: done in \d+ s, 1 batch failed\n", errors)
    assert all_gone(mark)
    here = CliRunner().invoke(app, [*LONGER, "--workers", "1", "--store", str(tmp_path / "here")])
    assert json.loads(out)["runs"] == json.loads(here.stdout)["runs"]
    assert json.loads(out)["peak_memory_bytes"] is None
    # What is stored needs no cluster.
    again = CliRunner().invoke(app, [*LONGER, "--executor", "ray", "--store", str(tmp_path / "there")])
    assert (again.stdout, again.stderr) == (out, "")
    assert all_gone(mark)


@pytest.mark.slow
@needs_ray
def test_what_only_the_cluster_can_refuse_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dcrit.empirics.training import ray_cluster  # only where Ray is installed  # noqa: PLC0415

    # What a cluster without a GPU says of its nodes; the executor's own tests ask one.
    monkeypatch.setattr(ray_cluster, "start_here", lambda _: None)
    monkeypatch.setattr(
        ray_cluster, "nodes", lambda: [ray_cluster.Node(identity="one", cpus=2.0, gpus=0.0, memory=1e9)]
    )
    monkeypatch.chdir(tmp_path)
    words = [*LONGER, "--executor", "ray", "--device", "cuda", "--store", "some/runs"]
    done = CliRunner().invoke(app, words, env={"COLUMNS": "400"})
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--device must be 'cpu' or 'auto' on this cluster, got 'cuda': no node has a GPU" in done.stderr
    assert list(tmp_path.iterdir()) == []


# Dozens of batches: the first is stored long before the end.
@pytest.mark.ray
@needs_ray
@on_linux
@pytest.mark.kills
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_command_leaves_no_processes_behind(tmp_path: Path, mark: str, how: signal.Signals) -> None:
    sizes = [word for size in range(20, 110) for word in ("--n-train", str(size))]
    words = ["train", "--modulus", "11", "--width", "16", "--seeds", "4", "--steps", "3000", *sizes]
    process = start([*words, "--executor", "ray", "--workers", "2", "--store", "runs", "--json"], tmp_path)
    try:
        wait_for_a_batch(tmp_path / "runs", process)
        assert len(processes_with(mark)) > 2
        # The terminal sends Ctrl-C to the whole group.
        os.killpg(process.pid, how) if how is signal.SIGINT else process.send_signal(how)
        out, errors = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert out == ""
    first, *rest = told(errors)
    assert first == "training: 360 runs, 0 of them stored before"
    if how is signal.SIGINT:
        assert process.returncode == 130
        assert rest == ["Interrupted. Finished batches are kept: the same command goes on from there."]
    # Agents of Ray that have lost all others take a minute to see it.
    assert all_gone(mark) if how is signal.SIGINT else all_gone(mark, trainers)
    verdict = verified(tmp_path / "runs")
    assert verdict.exit_code == 0
    assert 0 < json.loads(verdict.stdout)["n_runs"] < 360
