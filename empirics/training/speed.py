"""How fast this machine trains: small ensembles on its cores, products of batch shape on its accelerator, timed."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier

import torch

from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training.batches import Batch, plan_batches
from dcrit.empirics.training.budget import Speed
from dcrit.empirics.training.ensemble import Ensemble
from dcrit.empirics.training.executor import usable_cores
from dcrit.empirics.training.work import core_cost
from dcrit.theory.checks import check_integer
from dcrit.theory.problems.problem import Problem

#: Ensembles that a core is timed with, of sizes of the standard suite. On one core other sizes of that suite came out
#: at 0.65 to 1.2 times their rate, the published transformers at up to 1.6 times: their time is overestimated.
REFERENCES = (
    RunConfig(problem=Problem(modulus=31, activation="square", width=64), n_train=300, seed=0),
    RunConfig(
        problem=Problem(modulus=23, model="transformer", activation="relu", width=24, learning_rate=3e-3),
        n_train=212,
        seed=0,
    ),
)

#: Members that a reference is asked for; it becomes the ensemble that a sweep would make of them.
REFERENCE_MEMBERS = 16

#: Fraction of the rate of a product of batch shape that whole steps are assumed to reach on an accelerator: not
#: measured, and too much for narrow networks.
ASSUMED_FRACTION = 0.5

#: Longest that processes which are timed together wait for the last of them to start [s].
LONGEST_START = 120.0

#: Members, examples, inputs and outputs of the product: a feed-forward block of a batch of small transformers.
BATCH = (8, 1024, 128, 512)


def product_rate(device: str = "cpu", *, seconds: float = 1.0, clock: Callable[[], float] = time.monotonic) -> float:
    """Rate of batched float32 products, 2·M·R·I·O operations each, on one thread [FLOP/s].

    Args:
        device: ``cpu`` or ``cuda``.
        seconds: How long it is timed at least; one product is made before.
        clock: Seconds from some origin.
    """
    members, rows, inputs, outputs = BATCH
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(members, rows, inputs, generator=generator).to(device)  # (M, R, I)
    weight = torch.randn(members, inputs, outputs, generator=generator).to(device)  # (M, I, O)
    out = torch.empty(members, rows, outputs, device=device)  # (M, R, O)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        _product(x, weight, out)
        began, n_products, elapsed = clock(), 0, 0.0
        while elapsed < seconds:
            _product(x, weight, out)
            n_products += 1
            elapsed = clock() - began
    finally:
        torch.set_num_threads(threads)
    return 2.0 * members * rows * inputs * outputs * n_products / elapsed


def _product(x: torch.Tensor, weight: torch.Tensor, out: torch.Tensor) -> None:
    torch.bmm(x, weight, out=out)  # (M, R, O)
    if out.device.type == "cuda":
        torch.cuda.synchronize(out.device)


def ensemble_rate(reference: RunConfig, *, seconds: float = 1.0, clock: Callable[[], float] = time.monotonic) -> float:
    """Estimated cost that training does on one thread of a core, evaluations included [FLOP/s].

    Args:
        reference: What is trained, with other seeds.
        seconds: How long it is timed at least; a stretch between two evaluations is trained before.
        clock: Seconds from some origin.
    """
    batch = plan_batches([replace(reference, seed=seed) for seed in range(REFERENCE_MEMBERS)])[0]
    steps = max(1, reference.horizon // len(reference.evaluation_steps()))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        ensemble = Ensemble(batch.configs)
        _stretch(ensemble, steps)
        began, stretches, elapsed = clock(), 0, 0.0
        while elapsed < seconds:
            _stretch(ensemble, steps)
            stretches += 1
            elapsed = clock() - began
    finally:
        torch.set_num_threads(threads)
    return batch.step_cost * len(batch.configs) * steps * stretches / elapsed


def seconds_of(
    configs: Sequence[RunConfig], *, seconds: float = 0.3, clock: Callable[[], float] = time.process_time
) -> float:
    """Processor time that one core of this machine trains runs for: a few steps of two batches say it [s].

    The seconds of a step are taken as linear in its cost, between those of the batch with the cheapest step and of that
    with the dearest one.

    Args:
        configs: The runs; at least one.
        seconds: How long each of both batches is timed at least.
        clock: Seconds from some origin; processor time does not count what other programs take.
    """
    batches = plan_batches(configs)
    costs = [core_cost(one) / one.configs[0].total_steps for one in batches]
    ends = sorted({costs.index(min(costs)), costs.index(max(costs))}, key=lambda k: costs[k])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        timed = [_step_seconds(batches[k], seconds=seconds, clock=clock) for k in ends]
    finally:
        torch.set_num_threads(threads)
    cheap, dear = costs[ends[0]], costs[ends[-1]]
    slope = (timed[-1] - timed[0]) / (dear - cheap) if dear > cheap else 0.0
    # Where the cheaper step came out slower, noise did it, and both say what a step of either takes.
    slope, least = (slope, timed[0]) if slope > 0 else (0.0, max(timed))
    return sum(
        (least + slope * (cost - cheap)) * batch.configs[0].total_steps
        for batch, cost in zip(batches, costs, strict=True)
    )


def _step_seconds(batch: Batch[RunConfig], *, seconds: float, clock: Callable[[], float]) -> float:
    """Time of a step of a batch, its share of the evaluations included [s]."""
    first = batch.configs[0]
    steps = max(1, first.total_steps // len(first.evaluation_steps()))
    ensemble = Ensemble(batch.configs)
    ensemble.advance(1)
    ensemble.evaluate()
    began, n_steps, elapsed = clock(), 0, 0.0
    while elapsed < seconds:
        _stretch(ensemble, steps)
        n_steps += steps
        elapsed = clock() - began
    return elapsed / n_steps


def _stretch(ensemble: Ensemble, steps: int) -> None:
    ensemble.advance(steps)
    ensemble.evaluate()


def core_rate(references: Sequence[RunConfig] = REFERENCES, *, seconds: float = 1.0) -> float:
    """Harmonic mean of the references' rates: that of as much work of each [FLOP/s].

    Args:
        references: What is trained.
        seconds: How long each is timed at least.
    """
    return len(references) / sum(1 / ensemble_rate(one, seconds=seconds) for one in references)


def measure_speed(device: str, workers: int, *, seconds: float = 1.0) -> Speed:
    """Speed of each of some workers while all of them train: they share caches and memory, and often cores.

    No more than one worker a core is timed; where there are more, they share what those reach.

    Args:
        device: ``cpu`` or ``cuda``.
        workers: Training processes, each with one thread; an accelerator has one.
        seconds: How long each reference is timed at least.

    Raises:
        ValueError: ``workers`` is below 1.
        RuntimeError: A process that was timed died.
    """
    check_integer("workers", workers, 1)
    if device == "cuda":
        return Speed(device=device, rate=ASSUMED_FRACTION * product_rate(device))
    n_timed = min(workers, usable_cores())
    if n_timed == 1:
        return Speed(device=device, rate=core_rate(seconds=seconds) / workers)
    context = multiprocessing.get_context("spawn")
    barrier, processes, pipes = context.Barrier(n_timed), list[BaseProcess](), list[Connection]()
    try:
        for _ in range(n_timed):
            ours, theirs = context.Pipe(duplex=False)
            processes.append(context.Process(target=_time_together, args=(barrier, theirs, seconds), daemon=True))
            processes[-1].start()
            theirs.close()
            pipes.append(ours)
        rates = [pipe.recv() for pipe in pipes]
    except EOFError as error:
        raise RuntimeError(f"one of {n_timed} processes died while their speed was measured; try fewer") from error
    finally:
        for process in processes:
            process.terminate()
            process.join()
    return Speed(device=device, rate=sum(rates) / workers)


def _time_together(barrier: Barrier, connection: Connection, seconds: float) -> None:
    barrier.wait(LONGEST_START)
    connection.send(core_rate(seconds=seconds))
