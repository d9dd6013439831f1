import math
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from dcrit.empirics.measures.threshold_fit import (
    BEND_PRIOR,
    EARLIEST,
    Fit,
    clock_of,
    fit,
    levels_from,
    log_likelihood,
    most_likely,
    networks_of,
    sizes_at_rest,
    width_of,
)
from dcrit.theory.circuits.clock import Clock, LevelClocks

TRUTH = {"prefactor": 1.1, "load": 0.3, "rate": 2e-3, "bend": BEND_PRIOR[0], "rest": 7.0}
AT_REST = [(modulus, 128, clock_of(TRUTH, modulus, 128).rest) for modulus in (19, 29, 47)]
SCATTER = 0.03


def row(modulus: int, width: int, size: float, **outcome: Any) -> dict[str, Any]:
    problem = {"task": "add", "modulus": modulus, "activation": "square", "width": width}
    return problem | {"weight_decay": 1.0, "learning_rate": 1e-2, "n_train": size, "steps": 4000} | outcome


def made_up(seed: int, targets: tuple[float, ...], widths: tuple[int, ...] = (48, 96, 192)) -> list[dict[str, Any]]:
    """Runs at sizes that should take given times; each takes the time of a size that scatters about its own."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for modulus in (19, 29, 41, 47):
        for width in widths:
            clock = clock_of(TRUTH, modulus, width)
            for size in np.repeat(clock.critical_size(np.array(targets)), 2).tolist():
                time = float(clock.time(size * math.exp(SCATTER * rng.standard_normal())))
                rows.append(row(modulus, width, size, time_50=time if time <= 4000 else None))
    return rows


def test_a_fit_finds_the_constants_that_made_its_runs() -> None:
    rows = []
    for modulus in (19, 29, 41, 47):
        for width in (32, 128, 512):
            clock = clock_of(TRUTH, modulus, width)
            for factor in (1.1, 1.3, 1.6, 2.0):
                size = float(factor * clock.critical_size(4000.0))
                rows.append(row(modulus, width, size, time_50=float(clock.time(size))))
    found = fit(rows, (7.0, 1.0), at_rest=AT_REST)
    assert found.scatter < 1e-4
    for name, value in TRUTH.items():
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


def test_the_likelihood_is_that_of_a_plain_loop() -> None:
    rows = [*made_up(3, (550.0, 3500.0)), row(29, 48, 900.0, time_50=120.0), row(29, 48, 300.0, time_50=None)]
    expected = 0.0
    for one in rows:
        clock, log_size = clock_of(TRUTH, one["modulus"], one["width"]), math.log(one["n_train"])

        def chance(time: float, clock: Clock = clock, log_size: float = log_size) -> float:
            return float(norm.cdf((log_size - math.log(float(clock.critical_size(time)))) / SCATTER))

        time = one["time_50"]
        if time is None:
            expected += math.log(1 - chance(4000))
        elif time <= EARLIEST:
            expected += math.log(chance(EARLIEST))
        else:
            step = 1e-4
            density = (chance(time * math.exp(step)) - chance(time * math.exp(-step))) / (2 * step)
            expected += math.log(density * math.sqrt(2 * math.pi))
    found = log_likelihood(partial(clock_of, TRUTH), SCATTER, networks_of(rows), EARLIEST)
    assert found == pytest.approx(expected, abs=1e-3 * len(rows))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("targets", "least_squares_bias"),
    [((550.0, 850.0, 1300.0), (0.04, 0.15)), ((300.0, 500.0, 1500.0, 3800.0), (-0.02, 0.02))],
    ids=["narrow", "cut off"],
)
def test_times_that_scatter_do_not_bend_the_clock(
    targets: tuple[float, ...], least_squares_bias: tuple[float, float]
) -> None:
    true = clock_of(TRUTH, 113, 128).critical_size(4000.0)
    errors: dict[str, list[float]] = {"least squares": [], "most likely": []}
    for world in range(8):
        rows = made_up(world, targets)
        told = [one for one in rows if one["time_50"] is not None and one["time_50"] >= EARLIEST]
        for name, found in (
            ("least squares", fit(told, (7.0, 1.0), at_rest=AT_REST)),
            ("most likely", most_likely(rows, earliest=EARLIEST, at_rest=AT_REST)),
        ):
            errors[name].append(math.log(float(found.clock(113, 128).critical_size(4000.0) / true)))
    assert abs(np.mean(errors["most likely"])) < 0.02
    assert least_squares_bias[0] < np.mean(errors["least squares"]) < least_squares_bias[1]


@pytest.mark.slow
def test_most_likely_constants_have_their_errors() -> None:
    away: list[float] = []
    for world in range(6):
        found = most_likely(made_up(world, (450.0, 700.0, 1300.0, 2600.0)), earliest=EARLIEST, at_rest=AT_REST)
        assert found.scatter == pytest.approx(SCATTER, rel=0.25)
        error = math.sqrt(found.covariance[0, 0])
        away.append(math.log(found.constants["prefactor"] / TRUTH["prefactor"]) / error)
    assert 0.1 < np.std(away) < 2
    assert max(map(abs, away)) < 3


def accuracy_rows(levels: LevelClocks, sizes: list[float], width: int) -> list[dict[str, Any]]:
    steps = (500, 1000, 2000, 4000)
    return [
        row(41, width, size, **{f"accuracy_at_{step}": float(levels.accuracy(size, step)) for step in steps})
        for size in sizes
    ]


def test_the_width_of_semi_grokking_is_found_again() -> None:
    rows: list[dict[str, Any]] = []
    for width in (32, 128, 512):
        clock = clock_of(TRUTH, 41, width)
        levels = LevelClocks(half=clock, width=0.2 * math.sqrt(128 / width), spread=0.8)
        for step in (500.0, 1500.0, 4000.0):
            rows += accuracy_rows(levels, (clock.critical_size(step) * np.linspace(0.9, 1.15, 6)).tolist(), width)
    known = Fit(
        constants=TRUTH, fitted=(), covariance=np.zeros((0, 0)), scatter=SCATTER, rows=tuple(rows), rest_loaded=True
    )
    found = levels_from(rows, known)
    assert found.of_units == pytest.approx(0.2, rel=0.02)
    assert found.spread == pytest.approx(0.8, rel=0.02)
    with pytest.raises(ValueError, match="have a width"):
        levels_from(rows[:6], known)


def test_a_width_needs_four_sizes_apart() -> None:
    clocks = LevelClocks(half=clock_of(TRUTH, 41, 128), width=0.3)
    sizes = (clocks.half.critical_size(1000.0) * np.array([0.9, 0.96, 1.03, 1.1])).tolist()
    accuracies = [float(clocks.accuracy(size, 1000.0)) for size in sizes]
    found = width_of(sizes, accuracies)
    assert found is not None
    assert found[0] == pytest.approx(0.3, rel=1e-6)
    assert width_of(sizes[:3], accuracies[:3]) is None
    assert width_of([sizes[0], *sizes[:3]], [1.0, *accuracies[:3]]) is None
    near = [sizes[0] * factor for factor in (1, 1.01, 1.02, 1.03)]
    assert width_of(near, accuracies) is None
