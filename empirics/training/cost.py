"""What training takes: counted operations of a step, and memory; without torch."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from dcrit.empirics.runs.multitask import MultitaskConfig


def multitask_flops(config: MultitaskConfig) -> int:
    """Operations of a whole run on several tasks, counted as :meth:`ModelFamily.step_flops` counts [FLOPs].

    What a network of the task alone takes for every step that trains it, and in pair-MLPs with an embedding apart
    6·D_k·H² more.
    """
    block = 0 if config.is_transformer or config.embedding == "merged" else config.width**2
    per_task = [
        config.problem(k).step_flops(component.n_train) + 6 * component.n_train * block
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
