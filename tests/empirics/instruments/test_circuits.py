import cmath
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dcrit.empirics.instruments.circuits import (
    Circuits,
    centered,
    cyclic_group,
    dimensions,
    frequency_power,
    generalizing_share,
    gini,
    key_frequencies,
    losses,
    only_frequencies,
    participation,
    profile,
    split_circuits,
    spread,
    symbol_spectrum,
)
from dcrit.empirics.instruments.snapshots import Snapshot
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.problems.problem import Problem
from dcrit.theory.problems.tasks import TASKS

FloatArray = NDArray[np.float64]

#: Odd and even orders, of both kinds of group.
PROBLEMS = [Problem(task=task, modulus=p, width=4) for task, p in (("add", 9), ("sub", 10), ("mul", 11), ("div", 13))]
EACH = pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: f"{problem.task}-{problem.modulus}")
orders = st.integers(3, 12)

#: Of tasks that are not defined at 7.
MODULI = {"sparse-parity": 6, "symmetric-group": 3}


def snapshot(
    problem: Problem, table: FloatArray, *, fraction: float = 0.4, theta: FloatArray | None = None, seed: int = 0
) -> Snapshot:
    """A network whose logits over group elements are the table."""
    group, n = cyclic_group(problem), problem.n_symbols
    rng = np.random.default_rng([seed, 7])
    logits = np.empty((n, n, n))
    for i in range(n):
        for j in range(n):
            for k in range(n):
                logits[group.result[k], group.first[i], group.second[j]] = table[i, j, k]
    labels = problem.definition.labels(problem.modulus).ravel()
    is_train = rng.permutation(n * n) < round(fraction * n * n)
    return Snapshot(
        config=RunConfig(problem=problem, n_train=int(is_train.sum()), seed=seed),
        step=100,
        theta=torch.from_numpy(rng.standard_normal((3 * n, problem.width)) if theta is None else theta),
        logits=logits.reshape(n, n * n),
        labels=labels,
        is_train=is_train,
    )


def wave(n: int, amplitudes: dict[int, float], *, phase: float = 0.0) -> FloatArray:
    """Σ_q A_q cos(ω_q(k − i − j) + phase), term by term."""
    table = np.zeros((n, n, n))
    for i in range(n):
        for j in range(n):
            for k in range(n):
                table[i, j, k] = sum(
                    a * math.cos(2 * math.pi * q * (k - i - j) / n + phase) for q, a in amplitudes.items()
                )
    return table


def look_up(snap: Snapshot, margin: float) -> Snapshot:
    """The logits of a table of the training set: ``margin`` for the class of a training pair, else nothing."""
    logits = np.zeros_like(snap.logits)
    for pair, label in enumerate(snap.labels):
        if snap.is_train[pair]:
            logits[label, pair] = margin
    return replace(snap, logits=logits)


def noise(n: int, seed: int) -> FloatArray:
    return np.random.default_rng(seed).standard_normal((n, n, n))


CYCLIC = ("add", "sub", "mul", "div")


@pytest.mark.parametrize(("task", "p"), [(task, p) for task in CYCLIC for p in (5, 7, 13, 23)] + [("add", 12)])
def test_tasks_are_addition_under_the_names_of_their_group(task: str, p: int) -> None:
    group, labels = cyclic_group(Problem(task=task, modulus=p)), TASKS[task].labels(p)
    n = group.order
    for names in (group.first, group.second, group.result):
        assert sorted(names.tolist()) == list(range(n))
    for i in range(n):
        for j in range(n):
            assert labels[group.first[i], group.second[j]] == group.result[(i + j) % n]


@pytest.mark.parametrize("task", sorted(set(TASKS) - set(CYCLIC)))
def test_other_tasks_are_refused(task: str) -> None:
    with pytest.raises(ValueError, match=rf"^task must be one of add, sub, mul, div .*, got '{task}'"):
        cyclic_group(Problem(task=task, modulus=MODULI.get(task, 7)))


