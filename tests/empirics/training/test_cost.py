import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from dcrit.empirics.runs.multitask import Blocks, Embedding, beside_facts
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training.cost import multitask_flops, peak_memory_bytes
from dcrit.empirics.training.ensemble import Ensemble
from dcrit.empirics.training.multitask_ensemble import MultitaskEnsemble
from dcrit.theory.families.transformer import N_TOKENS
from dcrit.theory.problems.problem import Problem


@pytest.mark.parametrize("activation", ["relu", "square"])
def test_counted_operations_of_a_pair_mlp_are_those_made(activation: str) -> None:
    problem = Problem(modulus=7, width=16, activation=activation)
    # 28 pairs need no padding.
    ensemble = Ensemble([RunConfig(problem=problem, n_train=28, seed=seed) for seed in range(3)])
    with FlopCounterMode(display=False) as counter:
        ensemble.advance(2)
    assert counter.get_total_flops() == 2 * 3 * problem.step_flops(28)


@pytest.mark.parametrize(
    ("blocks", "embedding"), [("shared", "merged"), ("split", "merged"), ("shared", "apart"), ("split", "apart")]
)
def test_counted_operations_of_multitask_runs_are_those_made(blocks: Blocks, embedding: Embedding) -> None:
    problem = Problem(modulus=7, width=16, learning_rate=0.5)
    several = beside_facts(problem, n_train=28, n_facts=12, blocks=blocks, embedding=embedding, pretraining=30)
    ensemble = MultitaskEnsemble([several], "cpu")
    found = []
    for phase in range(2):
        if phase:
            ensemble.begin(phase)
        found.append(products_of_a_step(ensemble))
    steps = [phase.steps for phase in several.phases]
    assert multitask_flops(several) == sum(each * n for each, n in zip(found, steps, strict=True))
    assert several.total_steps == sum(steps)


def products_of_a_step(ensemble: Ensemble | MultitaskEnsemble) -> float:
    with FlopCounterMode(display=False) as counter:
        ensemble.advance(2)
    return counter.get_total_flops() / 2


@pytest.mark.parametrize("blocks", ["shared", "split"])
def test_a_step_of_a_transformer_on_several_tasks_is_one_of_each(blocks: Blocks) -> None:
    problem = Problem(model="transformer", modulus=7, width=16, learning_rate=0.5)
    several = beside_facts(problem, n_train=28, n_facts=12, blocks=blocks, pretraining=30)
    trained, sizes = MultitaskEnsemble([several]), (28, 12)
    alone = [products_of_a_step(Ensemble([RunConfig(problem=problem, n_train=size, seed=0)])) for size in sizes]
    assert products_of_a_step(trained) == alone[0]
    trained.begin(1)
    assert products_of_a_step(trained) == sum(alone)
    first, second = (problem.step_flops(size) for size in sizes)
    assert multitask_flops(several) == 30 * first + problem.horizon * (first + second)


@pytest.mark.parametrize(("width", "depth"), [(8, 2), (12, 3)])
def test_counted_operations_of_deep_transformers_are_those_of_their_products(width: int, depth: int) -> None:
    problem = Problem(modulus=11, model="transformer", activation="relu", width=width, depth=depth)
    n_train, heads = 30, 4
    with FlopCounterMode(display=False) as counter:
        x = [torch.zeros(n_train, width, requires_grad=True) for _ in range(N_TOKENS)]
        for layer in range(depth):
            weights = [torch.zeros(width, width, requires_grad=True) for _ in range(4)]
            up, down = torch.zeros(width, 4 * width, requires_grad=True), torch.zeros(4 * width, width).requires_grad_()
            keys, values = ([(one @ w).view(n_train * heads, 1, -1) for one in x] for w in weights[1:3])
            read = range(N_TOKENS) if layer < depth - 1 else [N_TOKENS - 1]
            moved = []
            for i in read:
                query = (x[i] @ weights[0]).view(n_train * heads, 1, -1)  # (D·4, 1, d/4)
                scores = [torch.bmm(query, keys[j].mT) for j in range(i + 1)]  # (D·4, 1, 1)
                mixed = sum(torch.bmm(s, values[j]) for j, s in enumerate(scores))  # (D·4, 1, d/4)
                moved.append(((mixed.view(n_train, width) @ weights[3]) @ up).relu() @ down)  # type: ignore[union-attr]
            x = moved
        unembed = torch.zeros(problem.n_classes, width, requires_grad=True)
        (x[-1] @ unembed.T).sum().backward()
    assert counter.get_total_flops() == problem.step_flops(n_train)


@pytest.mark.processes
def test_peak_memory_sees_what_is_held_and_the_largest_worker() -> None:
    before = peak_memory_bytes()
    held = np.ones(64 << 20, dtype=np.uint8)
    assert peak_memory_bytes() >= max(before, held.nbytes)
    worker = 400 << 20
    subprocess.run([sys.executable, "-c", f"print(len(bytearray({worker})) * 0)"], check=True, capture_output=True)
    assert peak_memory_bytes() >= worker
    assert peak_memory_bytes() >= before
