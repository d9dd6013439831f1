"""Sweeps that are killed at random moments, again and again, end as if nothing had happened."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from dcrit.empirics.runs.single import CURVE_NAMES, Run, RunConfig
from dcrit.empirics.store.checkpoint import CHECKPOINTS
from dcrit.empirics.store.kinds import Store
from dcrit.empirics.training.executor import run_sweep
from dcrit.theory.problems.problem import Problem

pytestmark = pytest.mark.kills

#: How often sweeps are killed, in one process and with workers.
KILLS = 30

NARROW = Problem(modulus=5, width=6)

#: Seven batches, half of them of widths whose runs have other bits in other batches.
ASKED = [
    *(RunConfig(problem=NARROW, n_train=12, seed=seed, steps=500) for seed in range(10)),
    *(RunConfig(problem=Problem(modulus=5, width=16), n_train=12, seed=seed, steps=500) for seed in range(6)),
    *(RunConfig(problem=NARROW, n_train=9, seed=s, steps=300, start="generalized") for s in range(4)),
]

#: For every line, a number of workers and the folder of a store, forks a process that sweeps, so that none has to load
#: torch again. Its workers are forked too: they train at once, and kills meet training and writing rather than imports.
#: It tells how many runs it has stored; this process tells when it is over, however it ended.
SWEEPERS = """
import functools, json, multiprocessing, os, sys
from pathlib import Path
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.store import checkpoint
from dcrit.empirics.store.kinds import Store
from dcrit.empirics.training import executor

checkpoint.INTERVAL = executor.SMALL = 0
multiprocessing.get_context = functools.partial(lambda get, _: get("fork"), multiprocessing.get_context)
asked = [RunConfig.from_dict(fields) for fields in json.loads(sys.argv[1])]

def say(word):
    # In one write: where output is not buffered, print makes two, and a kill between them leaves half a line.
    os.write(1, f"{word}\\n".encode())

def sweep(workers, folder):
    told = -1

    def report(progress):
        nonlocal told
        if progress.runs_done > told:
            told = progress.runs_done
            say(told)

    executor.run_sweep(asked, Store(Path(folder)), workers=int(workers), report=report)
    say("end")

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        os.setsid()
        say(f"child {os.getpid()}")
        sweep(*line.rstrip().split(" ", 1))
        os._exit(0)
    os.waitpid(child, 0)
    say("over")
"""


@dataclass(frozen=True, kw_only=True)
class Stop:
    """How a sweep ended.

    Attributes:
        told: Runs that it said are stored.
        killed: Whether it was killed before its end.
    """

    told: int
    killed: bool


#: Sweeps with so many workers into a folder, killed with all their workers so many seconds after the beginning.
Sweeper = Callable[[int, Path, float], Stop]


@pytest.fixture(scope="module")
def sweep_for() -> Iterator[Sweeper]:
    asked = json.dumps([config.to_dict() for config in ASKED])
    with subprocess.Popen(
        [sys.executable, "-c", SWEEPERS, asked], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        source, sink = parent.stdin, parent.stdout

        def sweep_for(workers: int, folder: Path, seconds: float) -> Stop:
            source.write(f"{workers} {folder}\n")
            source.flush()
            word, child = sink.readline().split()
            assert word == "child"
            time.sleep(seconds)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(child), signal.SIGKILL)
            lines: list[str] = []
            while (line := sink.readline()) != "over\n":
                assert line, "those that sweep have ended"
                lines.append(line)
            counts = [int(line) for line in lines if line.strip().isdigit()]
            return Stop(told=max(counts, default=0), killed="end\n" not in lines)

        yield sweep_for
        source.close()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Run]:
    """Runs of a sweep that nothing stops."""
    return run_sweep(ASKED, Store(tmp_path_factory.mktemp("whole")), workers=1)


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_random_moments_again_and_again_sweeps_lose_nothing_stored(
    tmp_path: Path, workers: int, sweep_for: Sweeper, expected: Sequence[Run]
) -> None:
    n_kills, n_sweeps, rng = 0, 0, random.Random(workers)
    while n_kills < KILLS:
        folder, n_sweeps, finished = tmp_path / f"sweep-{n_sweeps}", n_sweeps + 1, False
        n_stored = 0
        while not finished and n_kills < KILLS:
            stop = sweep_for(workers, folder, rng.uniform(0.0, 0.6))
            n_kills, finished = n_kills + stop.killed, not stop.killed
            store = Store(folder)
            assert store.damaged == ()
            now = len(ASKED) - len(store.missing(ASKED))
            assert now >= max(stop.told, n_stored)  # what was told as stored is, and nothing gets lost
            n_stored = now
        # Whatever is lacking is made, from checkpoints where there are any.
        runs = run_sweep(ASKED, Store(folder), workers=1)
        for run, other in zip(runs, expected, strict=True):
            assert (run.config, run.ending) == (other.config, other.ending)
            for name in CURVE_NAMES:
                assert getattr(run.curves, name).tobytes() == getattr(other.curves, name).tobytes(), name
        assert not list((folder / CHECKPOINTS).glob("*.checkpoint"))
