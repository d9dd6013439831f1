import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dcrit.empirics.measures.seed_fit import seed_fit
from dcrit.empirics.measures.threshold_fit import (
    BEND_PRIOR,
    EARLIEST,
    REST_PRIOR,
    START,
    USUAL_WIDTH_SCATTER,
    Distance,
    Fit,
    clock_of,
    fit,
    levels_from,
    sizes_at_rest,
    width_scatter,
)
from dcrit.theory.circuits.critical_size_law import Levels

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


def likely(rows: list[dict[str, Any]]) -> Fit:
    return seed_fit(
        rows,
        AT_REST,
        earliest=EARLIEST,
        time="time_50",
        rest_prior=REST_PRIOR,
        bend_prior=BEND_PRIOR,
        scatter_at_rest=0.05,
        start=START,
    )


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
            ("most likely", likely(rows)),
        ):
            errors[name].append(math.log(float(found.clock(113, 128).critical_size(4000.0) / true)))
    assert abs(np.mean(errors["most likely"])) < 0.02
    assert least_squares_bias[0] < np.mean(errors["least squares"]) < least_squares_bias[1]


@pytest.mark.slow
def test_most_likely_constants_have_their_errors() -> None:
    away: list[float] = []
    for world in range(6):
        found = likely(made_up(world, (450.0, 700.0, 1300.0, 2600.0)))
        assert found.scatter == pytest.approx(SCATTER, rel=0.25)
        error = math.sqrt(found.covariance[0, 0])
        away.append(math.log(found.constants["prefactor"] / TRUTH["prefactor"]) / error)
    assert 0.1 < np.std(away) < 2
    assert max(map(abs, away)) < 3


def distances(levels: Levels, errors: dict[tuple[int, int], float], runs: int = 3) -> list[Distance]:
    """Distances of runs of networks, each off by its own error in ln."""
    return [
        Distance(n_symbols=s, width=h, level=level, value=abs(levels.shifts(s, h)[level]) * math.exp(error))
        for (s, h), error in errors.items()
        for level in (0.1, 0.9)
        for _ in range(runs)
    ]


def test_the_width_scatters_by_what_networks_are_off_in_the_mean() -> None:
    levels = Levels(low=0.15, high=0.13, symbols_exponent=0.6, width_exponent=0.4)
    off = {(29, 64): 0.2, (31, 128): -0.4}
    assert width_scatter(distances(levels, off), levels) == pytest.approx(math.sqrt((0.2**2 + 0.4**2) / 2), abs=1e-3)
    # One run of a network tells the scatter of seeds more than that of networks.
    assert width_scatter(distances(levels, off, runs=2), levels) == USUAL_WIDTH_SCATTER


def test_levels_are_found_again_with_their_scatter() -> None:
    levels = Levels(low=0.15, high=0.13, symbols_exponent=0.6, width_exponent=0.4)
    rng = np.random.default_rng(5)
    places = [(s, h) for s in (19, 23, 29, 37, 47) for h in (32, 64, 128, 256, 512)]
    exact = levels_from(distances(levels, dict.fromkeys(places, 0.0)))
    assert exact == replace(levels, scatter=0.0)
    found = levels_from(distances(levels, {place: float(rng.normal(0, 0.25)) for place in places}))
    assert found.low == pytest.approx(levels.low, rel=0.2)
    assert found.scatter == pytest.approx(0.25, rel=0.3)
