"""Ensembles of pair-MLPs against the peak of the core, and against the loop that everybody would write first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.peak import gemm, gemm_flops
from benchmarks.timing import one_thread, shortest_times
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training.adamw import BETA_1
from dcrit.empirics.training.batches import plan_batches
from dcrit.empirics.training.ensemble import Ensemble, draw
from dcrit.theory.problems.problem import Problem

#: The large problem: Huang's modulus, a wide network.
LARGE = (Problem(modulus=113, width=512), Problem(modulus=113, width=512, activation="relu"))
LARGE_TRAIN, LARGE_MEMBERS = 3072, 2

#: The small ones, on a training set near their critical size: 32 % of all pairs.
SMALL = tuple(
    Problem(modulus=modulus, width=width, activation=activation)
    for activation in ("square", "relu")
    for modulus in (23, 29, 31)
    for width in (32, 64, 128)
)
SMALL_FRACTION, SMALL_MEMBERS = 0.32, 32

#: Steps in a row that a time is taken over, of a plain run or of one batch, and of a large batch: some milliseconds,
#: which are seldom interrupted. Either is trained to its end before others begin, hence finds in the cache what its
#: last step left there. Steps after which both ways must have led to the same parameters.
TIMED_STEPS, LARGE_TIMED_STEPS, COMPARED_STEPS = 10, 3, 30


class PlainPairMLP(nn.Module):
    """logits = W·σ(U[a] + V[b]), of torch's layers."""

    def __init__(self, problem: Problem, theta: Tensor) -> None:
        super().__init__()
        self.activation = problem.activation
        first, second, unembed = theta.split(problem.n_symbols)
        self.first, self.second = (
            nn.Embedding.from_pretrained(first, False),
            nn.Embedding.from_pretrained(second, False),
        )
        self.unembed = nn.Linear(problem.width, problem.n_classes, bias=False, dtype=theta.dtype)
        with torch.no_grad():
            self.unembed.weight.copy_(unembed)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Logits of pairs, (D, C)."""
        hidden = self.first(a) + self.second(b)  # (D, H)
        return self.unembed(hidden.square() if self.activation == "square" else hidden.relu())  # (D, C)

    def theta(self) -> Tensor:
        """All parameters as an ensemble's member has them, (3S, H)."""
        return torch.cat([self.first.weight, self.second.weight, self.unembed.weight]).detach()


class PlainLoop:
    """One run as anybody would train it first: module, autograd, ``torch.optim.AdamW``; nothing is evaluated.

    Args:
        config: What to train.
    """

    def __init__(self, config: RunConfig) -> None:
        problem, start = config.problem, draw(config)
        self.model = PlainPairMLP(problem, start.theta.clone())
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=problem.learning_rate,
            betas=(BETA_1, problem.beta2),
            eps=problem.epsilon,
            weight_decay=problem.weight_decay,
        )
        self.a, self.b = start.train // problem.n_symbols, start.train % problem.n_symbols
        self.labels = start.labels[start.train]

    def advance(self, n_steps: int) -> None:
        """Take so many steps."""
        for _ in range(n_steps):
            self.optimizer.zero_grad()
            cross_entropy(self.model(self.a, self.b), self.labels).backward()
            self.optimizer.step()


@dataclass(frozen=True, kw_only=True)
class Members:
    """The members of one benchmark, trained as a sweep on one core does it.

    Attributes:
        configs: What to train; all share a batch key.
    """

    configs: tuple[RunConfig, ...]

    @classmethod
    def of(cls, problem: Problem, n_train: int, n_members: int) -> Members:
        """Members that differ in their seeds."""
        return cls(configs=tuple(RunConfig(problem=problem, n_train=n_train, seed=seed) for seed in range(n_members)))

    def ensembles(self) -> list[Ensemble]:
        """Batches as a sweep plans them, one after the other."""
        return [Ensemble(batch.configs) for batch in plan_batches(self.configs)]

    def calls(self, n_steps: int) -> dict[str, Callable[[], object]]:
        """So many steps of every batch, to be called; a first one is taken."""
        ensembles = self.ensembles()
        for ensemble in ensembles:
            ensemble.advance(1)
        return {f"batch {place}": partial(ensemble.advance, n_steps) for place, ensemble in enumerate(ensembles)}

    @property
    def flops(self) -> int:
        """Of one step of all members [FLOPs]; rows that only pad do not count."""
        first = self.configs[0]
        return len(self.configs) * first.problem.step_flops(first.n_train)


