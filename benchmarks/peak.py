"""What this core can do at most: one large product of matrices, float32."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.timing import one_thread, shortest_times


def gemm(size: int) -> Callable[[], object]:
    """A product of two square matrices of that size, to be called."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, size, size, generator=generator)
    out = torch.empty(size, size)
    return lambda: torch.mm(a, b, out=out)


def gemm_flops(size: int) -> int:
    """Multiplications and additions of that product, 2n³ [FLOPs]."""
    return 2 * size**3


def gemm_peak(size: int = 2048, repeats: int = 10) -> float:
    """Peak of matrix products on one thread, 2n³ over the shortest time [FLOP/s].

    Args:
        size: n, rows and columns of both factors.
        repeats: Products, of which the fastest counts.
    """
    with one_thread():
        return gemm_flops(size) / shortest_times({"gemm": gemm(size)}, repeats)["gemm"]


def main() -> list[dict[str, object]]:
    """Print the peak."""
    peak = gemm_peak()
    print(f"GEMM peak, float32, one thread: {peak / 1e9:.1f} GFLOP/s")
    return [{"benchmark": "peak", "peak": peak, "threads": 1}]


if __name__ == "__main__":
    main()
