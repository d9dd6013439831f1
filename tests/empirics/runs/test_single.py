import hashlib
import json
import math
from dataclasses import FrozenInstanceError, fields
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcrit.empirics.runs.single import CURVE_NAMES, Curves, RunConfig
from dcrit.theory.problems.problem import Problem

BASE = RunConfig(problem=Problem(modulus=7), n_train=20, seed=3)
NOT_INTEGERS = [4.0, "7", True, None]

BAD_VALUES: dict[str, list[object]] = {
    "n_train": [0, -1, 50, *NOT_INTEGERS],
    "seed": [-1, *NOT_INTEGERS],
    "steps": [-1, *NOT_INTEGERS],
    "until": ["decided", "", None],
    "precision": ["float16", "double", "", None, 32],
    "start": ["grokked", "", None],
}
OTHER_VALUES: dict[str, object] = {
    "n_train": 21,
    "seed": 4,
    "steps": 123,
    "until": "generalized",
    "precision": "float64",
    "start": "generalized",
}
OTHER_PROBLEM_VALUES: dict[str, object] = {
    "task": "sub",
    "modulus": 11,
    "model": "transformer",
    "activation": "relu",
    "width": 65,
    "weight_decay": 0.5,
    "learning_rate": 0.02,
    "beta2": 0.9,
    "epsilon": 1e-6,
}


def with_fields(**changed: Any) -> RunConfig:
    return RunConfig.from_dict(BASE.to_dict() | changed)


def with_problem_fields(**changed: object) -> RunConfig:
    return with_fields(problem=BASE.to_dict()["problem"] | changed)


@st.composite
def configs(draw: st.DrawFn) -> RunConfig:
    problem = Problem(
        modulus=draw(st.integers(3, 30)),
        learning_rate=draw(st.floats(1e-4, 0.5)),
        weight_decay=draw(st.floats(1e-2, 10)),
    )
    return RunConfig(
        problem=problem,
        n_train=draw(st.integers(1, problem.n_pairs)),
        seed=draw(st.integers(0, 2**31)),
        steps=draw(st.integers(0, 1000)),
        until=draw(st.sampled_from(["horizon", "generalized"])),
        precision=draw(st.sampled_from(["float32", "float64"])),
        start=draw(st.sampled_from(["scratch", "generalized"])),
    )


@given(configs())
def test_evaluations_run_from_zero_to_the_horizon_in_order(config: RunConfig) -> None:
    steps = config.evaluation_steps()
    assert steps[0] == 0
    assert steps[-1] == config.horizon
    assert all(type(step) is int for step in steps)
    assert all(before < after for before, after in pairwise(steps))


@given(configs())
def test_evaluations_are_never_more_than_half_a_time_constant_apart(config: RunConfig) -> None:
    half = max(1.0, config.problem.time_constant / 2)
    # Steps are whole numbers: half a time constant is rounded to the nearest.
    assert all(after - before <= half + 0.5 for before, after in pairwise(config.evaluation_steps()))


@given(configs())
def test_early_evaluations_are_log_spaced(config: RunConfig) -> None:
    for before, after in pairwise(config.evaluation_steps()):
        assert after - before <= max(1, round(0.3 * before))


@given(configs())
def test_evaluations_cost_little(config: RunConfig) -> None:
    """Few while log-spaced, then no closer than the spacing that half a time constant allows."""
    gaps = [after - before for before, after in pairwise(config.evaluation_steps())][:-1]
    spacing = max(1, round(config.problem.time_constant / 2))
    short = [gap for gap in gaps if gap < spacing]
    assert gaps == sorted(gaps)
    assert len(short) <= 10 + 5 * math.log(spacing)


def test_evaluations_of_the_reference_protocol() -> None:
    config = RunConfig(problem=Problem(learning_rate=1e-2, weight_decay=1.0), n_train=200, seed=0)
    steps = config.evaluation_steps()
    assert config.horizon == 4000
    assert steps[:8] == [0, 1, 2, 3, 4, 5, 7, 9]
    assert {after - before for before, after in pairwise(steps) if 200 < before < 3900} == {50}


@pytest.mark.parametrize(("rate", "decay", "horizon"), [(1e-2, 1.0, 4000), (1e-3, 1.0, 40_000), (0.03, 2.0, 667)])
def test_horizon_is_forty_time_constants_unless_given(rate: float, decay: float, horizon: int) -> None:
    problem = Problem(learning_rate=rate, weight_decay=decay)
    assert RunConfig(problem=problem, n_train=9, seed=0).horizon == horizon
    assert RunConfig(problem=problem, n_train=9, seed=0, steps=17).horizon == 17


