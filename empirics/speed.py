"""How fast this machine trains: products of the shape that a batch of networks has, timed."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from dcrit.empirics.budget import ASSUMED_FRACTION

#: Members, examples, inputs and outputs of the product: a feed-forward block of a batch of small transformers.
BATCH = (8, 1024, 128, 512)


def product_rate(device: str = "cpu", *, seconds: float = 1.0, clock: Callable[[], float] = time.monotonic) -> float:
    """Rate of batched float32 products, 2·M·R·I·O operations each, on one thread [FLOP/s].

    Args:
        device: ``cpu`` or ``cuda``.
        seconds: How long it is timed at least; one product is made before.
        clock: Seconds from some origin.
    """
    members, rows, inputs, outputs = BATCH
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(members, rows, inputs, generator=generator).to(device)  # (M, R, I)
    weight = torch.randn(members, inputs, outputs, generator=generator).to(device)  # (M, I, O)
    out = torch.empty(members, rows, outputs, device=device)  # (M, R, O)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        _product(x, weight, out)
        began, n_products, elapsed = clock(), 0, 0.0
        while elapsed < seconds:
            _product(x, weight, out)
            n_products += 1
            elapsed = clock() - began
    finally:
        torch.set_num_threads(threads)
    return 2.0 * members * rows * inputs * outputs * n_products / elapsed


def _product(x: torch.Tensor, weight: torch.Tensor, out: torch.Tensor) -> None:
    torch.bmm(x, weight, out=out)  # (M, R, O)
    if out.device.type == "cuda":
        torch.cuda.synchronize(out.device)


def training_rate(device: str, workers: int) -> float:
    """Counted operations that training is assumed to do here: ``ASSUMED_FRACTION`` of the products' rate [FLOP/s].

    Args:
        device: ``cpu`` or ``cuda``.
        workers: Training processes, each with one thread.
    """
    return ASSUMED_FRACTION * workers * product_rate(device)
