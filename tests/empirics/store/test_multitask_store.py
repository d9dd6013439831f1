import multiprocessing
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from dcrit.empirics.models.multitask_layout import multitask_key
from dcrit.empirics.runs.multitask import MULTITASK_CURVES, MultitaskConfig, MultitaskRun, Phase, beside_facts
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.store.batch_files import checksum, parquet
from dcrit.empirics.store.inventory import Damage, Inventory, merged
from dcrit.empirics.store.kinds import MultitaskStore, Store
from dcrit.empirics.training import executor as local_executor
from dcrit.empirics.training import multitask_ensemble as module
from dcrit.empirics.training.batches import MEMBERS, plan_multitask
from dcrit.empirics.training.executor import LocalExecutor
from dcrit.empirics.training.multitask_ensemble import MULTITASK, train_multitask
from dcrit.empirics.training.sweep import SweepProgress
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import run_of

PROBLEM = Problem(modulus=5, width=4, learning_rate=0.5)


def configs(count: int, *, n_facts: int = 6, first: int = 0) -> list[MultitaskConfig]:
    return [beside_facts(PROBLEM, n_train=15, n_facts=n_facts, seed=first + k) for k in range(count)]


def assert_same(got: MultitaskRun | None, expected: MultitaskRun) -> None:
    assert got is not None
    assert (got.config, got.ending, got.seconds) == (expected.config, expected.ending, expected.seconds)
    for name in MULTITASK_CURVES:
        values = getattr(got.curves, name)
        assert values.shape == getattr(expected.curves, name).shape
        assert values.tobytes() == getattr(expected.curves, name).tobytes(), name


def trained_in(store: MultitaskStore, wanted: list[MultitaskConfig]) -> Sequence[MultitaskRun]:
    """Runs that this process trains where the store lacks them."""
    with LocalExecutor(1) as executor:
        return executor.run_with(module.MULTITASK, wanted, store)


def replace_trainer(monkeypatch: pytest.MonkeyPatch, train: Any) -> None:
    monkeypatch.setattr(module, "MULTITASK", replace(module.MULTITASK, train=train))


@pytest.fixture
def store(tmp_path: Path) -> MultitaskStore:
    return MultitaskStore(tmp_path / "mixtures")


def test_runs_come_back_bit_by_bit(store: MultitaskStore) -> None:
    wanted = [*configs(3), *configs(2, n_facts=0)]
    runs = trained_in(store, wanted)
    assert [run.config for run in runs] == wanted
    again = MultitaskStore(store.folder)
    for run in runs:
        assert_same(again.get(run.config), run)
    assert sorted(run.config.address for run in again.runs()) == sorted(config.address for config in wanted)


