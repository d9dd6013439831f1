import functools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.empirics.store.checkpoint import checkpoint_of
from dcrit.empirics.store.kinds import DAMAGED, Store
from dcrit.empirics.training import executor as executors
from dcrit.empirics.training import executor as local_executor
from dcrit.empirics.training import sweep
from dcrit.empirics.training.batches import plan_batches
from dcrit.empirics.training.ensemble import train
from dcrit.empirics.training.executor import LocalExecutor, run_sweep, usable_cores
from dcrit.empirics.training.sweep import SweepProgress, Trainer, WorkerError
from dcrit.theory.problems.problem import Problem
from tests.worlds.stored import assert_trained_alike


def configs(count: int, width: int = 4) -> list[RunConfig]:
    problem = Problem(modulus=5, width=width)
    return [RunConfig(problem=problem, n_train=12, seed=seed, steps=40) for seed in range(count)]


#: Five batches of two keys.
SEVERAL = [*configs(12), *configs(6, width=5)]


def names(store: Store) -> list[str]:
    return sorted(path.name for path in store.folder.rglob("*") if path.is_file())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def spy_on_training(monkeypatch: pytest.MonkeyPatch) -> list[RunConfig]:
    """What is trained in this process from now on, in order."""
    seen: list[RunConfig] = []

    def spy(batch: Sequence[RunConfig], **options: Any) -> list[Run]:
        seen.extend(batch)
        return train(batch, **options)

    monkeypatch.setattr(executors, "train", spy)
    return seen


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[RunConfig]:
    return spy_on_training(monkeypatch)


@pytest.fixture(scope="module")
def two_workers() -> Iterator[LocalExecutor]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(local_executor, "SMALL", 0)
        with LocalExecutor(2) as executor:
            yield executor


@pytest.fixture
def no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalExecutor, "_start", lambda *_: pytest.fail("processes are started"))


def test_runs_come_in_the_order_asked_for_each_trained_once(store: Store, trained: list[RunConfig]) -> None:
    first, second, third = configs(3)
    asked = [third, first, third, second, first]
    assert [run.config for run in run_sweep(asked, store)] == asked
    assert trained == [third, first, second]


def test_a_repeated_run_is_the_same_however_it_is_written(store: Store, trained: list[RunConfig]) -> None:
    config = RunConfig(problem=Problem(modulus=5, width=4, learning_rate=1.0), n_train=12, seed=0)
    asked = [config, replace(config, steps=config.horizon)]
    runs = run_sweep(asked, store)
    assert [run.config for run in runs] == asked
    assert len(trained) == 1


def test_curves_are_the_trainer_s(store: Store) -> None:
    runs = run_sweep(configs(4), store)
    assert_trained_alike(runs, train(configs(4)))


