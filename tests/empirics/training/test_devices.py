import contextlib
import logging
from collections.abc import Iterator

import pytest
import torch

from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training import devices
from dcrit.empirics.training.devices import WARM_UP, Repeated, resolve_device
from dcrit.empirics.training.ensemble import Ensemble
from dcrit.theory.problems.problem import Problem


def test_devices_are_resolved_or_refused() -> None:
    assert resolve_device("cpu") == "cpu"
    assert resolve_device("auto") in ("cpu", "cuda")
    with pytest.raises(ValueError, match="device must be one of auto, cpu, cuda, got 'tpu'"):
        resolve_device("tpu")


def test_cuda_is_refused_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == "cpu"
    with pytest.raises(ValueError, match="device must be 'cpu' or 'auto' on this machine"):
        resolve_device("cuda")


def test_on_the_cpu_a_step_is_called_as_often_as_asked() -> None:
    taken: list[int] = []
    repeat = Repeated(lambda: taken.append(1), "cpu")
    repeat(3)
    repeat(0)
    repeat(4)
    assert len(taken) == 7
    assert not repeat.is_recorded


class Recorder:
    """What a GPU would do: run steps, record one without running it, replay it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, fails: bool = False) -> None:
        self.taken, self.recorded, self.replayed = 0, 0, 0
        self.recording, self.fails = False, fails
        monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: self)
        monkeypatch.setattr(torch.cuda, "graph", lambda graph: graph.record())
        monkeypatch.setattr(torch.cuda, "Stream", lambda: self)
        monkeypatch.setattr(torch.cuda, "current_stream", lambda: self)
        monkeypatch.setattr(torch.cuda, "stream", lambda _: contextlib.nullcontext())

    def wait_stream(self, _: object) -> None:
        pass

    @contextlib.contextmanager
    def record(self) -> Iterator[None]:
        if self.fails:
            raise RuntimeError("operation not permitted when stream is capturing")
        self.recording = True
        yield
        self.recording = False

    def replay(self) -> None:
        self.replayed += 1

    def step(self) -> None:
        if self.recording:
            self.recorded += 1
        else:
            self.taken += 1


def test_on_a_gpu_a_step_is_recorded_once_and_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Recorder(monkeypatch)
    repeat = Repeated(gpu.step, "cuda:0")
    repeat(2)
    assert (gpu.taken, gpu.recorded, gpu.replayed) == (2, 0, 0)
    repeat(10)
    repeat(5)
    assert (gpu.taken, gpu.recorded, gpu.replayed) == (WARM_UP, 1, 17 - WARM_UP)


def test_a_step_that_cannot_be_recorded_is_taken_and_said_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gpu = Recorder(monkeypatch, fails=True)
    repeat = Repeated(gpu.step, "cuda")
    with caplog.at_level(logging.WARNING, logger=devices.__name__):
        repeat(20)
    assert (gpu.taken, gpu.recorded, gpu.replayed) == (20, 0, 0)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "not permitted when stream is capturing" in caplog.text


def members(n: int) -> list[RunConfig]:
    return [RunConfig(problem=Problem(modulus=5, width=16), n_train=12, seed=seed, steps=50) for seed in range(n)]


@pytest.mark.slow
def test_thousands_of_members_fit_one_ensemble() -> None:
    many, few = Ensemble(members(2000)), Ensemble(members(2000)[1990:])
    many.advance(5)
    few.advance(5)
    assert torch.equal(many.models.theta[1990:], few.models.theta)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("activation", ["relu", "square"])
def test_a_gpu_leads_to_the_same_parameters(activation: str) -> None:
    problem = Problem(modulus=7, width=16, activation=activation)  # type: ignore[arg-type]
    configs = [RunConfig(problem=problem, n_train=28, seed=seed, precision="float64") for seed in range(4)]
    here, there = Ensemble(configs), Ensemble(configs, "cuda")
    for ensemble in (here, there):
        ensemble.advance(30)
        ensemble.keep([3, 1])
        ensemble.advance(30)
    torch.testing.assert_close(there.models.theta.cpu(), here.models.theta, rtol=1e-9, atol=1e-9)
