import json
import math
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcrit.empirics.runs.multitask import (
    MULTITASK_CURVES,
    Component,
    MultitaskConfig,
    MultitaskCurves,
    MultitaskRun,
    Phase,
    beside_facts,
)
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.problems.problem import Problem

ADD = Component(task="add", modulus=7, n_train=20)
FACTS = Component(task="random", modulus=7, n_train=9)


def several(**changed: Any) -> MultitaskConfig:
    return MultitaskConfig(**({"components": (ADD, FACTS), "seed": 0} | changed))


@st.composite
def multitask(draw: st.DrawFn) -> MultitaskConfig:
    own = draw(st.lists(st.sampled_from([7, 9]), max_size=2))
    components = (ADD, FACTS, *(Component(task="random", modulus=p, n_train=p, operands="own") for p in own))
    places = st.sets(st.integers(0, len(components) - 1), min_size=1).map(sorted).map(tuple)
    return MultitaskConfig(
        components=components,
        seed=draw(st.integers(0, 2**40)),
        blocks=draw(st.sampled_from(["shared", "split"])),
        heads="own" if 9 in own else draw(st.sampled_from(["shared", "own"])),
        embedding=draw(st.sampled_from(["merged", "apart"])),
        phases=tuple(
            Phase(tasks=draw(places), steps=draw(st.integers(1, 500))) for _ in range(draw(st.integers(0, 3)))
        ),
        activation=draw(st.sampled_from(["square", "relu"])),
        width=draw(st.integers(1, 99)),
        weight_decay=draw(st.floats(1e-3, 9)),
        learning_rate=draw(st.floats(1e-3, 9)),
        precision=draw(st.sampled_from(["float32", "float64"])),
        beta2=draw(st.floats(0.01, 0.9999)),
        epsilon=draw(st.floats(1e-15, 1e-3)),
    )


@pytest.mark.slow
@given(multitask())
def test_round_trip_through_json(config: MultitaskConfig) -> None:
    again = MultitaskConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    assert again.address == config.address


@pytest.mark.slow
@given(multitask())
def test_curves_are_recorded_as_the_protocol_says_in_every_phase(config: MultitaskConfig) -> None:
    steps = config.evaluation_steps()
    assert steps == sorted(set(steps))
    assert steps[0] == 0
    assert steps[-1] == config.horizon
    began = 0
    for phase in config.phases:
        single = RunConfig(problem=config.problem(0), n_train=1, seed=0, steps=phase.steps)
        mine = [step - began for step in steps if began < step <= began + phase.steps]
        assert [0, *mine] == single.evaluation_steps()
        began += phase.steps


def test_every_field_is_in_the_address() -> None:
    changed: dict[str, Any] = {
        "components": (replace(ADD, n_train=21), FACTS),
        "seed": 1,
        "blocks": "split",
        "heads": "own",
        "embedding": "apart",
        "phases": (Phase(tasks=(0,), steps=9),),
        "activation": "relu",
        "width": 65,
        "weight_decay": 0.5,
        "learning_rate": 0.5,
        "precision": "float64",
        "beta2": 0.9,
        "epsilon": 1e-6,
        "model": "transformer",
    }
    assert list(changed) == [field.name for field in fields(MultitaskConfig)]
    needed = {"model": {"embedding": "apart"}}
    addresses = {several(**{name: value}, **needed.get(name, {})).address for name, value in changed.items()}
    assert len(addresses | {several().address}) == len(changed) + 1
    others = [replace(FACTS, task="random-latin"), replace(FACTS, operands="own"), replace(FACTS, n_train=10)]
    assert len({several(components=(ADD, other)).address for other in [FACTS, *others]}) == 4


def test_the_protocols_horizon_is_the_schedule_by_default() -> None:
    joint = several(phases=(Phase(tasks=(0, 1), steps=4000),))
    assert several() == joint
    assert several().address == joint.address
    assert several(learning_rate=1, weight_decay=1).horizon == 40


