import json
from dataclasses import FrozenInstanceError, fields, replace
from itertools import permutations, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcrit.theory.families.transformer import HOMOGENEITY, N_HEADS, longest_path
from dcrit.theory.problems.problem import Problem, label
from dcrit.theory.problems.tasks import TASKS

PRIMES = [p for p in range(5, 120) if all(p % k for k in range(2, p))]
NOT_INTEGERS = [4.0, "7", True, None]
NOT_POSITIVE = [0, 0.0, -1.0, float("nan"), float("inf"), -float("inf"), "1", None, True]

BAD_VALUES: dict[str, list[object]] = {
    "task": ["", "ADD", "addition", "random labels"],
    "modulus": [2, 1, 0, -7, *NOT_INTEGERS],
    "model": ["cnn", "", "MLP", None, 1],
    "activation": ["gelu", "", "ReLU", None, 2],
    "width": [0, -1, *NOT_INTEGERS],
    "depth": [0, -1, 2, *NOT_INTEGERS],
    "weight_decay": NOT_POSITIVE,
    "learning_rate": NOT_POSITIVE,
    "beta2": [0.0, 1.0, -0.5, 1.5, float("nan"), float("inf"), 1, "0.9", None, True],
    "epsilon": NOT_POSITIVE,
}


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    task = draw(st.sampled_from(sorted(TASKS)))
    moduli = st.sampled_from(PRIMES) if TASKS[task].nonzero else st.integers(3, 120)
    allowed = TASKS[task].moduli
    if allowed is not None:
        moduli = st.sampled_from(allowed[0])
    rates = st.floats(1e-6, 1e3)
    transformer = draw(st.booleans())
    return Problem(
        task=task,
        modulus=draw(moduli),
        model="transformer" if transformer else "mlp",
        activation=draw(st.sampled_from(["relu", "square"])),
        width=draw(st.integers(1, 10**4)) * (N_HEADS if transformer else 1),
        depth=draw(st.integers(1, 9)) if transformer else 1,
        weight_decay=draw(rates),
        learning_rate=draw(rates),
        beta2=draw(st.floats(0.01, 0.9999)),
        epsilon=draw(st.floats(1e-15, 1e-3)),
    )


@given(problems())
def test_round_trip_through_a_dict_and_json(problem: Problem) -> None:
    assert Problem.from_dict(dict(problem.to_dict())) == problem
    assert Problem.from_dict(json.loads(json.dumps(problem.to_dict()))) == problem


@pytest.mark.slow
@given(problems())
def test_sizes_count_what_they_name(problem: Problem) -> None:
    match problem.task:
        case "symmetric-group":
            symbols: list[object] = list(permutations(range(problem.modulus)))
        case "dihedral-group":
            symbols = list(product("tf", range(problem.modulus)))
        case "sparse-parity":
            symbols = list(product("01", repeat=problem.modulus // 2))
        case _:
            symbols = list(range(1 if problem.task in ("mul", "div") else 0, problem.modulus))
    binary = problem.task in ("sparse-parity", "random-binary")
    assert problem.n_symbols == len(symbols)
    assert problem.n_classes == (2 if binary else len(symbols))
    assert problem.n_pairs == sum(1 for _ in symbols for _ in symbols)


@given(problems())
def test_parameters_are_those_of_all_matrices(problem: Problem) -> None:
    n_symbols, n_classes, width = problem.n_symbols, problem.n_classes, problem.width
    if problem.model == "mlp":
        matrices = [(n_symbols, width), (n_symbols, width), (n_classes, width)]
    else:
        attention, feed_forward = 4 * [(width, width)], [(width, 4 * width), (4 * width, width)]
        tokens, positions = (n_symbols + 1, width), (3, width)
        matrices = [tokens, positions, *problem.depth * (attention + feed_forward), (width, n_classes)]
    assert problem.n_params == sum(rows * columns for rows, columns in matrices)


@given(problems())
def test_time_constant_is_one_over_the_decay_of_a_step(problem: Problem) -> None:
    assert problem.time_constant * problem.learning_rate * problem.weight_decay == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize(("activation", "degree"), [("relu", 2), ("square", 3)])
def test_homogeneity(activation: str, degree: int) -> None:
    assert Problem.from_dict({"activation": activation}).homogeneity == degree


@pytest.mark.parametrize(
    ("task", "modulus", "control", "n_symbols"),
    [
        ("add", 23, "random", 23),
        ("mul", 23, "random", 22),
        ("random", 9, "random", 9),
        ("symmetric-group", 4, "random", 24),
        ("sparse-parity", 8, "random-binary", 16),
        ("random-binary", 16, "random-binary", 16),
    ],
)
def test_random_labels_keep_model_and_optimizer(task: str, modulus: int, control: str, n_symbols: int) -> None:
    same: dict[str, Any] = {"activation": "relu", "width": 5, "weight_decay": 0.5, "learning_rate": 0.1}
    same |= {"beta2": 0.9, "epsilon": 1e-6}
    problem = Problem(task=task, modulus=modulus, **same)
    expected = Problem(task=control, modulus=n_symbols, **same)
    assert problem.on_random_labels() == expected
    assert (expected.n_params, expected.n_classes) == (problem.n_params, problem.n_classes)


def test_every_field_has_bad_values() -> None:
    assert list(BAD_VALUES) == [field.name for field in fields(Problem)]


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, bad in BAD_VALUES.items() for value in bad])
def test_a_bad_value_is_refused_by_the_name_of_its_field(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"^{field} must be .*, got ") as caught:
        Problem.from_dict({field: value})
    assert str(value) in str(caught.value)


