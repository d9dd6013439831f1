"""What training takes: counted operations of a step, and memory; without torch."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from dcrit.empirics.runs.multitask import MultitaskConfig
from dcrit.theory.problems.problem import EXPANSION, N_HEADS, Problem

#: Tokens of the transformer's input: a, b, =.
N_TOKENS = 3


def step_flops(problem: Problem, n_train: int) -> int:
    """Operations of one training step that count: products with weights, forward once and backward twice [FLOPs].

    A multiplication and an addition count as two. Pair-MLP: 6·D·H·C. Transformer of one layer and width d, whose
    attention comes from tables of K = 2S + 1 inputs: 6·[D·(8d² + 8d + Cd) + K·(2d² + 4d)], the feed-forward block,
    the mixture of 8 table rows and the unembedding for each example, values, outputs and scores for each input. Deeper:
    6·D·(Cd + (L − 1)·(36d² + 12d) + 16d² + 6d), as of the last layer only keys and values are needed at all three
    positions. Look-ups, activations, softmax, the one-layer query and the optimizer count as nothing, nor do rows
    that only pad.

    Args:
        problem: Architecture.
        n_train: D, examples of a step.
    """
    width, n_classes = problem.width, problem.n_classes
    unembed = n_classes * width
    if problem.model == "mlp":
        return 6 * n_train * unembed
    feed_forward = 2 * EXPANSION * width**2
    if problem.depth == 1:
        per_input = 2 * width**2 + N_HEADS * width
        inputs = 2 * problem.n_symbols + 1
        return 6 * (n_train * (feed_forward + 2 * N_HEADS * width + unembed) + inputs * per_input)
    # Query, key, value, output and feed-forward block at all positions; pairs of positions that attend.
    whole = N_TOKENS * (4 * width**2 + feed_forward) + 2 * width * N_TOKENS * (N_TOKENS + 1) // 2
    # Keys and values at all positions, the rest at the one that is read.
    last = (2 * N_TOKENS + 2) * width**2 + feed_forward + 2 * width * N_TOKENS
    return 6 * n_train * (unembed + (problem.depth - 1) * whole + last)


def multitask_flops(config: MultitaskConfig) -> int:
    """Operations of a whole run on several tasks, counted like those of :func:`step_flops` [FLOPs].

    6·D_k·(H·C_k + H²) for every step that trains task k, without H² where the embedding is merged.
    """
    block = config.width if config.embedding == "apart" else 0
    per_task = [
        6 * component.n_train * config.width * (config.problem(k).n_classes + block)
        for k, component in enumerate(config.components)
    ]
    return sum(phase.steps * sum(per_task[task] for task in phase.tasks) for phase in config.phases)


def peak_memory_bytes() -> int:
    """Most memory that this process or any worker that has ended held [bytes]; on an accelerator, most of its memory.

    The largest single process counts, not their sum.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return int(torch.cuda.max_memory_allocated())
    unit = 1 if sys.platform == "darwin" else 1024
    ended = unit * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(_own_peak_bytes(unit), ended)


def _own_peak_bytes(unit: int) -> int:
    """Most memory of this process; Linux counts that of the program which started it in the resource usage [bytes]."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