def test_whole_numbers_are_the_numbers_they_equal() -> None:
    assert several(weight_decay=2, learning_rate=1).address == several(weight_decay=2.0, learning_rate=1.0).address


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"components": ()}, "^components must be at least one, got none$"),
        ({"components": (ADD, replace(FACTS, modulus=8))}, r"^components must have as many symbols .*, got \[7, 8\]: "),
        (
            {"components": (ADD, Component(task="random-binary", modulus=7, n_train=3))},
            r"^heads must be own where tasks differ in classes, got shared for \[2, 7\]$",
        ),
        ({"seed": -1}, "^seed must be an integer of at least 0, got -1$"),
        ({"blocks": "own"}, "^blocks must be one of shared, split, got 'own'$"),
        ({"heads": "split"}, "^heads must be one of shared, own, got 'split'$"),
        ({"embedding": "shared"}, "^embedding must be one of merged, apart, got 'shared'$"),
        ({"phases": (Phase(tasks=(0, 2), steps=1),)}, "^phases must name components from 0 to 1, got 2$"),
        ({"activation": "gelu"}, "^activation must be one of relu, square, got 'gelu'; the nearest is 'relu'$"),
        ({"width": 0}, "^width must be an integer of at least 1, got 0$"),
        ({"weight_decay": 0.0}, "^weight_decay must be a finite number above 0, got 0.0$"),
        ({"beta2": 1.0}, "^beta2 must be a number above 0 and below 1, got 1.0$"),
        ({"epsilon": 0.0}, "^epsilon must be a finite number above 0, got 0.0$"),
        ({"learning_rate": math.nan}, "^learning_rate must be a finite number above 0, got nan$"),
        (
            {"precision": "float16"},
            "^precision must be one of float32, float64, got 'float16'; the nearest is 'float64'$",
        ),
    ],
)
def test_a_bad_multitask_run_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        several(**changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"task": "adds"}, "^task must be one of "),
        ({"modulus": 2}, "^modulus must be an integer of at least 3, got 2$"),
        ({"n_train": 0}, "^n_train must be an integer of at least 1, got 0$"),
        ({"n_train": 50}, "^n_train must be at most 49, "),
        ({"operands": "split"}, "^operands must be one of shared, own, got 'split'$"),
    ],
)
def test_a_bad_component_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(ADD, **changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"tasks": ()}, r"^tasks must be at least one, each once, got \(\)$"),
        ({"tasks": (1, 1)}, r"^tasks must be at least one, each once, got \(1, 1\)$"),
        ({"tasks": (-1,)}, "^tasks must be an integer of at least 0, got -1$"),
        ({"steps": 0}, "^steps must be an integer of at least 1, got 0$"),
    ],
)
def test_a_bad_phase_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(Phase(tasks=(0,), steps=1), **changed)


def test_tasks_with_other_classes_mix_with_heads_of_their_own() -> None:
    bits = Component(task="random-binary", modulus=7, n_train=3)
    config = several(components=(ADD, bits), heads="own")
    assert [config.problem(k).n_classes for k in (0, 1)] == [7, 2]


def test_facts_are_what_memorizing_the_task_would_be() -> None:
    problem = Problem(task="square-of-sum", modulus=7, activation="relu", width=24, learning_rate=0.02, epsilon=1e-6)
    config = beside_facts(problem, n_train=30, n_facts=12, seed=4, blocks="split", operands="own")
    assert config.problem(0) == problem
    assert config.problem(1) == problem.on_random_labels()
    assert [c.n_train for c in config.components] == [30, 12]
    assert config.components[1].operands == "own"
    assert (config.seed, config.blocks, config.horizon) == (4, "split", 2000)


