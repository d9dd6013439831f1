from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dcrit.empirics.models.multitask_layout import Layout, multitask_key
from dcrit.empirics.runs.multitask import TASK_CURVES, Blocks, Component, MultitaskConfig, Phase, beside_facts
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training import ensemble
from dcrit.empirics.training.multitask_ensemble import MultitaskEnsemble, draw_multitask, train_multitask
from dcrit.theory.problems.problem import Problem
from tests.worlds.multitask_oracle import literal, train_multitask_literally

ADD = Component(task="add", modulus=5, n_train=14)
FACTS = Component(task="random", modulus=5, n_train=9)
APART = Component(task="random", modulus=6, n_train=7, operands="own")

#: Every way to share, with facts on the task's operands and, where classes may differ, on others.
ARCHITECTURES = [
    MultitaskConfig(
        components=(ADD, FACTS, APART) if heads == "own" else (ADD, FACTS, replace(APART, modulus=5)),
        seed=3,
        blocks=blocks,
        heads=heads,
        embedding=embedding,
        activation=activation,
        width=6,
        precision="float64",
    )
    for blocks, heads, embedding, activation in product(
        ("shared", "split"), ("shared", "own"), ("merged", "apart"), ("square", "relu")
    )
]
ARCHITECTURES += [
    replace(config, model="transformer", width=8) for config in ARCHITECTURES if config.embedding == "apart"
]
NAMES = [f"{c.model}-{c.blocks}-{c.heads}-{c.embedding}-{c.activation}" for c in ARCHITECTURES]
EVERY = pytest.mark.parametrize("config", ARCHITECTURES, ids=NAMES)


def gradients(configs: list[MultitaskConfig], phase: int = 0) -> Tensor:
    trained = MultitaskEnsemble(configs)
    trained.begin(phase)
    return trained.gradient()


def literal_gradient(config: MultitaskConfig, tasks: tuple[int, ...]) -> Tensor:
    drawn = draw_multitask(config)
    model = literal(config, drawn.theta)
    model.loss(drawn, tasks).backward()
    return torch.cat([torch.zeros_like(m) if m.grad is None else m.grad for m in model.matrices.values()])


@EVERY
def test_the_gradient_is_autograds(config: MultitaskConfig) -> None:
    phases = (Phase(tasks=(0, 1, 2), steps=5), Phase(tasks=(2, 0), steps=5))
    # Members differ in seeds and, within the padding, in sizes.
    other = replace(config.with_n_train(13, seed=8), phases=phases)
    members = [replace(config, phases=phases), other]
    for place, phase in enumerate(phases):
        for got, member in zip(gradients(members, place), members, strict=True):
            expected = literal_gradient(member, phase.tasks)
            torch.testing.assert_close(got, expected, rtol=1e-11, atol=1e-12 * expected.abs().max().item())


@EVERY
def test_a_run_is_the_literal_one(config: MultitaskConfig) -> None:
    phases = (Phase(tasks=(0,), steps=9), Phase(tasks=(0, 1), steps=8), Phase(tasks=(0, 1, 2), steps=7))
    config = replace(config, phases=phases, learning_rate=0.03, beta2=0.9, epsilon=1e-4)
    (run,), (expected, _) = train_multitask([config]), train_multitask_literally(config)
    assert run.ending == "horizon"
    assert run.curves.step.tolist() == config.evaluation_steps()
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(run.curves, name), values, rtol=1e-9, err_msg=name)


@EVERY
def test_parts_are_shared_as_documented(config: MultitaskConfig) -> None:
    layout = Layout.of(config)
    used = torch.from_numpy(np.stack([rows.mask(layout.n_rows) for rows in layout.tasks]))
    assert used.any(0).all()
    first_two, first_and_third = (used[0] & used[1]).sum(), (used[0] & used[2]).sum()
    heads = 5 if config.heads == "shared" else 0
    block = config.width if config.embedding == "apart" and config.blocks == "shared" else 0
    operands = 0 if config.embedding == "merged" and config.blocks == "split" else 2 * 5
    if config.model == "transformer":  # one embedding of symbols; positions and attention are everybody's
        block, operands = 8 * block + 3 + 4 * config.width, 5
    assert first_two == operands + block + heads
    assert first_and_third == block + heads
    assert (used.sum(0) == 1).sum() == layout.n_rows - (used.sum(0) > 1).sum()
    if config.model == "transformer":
        for k, rows in enumerate(layout.tasks):
            assert used[k].sum() * config.width == config.problem(k).n_params
            assert rows.head.stop - rows.head.start == config.problem(k).n_classes


def test_one_component_in_a_block_of_its_own_is_the_pair_mlp() -> None:
    problem = Problem(task="mul", modulus=7, width=16, learning_rate=3e-2)
    single = RunConfig(problem=problem, n_train=20, seed=5, steps=60, precision="float64")
    config = replace(
        beside_facts(problem, n_train=20, n_facts=0, seed=5, blocks="split"),
        phases=(Phase(tasks=(0,), steps=60),),
        precision="float64",
    )
    drawn, expected = draw_multitask(config), ensemble.draw(single)
    assert torch.equal(drawn.theta, expected.theta)
    assert torch.equal(drawn.train[0], expected.train)
    (run,), (alone,) = train_multitask([config]), ensemble.train([single])
    assert run.curves.step.tolist() == alone.curves.step.tolist()
    for name in TASK_CURVES:
        np.testing.assert_allclose(getattr(run.curves, name)[:, 0], getattr(alone.curves, name), rtol=1e-9)
    np.testing.assert_allclose(run.curves.squared_norm, alone.curves.squared_norm, rtol=1e-9)


