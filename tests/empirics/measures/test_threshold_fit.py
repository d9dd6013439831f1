import math
from typing import Any

import numpy as np
import pytest

from dcrit.empirics.measures.threshold_fit import BEND_PRIOR, clock_of, fit, sizes_at_rest, slope_of


def test_a_fit_finds_the_constants_that_made_its_runs() -> None:
    truth = {"prefactor": 1.1, "load": 0.3, "rate": 2e-3, "bend": BEND_PRIOR[0], "rest": 7.0}
    rows = []
    for modulus in (19, 29, 41, 47):
        for width in (32, 128, 512):
            clock = clock_of(truth, modulus, width)
            for factor in (1.1, 1.3, 1.6, 2.0):
                size = float(factor * clock.critical_size(4000.0))
                row = {"task": "add", "modulus": modulus, "activation": "square", "width": width}
                row |= {"weight_decay": 1.0, "learning_rate": 1e-2, "n_train": size, "time_50": float(clock.time(size))}
                rows.append(row)
    at_rest = [(modulus, 128, clock_of(truth, modulus, 128).rest) for modulus in (19, 29, 47)]
    found = fit(rows, (7.0, 1.0), at_rest=at_rest)
    assert found.scatter < 1e-4
    for name, value in truth.items():
        assert found.constants[name] == pytest.approx(value, rel=1e-3)


def test_sizes_at_rest_are_where_half_of_the_accuracy_is_left() -> None:
    rows = [
        {
            "task": "add",
            "activation": "square",
            "weight_decay": 1.0,
            "learning_rate": 1e-2,
            "modulus": 19,
            "width": 128,
            "n_train": n,
            "test_accuracy": a,
        }
        for n, a in ((90, 0.2), (110, 0.4), (135, 0.6), (165, 0.8))
    ]
    ((modulus, width, size),) = sizes_at_rest(rows)
    assert (modulus, width) == (19, 128)
    assert 110 < size < 135
    assert sizes_at_rest(rows[:3]) == []


@pytest.mark.slow
def test_times_that_scatter_in_a_narrow_range_of_sizes_do_not_flatten_the_clock() -> None:
    truth = {"prefactor": 1.1, "load": 0.3, "rate": 2e-3, "bend": BEND_PRIOR[0], "rest": 7.0}
    at_rest = [(modulus, 128, clock_of(truth, modulus, 128).rest) for modulus in (19, 29, 47)]
    true = clock_of(truth, 113, 128)
    errors: dict[bool, list[float]] = {False: [], True: []}
    for world in range(8):
        rng = np.random.default_rng(world)
        rows: list[dict[str, Any]] = []
        for modulus in (19, 29, 41, 47):
            for width in (48, 96, 192):
                clock = clock_of(truth, modulus, width)
                for size in np.repeat(clock.critical_size([550.0, 850.0, 1300.0]), 2).tolist():
                    time = float(clock.time(size * math.exp(0.03 * rng.standard_normal())))
                    row = {"task": "add", "modulus": modulus, "activation": "square", "width": width}
                    rows.append(row | {"weight_decay": 1.0, "learning_rate": 1e-2, "n_train": size, "time_50": time})
        for within, found in errors.items():
            clock = fit(rows, (7.0, 1.0), at_rest=at_rest, times_scatter=within).clock(113, 128)
            found.append(math.log(float(clock.critical_size(4000.0) / true.critical_size(4000.0))))
    assert np.mean(errors[False]) > 0.04
    assert abs(np.mean(errors[True])) < 0.03


def test_a_slope_is_that_of_the_clock() -> None:
    clock = clock_of({"prefactor": 1.1, "load": 0.3, "rate": 2e-3, "bend": 1.2, "rest": 7.0}, 41, 96)
    early, late = slope_of(clock, np.array([500.0, 3000.0]))
    steps = clock.critical_size(500.0) / clock.critical_size(505.0)
    assert early == pytest.approx(math.log(steps) / math.log(1.01), rel=1e-2)
    assert 0 < late < early < 1