def test_without_facts_the_task_is_alone() -> None:
    config = beside_facts(Problem(task="mul", modulus=7), n_train=30, n_facts=0)
    assert [c.task for c in config.components] == ["mul"]
    assert config.phases == (Phase(tasks=(0,), steps=4000),)


def test_pretraining_is_on_the_task_alone() -> None:
    config = beside_facts(Problem(modulus=7), n_train=30, n_facts=5, pretraining=300)
    assert config.phases == (Phase(tasks=(0,), steps=300), Phase(tasks=(0, 1), steps=4000))
    assert config.horizon == 4300


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n_facts": -1}, "^n_facts must be an integer of at least 0, got -1$"),
        ({"n_facts": 50}, "^n_train must be at most 49, "),
        ({"pretraining": -1}, "^pretraining must be an integer of at least 0, got -1$"),
        ({"problem": Problem(model="transformer", depth=2)}, "^depth must be 1 for several tasks, got 2$"),
        (
            {"problem": Problem(model="transformer"), "embedding": "merged"},
            "^embedding must be one of apart, got 'merged'$",
        ),
    ],
)
def test_bad_facts_are_refused(changed: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"problem": Problem(modulus=7), "n_train": 30, "n_facts": 5} | changed
    with pytest.raises(ValueError, match=message):
        beside_facts(given.pop("problem"), **given)


def test_families_without_several_tasks_are_refused() -> None:
    problem = Problem(model="transformer", modulus=7)
    object.__setattr__(problem.family, "multitask", False)
    try:
        with pytest.raises(ValueError, match=r"^model must be 'mlp' for several tasks, got 'transformer'$"):
            beside_facts(problem, n_train=9, n_facts=3)
    finally:
        object.__setattr__(problem.family, "multitask", True)


def test_a_transformer_beside_facts_has_an_address_of_its_own() -> None:
    problem = Problem(model="transformer", modulus=7, width=8)
    config = beside_facts(problem, n_train=9, n_facts=3, horizon=500)
    assert (config.model, config.embedding, config.horizon) == ("transformer", "apart", 500)
    assert config.problem(0) == problem
    assert MultitaskConfig.from_dict(config.to_dict()) == config
    assert "model" not in several().to_dict()


def test_only_the_first_task_changes_its_size() -> None:
    config = several().with_n_train(33, seed=7)
    assert [c.n_train for c in config.components] == [33, 9]
    assert config.seed == 7
    assert replace(config, components=(ADD, FACTS), seed=0) == several()


def run_with(config: MultitaskConfig, test_accuracy: np.ndarray, ending: Any = "horizon") -> MultitaskRun:
    steps = np.array(config.evaluation_steps(), dtype=np.float64)
    values = {name: np.zeros((len(steps), 2)) for name in MULTITASK_CURVES} | {"test_accuracy": test_accuracy}
    values |= {"step": steps, "squared_norm": np.zeros(len(steps))}
    return MultitaskRun(config=config, curves=MultitaskCurves(**values), ending=ending, seconds=1.0)


def test_settled_values_are_medians_over_the_last_tenth_of_the_last_phase() -> None:
    config = several(phases=(Phase(tasks=(0,), steps=9000), Phase(tasks=(0, 1), steps=1000)))
    steps = np.array(config.evaluation_steps())
    values = np.stack([np.where(steps >= 9900, steps, -1.0), np.where(steps >= 9900, 2.0 * steps, -1.0)], 1)
    run, late = run_with(config, values), steps[steps >= 9900]
    assert len(late) == 3
    assert run.settled("test_accuracy") == np.median(late)
    assert run.settled("test_accuracy", task=1) == 2 * np.median(late)
    assert math.isnan(run_with(config, values, "diverged").settled("test_accuracy"))
    with pytest.raises(ValueError, match=r"^name must be one of train_loss, .*, got 'squared_norm'$"):
        run.settled("squared_norm")


def test_multitask_runs_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        several().width = 3  # pyright: ignore[reportAttributeAccessIssue]