@pytest.mark.usefixtures("no_processes")
def test_a_rerun_trains_nothing_and_is_the_same(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = run_sweep(SEVERAL, store, workers=1)
    monkeypatch.setattr(executors, "train", lambda *_, **__: pytest.fail("something is trained"))
    monkeypatch.setattr(Store, "prepare", lambda _: pytest.fail("reading needs no writable folder"))
    assert_trained_alike(run_sweep(SEVERAL, store), runs)
    assert_trained_alike(run_sweep(SEVERAL[::-1], Store(store.folder), workers=2), runs[::-1])


def test_only_what_is_lacking_is_trained(store: Store, trained: list[RunConfig]) -> None:
    wanted = configs(6)
    run_sweep(wanted[2:4], store)
    trained.clear()
    run_sweep(wanted, store)
    assert sorted(config.seed for config in trained) == [0, 1, 4, 5]


@pytest.mark.processes
def test_results_do_not_depend_on_the_number_of_workers(two_workers: LocalExecutor, tmp_path: Path) -> None:
    assert len(plan_batches(SEVERAL)) >= 4
    alone = run_sweep(SEVERAL, Store(tmp_path / "alone"), workers=1)
    together = two_workers.run(SEVERAL, Store(tmp_path / "together"))
    assert len(multiprocessing.active_children()) == 2
    assert_trained_alike(together, alone)
    assert_trained_alike(run_sweep(SEVERAL, Store(tmp_path / "together"), workers=1), alone)


@pytest.mark.kills
@pytest.mark.processes
def test_processes_are_kept_from_sweep_to_sweep_and_ctrl_c_is_not_theirs(
    two_workers: LocalExecutor, tmp_path: Path
) -> None:
    two_workers.run(SEVERAL, Store(tmp_path / "first"))
    before = multiprocessing.active_children()
    for child in before:
        assert child.pid is not None
        os.kill(child.pid, signal.SIGINT)
    two_workers.run(SEVERAL, Store(tmp_path / "second"))
    assert set(multiprocessing.active_children()) == set(before)


@pytest.mark.usefixtures("no_processes")
@pytest.mark.parametrize(
    ("workers", "small", "wanted"),
    [(1, 0, SEVERAL), (2, 0, configs(4)), (2, local_executor.SMALL, SEVERAL), (2, 0, [])],
)
def test_no_processes_where_they_cannot_help(
    store: Store, monkeypatch: pytest.MonkeyPatch, workers: int, small: float, wanted: list[RunConfig]
) -> None:
    monkeypatch.setattr(local_executor, "SMALL", small)
    assert len(run_sweep(wanted, store, workers=workers)) == len(wanted)


@pytest.mark.parametrize("fails", [False, True])
def test_the_number_of_threads_is_one_then_restored(store: Store, monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    used: list[int] = []

    def spy(batch: Sequence[RunConfig], **_: object) -> list[Run]:
        used.append(torch.get_num_threads())
        if fails:
            raise ZeroDivisionError
        return train(batch)

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        monkeypatch.setattr(executors, "train", spy)
        if fails:
            with pytest.raises(ZeroDivisionError):
                run_sweep(configs(2), store)
        else:
            run_sweep(configs(2), store)
        assert used == [1]
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.processes
@pytest.mark.parametrize("n_workers", [1, 2])
def test_progress_begins_at_nothing_and_ends_at_everything(
    store: Store, monkeypatch: pytest.MonkeyPatch, two_workers: LocalExecutor, n_workers: int
) -> None:
    monkeypatch.setattr(sweep, "REPORT_INTERVAL", 0.0)
    run_sweep(SEVERAL[:2], store)
    seen: list[SweepProgress] = []
    stored: list[int] = []

    def report(progress: SweepProgress) -> None:
        seen.append(progress)
        stored.append(len(list(Store(store.folder).runs())))

    executor = two_workers if n_workers == 2 else LocalExecutor(1)
    executor.run([*SEVERAL, *SEVERAL[:5]], store, report)
    # A batch of the whole plan loses the two that are stored.
    left = [[config for config in batch.configs if config not in SEVERAL[:2]] for batch in plan_batches(SEVERAL)]
    n_batches = sum(bool(batch) for batch in left)
    total = sum(batch.cost for batch in plan_batches(SEVERAL[2:]))
    assert seen[0] == SweepProgress(done=0, total=total, runs_done=2, runs_total=18, runs_reused=2)
    assert seen[-1] == SweepProgress(done=total, total=total, runs_done=18, runs_total=18, runs_reused=2)
    for before, after in pairwise(seen):
        assert before.done <= after.done
        assert before.runs_done <= after.runs_done
        assert (after.total, after.runs_total, after.runs_reused) == (total, 18, 2)
        # With nothing held back, all work of a batch is told before its end.
        assert n_workers == 2 or before.runs_done == after.runs_done or before.done == after.done
    # Every batch is stored as soon as it is finished.
    assert stored == [progress.runs_done for progress in seen]
    assert len({progress.runs_done for progress in seen}) == 1 + n_batches
    if n_workers == 1:
        assert len({progress.done for progress in seen}) > 3 * n_batches


def test_a_sweep_that_is_stored_reports_no_work(store: Store) -> None:
    run_sweep(configs(2), store)
    seen: list[SweepProgress] = []
    run_sweep(configs(2), store, report=seen.append)
    assert seen == [SweepProgress(done=0, total=0, runs_done=2, runs_total=2, runs_reused=2)]


def test_reports_are_throttled_and_lose_nothing_but_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(sweep, "REPORT_INTERVAL", 4.0)
    monkeypatch.setattr(sweep.time, "monotonic", lambda: now)
    sent: list[int] = []
    progress = sweep.throttled(sent.append)
    for tick in range(1, 100):
        now = float(tick)
        progress(1)
    assert sent == [4] * 24


def test_damaged_files_are_moved_aside_and_their_runs_made_again(
    store: Store, trained: list[RunConfig], caplog: pytest.LogCaptureFixture
) -> None:
    wanted = configs(4)
    run_sweep(wanted[:2], store)
    (path,) = store.folder.iterdir()
    path.write_bytes(path.read_bytes()[:-9])
    trained.clear()
    after = run_sweep(wanted, Store(store.folder))
    assert trained == [run.config for run in after] == wanted
    assert (store.folder / DAMAGED / path.name).exists()
    assert path.name in caplog.text
    assert Store(store.folder).inventory().n_runs == 4


def test_nothing_is_trained_for_a_folder_that_cannot_be_written(tmp_path: Path, trained: list[RunConfig]) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ValueError, match=r"^store must be a folder .*file/runs"):
        run_sweep(configs(2), Store(tmp_path / "file" / "runs"))
    assert trained == []


def test_a_failure_keeps_the_batches_before_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = plan_batches(SEVERAL)

    def fail_on_the_third(batch: Sequence[RunConfig], **options: Any) -> list[Run]:
        if batch == batches[2].configs:
            raise KeyboardInterrupt
        return train(batch, **options)

    monkeypatch.setattr(executors, "train", fail_on_the_third)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(SEVERAL, store, workers=1)
    left = [config for batch in batches[2:] for config in batch.configs]
    assert set(Store(store.folder).missing(SEVERAL)) == set(left)


@pytest.mark.parametrize("workers", [0, -1, True, 1.0, "2"])
def test_a_bad_number_of_workers_is_refused(workers: Any) -> None:
    with pytest.raises(ValueError, match=r"^workers must be an integer of at least 1, got "):
        LocalExecutor(workers)


def test_a_bad_device_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^device must be .* got 'tpu'"):
        LocalExecutor(device="tpu")


def test_a_process_for_each_usable_core() -> None:
    assert LocalExecutor().workers == usable_cores() == len(os.sched_getaffinity(0))


class ThreadWorker(threading.Thread):
    """Runs a worker's loop in this process, where the trainer can be replaced."""

    exitcode = None

    def __init__(self, connection: Connection) -> None:
        super().__init__(target=local_executor._work, args=(connection,), daemon=True)

    def terminate(self) -> None:
        pass

    def close(self) -> None:
        assert not self.is_alive()


def fail(*_: object, **__: object) -> list[Run]:
    raise ArithmeticError("no such number")


def test_an_error_in_a_worker_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = LocalExecutor(2)

    def start(_: int) -> None:
        ours, theirs = multiprocessing.Pipe()
        worker = ThreadWorker(theirs)
        worker.start()
        executor._processes[ours] = worker  # pyright: ignore[reportArgumentType]

    n_threads = torch.get_num_threads()
    monkeypatch.setattr(local_executor, "SMALL", 0)
    monkeypatch.setattr(executors, "train", fail)
    monkeypatch.setattr(executor, "_start", start)
    with pytest.raises(WorkerError, match="no such number"):
        executor.run(SEVERAL, store)
    torch.set_num_threads(n_threads)
    assert executor._processes == {}


def test_a_sweep_stopped_after_it_was_halved_twice_goes_on_with_the_same_batches(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = configs(4)
    (whole,) = plan_batches(wanted)
    batches: list[list[int]] = []

    def train_at_most_two(batch: Sequence[RunConfig], **options: Any) -> list[Run]:
        if len(batch) > 2 or batch[0].seed == 0 < len(batch) - 1:
            raise MemoryError
        batches.append([config.seed for config in batch])
        return train(batch, **options)

    monkeypatch.setattr(executors, "train", train_at_most_two)
    run_sweep(wanted, store, workers=1)
    assert batches == [[0], [1], [2, 3]]
    # As if it had been stopped after the first.
    again = Store(store.folder.parent / "again")
    again.add([store.get(whole.configs[0]) or pytest.fail("not stored")])
    batches.clear()
    monkeypatch.setattr(
        executors, "train", lambda batch, **o: batches.append([c.seed for c in batch]) or train(batch, **o)
    )
    run_sweep(wanted, again, workers=1)
    assert sorted(batches) == [[1], [2, 3]]


def test_a_checkpoint_that_outlived_its_ensemble_is_removed(store: Store) -> None:
    wanted = configs(4)
    run_sweep(wanted, store, workers=1)
    (batch,) = plan_batches(wanted)
    left = checkpoint_of(store.folder, batch.configs)
    left.path.parent.mkdir(exist_ok=True)
    left.path.write_bytes(b"as by a kill between both")
    run_sweep(wanted, store, workers=1)
    assert not left.path.exists()


def kill_workers_once(others: set[Any]) -> Callable[[SweepProgress], None]:
    """A report that kills all workers when the first batch is stored."""
    killed = False

    def report(progress: SweepProgress) -> None:
        nonlocal killed
        if progress.runs_done and not killed:
            killed = True
            for child in set(multiprocessing.active_children()) - others:
                child.kill()

    return report


@pytest.mark.kills
def test_a_worker_that_dies_is_replaced_and_its_batch_trained_in_halves(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setattr(local_executor, "SMALL", 0)
    others = set(multiprocessing.active_children())
    with LocalExecutor(2) as executor:
        runs = executor.run(SEVERAL, store, kill_workers_once(others))
        assert len(set(multiprocessing.active_children()) - others) == 2
    assert "died (exit code -9, as the system does when memory runs out) while it trained" in caplog.text
    assert "they are trained again in two halves" in caplog.text
    assert not list((store.folder / "checkpoints").glob("*"))
    for run, other in zip(runs, run_sweep(SEVERAL, Store(tmp_path / "alone"), workers=1), strict=True):
        # Widths that are no multiple of 16 agree to rounding in other batches.
        np.testing.assert_allclose(run.curves.train_loss, other.curves.train_loss, rtol=1e-3)


@pytest.mark.kills
def test_a_run_that_kills_every_worker_is_given_up_and_all_others_are_stored(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_executor, "SMALL", 0)
    deadly = SEVERAL[5].address
    with LocalExecutor(2) as executor:
        trainer = Trainer(plan=plan_batches, train=functools.partial(train_or_die, deadly))
        with pytest.raises(WorkerError, match=rf"^1 of 18 runs could not.*exit code -9.*trained run {deadly} alone"):
            executor.run_with(trainer, SEVERAL, store)
    assert [config.address for config in Store(store.folder).missing(SEVERAL)] == [deadly]


def train_or_die(deadly: str, batch: Sequence[RunConfig], **options: Any) -> list[Run]:
    """What a worker does whose machine kills it for one of the runs."""
    if deadly in {config.address for config in batch}:
        os.kill(os.getpid(), signal.SIGKILL)
    return train(batch, **options)


def train_few(batch: Sequence[RunConfig], **options: Any) -> list[Run]:
    """Training whose memory really runs out where more than two are trained at once."""
    if len(batch) > 2:
        torch.empty(1 << 60, dtype=torch.uint8)
    return train(batch, **options)


@pytest.mark.processes
@pytest.mark.parametrize("workers", [1, 2])
def test_a_batch_whose_memory_runs_out_is_halved_until_it_fits(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, workers: int
) -> None:
    monkeypatch.setattr(local_executor, "SMALL", 0)
    seen: list[SweepProgress] = []
    with LocalExecutor(workers) as executor:
        runs = executor.run_with(Trainer(plan=plan_batches, train=train_few), SEVERAL, store, seen.append)
    assert [run.config for run in runs] == SEVERAL
    assert "memory ran out" in caplog.text
    assert seen[-1].failures >= len(plan_batches(SEVERAL))
    assert seen[-1].done == seen[-1].total


def never_fits(batch: Sequence[RunConfig], **_: Any) -> list[Run]:
    raise MemoryError


def test_a_run_that_does_not_fit_alone_is_given_up_in_one_sentence(store: Store) -> None:
    with pytest.raises(WorkerError, match=r"^3 of 3 runs could not be trained.*memory ran out while it trained run"):
        LocalExecutor(1).run_with(Trainer(plan=plan_batches, train=never_fits), configs(3), store)


# The sweep stops itself when the first batch is stored, hence at the same place however fast the machine is.
STOPPED = """
import json, os, signal, sys
from pathlib import Path
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.store.kinds import Store
from dcrit.empirics.training import executor

def report(progress):
    if progress.runs_done:
        print(progress.runs_done, flush=True)
        os.killpg(0, signal.SIGINT) if sys.argv[3] == "SIGINT" else os.kill(os.getpid(), signal.SIGKILL)

# Where the tests run in the background, SIGINT is ignored, and a child would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
executor.SMALL = 0
configs = [RunConfig.from_dict(fields) for fields in json.loads(sys.argv[2])]
executor.run_sweep(configs, Store(Path(sys.argv[1])), workers=2, report=report)
"""


@pytest.mark.kills
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_sweep_loses_batches_in_flight_alone(
    store: Store, trained: list[RunConfig], how: signal.Signals
) -> None:
    asked = json.dumps([config.to_dict() for config in SEVERAL])
    # The end of its output is the end of its workers too: they share it.
    stopped = subprocess.run(
        [sys.executable, "-c", STOPPED, str(store.folder), asked, how.name],
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=600,
        check=False,
    )
    assert stopped.returncode == -how
    assert stopped.stderr.count("Traceback") == (how == signal.SIGINT)
    assert ("KeyboardInterrupt" in stopped.stderr) == (how == signal.SIGINT)
    missing = store.missing(SEVERAL)
    assert len(SEVERAL) - len(missing) == int(stopped.stdout) > 0
    assert len(missing) > 0
    assert store.damaged == ()
    assert not [name for name in names(store) if name.endswith(".tmp")]
    run_sweep(SEVERAL, store, workers=1)
    assert set(trained) == set(missing)
