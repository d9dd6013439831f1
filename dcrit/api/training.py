"""Real runs: where they are trained and kept, and what one may ask of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np

from dcrit.api.answers import Answer, axes_of, finished
from dcrit.api.headlines import at_rates
from dcrit.api.horizons import steps_of
from dcrit.api.several import problems_over
from dcrit.theory.advice import Advice, Setting
from dcrit.theory.arguments import hinting
from dcrit.theory.checks import FieldError, check_integer
from dcrit.theory.circuits.regimes import FITTED, GENERALIZED
from dcrit.theory.problems.problem import Problem, full_label
from dcrit.theory.written import finite

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from dcrit.empirics.experiments.laboratory import Laboratory
    from dcrit.empirics.runs.outcomes import Outcome
    from dcrit.empirics.runs.single import Precision, Run

#: Folder of the runs where none is named.
STORE = Path("dcrit-runs")


class MachineOptions(TypedDict, total=False):
    """Where to train.

    Attributes:
        workers: Processes that train, or most batches in flight on a cluster; 0 for as many as there is room for.
        executor: ``local`` or ``ray``.
        address: Of a running Ray cluster; None to start one here.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    workers: int
    executor: str
    address: str | None
    device: str


def machine_names() -> Iterable[str]:
    """Names of these options."""
    return MachineOptions.__annotations__


@dataclass(frozen=True, kw_only=True)
class Runs(Answer):
    """Finished runs of one problem, over widths, sizes and seeds.

    Attributes:
        problem: What was trained; of several widths, at the first of them.
        runs: In the order of widths, sizes, then seeds.
        summaries: Settled values and events of each, as JSON values.
        cost: What a step took: time and operations, and the memory of this process.
    """

    problem: Problem
    runs: Sequence[Run]
    summaries: Sequence[Mapping[str, Any]]
    cost: Mapping[str, float | None]

    @property
    def title(self) -> str:
        """What was trained, in a few words."""
        horizons = sorted({run.config.horizon for run in self.runs})
        what = full_label(self.problem, width=len(self.widths) == 1)
        return f"{len(self.runs)} runs: {what}, T = {', '.join(map(str, horizons))} steps"

    @property
    def headline(self) -> str:
        """How many runs show which dynamics."""
        shown = Counter(str(one["dynamics"] or "no test") for one in self.summaries)
        said = ", ".join(f"{n} {name}" for name, n in shown.most_common())
        return f"{len(self.summaries)} runs{at_rates(self.problem)}: {said}"

    @property
    def widths(self) -> list[int]:
        """The widths that were trained, each once."""
        return list(dict.fromkeys(one["width"] for one in self.summaries))

    @property
    def outcomes(self) -> list[Outcome]:
        """Settled values of every run."""
        from dcrit.empirics.runs.outcomes import outcome_of

        return [outcome_of(run) for run in self.runs]

    def to_dict(self) -> dict[str, Any]:
        """One entry a run, and what they cost, as JSON values."""
        return finite(
            {
                "problem": self.problem.to_dict(),
                "memorized_accuracy": FITTED,
                "generalized_accuracy": GENERALIZED,
                "runs": self.summaries,
                **self.cost,
            }
        )

    def to_polars(self) -> pl.DataFrame:
        """One row a run."""
        import polars as pl

        return pl.DataFrame(self.summaries, infer_schema_length=None)

    def curves(self) -> pl.DataFrame:
        """One row an evaluation, with the whole configuration of its run."""
        from dcrit.empirics.store.export import RUNS

        return RUNS.frame(self.runs)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw test accuracy over training time, or runs of several widths in the plane of both sizes."""
        from dcrit.figures.measured.runs import draw_plane, draw_training

        ax = axes_of(ax)
        (draw_training if len(self.widths) == 1 else draw_plane)(ax, self.runs)
        return finished(ax, self.title)


@hinting(problem=Problem, more=machine_names)
def train(
    problem: Problem,
    n_train: int | Sequence[int] | NDArray[np.integer],
    *,
    widths: ArrayLike | None = None,
    seeds: int | Sequence[int] | NDArray[np.integer] = 3,
    seed: int = 0,
    steps: int = 0,
    horizon: int | None = None,
    precision: Precision = "float32",
    store: Path | str = STORE,
    tensorboard: Path | str | None = None,
    **machine: Unpack[MachineOptions],
) -> Runs:
    """Train a problem at every width and size with every seed; what the store holds is not trained again.

    Args:
        problem: What to train.
        n_train: One training-set size or several [examples].
        widths: H, several of them in the place of the problem's: a plane of both sizes. None for the problem's.
        seeds: How many, or which.
        seed: First of them, where seeds is how many.
        steps: How long each run is trained, its horizon [steps]; 0 for the protocol's 40/(ηλ).
        horizon: T, another name for steps; None where it is not given [steps].
        precision: ``float32`` or ``float64``.
        store: Folder in which runs are kept.
        tensorboard: Folder to which curves are logged for TensorBoard; None for nowhere.
        **machine: Where to train, as :class:`MachineOptions` has it.

    Raises:
        ValueError: A value is out of range, or the folder cannot be written.
    """
    from dcrit.empirics.runs.outcomes import summary_of
    from dcrit.empirics.runs.single import configs_of
    from dcrit.empirics.training.cost import peak_memory_bytes

    if not isinstance(seeds, (Sequence, np.ndarray)):
        check_integer("seeds", seeds, 1)
        check_integer("seed", seed, 0)
        seeds = range(seed, seed + seeds)
    elif seed:
        raise FieldError("seed", Advice("be 0 where ", Setting("seeds"), " says which"), seed)
    steps = steps_of(steps, horizon)
    problems = problems_over(problem, None, widths)
    configs = [one for each in problems for one in configs_of(each, n_train, seeds, steps=steps, precision=precision)]
    if tensorboard is not None:
        from dcrit.empirics.store.tensorboard import check_tensorboard

        check_tensorboard(Path(tensorboard))
    summaries: list[dict[str, Any]] = []
    seconds = 0.0
    with laboratory_of(store, machine) as laboratory:
        runs = laboratory.runs(configs, stage="training")
        for one in runs:
            if tensorboard is not None:
                from dcrit.empirics.store.tensorboard import log_curves

                log_curves([one], Path(tensorboard))
            summaries.append({"width": one.config.problem.width} | summary_of(one))
            seconds += one.seconds
    taken = sum(one["steps"] for one in summaries)
    operations = sum(
        one["steps"] * run.config.problem.step_flops(one["n_train"]) for run, one in zip(runs, summaries, strict=True)
    )
    cost = {
        "seconds_per_step": seconds / taken if taken else None,
        "model_steps_per_second": taken / seconds if seconds else None,
        "flops_per_step": operations / taken if taken else None,
        # Of what nodes of a cluster held nothing is known here.
        "peak_memory_bytes": peak_memory_bytes() if machine.get("executor", "local") == "local" else None,
    }
    return Runs(problem=problems[0], runs=runs, summaries=summaries, cost=cost)


def laboratory_of(store: Path | str, machine: MachineOptions) -> AbstractContextManager[Laboratory]:
    """The runs in a folder: what is there is found, all else is trained and kept there."""
    from dcrit.empirics.experiments.laboratory import Machine, open_runs

    return open_runs(Path(store), Machine(**machine))
