"""What an experiment trains, before it does: stages of runs, and the work that they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from dcrit.empirics.runs.dimensions import DIMENSION_VALUES, DimensionConfig
from dcrit.empirics.runs.multitask import MULTITASK_CURVES, TASK_CURVES, MultitaskConfig
from dcrit.empirics.runs.single import CURVE_NAMES, RunConfig
from dcrit.empirics.training.batches import Batch, member_bytes, multitask_member_bytes, plan_batches, plan_multitask
from dcrit.empirics.training.cost import multitask_flops

Trained = RunConfig | MultitaskConfig | DimensionConfig

#: What a store takes at most for a file, a run and a value. Values are 8 bytes before they are compressed.
FILE_BYTES, RUN_BYTES, VALUE_BYTES = 8500, 800, 8

#: Memory of a training process beside its tensors: 315 MB measured for interpreter and packages, and 50 for what torch
#: sets up when it first trains a transformer.
PROCESS_BYTES = 380_000_000


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Runs that are made in one sweep; the next stage waits for all of them.

    Attributes:
        known: What is run.
        largest: In place of runs whose size is chosen later: each takes as long as its run or longer.
    """

    known: Sequence[Trained] = ()
    largest: Sequence[Trained] = ()

    def __add__(self, other: Stage) -> Stage:
        """Both in one sweep."""
        return Stage(known=(*self.known, *other.known), largest=(*self.largest, *other.largest))

    @property
    def runs(self) -> tuple[Trained, ...]:
        """All of them."""
        return (*self.known, *self.largest)


@dataclass(frozen=True, kw_only=True)
class Work:
    """What training takes, at most.

    Attributes:
        n_runs: Runs.
        n_ensembles: Batches of runs that are trained together; each is a file of the store.
        flops: Counted operations [FLOPs].
        cost: What takes as long as so many operations of products: calls and evaluations included on a core, the
            counted operations alone on an accelerator [FLOPs].
        longest: Cost of the costliest ensemble of every stage, added up: no number of workers is faster [FLOPs].
        bytes_stored: On disk [bytes].
        bytes_held: Tensors of the largest ensemble [bytes].
    """

    n_runs: int = 0
    n_ensembles: int = 0
    flops: float = 0.0
    cost: float = 0.0
    longest: float = 0.0
    bytes_stored: int = 0
    bytes_held: int = 0

    def __add__(self, other: Work) -> Work:
        """Both, one after the other."""
        return Work(
            n_runs=self.n_runs + other.n_runs,
            n_ensembles=self.n_ensembles + other.n_ensembles,
            flops=self.flops + other.flops,
            cost=self.cost + other.cost,
            longest=self.longest + other.longest,
            bytes_stored=self.bytes_stored + other.bytes_stored,
            bytes_held=max(self.bytes_held, other.bytes_held),
        )

    def makespan(self, workers: int) -> float:
        """Cost until the last worker ends, at most [FLOPs].

        Of each stage, with workers that take the next ensemble whenever one is done:

            T_n ≤ cost/n + (1 − 1/n)·longest

        Args:
            workers: n, each training one ensemble at a time.

        Source: graham1969.
        """
        return self.cost / workers + (1 - 1 / workers) * self.longest


def flops_of(configs: Iterable[Trained]) -> float:
    """Counted operations of runs that take all their steps; those of a network's curvature are not counted [FLOPs]."""
    return float(sum(map(_flops, configs)))


def _flops(config: Trained) -> int:
    if isinstance(config, MultitaskConfig):
        return multitask_flops(config)
    run = config.run if isinstance(config, DimensionConfig) else config
    return run.problem.step_flops(run.n_train) * run.total_steps


def work_of(stages: Iterable[Stage], device: str = "cpu") -> Work:
    """What stages take, one after the other, in the ensembles that a sweep makes of each.

    Args:
        stages: What is trained.
        device: ``cpu`` or ``cuda``.
    """
    return sum((_stage_work(stage, device) for stage in stages), Work())


def _stage_work(stage: Stage, device: str) -> Work:
    batches = _batches(stage.runs, device)
    costs = [_cost(batch, device) for batch in batches]
    # Of unknown sizes, no two need to share a batch.
    n_ensembles = len(_batches(stage.known, device)) + len(stage.largest)
    # Networks whose curvature is looked at are trained one ensemble after the other.
    alone = any(isinstance(one, DimensionConfig) for one in stage.runs)
    return Work(
        n_runs=len(stage.runs),
        n_ensembles=n_ensembles,
        flops=flops_of(stage.runs),
        cost=sum(costs),
        longest=sum(costs) if alone else max(costs, default=0.0),
        bytes_stored=FILE_BYTES * n_ensembles + sum(map(_run_bytes, stage.runs)),
        bytes_held=max(map(_held_bytes, batches), default=0),
    )


def _batches(configs: Sequence[Trained], device: str) -> list[Batch[RunConfig] | Batch[MultitaskConfig]]:
    runs = [one for one in configs if isinstance(one, RunConfig)]
    looked_at = [one.run for one in configs if isinstance(one, DimensionConfig)]
    several = [one for one in configs if isinstance(one, MultitaskConfig)]
    return [*plan_batches(runs, device), *plan_batches(looked_at, device), *plan_multitask(several, device)]


def _cost(batch: Batch[RunConfig] | Batch[MultitaskConfig], device: str) -> float:
    return core_cost(batch) if device == "cpu" else flops_of(batch.configs)


def core_cost(batch: Batch[RunConfig] | Batch[MultitaskConfig]) -> float:
    """What takes as long on a core as so many operations of products, its calls in full [FLOPs].

    A step's calls take as long for one member as for several. Members' shares pay for them in a batch that is worth
    them; a smaller batch pays the rest alone. One small transformer trains in calls, and hardly in products.

    Args:
        batch: What is trained together.
    """
    first, n_members = batch.configs[0], len(batch.configs)
    family = (first.problem(0) if isinstance(first, MultitaskConfig) else first.problem).family
    unpaid = max(0, family.fewest_members - n_members) * family.call_flops
    return float(batch.cost + unpaid * first.total_steps)


def _held_bytes(batch: Batch[RunConfig] | Batch[MultitaskConfig]) -> int:
    first, n_members = batch.configs[0], len(batch.configs)
    return n_members * (multitask_member_bytes(first) if isinstance(first, MultitaskConfig) else member_bytes(first))


def _run_bytes(config: Trained) -> int:
    if isinstance(config, DimensionConfig):
        values = len(DIMENSION_VALUES)
    elif isinstance(config, MultitaskConfig):
        per_evaluation = len(MULTITASK_CURVES) + len(TASK_CURVES) * (len(config.components) - 1)
        values = per_evaluation * len(config.evaluation_steps())
    else:
        values = len(CURVE_NAMES) * len(config.evaluation_steps())
    return RUN_BYTES + VALUE_BYTES * values


def in_turn(chains: Iterable[Sequence[Stage]]) -> list[Stage]:
    """Chains of stages that advance together: each sweep is the next stage of all that have one left."""
    return [sum(stages, Stage()) for stages in zip_longest(*chains, fillvalue=Stage())]
