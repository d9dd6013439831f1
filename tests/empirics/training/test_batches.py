from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcrit.empirics.models.padding import batch_key, padded_rows, rows_of
from dcrit.empirics.runs.single import Precision, RunConfig
from dcrit.empirics.training.batches import (
    EVALUATION_BYTES,
    LARGEST_SHARE,
    MEMBERS,
    Batch,
    plan_batches,
    step_cost,
)
from dcrit.theory.families.pair_mlp import FAMILY as PAIR_MLP
from dcrit.theory.problems.problem import Problem


def config(*, n_train: int = 20, seed: int = 0, steps: int = 60, precision: Precision = "float32", **problem: int):
    return RunConfig(
        problem=Problem(**({"modulus": 7, "width": 4} | problem)),  # pyright: ignore[reportArgumentType]
        n_train=n_train,
        seed=seed,
        steps=steps,
        precision=precision,
    )


def seeds(count: int, **fields: int) -> list[RunConfig]:
    return [config(seed=seed, **fields) for seed in range(count)]  # pyright: ignore[reportArgumentType]


@st.composite
def sweeps(draw: st.DrawFn) -> list[RunConfig]:
    blocks = draw(
        st.lists(
            st.tuples(st.integers(5, 40), st.sampled_from([1, 8, 100]), st.integers(1, 25), st.sampled_from([9, 500])),
            min_size=1,
            max_size=5,
            unique=True,
        )
    )
    found = [
        config(modulus=modulus, width=width, n_train=n_train, steps=steps, seed=seed)
        for modulus, width, n_train, steps in blocks
        for seed in range(draw(st.integers(1, 40)))
    ]
    return draw(st.permutations(found))


@pytest.mark.slow
@given(sweeps(), st.sampled_from(["cpu", "cuda"]))
def test_batches_divide_the_runs_by_their_keys(configs: list[RunConfig], device: str) -> None:
    batches = plan_batches(configs, device)
    assert Counter(one for batch in batches for one in batch.configs) == Counter(configs)
    sizes: dict[object, list[int]] = {}
    for batch in batches:
        (key,) = {batch_key(one) for one in batch.configs}
        sizes.setdefault(key, []).append(len(batch.configs))
        assert 1 <= len(batch.configs) <= MEMBERS[device]
    assert all(max(found) - min(found) <= 1 for found in sizes.values())


@pytest.mark.slow
@given(sweeps())
def test_the_most_expensive_batches_come_first(configs: list[RunConfig]) -> None:
    costs = [batch.cost for batch in plan_batches(configs)]
    assert costs == sorted(costs, reverse=True)


@pytest.mark.slow
@given(sweeps())
def test_all_work_is_counted(configs: list[RunConfig]) -> None:
    batches = plan_batches(configs)
    assert sum(batch.cost for batch in batches) == sum(step_cost(one) * one.horizon for one in configs)
    for batch in batches:
        assert {step_cost(one) for one in batch.configs} == {batch.step_cost}


@pytest.mark.slow
@given(sweeps())
def test_a_large_batch_is_a_small_share(configs: list[RunConfig]) -> None:
    batches = plan_batches(configs)
    total = sum(batch.cost for batch in batches)
    for batch in batches:
        if len(batch.configs) > PAIR_MLP.fewest_members:
            # The number of members is rounded.
            assert batch.cost <= LARGEST_SHARE * total + batch.cost / len(batch.configs)


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(1, [1]), (4, [4]), (12, [4] * 3), (13, [3, 3, 3, 4]), (64, [8] * 8), (300, [15] * 4 + [16] * 15)],
)
def test_equal_runs_are_spread_evenly(count: int, sizes: list[int]) -> None:
    assert sorted(len(batch.configs) for batch in plan_batches(seeds(count))) == sizes


def test_cheap_runs_stay_together_beside_expensive_ones() -> None:
    batches = plan_batches([*seeds(16), *seeds(64, steps=6000)])
    assert sorted((len(batch.configs), batch.configs[0].horizon) for batch in batches) == [
        *[(8, 6000)] * 8,
        (16, 60),
    ]


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("fields", [{"width": 64}, {"width": 512}, {"modulus": 101}, {"modulus": 113, "width": 512}])
def test_batches_fit_cache_and_memory(fields: dict[str, int], precision: Precision) -> None:
    n_bytes = {"float32": 4, "float64": 8}[precision]
    configs = [config(n_train=49, seed=seed, precision=precision, **fields) for seed in range(400)]
    problem = configs[0].problem
    parameters = n_bytes * 4 * problem.n_params
    pairs = n_bytes * problem.n_pairs * (problem.n_classes + problem.width)
    for device in ("cpu", "cuda"):
        for batch in plan_batches(configs, device):
            n_members = len(batch.configs)
            assert n_members == 1 or n_members * pairs <= EVALUATION_BYTES[device]
            if device == "cpu":
                assert n_members == 1 or n_members * parameters <= 1.5 * PAIR_MLP.cache_bytes