@given(configs())
def test_round_trip_through_a_dict_and_json(config: RunConfig) -> None:
    for fields_ in (config.to_dict(), json.loads(json.dumps(config.to_dict()))):
        again = RunConfig.from_dict(fields_)
        assert again.to_dict() == config.to_dict()
        assert again.address == config.address
        assert again == with_horizon(config)


def with_horizon(config: RunConfig) -> RunConfig:
    return RunConfig(
        problem=config.problem,
        n_train=config.n_train,
        seed=config.seed,
        steps=config.horizon,
        until=config.until,
        precision=config.precision,
        start=config.start,
    )


def test_address_is_the_hash_of_the_canonical_json() -> None:
    shuffled = dict(reversed(BASE.to_dict().items()))
    canonical = json.dumps(shuffled, sort_keys=True, separators=(",", ":"))
    assert BASE.address == hashlib.sha256(canonical.encode()).hexdigest()[:32]


def test_default_steps_share_the_address_of_the_horizon_they_stand_for() -> None:
    assert BASE.steps == 0
    assert with_fields(steps=BASE.horizon).address == with_fields(steps=0).address == BASE.address
    assert with_fields(steps=BASE.horizon + 1).address != BASE.address


def test_the_address_of_a_run_from_scratch_does_not_name_its_start() -> None:
    old = (
        '{"n_train":20,"precision":"float32","problem":{"activation":"square","depth":1,"learning_rate":0.01,'
        '"model":"mlp","modulus":7,"task":"add","weight_decay":1.0,"width":64},"protocol":2,"seed":3,"steps":4000,'
        '"until":"horizon"}'
    )
    assert BASE.address == hashlib.sha256(old.encode()).hexdigest()[:32]
    assert with_fields(start="scratch").address == BASE.address


def test_a_generalized_start_goes_on_from_most_pairs_and_counts_both_parts() -> None:
    config = with_fields(start="generalized", until="generalized", steps=70)
    assert config.before.to_dict() == BASE.to_dict() | {"n_train": 44, "steps": 70}
    assert with_fields(start="generalized", n_train=47).before.n_train == 47
    assert (config.total_steps, config.before.total_steps) == (140, 70)


def test_equal_configurations_share_one_address() -> None:
    whole, real = with_problem_fields(weight_decay=1), with_problem_fields(weight_decay=1.0)
    assert whole == real
    assert whole.address == real.address


def test_every_field_is_varied_below() -> None:
    assert set(OTHER_VALUES) | {"problem"} == {field.name for field in fields(RunConfig)}
    assert set(OTHER_PROBLEM_VALUES) | {"depth"} == {field.name for field in fields(Problem)}
    assert set(BASE.to_dict()["problem"]) == {field.name for field in fields(Problem)} - set(Problem.ADDED_LATER)


def test_every_field_changes_the_address() -> None:
    changed = [with_fields(**{name: value}) for name, value in OTHER_VALUES.items()]
    changed += [with_problem_fields(**{name: value}) for name, value in OTHER_PROBLEM_VALUES.items()]
    # Only a transformer can be deeper.
    changed.append(with_problem_fields(model="transformer", depth=2))
    assert len({config.address for config in [BASE, *changed]}) == 1 + len(changed)


def test_protocol_changes_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcrit.empirics.runs.single.PROTOCOL", -1)
    assert RunConfig(problem=BASE.problem, n_train=BASE.n_train, seed=BASE.seed).address != BASE.address


def test_every_field_has_bad_values() -> None:
    assert list(BAD_VALUES) == [field.name for field in fields(RunConfig) if field.name != "problem"]


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, bad in BAD_VALUES.items() for value in bad])
def test_a_bad_value_is_refused_by_the_name_of_its_field(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"^{field} must be .*, got ") as caught:
        with_fields(**{field: value})
    assert str(value) in str(caught.value)


def test_a_bad_problem_is_refused_by_the_name_of_its_field() -> None:
    with pytest.raises(ValueError, match=r"^width must be "):
        with_problem_fields(width=0)


def test_configurations_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        BASE.seed = 1  # pyright: ignore[reportAttributeAccessIssue]


def test_curve_names_are_the_fields_of_curves() -> None:
    assert tuple(field.name for field in fields(Curves)) == CURVE_NAMES
    assert CURVE_NAMES[0] == "step"
