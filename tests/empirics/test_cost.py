import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from dcrit.empirics.cost import N_TOKENS, peak_memory_bytes, step_flops
from dcrit.empirics.ensemble import Ensemble
from dcrit.empirics.runs import RunConfig
from dcrit.theory.problem import Activation, Problem


@pytest.mark.parametrize("activation", ["relu", "square"])
def test_counted_operations_of_a_pair_mlp_are_those_made(activation: Activation) -> None:
    problem = Problem(modulus=7, width=16, activation=activation)
    # 28 pairs need no padding.
    ensemble = Ensemble([RunConfig(problem=problem, n_train=28, seed=seed) for seed in range(3)])
    with FlopCounterMode(display=False) as counter:
        ensemble.advance(2)
    assert counter.get_total_flops() == 2 * 3 * step_flops(problem, 28)


@pytest.mark.parametrize(("width", "depth"), [(8, 1), (12, 2)])
def test_counted_operations_of_a_transformer_are_those_of_its_products(width: int, depth: int) -> None:
    problem = Problem(modulus=11, model="transformer", activation="relu", width=width, depth=depth)
    n_train, heads = 30, 4
    with FlopCounterMode(display=False) as counter:
        x = torch.zeros(n_train, N_TOKENS, width, requires_grad=True)
        for _ in range(depth):
            weights = [torch.zeros(width, width, requires_grad=True) for _ in range(4)]
            up, down = torch.zeros(width, 4 * width, requires_grad=True), torch.zeros(4 * width, width).requires_grad_()
            q, k, v = (
                (x @ w).view(n_train, N_TOKENS, heads, width // heads).transpose(1, 2) for w in weights[:3]
            )  # (D, heads, 3, d/heads)
            mixed = ((q @ k.mT).softmax(-1) @ v).transpose(1, 2).reshape(n_train, N_TOKENS, width)  # (D, 3, d)
            x = mixed @ weights[3]
            x = (x @ up).relu() @ down
        unembed = torch.zeros(problem.n_classes, width, requires_grad=True)
        (x[:, -1] @ unembed.T).sum().backward()
    # The literal network answers all three tokens in the last layer too, as the count says.
    assert counter.get_total_flops() == step_flops(problem, n_train)


def test_peak_memory_sees_what_is_held_and_the_largest_worker() -> None:
    before = peak_memory_bytes()
    held = np.ones(64 << 20, dtype=np.uint8)
    assert peak_memory_bytes() >= max(before, held.nbytes)
    worker = 400 << 20
    subprocess.run([sys.executable, "-c", f"print(len(bytearray({worker})) * 0)"], check=True, capture_output=True)
    assert peak_memory_bytes() >= worker
    assert peak_memory_bytes() >= before
