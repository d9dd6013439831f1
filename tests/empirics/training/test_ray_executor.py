"""Sweeps on a real Ray cluster: a head that declares two cores and a GPU, on this machine."""

import functools
import json
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dcrit.empirics.runs.multitask import beside_facts
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.empirics.store.checkpoint import CHECKPOINTS, Checkpoint
from dcrit.empirics.store.kinds import MultitaskStore, Store
from dcrit.empirics.training.batches import Batch, plan_batches
from dcrit.empirics.training.ensemble import train
from dcrit.empirics.training.executor import Executor, LocalExecutor
from dcrit.empirics.training.multitask_ensemble import MULTITASK
from dcrit.empirics.training.sweep import Sweep, SweepProgress, Trainer, WorkerError
from dcrit.theory.problems.problem import Problem
from tests.worlds.stored import assert_trained_alike

ray = pytest.importorskip("ray")

from ray.cluster_utils import Cluster  # noqa: E402

from dcrit.empirics.training import ray_cluster, ray_executor  # noqa: E402
from dcrit.empirics.training.ray_executor import RayExecutor  # noqa: E402

pytestmark = pytest.mark.ray

# Workers cannot import the tests.
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])

GIB = 1 << 30

#: How long a test waits for what must happen before it fails [s].
DEADLINE = 120.0


def configs(count: int, width: int = 4, **fields: Any) -> list[RunConfig]:
    problem = Problem(modulus=5, width=width)
    return [RunConfig(problem=problem, n_train=12, seed=seed, steps=40, **fields) for seed in range(count)]


#: Batches of three keys, widths odd and even, from scratch and from a generalizing network.
SEVERAL = [*configs(10), *configs(5, width=5), *configs(3, width=7, start="generalized")]


#: Of a node of the cluster.
NODE = {"object_store_memory": 80 << 20, "include_dashboard": False}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with pytest.MonkeyPatch.context() as patched:
        for name, value in ray_cluster.ENVIRONMENT.items():
            patched.setenv(name, value)
        # What other programs hold of this machine's memory must not decide a test.
        patched.setenv("RAY_memory_monitor_refresh_ms", "0")
        cluster = Cluster(initialize_head=True, head_node_args={**NODE, "num_cpus": 2, "num_gpus": 1})
        yield cluster
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture(scope="module")
def address(cluster: Cluster) -> str:
    return str(cluster.address)


@pytest.fixture
def executor(address: str) -> RayExecutor:
    if not ray.is_initialized():
        ray_cluster.connect(address)
    return RayExecutor()


@pytest.fixture
def unconnected() -> None:
    ray.shutdown()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def train_with(executor: Executor, trains: Callable[..., list[Run]], store: Store, **options: Any) -> Sequence[Run]:
    return executor.run_with(Trainer(plan=plan_batches, train=trains), SEVERAL, store, **options)


def test_runs_are_those_of_this_machine_bit_for_bit(executor: RayExecutor, store: Store, tmp_path: Path) -> None:
    seen: list[SweepProgress] = []
    runs = executor.run(SEVERAL, store, seen.append)
    assert executor.memory > 0
    assert_trained_alike(runs, LocalExecutor(1).run(SEVERAL, Store(tmp_path / "alone")))
    total = sum(batch.cost for batch in plan_batches(SEVERAL))
    assert seen[0] == SweepProgress(done=0, total=total, runs_done=0, runs_total=18, runs_reused=0)
    assert seen[-1] == SweepProgress(done=total, total=total, runs_done=18, runs_total=18, runs_reused=0)
    for before, after in pairwise(seen):
        assert before.done <= after.done
        assert before.runs_done <= after.runs_done
    # Each batch is one file, and the marker is gone.
    assert len(list(store.folder.iterdir())) == len(plan_batches(SEVERAL))


def test_multitask_runs_are_those_of_this_machine_bit_for_bit(executor: RayExecutor, tmp_path: Path) -> None:
    problem = Problem(modulus=5, width=6, learning_rate=0.5)
    wanted = [beside_facts(problem, n_train=12, n_facts=n_facts, seed=seed) for n_facts in (0, 7) for seed in range(3)]
    there = executor.run_with(MULTITASK, wanted, MultitaskStore(tmp_path / "there"))
    here = LocalExecutor(1).run_with(MULTITASK, wanted, MultitaskStore(tmp_path / "here"))
    assert [run.config for run in there] == [run.config for run in here] == wanted
    for one, other in zip(there, here, strict=True):
        for name, curve in vars(one.curves).items():
            assert curve.tobytes() == getattr(other.curves, name).tobytes(), name


