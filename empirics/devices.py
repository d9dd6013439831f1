"""Where to train."""

from __future__ import annotations

import torch

from dcrit.theory.problem import check_choice


def resolve_device(name: str) -> str:
    """The device behind ``auto``, ``cpu`` or ``cuda``: a GPU where there is one, else the CPU.

    Raises:
        ValueError: The name is unknown, or CUDA is asked for where there is none.
    """
    check_choice("device", name, ("auto", "cpu", "cuda"))
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device must be 'cpu' or 'auto' on this machine, got 'cuda': torch finds no CUDA device")
    return name