@EACH
def test_values_of_pairs_are_found_by_their_elements(problem: Problem) -> None:
    n = problem.n_symbols
    table = noise(n, 1)
    snap, group = snapshot(problem, table), cyclic_group(problem)
    np.testing.assert_array_equal(group.table(snap.logits), table)
    label_of_elements = group.pairs(snap.labels)
    for i in range(n):
        for j in range(n):
            assert label_of_elements[i, j] == group.result[(i + j) % n]


@given(orders, st.integers(0, 99))
def test_the_profile_is_an_orthogonal_projection(n: int, seed: int) -> None:
    table = noise(n, seed)
    part = spread(profile(table))
    np.testing.assert_allclose(profile(part), profile(table), atol=1e-12)
    assert (part * (table - part)).sum() == pytest.approx(0, abs=1e-9)
    literal = [np.mean([table[i, j, (i + j + t) % n] for i in range(n) for j in range(n)]) for t in range(n)]
    np.testing.assert_allclose(profile(table), literal, atol=1e-12)


@given(orders, st.integers(0, 99))
def test_powers_add_up_to_the_variance(n: int, seed: int) -> None:
    along = np.random.default_rng(seed).standard_normal(n)
    power = frequency_power(along)
    assert power.size == n // 2 == dimensions(n).size
    assert dimensions(n).sum() == n - 1
    assert power.sum() == pytest.approx(along.var(), rel=1e-12)
    for q in range(1, n // 2 + 1):
        alone = only_frequencies(along, np.array([q]))
        assert np.square(alone).mean() == pytest.approx(power[q - 1], rel=1e-9, abs=1e-12)
        angle = 2 * np.pi * q * np.arange(n) / n
        basis = np.column_stack([np.cos(angle), np.sin(angle)])
        fitted = basis @ np.linalg.lstsq(basis, along, rcond=None)[0]
        np.testing.assert_allclose(alone, fitted, atol=1e-10)


@given(orders, st.integers(0, 99), st.data())
def test_parts_add_up_and_are_orthogonal(n: int, seed: int, data: st.DataObject) -> None:
    along = np.random.default_rng(seed).standard_normal(n)
    frequencies = list(range(1, n // 2 + 1))
    keys = np.array(data.draw(st.lists(st.sampled_from(frequencies), unique=True)), dtype=np.int64)
    others = np.array([q for q in frequencies if q not in keys], dtype=np.int64)
    first, second = only_frequencies(along, keys), only_frequencies(along, others)
    np.testing.assert_allclose(first + second + along.mean(), along, atol=1e-12)
    assert first @ second == pytest.approx(0, abs=1e-10)


@EACH
def test_known_parts_of_a_table_are_found(problem: Problem) -> None:
    n = problem.n_symbols
    top = n // 2
    amplitudes = {1: 2.0, top: 3.0}
    generalizing = wave(n, amplitudes)
    table = generalizing + 0.05 * noise(n, 3)
    found = split_circuits(snapshot(problem, table))
    assert found.keys == (1, top)
    dims = dict(zip(range(1, top + 1), dimensions(n), strict=True))
    for q in range(1, top + 1):
        # A cosine's mean square is half its squared amplitude, but for the one that only changes sign.
        assert found.power[q - 1] == pytest.approx(amplitudes.get(q, 0.0) ** 2 / dims[q], abs=0.02)
    assert found.generalizing_margin == pytest.approx(n / (n - 1) * 5.0, abs=0.02)
    assert found.memorizing_margin == pytest.approx(0, abs=0.05)
    assert found.memorizing_margin_unseen == pytest.approx(0, abs=0.05)
    assert found.share == pytest.approx(1, abs=0.02)
    assert found.residual_power == pytest.approx(0.05**2, rel=0.2)
    assert (found.train_accuracy, found.test_accuracy) == (1, 1)


def test_without_noise_all_but_the_keys_is_nothing() -> None:
    problem = PROBLEMS[0]
    table = wave(9, {2: 4.0, 3: 1.0})
    found = split_circuits(snapshot(problem, table))
    loss = math.log(sum(math.exp(value) for value in table[0, 0])) - table[0, 0, 0]
    assert set(found.keys) >= {2, 3}
    for value in (found.restricted_loss, found.train_loss, found.test_loss):
        assert value == pytest.approx(loss, rel=1e-12)
    assert found.excluded_loss == pytest.approx(math.log(9), rel=1e-12)
    assert found.residual_power == pytest.approx(0, abs=1e-12)


@EACH
def test_a_look_up_table_has_no_generalizing_share(problem: Problem) -> None:
    n = problem.n_symbols
    # Its margins on unseen pairs are noise around nothing.
    snap = look_up(snapshot(problem, noise(n, 0)), 20.0)
    noisy = replace(snap, logits=snap.logits + 0.1 * noise(n, 5).reshape(n, n * n))
    found = split_circuits(noisy)
    assert found.keys == ()
    assert found.share == 0
    assert found.train_accuracy == 1
    assert found.restricted_loss == pytest.approx(math.log(n))
    assert found.excluded_loss == pytest.approx(found.train_loss, rel=1e-12)
    assert found.memorizing_margin == pytest.approx(20, abs=0.2)


@EACH
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_the_share_of_a_mixture_is_what_went_in(problem: Problem, share: float) -> None:
    n = problem.n_symbols
    margin = 20.0
    every = {q: 2.0 if dims == 2 else 1.0 for q, dims in enumerate(dimensions(n), start=1)}
    delta = wave(n, every) / n  # 1 − 1/n for the correct class, −1/n for all others
    snap = snapshot(problem, share * margin * delta)
    mixed = replace(snap, logits=snap.logits + look_up(snap, (1 - share) * margin).logits)
    found = split_circuits(mixed)
    assert len(found.keys) == n // 2
    assert found.share == pytest.approx(share, abs=1e-9)
    assert found.generalizing_margin + found.memorizing_margin == pytest.approx(margin, abs=1e-9)
    assert found.generalizing_margin + found.memorizing_margin_unseen == pytest.approx(share * margin, abs=1e-9)


@pytest.mark.parametrize("kept", [(1,), (1, 3), (2, 4, 5)])
def test_the_share_takes_off_what_a_look_up_table_leaves_on_the_keys(kept: Sequence[int]) -> None:
    # Key frequencies that are not all: the table's part on them is s of its whole.
    n, fraction, generalizing, memorizing = 10, 0.3, 4.0, 9.0
    s = sum(dimensions(n)[q - 1] for q in kept) / (n - 1)
    restricted = generalizing + fraction * s * memorizing
    found = generalizing_share(
        restricted=restricted, margin=generalizing + memorizing, fraction=fraction, key_fraction=s
    )
    assert found == pytest.approx(generalizing / (generalizing + memorizing), rel=1e-12)
    assert generalizing_share(restricted=0.0, margin=9.0, fraction=fraction, key_fraction=0.0) == 0


def values(found: Circuits) -> FloatArray:
    return np.array([value for name, value in vars(found).items() if name not in ("keys", "power", "step")])


@EACH
def test_functions_of_the_pair_alone_change_nothing(problem: Problem) -> None:
    n = problem.n_symbols
    table = wave(n, {1: 2.0}) + 0.3 * noise(n, 2)
    shifted = table + 5 * noise(n, 9)[:, :, :1]
    first, second = split_circuits(snapshot(problem, table)), split_circuits(snapshot(problem, shifted))
    assert first.keys == second.keys
    np.testing.assert_allclose(values(first), values(second), rtol=1e-9, atol=1e-9)


@pytest.mark.slow
@given(st.integers(5, 12), st.integers(0, 11), st.integers(0, 11))
def test_names_of_the_elements_are_free_up_to_a_shift(n: int, a: int, b: int) -> None:
    table, is_train = wave(n, {1: 2.0}) + 0.2 * noise(n, 2), np.random.default_rng(1).random((n, n)) < 0.5
    moved = np.roll(table, (a, b, a + b), axis=(0, 1, 2))
    np.testing.assert_allclose(profile(moved), profile(table), atol=1e-12)
    keys = key_frequencies(moved, np.roll(is_train, (a, b), axis=(0, 1)))
    assert keys.tolist() == key_frequencies(table, is_train).tolist()


@given(st.sampled_from([5, 7, 11]), st.integers(1, 10))
def test_another_generator_only_renames_the_frequencies(n: int, unit: int) -> None:
    unit = unit % (n - 1) + 1
    table = wave(n, {1: 2.0}) + 0.2 * noise(n, 2)
    order = unit * np.arange(n) % n
    renamed = table[np.ix_(order, order, order)]
    assert sorted(frequency_power(profile(renamed))) == pytest.approx(sorted(frequency_power(profile(table))))


def test_coefficients_are_those_of_the_definition() -> None:
    n, q = 6, 2
    table, is_train = wave(n, {q: 1.0}) + noise(n, 4), np.random.default_rng(0).random((n, n)) < 0.3

    def power(x: int, y: int) -> float:
        total = 0j
        for i in range(n):
            for j in range(n):
                for k in range(n):
                    if not is_train[i, j]:
                        total += centered(table)[i, j, k] * cmath.exp(-2j * math.pi * (q * k - x * i - y * j) / n)
        return abs(total) ** 2

    null = [power(x, y) for x in range(1, n) for y in range(1, n) if (x, y) != (q, q)]
    alike = [power(x, x) for x in range(1, n) if x != q]
    ratio = power(q, q) / (max(np.median(null), np.median(alike)) / math.log(2))
    decided = q in key_frequencies(table, is_train, level=3 * math.exp(-ratio) * 1.001)
    undecided = q in key_frequencies(table, is_train, level=3 * math.exp(-ratio) * 0.999)
    assert (decided, undecided) == (True, False)


@pytest.mark.slow
def test_noise_has_key_frequencies_as_rarely_as_stated() -> None:
    trials, level, hits = 400, 0.5, 0
    for seed in range(trials):
        is_train = np.random.default_rng([1, seed]).random((13, 13)) < 0.4
        hits += key_frequencies(noise(13, seed), is_train, level=level).size > 0
    # Each of six frequencies has a sixth of the level, and half of that, as the sign decides too.
    expected = trials * (1 - (1 - level / 12) ** 6)
    assert abs(hits - expected) < 4 * math.sqrt(expected)


def test_a_frequency_that_disfavours_the_correct_class_is_no_key() -> None:
    n = 11
    is_train = np.random.default_rng(0).random((n, n)) < 0.4
    table = 0.2 * noise(n, 1)
    assert key_frequencies(table + wave(n, {2: 1.0}), is_train).tolist() == [2]
    assert key_frequencies(table + wave(n, {2: 1.0}, phase=math.pi), is_train).tolist() == []


def test_training_pairs_have_no_say_in_the_keys() -> None:
    n = 11
    is_train = np.random.default_rng(0).random((n, n)) < 0.4
    table = wave(n, {3: 1.0}) + noise(n, 1)
    other = table + 100 * is_train[:, :, None] * noise(n, 2)
    assert key_frequencies(table, is_train).tolist() == key_frequencies(other, is_train).tolist() == [3]


def test_where_every_pair_is_trained_on_there_is_nothing_to_tell_apart() -> None:
    with pytest.raises(ValueError, match=r"^n_train must be at most 80, .*unseen pairs.*, got 81"):
        split_circuits(snapshot(PROBLEMS[0], noise(9, 0), fraction=1.0))


def test_losses_are_cross_entropies() -> None:
    table = noise(5, 0)
    for i in range(5):
        for j in range(5):
            logits = torch.from_numpy(table[i, j])[None]
            expected = torch.nn.functional.cross_entropy(logits, torch.tensor([(i + j) % 5])).item()
            assert losses(table)[i, j] == pytest.approx(expected, rel=1e-12)


@EACH
def test_norms_of_the_parts_add_up_to_the_squared_norm(problem: Problem) -> None:
    snap = snapshot(problem, wave(problem.n_symbols, {1: 2.0}) + 0.1 * noise(problem.n_symbols, 0))
    found = split_circuits(snap)
    assert found.keys
    total = found.generalizing_squared_norm + found.memorizing_squared_norm + found.constant_squared_norm
    assert total == pytest.approx(snap.theta.square().sum().item(), rel=1e-12)


@EACH
def test_weights_on_one_frequency_are_all_generalizing(problem: Problem) -> None:
    group, n = cyclic_group(problem), problem.n_symbols
    theta = np.zeros((3, n, problem.width))
    for place, names in enumerate((group.first, group.second, group.result)):
        for element in range(n):
            for unit in range(problem.width):
                theta[place, names[element], unit] = (unit + 1) * math.cos(2 * math.pi * 2 * element / n + unit)
    flat = theta.reshape(3 * n, -1)
    found = split_circuits(snapshot(problem, wave(n, {2: 3.0}) + 0.01 * noise(n, 0), theta=flat))
    assert found.keys == (2,)
    assert found.generalizing_squared_norm == pytest.approx(np.square(flat).sum(), rel=1e-12)
    assert found.memorizing_squared_norm == pytest.approx(0, abs=1e-9)
    assert found.constant_squared_norm == pytest.approx(0, abs=1e-9)
    assert found.participation == pytest.approx(1, rel=1e-12)
    assert found.gini == pytest.approx(1 - 1 / (n // 2), abs=1e-6)


def test_a_transformer_has_the_spectrum_of_its_tokens_but_no_norms_by_circuit() -> None:
    problem = Problem(task="sub", modulus=9, model="transformer", width=4)
    theta = np.random.default_rng(0).standard_normal((problem.n_params // 4, 4))
    theta[:9] = [[math.cos(2 * math.pi * 2 * a / 9 + unit) for unit in range(4)] for a in range(9)]
    found = split_circuits(snapshot(problem, wave(9, {1: 2.0}) + 0.1 * noise(9, 0), theta=theta))
    assert found.keys == (1,)
    assert found.participation == pytest.approx(1, rel=1e-9)
    assert found.gini == pytest.approx(3 / 4, abs=1e-6)
    assert math.isnan(found.generalizing_squared_norm)
    assert math.isnan(found.memorizing_squared_norm)


@given(orders, st.integers(1, 5), st.integers(0, 99))
def test_the_spectrum_of_symbols_adds_up_to_the_norm_of_each_column(n: int, width: int, seed: int) -> None:
    matrix = np.random.default_rng(seed).standard_normal((n, width))
    spectrum = symbol_spectrum(matrix)
    assert spectrum.shape == (n // 2 + 1, width)
    np.testing.assert_allclose(spectrum.sum(axis=0), np.square(matrix).sum(axis=0), rtol=1e-12)


@given(st.lists(st.floats(0, 10), min_size=2, max_size=8).filter(lambda found: sum(found) > 1e-3))
def test_gini_is_the_mean_difference_over_twice_the_mean(found: list[float]) -> None:
    difference = np.mean([abs(x - y) for x in found for y in found])
    assert gini(np.array(found)) == pytest.approx(difference / (2 * np.mean(found)), abs=1e-9)


def test_participation_lies_between_a_flat_and_a_single_spectrum() -> None:
    assert participation(np.ones((8, 3))) == pytest.approx(1 / 8)
    assert participation(np.eye(8)[:, :3] * [1.0, 2.0, 3.0]) == pytest.approx(1)
    # By power: the silent unit does not count, the loud one most.
    spectrum = np.column_stack([[9.0, 0.0], [0.5, 0.5], [0.0, 0.0]])
    assert participation(spectrum) == pytest.approx((9 * 1 + 1 * 0.5) / 10)
    assert math.isnan(participation(np.zeros((4, 2))))
    assert math.isnan(gini(np.zeros(4)))


def test_symmetric_noise_has_a_key_frequency_as_rarely_as_other_noise() -> None:
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(200):
        table = rng.standard_normal((13, 13, 13))
        table = table + table.transpose(1, 0, 2)
        seen = rng.random((13, 13)) < 0.4
        found += bool(len(key_frequencies(table, seen | seen.T)))
    # By the median over all coefficients it is 8 in 100.
    assert found <= 8