def test_an_accelerator_gets_larger_batches() -> None:
    configs = seeds(400, width=64)
    assert max(len(batch.configs) for batch in plan_batches(configs, "cpu")) <= MEMBERS["cpu"]
    assert [len(batch.configs) for batch in plan_batches(configs, "cuda")] == [400]


def test_nothing_makes_no_batches() -> None:
    assert plan_batches([]) == []


def test_the_cost_of_a_batch_is_that_of_all_its_steps() -> None:
    assert Batch(configs=tuple(seeds(3, steps=50)), step_cost=7, member_bytes=5).cost == 3 * 50 * 7


def test_the_run_before_a_generalized_start_counts_in_full() -> None:
    one = RunConfig(problem=Problem(modulus=31, width=64), n_train=100, seed=0, start="generalized")
    (batch,) = plan_batches([one])
    (alone,), (before,) = plan_batches([replace(one, start="scratch")]), plan_batches([one.before])
    # All but its evaluations: only its end is used.
    assert 0.95 < batch.cost / (alone.cost + before.cost) < 1


@pytest.mark.parametrize("more", [{"width": 8}, {"modulus": 11}, {"n_train": 40}])
def test_more_work_costs_more(more: dict[str, int]) -> None:
    assert step_cost(config(**more)) > step_cost(config())  # pyright: ignore[reportArgumentType]


def test_products_dominate_the_cost_of_wide_networks() -> None:
    narrow, wide = (config(modulus=31, width=width, n_train=896, steps=4000) for width in (10_000, 20_000))
    products = 6 * 896 * 31 * 10_000  # W·h, its two gradients, two operations each
    assert step_cost(wide) - step_cost(narrow) == pytest.approx(products, rel=0.05)


def transformer(n_train: int = 212, *, seed: int = 0, width: int = 24, depth: int = 1, modulus: int = 23) -> RunConfig:
    problem = Problem(model="transformer", modulus=modulus, width=width, depth=depth, activation="relu")
    return RunConfig(problem=problem, n_train=n_train, seed=seed)


@pytest.mark.parametrize(("field", "value"), [("width", 32), ("depth", 2), ("n_train", 300)])
def test_more_work_of_a_transformer_costs_more(field: str, value: int) -> None:
    small, large = transformer(), transformer(**{field: value})
    assert step_cost(small) < step_cost(large)
    assert len(plan_batches([small, large])) == 2


@pytest.mark.parametrize("depth", [1, 3])
def test_products_dominate_the_cost_of_wide_transformers(depth: int) -> None:
    """Layers have 12d² weights at three positions; the last only its keys and values, and its rest at one."""
    narrow, wide = (transformer(3840, width=width, depth=depth, modulus=113) for width in (2048, 4096))
    met = 8 if depth == 1 else 36 * (depth - 1) + 2 * 3 + 2 + 8
    products = 6 * 3840 * met * (4096**2 - 2048**2)
    assert step_cost(wide) - step_cost(narrow) == pytest.approx(products, rel=0.05)


@pytest.mark.parametrize(
    ("width", "depth", "modulus"), [(8, 1, 23), (64, 1, 31), (24, 3, 23), (128, 1, 113), (128, 2, 113)]
)
def test_batches_of_transformers_fit_memory(width: int, depth: int, modulus: int) -> None:
    configs = [transformer(90, seed=seed, width=width, depth=depth, modulus=modulus) for seed in range(400)]
    problem = configs[0].problem
    kept = problem.n_classes + (5 if depth == 1 else 36 * depth) * width
    for device in ("cpu", "cuda"):
        for batch in plan_batches(configs, device):
            n_members = len(batch.configs)
            assert n_members == 1 or 4 * n_members * problem.n_pairs * kept <= EVALUATION_BYTES[device]


def test_a_few_small_transformers_stay_together() -> None:
    assert [len(batch.configs) for batch in plan_batches([transformer(seed=seed) for seed in range(8)])] == [8]


def test_large_training_sets_of_transformers_are_hardly_padded() -> None:
    assert [rows_of(transformer(n, modulus=113)) for n in (212, 1024, 1025, 3830)] == [224, 1024, 1088, 3840]
    mlp = RunConfig(problem=Problem(modulus=113), n_train=3830, seed=0)
    assert rows_of(mlp) == padded_rows(3830) == 4096
