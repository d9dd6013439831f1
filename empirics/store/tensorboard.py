"""Curves of finished runs as TensorBoard shows them, where that package is installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path

from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.theory.checks import FieldError

#: Tag of every curve: what it is, then of what. TensorBoard draws what comes before the stroke together.
TAGS = {
    "train_loss": "loss/train",
    "test_loss": "loss/test",
    "train_accuracy": "accuracy/train",
    "test_accuracy": "accuracy/test",
    "squared_norm": "norm/squared",
    "neuron_norm": "norm/neuron",
    "max_norm": "norm/max",
    "barrier_norm": "norm/barrier",
    "deficit_low": "deficit/low",
    "deficit_median": "deficit/median",
    "deficit_high": "deficit/high",
}


def check_tensorboard(folder: Path) -> None:
    """Refuse to log where it is not possible, before anything is computed.

    Args:
        folder: Where curves are to be logged; made if need be.

    Raises:
        ValueError: The package is not installed, or the folder cannot be written to.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise FieldError(
            "tensorboard",
            "be left out where the package tensorboard is not installed",
            folder,
            why="pip install 'dcrit[tensorboard]' installs it",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{uuid.uuid4().hex}"
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise FieldError("tensorboard", "be a folder that can be written to", folder, why=error.strerror) from error


def run_name(config: RunConfig) -> str:
    """Folder of a run's curves: the problem, then size and seed, and the start of its address to tell all apart."""
    problem = config.problem
    depth = f"-depth-{problem.depth}" if problem.depth > 1 else ""
    return (
        f"{problem.task}-mod-{problem.modulus}-{problem.activation}-{problem.model}-width-{problem.width}{depth}"
        f"-decay-{problem.weight_decay:g}-rate-{problem.learning_rate:g}"
        f"/size-{config.n_train}-seed-{config.seed}-{config.address[:12]}"
    )


def log_curves(runs: Iterable[Run], folder: Path) -> int:
    """Write curves as TensorBoard's event files, one of its runs for each; those that are there are left.

    Values are stored in float32, and an evaluation's place is its optimizer step. A run appears when all of it
    is written. May be called again and again with runs as they finish:

        >>> import tempfile
        >>> from dcrit.empirics.store.tensorboard import log_curves
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     log_curves([], Path(folder))
        0

    Args:
        runs: Finished runs; each is asked for once and dropped when written.
        folder: What ``tensorboard --logdir`` is to be given.

    Returns:
        How many runs were written.

    Raises:
        ValueError: The package is not installed, or the folder cannot be written to.
    """
    check_tensorboard(folder)
    return sum(_log(run, folder / run_name(run.config)) for run in runs)


def _log(run: Run, target: Path) -> bool:
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - there only where the package is installed

    if target.exists():
        return False
    target.parent.mkdir(exist_ok=True)
    hidden = target.with_name(f".{uuid.uuid4().hex}")
    try:
        with SummaryWriter(str(hidden)) as writer:
            for name, tag in TAGS.items():
                for step, value in zip(run.curves.step, getattr(run.curves, name), strict=True):
                    writer.add_scalar(tag, value, int(step))
        try:
            os.rename(hidden, target)
        except OSError:
            if not target.exists():  # else another process was faster
                raise
            shutil.rmtree(hidden)
            return False
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    return True
