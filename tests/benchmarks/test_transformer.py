"""The transformer's benchmark at a tiny size: it counts what it says; nothing here looks at a time."""

from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import transformer
from benchmarks.transformer import CASES, Case, PlainLoop, compare, largest_deviation
from dcrit.empirics.training.ensemble import Ensemble
from dcrit.theory.problems.problem import Problem

TINY = Case(
    name="tiny",
    problem=Problem(model="transformer", modulus=7, width=16, activation="relu", learning_rate=3e-3),
    n_train=20,
    members=2,
    compared=20,
    repeats=2,
)


def product(_: tuple[int, ...], first: tuple[int, ...], second: tuple[int, ...], **__: object) -> int:
    """FLOPs of a batch of products, by the shapes of their factors."""
    return 2 * first[0] * first[1] * first[2] * second[2]


def products(case: Case) -> int:
    """FLOPs of the matrix products in one step of the ensemble."""
    ensemble = Ensemble(case.configs())
    # Torch counts these products unless they are added in place.
    with FlopCounterMode(display=False, custom_mapping={torch.ops.aten.baddbmm_: product}) as counter:
        ensemble.advance(1)
    return counter.get_total_flops()


@pytest.mark.parametrize(("modulus", "width", "n_train"), [(7, 16, 20), (23, 24, 224), (13, 64, 128)])
def test_counted_operations_are_those_of_the_step(modulus: int, width: int, n_train: int) -> None:
    """Products as torch counts them, and the weighted sum of eight rows a bag, which it does not count."""
    case = replace(TINY, problem=replace(TINY.problem, modulus=modulus, width=width), n_train=n_train)
    weighted = case.members * 6 * n_train * 8 * width
    # The query of "=" and its gradients, not counted: some products of one vector with a matrix.
    vectors = case.members * 40 * width**2
    assert 0 <= products(case) - (case.flops - weighted) <= vectors


def test_the_nanda_configuration_needs_a_quarter_of_the_plain_loop() -> None:
    case = CASES[0]
    assert case.flops == case.problem.step_flops(3830) == pytest.approx(3.46e9, rel=0.02)
    plain = 6 * 3830 * (3 * 12 * 128**2 + 3 * 113 * 128)
    assert plain / case.flops == pytest.approx(4.2, abs=0.3)


@pytest.mark.slow
def test_both_ways_lead_to_the_same_parameters() -> None:
    assert largest_deviation(TINY) < 1e-10
    one, other = (PlainLoop(config) for config in TINY.configs())
    assert (one.model.theta() - other.model.theta()).abs().max() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_records_hold_their_ratios(threads: int) -> None:
    before = torch.get_num_threads()
    found = compare(TINY, threads=threads, gemm_size=32)
    assert torch.get_num_threads() == before
    assert found["threads"] == threads
    step, plain, peak = (
        float(found[name])  # type: ignore[arg-type]
        for name in ("seconds_per_model_step", "plain_seconds_per_model_step", "peak")
    )
    assert found["ratio"] == pytest.approx(plain / step)
    assert found["fraction"] == pytest.approx(TINY.problem.step_flops(TINY.n_train) / step / peak)


@pytest.mark.slow
def test_records_are_printed_and_written(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(transformer, "CASES", (TINY,))
    out = tmp_path_factory.mktemp("bench") / "records.json"
    transformer.command(["--threads", "1", "--out", str(out)])
    assert "tiny" in capsys.readouterr().out
    assert '"transformer, tiny"' in out.read_text(encoding="utf-8")