def train_slowly(batch: Sequence[RunConfig], *, progress: Callable[[int], None], **options: Any) -> list[Run]:
    for _ in range(3):
        time.sleep(0.25)
        progress(1)
    return train(batch, progress=lambda _: None, **options)


def test_progress_arrives_while_a_batch_is_trained(executor: RayExecutor, store: Store) -> None:
    seen: list[SweepProgress] = []
    train_with(executor, train_slowly, store, report=seen.append)
    assert any(one.done > 0 and one.runs_done == 0 for one in seen)
    assert seen[-1].done == seen[-1].total


def train_alone(lock: Path, batch: Sequence[RunConfig], **options: Any) -> list[Run]:
    """Fails if another batch is trained meanwhile."""
    lock.touch(exist_ok=False)
    time.sleep(0.1)
    runs = train(batch, **options)
    lock.unlink()
    return runs


@pytest.mark.usefixtures("unconnected")
def test_no_more_batches_are_in_flight_than_workers(address: str, store: Store, tmp_path: Path) -> None:
    with RayExecutor(address, workers=1) as executor:
        runs = train_with(executor, functools.partial(train_alone, tmp_path / "lock"), store)
    assert [run.config for run in runs] == SEVERAL


def die_once(flag: Path, batch: Sequence[RunConfig], **options: Any) -> list[Run]:
    if not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return train(batch, **options)