def largest_deviation(configs: Sequence[RunConfig], n_steps: int) -> float:
    """Largest |θ − θ'| over the largest |θ| between ensemble and plain loop after some steps in float64."""
    doubled = [replace(config, precision="float64") for config in configs]
    trained: dict[RunConfig, Tensor] = {}
    for batch in plan_batches(doubled):
        ensemble = Ensemble(batch.configs)
        ensemble.advance(n_steps)
        trained |= dict(zip(batch.configs, ensemble.models.theta, strict=True))
    worst = 0.0
    for config in doubled:
        plain = PlainLoop(config)
        plain.advance(n_steps)
        theta = plain.model.theta()  # (3S, H)
        worst = max(worst, ((trained[config] - theta).abs().max() / theta.abs().max()).item())
    return worst


def fraction_of_peak(
    problem: Problem, n_train: int, n_members: int, *, gemm_size: int = 2048, repeats: int = 20
) -> dict[str, object]:
    """Counted FLOPs of a step over its time, as a fraction of the peak of matrix products in the same rounds."""
    members = Members.of(problem, n_train, n_members)
    with one_thread():
        times = shortest_times({"gemm": gemm(gemm_size), **members.calls(LARGE_TIMED_STEPS)}, repeats)
    peak = gemm_flops(gemm_size) / times.pop("gemm")
    seconds = sum(times.values()) / LARGE_TIMED_STEPS
    return {
        **_labelled(problem, n_train, n_members),
        "benchmark": "pair-mlp fraction of peak",
        "flops_per_step": members.flops,
        "seconds_per_model_step": seconds / n_members,
        "peak": peak,
        "fraction": members.flops / seconds / peak,
    }


def ratio_to_plain(problem: Problem, n_train: int, n_members: int, *, repeats: int = 40) -> dict[str, object]:
    """Time of a step of all members in plain loops, one by one, over that of their batches."""
    members = Members.of(problem, n_train, n_members)
    plain = PlainLoop(members.configs[0])
    with one_thread():
        deviation = largest_deviation(members.configs[:2], COMPARED_STEPS)
        calls = {"plain": partial(plain.advance, TIMED_STEPS), **members.calls(TIMED_STEPS)}
        times = shortest_times(calls, repeats)
    other = times.pop("plain") / TIMED_STEPS
    one = sum(times.values()) / (TIMED_STEPS * n_members)
    return {
        **_labelled(problem, n_train, n_members),
        "benchmark": "pair-mlp against plain loop",
        "flops_per_step": members.flops,
        "seconds_per_model_step": one,
        "plain_seconds_per_model_step": other,
        "ratio": other / one,
        "deviation": deviation,
    }


def _labelled(problem: Problem, n_train: int, n_members: int) -> dict[str, object]:
    return {
        "modulus": problem.modulus,
        "activation": problem.activation,
        "width": problem.width,
        "n_train": n_train,
        "members": n_members,
        "threads": 1,
    }


def main() -> list[dict[str, object]]:
    """Print both tables."""
    records = [fraction_of_peak(problem, LARGE_TRAIN, LARGE_MEMBERS) for problem in LARGE]
    print("   p  activation    H     D  members  GFLOP/step   ms/step  of peak")
    for one in records:
        print(
            f"{one['modulus']:4}  {one['activation']:10} {one['width']:4} {one['n_train']:5} {one['members']:8}"
            f"  {one['flops_per_step'] / 1e9:10.3f} {one['seconds_per_model_step'] * 1e3:9.2f} {one['fraction']:8.0%}"  # type: ignore[operator]
        )
    print("   p  activation    H     D  members   µs/step     plain   ratio  deviation")
    for problem in SMALL:
        one = ratio_to_plain(problem, round(SMALL_FRACTION * problem.n_pairs), SMALL_MEMBERS)
        records.append(one)
        print(
            f"{one['modulus']:4}  {one['activation']:10} {one['width']:4} {one['n_train']:5} {one['members']:8}"
            f" {one['seconds_per_model_step'] * 1e6:9.1f} {one['plain_seconds_per_model_step'] * 1e6:9.1f}"  # type: ignore[operator]
            f" {one['ratio']:7.1f}  {one['deviation']:9.1e}",
            flush=True,
        )
    return records


if __name__ == "__main__":
    main()