def test_heads_divide_the_width_of_a_transformer() -> None:
    Problem(model="transformer", width=12)
    with pytest.raises(ValueError, match=r"^width must be a multiple of .* got 10$"):
        Problem(model="transformer", width=10)


@pytest.mark.parametrize(
    ("activation", "depth", "factors"), [("relu", 1, 6), ("relu", 2, 10), ("square", 1, 10), ("square", 2, 26)]
)
def test_the_degree_of_a_transformer_is_near_its_count_of_factors(activation: str, depth: int, factors: int) -> None:
    """Embedding, value, output, two feed-forward matrices a layer, unembedding; a square doubles what is before it."""
    assert longest_path(activation, depth) == factors
    problem = Problem(model="transformer", activation=activation, depth=depth)
    assert problem.homogeneity == pytest.approx(factors, rel=0.15)
    measured = HOMOGENEITY[activation]
    if depth <= len(measured):
        assert problem.homogeneity == measured[depth - 1]
    else:
        deepest = replace(problem, depth=len(measured))
        ratio = factors / longest_path(activation, deepest.depth)
        assert problem.homogeneity / deepest.homogeneity == pytest.approx(ratio)


def test_a_composite_modulus_is_refused_only_where_it_breaks_the_task() -> None:
    Problem(task="add", modulus=9)
    with pytest.raises(ValueError, match=r"^modulus must be prime for task 'div', got 9"):
        Problem(task="div", modulus=9)


@pytest.mark.parametrize("n_train", [1, 49])
def test_possible_training_set_sizes_pass(n_train: int) -> None:
    Problem(modulus=7).check_n_train(n_train)


@pytest.mark.parametrize("n_train", [0, -3, 5.0, "5", True, None])
def test_impossible_training_set_sizes_are_refused(n_train: object) -> None:
    with pytest.raises(ValueError, match=r"^n_train must be an integer of at least 1, got "):
        Problem(modulus=7).check_n_train(n_train)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("task", "n_pairs"), [("add", 49), ("mul", 36)])
def test_a_training_set_cannot_exceed_the_pairs(task: str, n_pairs: int) -> None:
    with pytest.raises(
        ValueError, match=rf"^n_train must be at most {n_pairs}, .*'{task}' at modulus 7, got {n_pairs + 1}"
    ):
        Problem(task=task, modulus=7).check_n_train(n_pairs + 1)


def test_whole_numbers_are_the_numbers_they_equal() -> None:
    whole, decimal = (Problem(weight_decay=one, learning_rate=one, epsilon=one) for one in (1, 1.0))
    assert json.dumps(whole.to_dict()) == json.dumps(decimal.to_dict())


def test_problems_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Problem().width = 3  # pyright: ignore[reportAttributeAccessIssue]


def test_what_is_not_named_follows_the_model() -> None:
    assert Problem() == Problem(model="mlp", activation="square", learning_rate=1e-2)
    assert Problem(model="transformer") == Problem(model="transformer", activation="relu", learning_rate=3e-3)
    assert Problem(model="transformer", activation="square").learning_rate == 3e-3
    assert Problem.from_dict({"model": "transformer", "learning_rate": 0.5}).to_dict()["activation"] == "relu"


@pytest.mark.parametrize(
    ("problem", "named", "without_width"),
    [
        (Problem(modulus=31, width=48), "add p=31 square H=48", "add p=31 square mlp"),
        (
            Problem(model="transformer", width=32, depth=2),
            "add p=23 relu d=32 2 layers",
            "add p=23 relu transformer 2 layers",
        ),
        (
            Problem(modulus=31, width=48, beta2=0.999, epsilon=1e-12),
            "add p=31 square H=48 β₂=0.999 ε=1e-12",
            "add p=31 square mlp β₂=0.999 ε=1e-12",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_problem_is_named_with_its_depth_and_where_it_plays_a_part_its_width(
    problem: Problem, named: str, without_width: str
) -> None:
    assert (label(problem), label(problem, width=False)) == (named, without_width)
    assert label(problem, modulus=False) == named.replace(f" p={problem.modulus}", "")