def test_a_batch_whose_worker_is_killed_is_trained_in_halves(
    executor: RayExecutor, store: Store, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    seen: list[SweepProgress] = []
    # One batch at first, so that one worker dies.
    trainer = Trainer(plan=as_one, train=functools.partial(die_once, tmp_path / "flag"))
    runs = executor.run_with(trainer, configs(8, width=16), store, seen.append)
    assert_trained_alike(runs, LocalExecutor(1).run(configs(8, width=16), Store(tmp_path / "alone")))
    assert "a worker of the cluster died while it trained 8 runs; they are trained again in two halves" in caplog.text
    assert seen[-1].failures == 1
    assert seen[-1].done == seen[-1].total
    assert len(list(store.folder.glob("*.parquet"))) == 2


def as_one(wanted: Sequence[RunConfig], *_: object) -> list[Batch[RunConfig]]:
    return [replace(plan_batches(wanted)[0], configs=tuple(wanted))]


def wait_on(place: str, flag: Path, batch: Sequence[RunConfig], **options: Any) -> list[Run]:
    """Raises the flag and waits for the end on one node; trains on all others once it is raised."""
    if ray.get_runtime_context().get_node_id() == place:
        flag.touch()
        time.sleep(DEADLINE)
    deadline = time.monotonic() + DEADLINE
    while not flag.exists():
        assert time.monotonic() < deadline, "that node is given nothing"
        time.sleep(0.02)
    return train(batch, **options)


@pytest.mark.usefixtures("unconnected")
def test_batches_of_a_node_that_is_lost_are_trained_elsewhere(
    cluster: Cluster, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    node = cluster.add_node(**NODE, num_cpus=1)
    flag = tmp_path / "flag"

    def lose(_: SweepProgress) -> None:
        if flag.exists() and node in cluster.worker_nodes:
            cluster.remove_node(node, allow_graceful=False)

    with RayExecutor(cluster.address) as executor:
        trainer = Trainer(plan=plan_batches, train=functools.partial(wait_on, node.node_id, flag))
        runs = executor.run_with(trainer, [*SEVERAL, *configs(20, width=8)], store, lose)
    assert flag.exists()
    assert [run.config for run in runs] == [*SEVERAL, *configs(20, width=8)]
    assert "a node of the cluster was lost while it trained" in caplog.text


def die_always(*_: object, **__: object) -> list[Run]:
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def test_a_run_that_kills_its_workers_is_given_up(executor: RayExecutor, store: Store) -> None:
    with pytest.raises(WorkerError, match=r"^1 of 1 runs could not .* a worker of the cluster died while it trained"):
        executor.run_with(Trainer(plan=plan_batches, train=die_always), configs(1), store)


def keep_and_die(
    batch: Sequence[RunConfig], *, checkpoint: Checkpoint, progress: Callable[[int], None], **options: Any
) -> list[Run]:
    """Dies when half of the steps are taken and kept, and goes on from there when it is trained again."""
    kept, told = checkpoint.path.exists(), []

    def count(n_steps: int) -> None:
        told.append(n_steps)
        if not kept and sum(told) >= 20 and checkpoint.path.exists():
            os.kill(os.getpid(), signal.SIGKILL)
        progress(n_steps)

    runs = train(batch, checkpoint=replace(checkpoint, interval=0.0), progress=count, **options)
    assert kept, "it never died"
    # What was taken before is told at once.
    assert told[0] >= 10, "nothing was gone on from"
    return runs


def test_a_run_goes_on_from_its_checkpoint_on_another_worker(
    executor: RayExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Workers have another working directory.
    monkeypatch.chdir(tmp_path)
    store = Store(Path("runs"))
    runs = executor.run_with(Trainer(plan=plan_batches, train=keep_and_die), configs(1), store)
    assert_trained_alike(runs, LocalExecutor(1).run(configs(1), Store(tmp_path / "alone")))
    assert list((store.folder / CHECKPOINTS).iterdir()) == []


def train_few(batch: Sequence[RunConfig], **options: Any) -> list[Run]:
    """Training whose memory really runs out where more than four are trained at once."""
    if len(batch) > 4:
        bytearray(1 << 60)
    return train(batch, **options)


def test_a_batch_whose_memory_runs_out_is_halved_until_it_fits(
    executor: RayExecutor, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[SweepProgress] = []
    trainer = Trainer(plan=as_one, train=train_few)
    runs = executor.run_with(trainer, configs(16), store, seen.append)
    assert [run.config for run in runs] == configs(16)
    assert "memory ran out in a worker while it trained 16 runs" in caplog.text
    assert seen[-1].failures == 3


def fail(*_: object, **__: object) -> list[Run]:
    raise ArithmeticError("no such number")


def test_another_error_is_told_and_the_cluster_goes_on(executor: RayExecutor, store: Store) -> None:
    with pytest.raises(WorkerError, match=r"(?s)failed in a worker of the cluster:\nTraceback.*no such number"):
        train_with(executor, fail, store)
    assert list(store.folder.iterdir()) == []
    executor.run(configs(1), store)


def test_what_a_worker_does_not_have_is_told(executor: RayExecutor, store: Store, tmp_path: Path) -> None:
    name = f"only_here_{uuid.uuid4().hex}"
    (tmp_path / f"{name}.py").write_text("def train(*_, **__): ...\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(tmp_path))
        module = __import__(name)
        with pytest.raises(WorkerError, match=rf"(?s)could not be run on the cluster:.*No module named '{name}'"):
            train_with(executor, module.train, store)


def interrupt(progress: SweepProgress) -> None:
    if progress.runs_done:
        raise KeyboardInterrupt


def test_an_interrupted_sweep_keeps_what_is_stored_and_goes_on(
    executor: RayExecutor, store: Store, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        executor.run(SEVERAL, store, interrupt)
    assert 0 < len(store.missing(SEVERAL)) < len(SEVERAL)
    assert not list(store.folder.glob(".*"))
    assert_trained_alike(executor.run(SEVERAL, store), LocalExecutor(1).run(SEVERAL, Store(tmp_path / "alone")))


def train_beside_another(folder: Path, batch: Sequence[RunConfig], *, device: str, **options: Any) -> list[Run]:
    """Notes what the task was given, and trains once another one runs at the same time."""
    assert device == "cuda"
    context = ray.get_runtime_context()
    note = {"given": context.get_assigned_resources(), "gpus": context.get_accelerator_ids()["GPU"]}
    (folder / f"{os.getpid()}-{uuid.uuid4().hex}").write_text(json.dumps(note))
    deadline = time.monotonic() + DEADLINE
    while len({path.name.partition("-")[0] for path in folder.iterdir()}) < 2:
        assert time.monotonic() < deadline, "no two batches share the GPU"
        time.sleep(0.02)
    return train(batch, device="cpu", **options)


def plan_for_cpu(wanted: Sequence[RunConfig], *_: object) -> list[Batch[RunConfig]]:
    return plan_batches(wanted)


@pytest.mark.usefixtures("unconnected")
def test_small_batches_share_a_gpu(address: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "smallest_gpu", lambda _: 8.0 * GIB)
    folder = tmp_path / "notes"
    folder.mkdir()
    with RayExecutor(address, device="auto") as executor:
        assert (executor.device, executor.memory) == ("cuda", 0.8 * 8 * GIB)
        asked = [executor.requirements(n_bytes)["num_gpus"] for n_bytes in (0, GIB // 4, 3 * GIB, 6 * GIB, 60 * GIB)]
        # Half a GiB, and 1.25 times the batch, in eighths of 8 GiB.
        assert asked == [1 / 8, 1 / 8, 5 / 8, 1, 1]
        trainer = Trainer(plan=plan_for_cpu, train=functools.partial(train_beside_another, folder))
        executor.run_with(trainer, SEVERAL, store)
    notes = [json.loads(path.read_text()) for path in folder.iterdir()]
    assert len(notes) == len(plan_batches(SEVERAL))
    assert {note["given"]["GPU"] for note in notes} == {1 / 8}
    assert {tuple(note["gpus"]) for note in notes} == {("0",)}


def test_a_batch_asks_for_its_memory_and_at_most_a_node_s(executor: RayExecutor) -> None:
    assert executor.requirements(4 * GIB) == {"num_cpus": 1, "num_gpus": 0, "memory": 5.5 * GIB}
    # Another test's node may still be counted among the cluster's.
    whole = max(node["Resources"].get("memory", 0.0) for node in ray.nodes() if node["Alive"])
    assert executor.requirements(1 << 60) == {"num_cpus": 1, "num_gpus": 0, "memory": whole}
    # A batch as large as is planned fits beside another one.
    assert executor.requirements(int(executor.memory))["memory"] == pytest.approx(whole / 2, rel=1e-6)


@pytest.mark.usefixtures("unconnected")
def test_a_cluster_that_was_there_stays_and_so_does_a_connection(address: str, store: Store) -> None:
    ray_cluster.connect(address)
    with RayExecutor() as executor:
        executor.run(configs(1), store)
    assert ray.is_initialized()
    ray.shutdown()
    for _ in range(2):
        with RayExecutor(address) as executor:
            executor.run(configs(2), store)
        assert not ray.is_initialized()


@pytest.mark.usefixtures("unconnected")
def test_a_device_that_no_node_has_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = ray_cluster.nodes
    monkeypatch.setattr(ray_cluster, "nodes", lambda: [replace(node, gpus=0.0) for node in everything()])
    with pytest.raises(ValueError, match=r"^device must be 'cpu' or 'auto' on this cluster, got 'cuda'"):
        RayExecutor(address, device="cuda")
    with RayExecutor(address, device="auto") as executor:
        assert executor.device == "cpu"
    monkeypatch.setattr(ray_cluster, "nodes", list)
    with pytest.raises(ValueError, match=r"^address must be of a cluster in which some node has a core"):
        RayExecutor(address)
    assert not ray.is_initialized()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ray.exceptions.OutOfMemoryError("full"), "memory ran out on a node of the cluster"),
        (ray.exceptions.WorkerCrashedError(), "a worker of the cluster died"),
        (ray.exceptions.NodeDiedError("gone"), "a node of the cluster was lost"),
        (ray.exceptions.ObjectLostError("0" * 56, None, ""), "a node of the cluster was lost with its results"),
        (ray.exceptions.OwnerDiedError("0" * 56, None, ""), "a node of the cluster was lost with its results"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_ray_says_of_a_lost_batch_has_it_trained_again(
    executor: RayExecutor, store: Store, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def raises(_: object) -> None:
        raise error

    planned = Sweep(Trainer(plan=as_one, train=train), configs(4), store, device="cpu", memory=1e9, report=print)
    batch = planned.waiting.popleft()
    task: Any = iter(["its message"])
    flying = {task: batch}
    monkeypatch.setattr(ray_executor.ray, "get", raises)
    reasons: list[str] = []
    monkeypatch.setattr(planned, "halve", lambda batch, reason: reasons.append(reason))
    assert executor._receive(task, planned, flying)
    assert (reasons, flying) == ([said], {})


@pytest.mark.parametrize("workers", [0, -1, True, 1.0])
def test_a_bad_number_of_workers_is_refused(workers: Any) -> None:
    with pytest.raises(ValueError, match=r"^workers must be an integer of at least 1, got "):
        RayExecutor(workers=workers)


def test_a_bad_device_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^device must be one of auto, cpu, cuda, got 'tpu'"):
        RayExecutor(device="tpu")
