"""Train many independent networks on several tasks at once, phase by phase, in one batch."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from dcrit.empirics.checkpoint import Checkpoint, alike
from dcrit.empirics.ensemble import Progress
from dcrit.empirics.mixture_networks import MixtureEnsemble
from dcrit.empirics.mixtures import TASK_CURVES, MixtureConfig, MixtureCurves, MixtureRun
from dcrit.empirics.runs import Ending


def train_mixtures(
    configs: Sequence[MixtureConfig],
    *,
    device: str = "cpu",
    progress: Progress = lambda _: None,
    checkpoint: Checkpoint | None = None,
) -> list[MixtureRun]:
    """Train every configuration through all its phases, in one batch.

    Args:
        configs: Runs that share :func:`mixture_key`.
        device: Where to train.
        progress: Called with the number of model-steps just finished.
        checkpoint: Where states are kept and found; None for nowhere.

    Returns:
        One finished run for each configuration, in the given order; a member whose loss ceases to be finite
        has its curves to the end and is marked as diverged.
    """
    began = time.perf_counter()
    ensemble = MixtureEnsemble(configs, device)
    steps, ends = configs[0].evaluation_steps(), np.cumsum([phase.steps for phase in configs[0].phases]).tolist()
    values, norms, done, phase = [], [], 0, 0
    curves_shape = (len(configs), len(TASK_CURVES), len(configs[0].components))
    shapes = {"values": (None, *curves_shape), "norms": (None, len(configs)), "done": (), "phase": (), "seconds": ()}
    kept = checkpoint and checkpoint.load(lambda state: alike(state, {**ensemble.shapes(), **shapes}))
    if kept:
        done, phase, began = int(kept["done"]), int(kept["phase"]), began - float(kept["seconds"])
        values, norms = list(kept["values"]), list(kept["norms"])
        ensemble.restore(phase, kept)
        progress(done * len(configs))
    for target in steps[len(values) :]:
        if done == ends[phase] and target > done:
            phase += 1
            ensemble.begin(phase)
        ensemble.advance(target - done)
        progress((target - done) * len(configs))
        done = target
        row, norm = ensemble.evaluate()
        values.append(row)
        norms.append(norm)
        if checkpoint:
            seconds = time.perf_counter() - began
            recorded = {"values": np.stack(values), "norms": np.stack(norms)}
            counts = {"done": np.array(done), "phase": np.array(phase), "seconds": np.array(seconds)}
            checkpoint.keep(lambda recorded=recorded, counts=counts: {**ensemble.state(), **recorded, **counts})
    table, norm = np.stack(values, 1), np.stack(norms, 1)  # (M, E, 4, K), (M, E)
    seconds = (time.perf_counter() - began) / len(configs)
    runs = []
    for member, config in enumerate(configs):
        ending: Ending = "horizon" if np.isfinite(table[member, :, 0]).all() else "diverged"
        curves = {name: table[member, :, column].copy() for column, name in enumerate(TASK_CURVES)}
        step = np.array(steps, dtype=np.float64)
        recorded = MixtureCurves(step=step, squared_norm=norm[member].copy(), **curves)
        runs.append(MixtureRun(config=config, curves=recorded, ending=ending, seconds=seconds))
    return runs
