"""What training takes: counted operations of a step, and memory; without torch."""

from __future__ import annotations

import resource
import sys

from dcrit.theory.problem import Problem

#: Tokens of the transformer's input: a, b, =.
N_TOKENS = 3


def step_flops(problem: Problem, n_train: int) -> int:
    """Operations of one training step that count: products with weights, forward once and backward twice [FLOPs].

    A multiplication and an addition count as two. Pair-MLP: 6·D·H·C. Transformer of width d: 6·D·(Cd + L·w)
    with w = 3·12d² + 2·9·d for the three tokens of each of L layers, attention included. Look-ups,
    activations, softmax and the optimizer count as nothing, nor do rows that only pad.

    Args:
        problem: Architecture.
        n_train: D, examples of a step.
    """
    width, n_classes = problem.width, problem.n_classes
    weights = n_classes * width
    if problem.model == "transformer":
        weights += problem.depth * (N_TOKENS * 12 * width**2 + 2 * N_TOKENS**2 * width)
    return 6 * n_train * weights


def peak_memory_bytes() -> int:
    """Most memory that this process or any worker that has ended held [bytes]; on an accelerator, most of its memory.

    The largest single process counts, not their sum.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return int(torch.cuda.max_memory_allocated())
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
