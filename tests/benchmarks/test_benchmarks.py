"""Benchmarks run at a tiny size and count what they say; nothing here looks at a time."""

import json
from pathlib import Path

import pytest
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import __main__ as runner
from benchmarks import critical_size, pair_mlp, peak
from benchmarks.pair_mlp import Members, PlainLoop, fraction_of_peak, largest_deviation, ratio_to_plain
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.store.kinds import Store
from dcrit.empirics.training.executor import LocalExecutor
from dcrit.theory.problems.problem import Problem

ACTIVATIONS = pytest.mark.parametrize("activation", ["relu", "square"])


def tiny(activation: str = "square") -> Problem:
    return Problem(modulus=7, width=16, activation=activation)


@pytest.mark.slow
def test_the_peak_counts_two_operations_for_each_product() -> None:
    product = peak.gemm(24)
    with FlopCounterMode(display=False) as counter:
        product()
    assert counter.get_total_flops() == peak.gemm_flops(24) == 2 * 24**3
    assert peak.gemm_peak(24, 2) > 0


@ACTIVATIONS
def test_counted_operations_are_those_of_the_plain_loop(activation: str) -> None:
    # Autograd multiplies by W twice and by h once, as the gradient by hand does: 3 products of 2·D·H·C each.
    members = Members.of(tiny(activation), 20, 3)
    loop = PlainLoop(members.configs[0])
    with FlopCounterMode(display=False) as counter:
        loop.advance(1)
    assert members.flops == 3 * counter.get_total_flops()


@pytest.mark.slow
@ACTIVATIONS
def test_both_ways_lead_to_the_same_parameters(activation: str) -> None:
    members = Members.of(tiny(activation), 20, 3)
    assert largest_deviation(members.configs, 50) < 1e-10
    other = RunConfig(problem=tiny(activation), n_train=20, seed=9)
    plain, moved = PlainLoop(members.configs[0]), PlainLoop(other)
    assert (plain.model.theta() - moved.model.theta()).abs().max() > 0.1


def test_every_member_is_trained_once() -> None:
    members = Members.of(tiny(), 20, 21)
    batches = [config for ensemble in members.ensembles() for config in ensemble.configs]
    assert sorted(config.seed for config in batches) == list(range(21))


def test_records_hold_their_ratios() -> None:
    found = fraction_of_peak(tiny(), 20, 2, gemm_size=32, repeats=2)
    seconds = float(found["seconds_per_model_step"])  # type: ignore[arg-type]
    assert found["flops_per_step"] == 2 * 6 * 20 * 16 * 7
    assert found["fraction"] == pytest.approx(6 * 20 * 16 * 7 / seconds / float(found["peak"]))  # type: ignore[arg-type]
    found = ratio_to_plain(tiny(), 20, 4, repeats=2)
    assert float(found["deviation"]) < 1e-10  # type: ignore[arg-type]
    assert found["ratio"] == pytest.approx(
        float(found["plain_seconds_per_model_step"]) / float(found["seconds_per_model_step"])  # type: ignore[arg-type]
    )


def test_the_grid_has_every_size_with_every_seed() -> None:
    configs = critical_size.grid(Problem(modulus=17, width=16), 80)
    assert len(configs) == len({config.seed for config in configs}) == 60
    assert len({config.n_train for config in configs}) == 12
    assert {config.horizon for config in configs} == {80}


@pytest.mark.slow
def test_the_cost_of_a_critical_size_is_counted_in_steps_taken(tmp_path: Path) -> None:
    problem = Problem(task="sum-squares", modulus=7, width=16, learning_rate=2e-2)
    with LocalExecutor(1) as executor:
        store = Store(tmp_path)
        found = critical_size.compare(problem, executor, store, steps=200)
        assert found["grid_model_steps"] == 60 * 200
        made = store.find(critical_size.grid(problem, 200))
    assert len(made) == 60
    assert 0 < int(found["model_steps"]) <= 6 * 200  # type: ignore[call-overload]
    assert found["ratio"] == int(found["grid_model_steps"]) / int(found["model_steps"])  # type: ignore[call-overload]


@pytest.mark.slow
def test_the_runner_knows_its_benchmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"peak", "pair_mlp", "critical_size"} <= set(runner.available())
    assert runner.main(["nonsense"]) == 2
    monkeypatch.setattr(pair_mlp, "LARGE", (tiny(),))
    monkeypatch.setattr(pair_mlp, "LARGE_TRAIN", 20)
    monkeypatch.setattr(pair_mlp, "SMALL", (tiny("relu"),))
    monkeypatch.setattr(peak, "gemm_peak", lambda: 2.0)
    monkeypatch.setattr(pair_mlp, "gemm", lambda _: peak.gemm(24))
    out = tmp_path / "results.json"
    runner.run(["peak", "pair_mlp"], out)
    records = json.loads(out.read_text(encoding="utf-8"))["records"]
    assert [one["benchmark"] for one in records] == [
        "peak",
        "pair-mlp fraction of peak",
        "pair-mlp against plain loop",
    ]
    assert {one["threads"] for one in records} == {1}
