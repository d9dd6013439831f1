import math
from dataclasses import replace

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from dcrit.theory.circuits.facts_from_scratch import effective_size, size_beside_facts
from dcrit.theory.circuits.overload import Memory

sizes, facts, strengths = st.floats(10.0, 1e5), st.floats(0.0, 1e5), st.floats(0.01, 5.0)


@given(sizes, facts, strengths)
def test_the_critical_size_beside_facts_is_worth_the_one_alone(alone: float, n_facts: float, a: float) -> None:
    size = size_beside_facts(alone, n_facts, a)
    assert effective_size(size, n_facts, a) == pytest.approx(alone, rel=1e-9)


def test_the_size_solves_signal_over_noise_by_computer_algebra() -> None:
    d, d0, r, a = sympy.symbols("d d0 r a", positive=True)
    roots = sympy.solve(sympy.Eq(d / sympy.sqrt(d + a * r), sympy.sqrt(d0)), d)
    (root,) = [one for one in roots if one.subs({d0: 450, r: 300, a: 1}) > 0]
    for n_facts, strength in ((300, 1.0), (900, 0.3), (50, 2.5)):
        literal = float(root.subs({d0: 450, r: n_facts, a: sympy.Float(strength)}))
        assert size_beside_facts(450, n_facts, strength) == pytest.approx(literal, rel=1e-12)


@given(sizes, strengths)
def test_facts_raise_the_size_and_none_leave_it(alone: float, a: float) -> None:
    found = size_beside_facts(alone, np.array([0.0, 1.0, 100.0, 1e4]), a)
    assert found[0] == pytest.approx(alone)
    assert (np.diff(found) > 0).all()
    assert size_beside_facts(alone, 0.01 * alone, a) == pytest.approx(alone * (1 + 0.01 * a), rel=1e-3 * max(1.0, a**2))
    assert size_beside_facts(alone, 1e9 * alone, a) == pytest.approx(alone * math.sqrt(1e9 * a), rel=1e-3)


@given(sizes, st.floats(1.0, 1e5), strengths, st.floats(0.1, 10.0), st.floats(0.0, 1.0))
def test_a_memory_beside_facts_says_which_size_is_worth_one(
    alone: float, n_facts: float, a: float, load: float, exponent: float
) -> None:
    memory = Memory(capacity=alone / load, exponent=exponent, n_facts=n_facts, interference=a)
    size = memory.size(alone)
    assert memory.effective(size) == pytest.approx(alone, rel=1e-9)
    over = max(1.0, (float(size) + n_facts) * load / alone) ** exponent
    assert memory.effective(size) == pytest.approx(float(effective_size(size, n_facts, a)) * over)
    assert replace(memory, n_facts=0.0).size(alone) <= size * (1 + 1e-9) or exponent > 0
