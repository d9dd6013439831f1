"""Where experiments are made: what trains or finds runs of every kind."""

from __future__ import annotations

from collections.abc import Sequence

from dcrit.empirics.runs.multitask import MultitaskConfig, MultitaskRun
from dcrit.empirics.store.kinds import MultitaskStore
from dcrit.empirics.training.batches import plan_multitask
from dcrit.empirics.training.executor import LocalExecutor
from dcrit.empirics.training.multitask_ensemble import train_multitask
from dcrit.empirics.training.sweep import Trainer

#: How networks with several tasks are trained by processes of this machine.
MULTITASK: Trainer[MultitaskConfig, MultitaskRun] = Trainer(plan=plan_multitask, train=train_multitask)


class MultitaskTrainer:
    """Runs of several tasks, trained where a store lacks them, each batch kept when finished.

    Two tasks with a block and a head each, first one and then both, beside facts to memorize:

        >>> import tempfile
        >>> from pathlib import Path
        >>> from dcrit.empirics.store.kinds import MultitaskStore
        >>> from dcrit.empirics.experiments.laboratory import MultitaskTrainer
        >>> from dcrit.empirics.runs.multitask import Component, MultitaskConfig, Phase
        >>> config = MultitaskConfig(
        ...     components=(
        ...         Component(task="add", modulus=7, n_train=40),
        ...         Component(task="sub", modulus=7, n_train=40),
        ...         Component(task="random", modulus=7, n_train=10),
        ...     ),
        ...     blocks="split",
        ...     heads="own",
        ...     phases=(Phase(tasks=(0,), steps=200), Phase(tasks=(0, 1, 2), steps=400)),
        ...     width=16,
        ...     learning_rate=0.1,
        ...     seed=0,
        ... )
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     (run,) = MultitaskTrainer(MultitaskStore(Path(folder)))([config])
        >>> [run.settled("train_accuracy", task=k) for k in range(3)]
        [1.0, 1.0, 1.0]
        >>> run.curves.step[-1].item(), run.ending
        (600.0, 'horizon')

    Args:
        store: Where runs are found and kept.
        workers: Training processes; None for one on each usable core.
        device: ``cpu``, ``cuda`` or ``auto``.
    """

    def __init__(self, store: MultitaskStore, *, workers: int | None = None, device: str = "cpu") -> None:
        self.store, self.workers, self.device = store, workers, device

    def __call__(
        self, configs: Sequence[MultitaskConfig], /, *, stage: str = "several tasks"
    ) -> Sequence[MultitaskRun]:
        """Finished runs in the order of the configurations, as :meth:`LocalExecutor.run_with` trains them."""
        del stage  # nobody is told
        with LocalExecutor(self.workers, device=self.device) as executor:
            return executor.run_with(MULTITASK, configs, self.store)
