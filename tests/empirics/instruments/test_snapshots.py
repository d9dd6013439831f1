from dataclasses import replace

import numpy as np
import pytest
import torch

from dcrit.empirics.instruments.snapshots import SETTLED, Snapshot, snapshot_steps, snapshots, visit
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training.ensemble import train
from dcrit.theory.problems.problem import Problem

PROBLEM = Problem(modulus=5, width=16, learning_rate=0.05)
CONFIGS = [
    RunConfig(problem=PROBLEM, n_train=n_train, seed=seed, steps=50) for seed, n_train in enumerate((10, 11, 12))
]


def test_steps_are_the_first_log_spaced_ones_and_the_last_tenth() -> None:
    config = RunConfig(problem=replace(PROBLEM, learning_rate=1e-2), n_train=10, seed=0)
    steps = snapshot_steps(config, 4)
    assert steps == [0, 1, 8, 60, 465, 3600, 3700, 3800, 3900, 4000]
    assert snapshot_steps(config, 0) == steps[-SETTLED:]
    assert snapshot_steps(replace(config, steps=3)) == [0, 1, 2, 3]


def test_snapshots_are_of_the_runs_that_are_trained() -> None:
    steps = [0, 7, 50]
    taken = list(snapshots(CONFIGS, steps))
    runs = train(CONFIGS)
    for step, found in zip(steps, taken, strict=True):
        for run, one in zip(runs, found, strict=True):
            assert (one.config, one.step) == (run.config, step)
            place = run.curves.step.tolist().index(step)
            logits = torch.from_numpy(one.logits)
            labels = torch.from_numpy(one.labels)
            loss = torch.nn.functional.cross_entropy(logits.T, labels, reduction="none").numpy()
            assert loss[one.is_train].mean() == pytest.approx(run.curves.train_loss[place], rel=1e-5)
            assert loss[~one.is_train].mean() == pytest.approx(run.curves.test_loss[place], rel=1e-5)
            assert one.theta.double().square().sum().item() == run.curves.squared_norm[place]
            assert one.is_train.sum() == run.config.n_train


def test_snapshots_do_not_change_as_training_goes_on() -> None:
    kept = [found[0] for found in snapshots(CONFIGS[:1], [0, 50])]
    (alone,) = next(iter(snapshots(CONFIGS[:1], [0])))
    assert torch.equal(kept[0].theta, alone.theta)
    assert not torch.equal(kept[0].theta, kept[1].theta)


def test_only_the_last_tenth_is_settled() -> None:
    config = replace(CONFIGS[0], steps=100)
    found = [taken[0].settled for taken in snapshots([config], [0, 89, 90, 100])]
    assert found == [False, False, True, True]


def test_a_start_that_is_not_scratch_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^start must be 'scratch' for snapshots, got 'generalized'"):
        next(snapshots([replace(CONFIGS[0], start="generalized")], [0]))


@pytest.mark.usefixtures("three_threads")
def test_every_run_is_visited_in_the_given_order_whatever_its_batch() -> None:
    configs = [replace(config, n_train=n_train) for config, n_train in zip(CONFIGS, (20, 4, 10), strict=True)]
    threads = torch.get_num_threads()
    counted: list[int] = []

    def look(snapshot: Snapshot) -> tuple[int, int, float]:
        assert torch.get_num_threads() == 1
        return snapshot.config.n_train, snapshot.step, float(np.abs(snapshot.logits).sum())

    found = visit(configs, [5, 50], look, progress=counted.append)
    assert [[seen[:2] for seen in row] for row in found] == [[(size, 5), (size, 50)] for size in (20, 4, 10)]
    assert sum(counted) == 3 * 50
    assert torch.get_num_threads() == threads
    assert visit(configs[::-1], [5, 50], look) == found[::-1]
