import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcrit.theory.circuits.clock import Clock, LevelClocks
from dcrit.theory.circuits.overload import NO_MEMORY, Memory, Overload
from dcrit.theory.circuits.symmetry import SymmetryLaw

SYMMETRY = SymmetryLaw(coefficients=(-0.7, 0.0, 0.0, 0.0), width=0.13, covariance=((0.0,) * 4,) * 4, scatter=0.05)
OVERLOAD = Overload(exponent=0.3, grain=14.0, scatter=0.03, load=10.0, width=4)
CLOCK = Clock(kinetic=400.0, rate=2e-3, bend=2.5, rest=150.0, sharpness=3.0)


def clocks(capacity: float, *, width: int = 8, symmetry: SymmetryLaw | None = SYMMETRY) -> LevelClocks:
    memory = OVERLOAD.memory(31, width, capacity, symmetry)
    return LevelClocks(half=CLOCK, shifts={0.1: -0.2, 0.9: 0.2}, memory=memory)


def test_examples_count_for_more_over_capacity_alone() -> None:
    memory = Memory(capacity=300.0, exponent=0.5)
    assert memory.effective([100.0, 300.0, 1200.0]).tolist() == [100.0, 300.0, 2400.0]
    assert memory.size(2400.0) == pytest.approx(1200.0)
    assert NO_MEMORY.effective(1e6) == 1e6


@given(st.floats(1.0, 1e5), st.floats(10.0, 1e4), st.floats(0.0, 3.0))
def test_the_size_of_an_effective_size_is_the_size(n_train: float, capacity: float, exponent: float) -> None:
    memory = Memory(capacity=capacity, exponent=exponent)
    assert float(memory.size(memory.effective(n_train))) == pytest.approx(n_train)


def test_a_narrow_network_holds_a_part_of_the_rule_only() -> None:
    assert OVERLOAD.ceiling(14 * 4, 4) == pytest.approx(0.5)
    assert OVERLOAD.ceiling(28, 4) == pytest.approx(1 / (1 + 0.5**3))
    assert OVERLOAD.ceiling(31, 64) > 0.999
    wide = [OVERLOAD.memory(41, width, 1e9, SYMMETRY).symmetric_size for width in (48, 128)]
    assert wide[0] == wide[1]


def test_mirror_images_are_known_as_far_as_memory_reaches_and_is_of_unordered_pairs() -> None:
    memory = OVERLOAD.memory(31, 24, 1e9, SYMMETRY)
    size = SYMMETRY.size(31, 24)
    mirrored = (1 - 1 / 31) * size / (31**2 - 1)
    assert float(memory.known(size)) == pytest.approx(mirrored / 2)
    assert float(replace(memory, capacity=size / 4).known(size)) == pytest.approx(mirrored / 8)
    assert float(OVERLOAD.memory(31, 24, 1e9, None).known(size)) == 0


@given(st.floats(20.0, 5000.0), st.sampled_from([0.1, 0.4, 0.5, 0.7]), st.sampled_from([1000, 5000, 13_333]))
def test_size_time_and_accuracy_are_inverse_to_each_other(capacity: float, level: float, horizon: int) -> None:
    one = clocks(capacity)
    size = one.size(level, horizon)
    assert float(one.accuracy(size, horizon)) == pytest.approx(level, abs=1e-9)
    assert float(one.time(level, size)) == pytest.approx(horizon, rel=1e-6)


def test_what_memory_adds_is_what_the_formulas_say() -> None:
    one, n_train, horizon = clocks(200.0, width=4), 300.0, 5000
    effective = 300.0 * 1.5**0.3
    found = 1 / (1 + math.exp(-math.log(9) / 0.2 * math.log(effective / float(CLOCK.critical_size(horizon)))))
    known = float(one.memory.known(n_train))
    expected = OVERLOAD.ceiling(31, 4) * (found + (1 - found) * known)
    assert float(one.accuracy(n_train, horizon)) == pytest.approx(expected)


def test_levels_above_the_ceiling_are_never_reached_and_below_what_is_known_at_once() -> None:
    narrow = clocks(80.0, width=4)
    assert math.isinf(narrow.size(0.9, 5000))
    assert math.isinf(float(narrow.time(0.9, 900.0)))
    wide = clocks(1e9, width=48)
    known = float(wide.memory.known(800.0))
    assert float(wide.time(known / 2, 800.0)) == 0
    assert wide.size(0.5, 5000) < clocks(1e9, width=48, symmetry=None).size(0.5, 5000)


def test_times_of_many_sizes_are_those_of_each() -> None:
    sizes = np.geomspace(100, 900, 7)
    one = clocks(300.0)
    assert one.time(0.5, sizes).tolist() == [float(one.time(0.5, size)) for size in sizes]


@pytest.mark.parametrize(
    ("name", "value"),
    [("capacity", 0.0), ("exponent", -0.1), ("ceiling", 1.5), ("n_symbols", 1), ("symmetric_size", 9.0)],
)
def test_bad_memories_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must"):
        replace(NO_MEMORY, **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"), [("exponent", -0.1), ("grain", 0.0), ("scatter", 0.0), ("load", 0.0), ("width", 0)]
)
def test_bad_constants_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must"):
        replace(OVERLOAD, **{name: value})  # type: ignore[arg-type]