@pytest.mark.parametrize("blocks", ["shared", "split"])
def test_one_component_of_a_transformer_is_the_transformer(blocks: Blocks) -> None:
    problem = Problem(model="transformer", task="mul", modulus=7, width=8, learning_rate=3e-2)
    single = RunConfig(problem=problem, n_train=20, seed=5, steps=60, precision="float64")
    alone = beside_facts(problem, n_train=20, n_facts=0, seed=5, blocks=blocks, horizon=60)
    config = replace(alone, precision="float64")
    drawn, expected = draw_multitask(config), ensemble.draw(single)
    assert torch.equal(drawn.theta, expected.theta)
    assert torch.equal(drawn.train[0], expected.train)
    (run,), (other,) = train_multitask([config]), ensemble.train([single])
    assert run.curves.step.tolist() == other.curves.step.tolist()
    for name in TASK_CURVES:
        np.testing.assert_allclose(getattr(run.curves, name)[:, 0], getattr(other.curves, name), rtol=1e-9)
    np.testing.assert_allclose(run.curves.squared_norm, other.curves.squared_norm, rtol=1e-9)


def test_networks_that_share_nothing_do_not_know_of_each_other() -> None:
    config = replace(ARCHITECTURES[NAMES.index("mlp-split-own-merged-square")], components=(ADD, FACTS), phases=())
    layout, (both,) = Layout.of(config), gradients([config])
    for task in (0, 1):
        (alone,) = gradients([replace(config, phases=(Phase(tasks=(task,), steps=1),))])
        mine = torch.from_numpy(layout.tasks[task].mask(layout.n_rows))
        assert not alone[~mine].any()
        share = config.components[task].n_train / (ADD.n_train + FACTS.n_train)
        torch.testing.assert_close(both[mine], share * alone[mine], rtol=1e-11, atol=1e-15)


@EVERY
def test_what_only_idle_tasks_use_stands_still(config: MultitaskConfig) -> None:
    trained = MultitaskEnsemble([replace(config, phases=(Phase(tasks=(1,), steps=4),))])
    before = trained.theta.clone()
    trained.advance(4)
    moved = (trained.theta != before).any(2)[0]
    assert torch.equal(moved, torch.from_numpy(trained.layout.tasks[1].mask(trained.layout.n_rows)))


def test_moments_start_anew_in_every_phase() -> None:
    two = replace(ARCHITECTURES[0], phases=(Phase(tasks=(0,), steps=3), Phase(tasks=(0,), steps=3)))
    one = replace(two, phases=(Phase(tasks=(0,), steps=6),))
    (first,), (second,) = train_multitask([two]), train_multitask([one])
    at_three = first.curves.step == 3
    assert first.curves.train_loss[at_three, 0] == second.curves.train_loss[second.curves.step == 3, 0]
    assert first.curves.train_loss[-1, 0] != second.curves.train_loss[-1, 0]


def test_a_member_does_not_depend_on_its_batch() -> None:
    configs = [ARCHITECTURES[0].with_n_train(size, seed=seed) for seed, size in enumerate((14, 13, 14))]
    configs = [replace(config, phases=(Phase(tasks=(0, 1, 2), steps=30),)) for config in configs]
    together = train_multitask(configs)
    for run, config in zip(together, configs, strict=True):
        (alone,) = train_multitask([config])
        assert run.config == config
        for name in TASK_CURVES:
            np.testing.assert_allclose(getattr(run.curves, name), getattr(alone.curves, name), rtol=1e-9)


@pytest.mark.parametrize(
    "change",
    [
        {"width": 8},
        {"blocks": "split"},
        {"heads": "own"},
        {"embedding": "apart"},
        {"activation": "relu"},
        {"learning_rate": 0.5},
        {"weight_decay": 0.5},
        {"beta2": 0.9},
        {"epsilon": 1e-12},
        {"precision": "float32"},
        {"phases": (Phase(tasks=(0,), steps=2),)},
        {"components": (ADD, FACTS), "phases": ()},
        {"components": (ADD, replace(FACTS, n_train=25), replace(APART, modulus=5))},
    ],
    ids=str,
)
def test_members_of_a_batch_have_the_same_shapes(change: dict[str, Any]) -> None:
    config = ARCHITECTURES[0]
    assert multitask_key(config) == multitask_key(config.with_n_train(13, seed=9))
    other = replace(config, **change)
    assert multitask_key(other) != multitask_key(config)
    with pytest.raises(ValueError, match=r"^configs must share one batch key, got several$"):
        MultitaskEnsemble([config, other])


def test_a_loss_that_is_not_finite_is_told() -> None:
    config = replace(ARCHITECTURES[0], learning_rate=1e30, phases=(Phase(tasks=(0, 1, 2), steps=4),))
    (run,) = train_multitask([config])
    assert run.ending == "diverged"
    assert np.isnan(run.settled("test_accuracy"))


@pytest.mark.slow
def test_a_multitask_run_learns_its_task_and_memorizes_its_facts() -> None:
    problem = Problem(modulus=11, width=32, learning_rate=2e-2)
    (run,) = train_multitask([beside_facts(problem, n_train=110, n_facts=15, seed=1)])
    assert run.settled("test_accuracy") > 0.7
    assert run.settled("train_accuracy", task=1) == 1.0
    assert run.settled("test_accuracy", task=1) < 0.3
