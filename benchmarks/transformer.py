"""The transformer's step against the loop that everybody would write first, and against the peak of the machine."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from benchmarks.peak import gemm, gemm_flops
from benchmarks.timing import one_thread, shortest_times
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training.batches import plan_batches
from dcrit.empirics.training.ensemble import Ensemble, draw
from dcrit.theory.problems.problem import Problem
from tests.worlds.transformer_oracle import PlainTransformer, plain_optimizer, plain_step, training_set


@dataclass(frozen=True, kw_only=True)
class Case:
    """One comparison.

    Attributes:
        name: What it is known as.
        problem: What is trained.
        n_train: D.
        members: Runs, together in the ensemble and one by one in the plain loop.
        compared: Steps after which both ways must have led to the same parameters.
        repeats: Rounds, of which the shortest times count.
    """

    name: str
    problem: Problem
    n_train: int
    members: int = 1
    compared: int
    repeats: int

    def configs(self, precision: str = "float32") -> list[RunConfig]:
        """Runs that differ in their seeds."""
        first = RunConfig(problem=self.problem, n_train=self.n_train, seed=0)
        return [replace(first, seed=seed, precision=precision) for seed in range(self.members)]  # type: ignore[arg-type]

    @property
    def flops(self) -> int:
        """Of one step of all members [FLOPs]; rows that only pad do not count."""
        return self.members * self.problem.step_flops(self.n_train)


def _transformer(modulus: int, width: int, learning_rate: float) -> Problem:
    return Problem(model="transformer", modulus=modulus, width=width, activation="relu", learning_rate=learning_rate)


#: Nanda's configuration, 30 % of all pairs at p = 113; and an ensemble near the critical size of a small transformer.
CASES = (
    Case(name="nanda", problem=_transformer(113, 128, 1e-3), n_train=3830, compared=3, repeats=6),
    Case(name="small ensemble", problem=_transformer(23, 24, 3e-3), n_train=212, members=16, compared=30, repeats=20),
)


class PlainLoop:
    """One run as anybody would train it first: module, three positions, autograd, ``torch.optim.AdamW``.

    Args:
        config: What to train; nothing is evaluated.
    """

    def __init__(self, config: RunConfig) -> None:
        self.model = PlainTransformer(config.problem, draw(config).theta)
        self.optimizer = plain_optimizer(self.model, config.problem)
        self.pairs, self.labels = training_set(config)

    def advance(self, n_steps: int) -> None:
        """Take so many steps."""
        for _ in range(n_steps):
            plain_step(self.model, self.optimizer, self.pairs, self.labels)


def largest_deviation(case: Case) -> float:
    """Largest |θ − θ'| over the largest |θ| between ensemble and plain loop after some steps in float64."""
    (first, *_) = configs = case.configs("float64")[:2]
    ensemble = Ensemble(configs)
    ensemble.advance(case.compared)
    plain = PlainLoop(first)
    plain.advance(case.compared)
    theta = plain.model.theta()  # (N/d, d)
    return ((ensemble.models.theta[0] - theta).abs().max() / theta.abs().max()).item()


def compare(case: Case, *, threads: int = 1, gemm_size: int = 2048) -> dict[str, object]:
    """Steps of all members together and in the plain loop, and a large product, in turns.

    Args:
        case: What to compare.
        threads: Torch's threads; processor time is measured for one, wall time for several.
        gemm_size: Rows and columns of the product that tells the peak.
    """
    configs = case.configs()
    ensembles = [Ensemble(batch.configs) for batch in plan_batches(configs)]
    plain = PlainLoop(configs[0])

    def together() -> None:
        for ensemble in ensembles:
            ensemble.advance(1)

    calls = {"gemm": gemm(gemm_size), "ensemble": together, "plain": lambda: plain.advance(1)}
    with one_thread():
        deviation = largest_deviation(case)
        torch.set_num_threads(threads)
        for call in calls.values():
            call()
        clock = time.process_time if threads == 1 else time.perf_counter
        times = shortest_times(calls, case.repeats, clock=clock)
    step, peak = times["ensemble"], gemm_flops(gemm_size) / times["gemm"]
    return {
        "benchmark": f"transformer, {case.name}",
        "modulus": case.problem.modulus,
        "width": case.problem.width,
        "n_train": case.n_train,
        "members": case.members,
        "threads": threads,
        "flops_per_step": case.flops,
        "seconds_per_model_step": step / case.members,
        "plain_seconds_per_model_step": times["plain"],
        "ratio": times["plain"] * case.members / step,
        "peak": peak,
        "fraction": case.flops / step / peak,
        "deviation": deviation,
    }


def main(*, threads: int = 1) -> list[dict[str, object]]:
    """Print the table."""
    print("case                threads  GFLOP/step  ms/model step    plain   ratio  of peak  deviation")
    records: list[dict[str, object]] = []
    for case in CASES:
        one = compare(case, threads=threads)
        records.append(one)
        print(
            f"{case.name:20}{threads:7}{case.flops / 1e9:12.3f}{one['seconds_per_model_step'] * 1e3:15.3f}"  # type: ignore[operator]
            f"{one['plain_seconds_per_model_step'] * 1e3:9.2f}{one['ratio']:8.1f}{one['fraction']:9.0%}"  # type: ignore[operator]
            f"{one['deviation']:11.1e}",
            flush=True,
        )
    return records


def command(words: list[str]) -> None:
    """Run on torch's threads, or as many as asked for, and write the records where asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--threads", type=int, default=torch.get_num_threads(), help="torch's threads; 1 counts CPU time"
    )
    parser.add_argument("--out", type=Path, help="JSON file for what was measured")
    arguments = parser.parse_args(words)
    records = main(threads=arguments.threads)
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(records, indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    command(sys.argv[1:])