def test_what_is_stored_is_not_trained_again(store: MultitaskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    first = trained_in(store, configs(3))
    trained: list[MultitaskConfig] = []
    replace_trainer(monkeypatch, lambda batch, **rest: trained.extend(batch) or train_multitask(batch, **rest))
    runs = trained_in(MultitaskStore(store.folder), [*configs(4), *configs(2)])
    assert trained == configs(1, first=3)
    for run, expected in zip([*runs[:3], *runs[4:]], [*first, *first[:2]], strict=True):
        assert_same(run, expected)


@pytest.mark.usefixtures("three_threads")
def test_a_finished_batch_outlives_the_failure_of_the_next(
    store: MultitaskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def fail_on_the_second(batch: list[MultitaskConfig], **rest: Any) -> list[MultitaskRun]:
        calls.append(len(batch))
        if len(calls) == 2:
            raise RuntimeError("power cut")
        return train_multitask(batch, **rest)

    replace_trainer(monkeypatch, fail_on_the_second)
    n_threads = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="power cut"):
        trained_in(store, [*configs(2), *configs(2, n_facts=0)])
    assert torch.get_num_threads() == n_threads
    assert len(list(MultitaskStore(store.folder).runs())) == 2


def test_damaged_files_are_set_aside_and_their_runs_made_again(store: MultitaskStore) -> None:
    (run,) = trained_in(store, configs(1))
    (path,) = store.folder.glob("*.parquet")
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    again = MultitaskStore(store.folder)
    assert again.get(run.config) is None
    (remade,) = trained_in(again, configs(1))
    assert_same(remade, replace(run, seconds=remade.seconds))
    assert [damaged.name for damaged in (store.folder / "damaged").iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("name", "says"), [("test_loss", "test_loss is not one value an evaluation and task"), ("squared_norm", "squared")]
)
def test_curves_of_the_wrong_length_are_not_trusted(store: MultitaskStore, name: str, says: str) -> None:
    (run,) = trained_in(store, configs(1))
    (path,) = store.folder.glob("*.parquet")
    frame = pl.read_parquet(path).with_columns(pl.col(name).list.slice(1))
    path.unlink()
    data = parquet(frame)
    (store.folder / f"{'0' * 16}-{checksum(data)}.parquet").write_bytes(data)
    again = MultitaskStore(store.folder)
    assert again.get(run.config) is None
    assert [says in damage.reason for damage in again.damaged] == [True]


def test_both_kinds_of_run_share_a_folder_and_leave_each_other_alone(tmp_path: Path) -> None:
    several = trained_in(MultitaskStore(tmp_path), configs(2))
    single = run_of(RunConfig(problem=PROBLEM, n_train=15, seed=0))
    singles = Store(tmp_path)
    assert singles.get(single.config) is None
    assert (singles.damaged, singles.set_aside()) == ((), ())
    singles.add([single])
    assert MultitaskStore(tmp_path).set_aside() == ()
    assert [len(MultitaskStore(tmp_path).find([run.config for run in several])), len(list(singles.runs()))] == [2, 1]
    found = [store.inventory() for store in (Store(tmp_path), MultitaskStore(tmp_path))]
    assert [(one.n_runs, one.n_files, len(one.others), one.damaged) for one in found] == [(1, 1, 1, ()), (2, 1, 1, ())]
    both = merged(found)
    assert (both.n_runs, both.n_files, both.damaged) == (3, 2, ())
    assert both.n_bytes == sum(path.stat().st_size for path in tmp_path.glob("*.parquet"))


def test_each_kind_is_checked_by_its_own_store(tmp_path: Path) -> None:
    trained_in(MultitaskStore(tmp_path), configs(1))
    (path,) = tmp_path.glob("*.parquet")
    forged = parquet(pl.read_parquet(path).with_columns(pl.col("squared_norm").list.slice(1)))
    path.unlink()
    bent = tmp_path / f"{'0' * 16}-{checksum(forged)}.parquet"
    bent.write_bytes(forged)
    (cut := tmp_path / f"{'1' * 16}-{checksum(forged)}.parquet").write_bytes(forged[:-9])
    (damage, other) = merged([Store(tmp_path).inventory(), MultitaskStore(tmp_path).inventory()]).damaged
    assert (damage.path, other.path) == (bent, cut)
    assert "squared_norm" in damage.reason
    assert "checksum" in other.reason


def test_a_file_that_every_store_takes_for_anothers_is_damaged() -> None:
    strange = Damage(path=Path("strange.parquet"), reason="columns")
    one = Inventory(n_runs=0, n_stale=0, sound=(), damaged=(), others=(strange,))
    assert merged([one, one]).damaged == (strange,)
    assert merged([one, replace(one, sound=(strange.path,), others=())]).damaged == ()


def test_batches_hold_everything_once_and_alike() -> None:
    wanted = [*configs(40), *configs(3, n_facts=0), *(c.with_n_train(24, seed=c.seed) for c in configs(5))]
    batches = plan_multitask(wanted)
    assert sorted(c.address for batch in batches for c in batch.configs) == sorted(c.address for c in wanted)
    for batch in batches:
        assert len({multitask_key(config) for config in batch.configs}) == 1
        assert len(batch.configs) <= MEMBERS["cpu"]
    assert {len(batch.configs) for batch in batches} == {16, 8, 3, 5}
    costs = [batch.cost for batch in batches]
    assert costs == sorted(costs, reverse=True)


def test_large_members_come_in_small_batches() -> None:
    large = beside_facts(Problem(modulus=113, width=512), n_train=9000, n_facts=100)
    assert [len(batch.configs) for batch in plan_multitask([large, replace(large, seed=1)])] == [1, 1]


def test_schedules_are_kept_apart(store: MultitaskStore) -> None:
    (joint,) = configs(1)
    later = replace(joint, phases=(Phase(tasks=(0,), steps=20), *joint.phases))
    runs = trained_in(store, [joint, later])
    assert [run.config for run in runs] == [joint, later]
    assert [run.curves.step[-1] for run in runs] == [80, 100]
    assert not np.array_equal(runs[0].curves.train_loss[:3], runs[1].curves.train_loss[:3])


@pytest.mark.processes
def test_worker_processes_train_what_the_calling_process_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(local_executor, "SMALL", 0)
    wanted = [*configs(3), *configs(2, n_facts=0)]
    alone = trained_in(MultitaskStore(tmp_path / "alone"), wanted)
    told: list[SweepProgress] = []
    with LocalExecutor(2) as executor:
        together = executor.run_with(MULTITASK, wanted, MultitaskStore(tmp_path / "together"), told.append)
        assert len(multiprocessing.active_children()) >= 2
        # The same processes train single networks as well.
        executor.run([RunConfig(problem=PROBLEM, n_train=15, seed=k, steps=20) for k in range(20)], Store(tmp_path))
    for run, expected in zip(together, alone, strict=True):
        assert_same(replace(run, seconds=expected.seconds), expected)
    total = sum(batch.cost for batch in plan_multitask(wanted))
    assert told[0] == SweepProgress(done=0, total=total, runs_done=0, runs_total=5, runs_reused=0)
    assert told[-1] == SweepProgress(done=total, total=total, runs_done=5, runs_total=5, runs_reused=0)
