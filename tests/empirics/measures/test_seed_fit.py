import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from dcrit.empirics.measures import seed_fit as fits
from dcrit.empirics.measures.threshold_fit import SHARPNESS, USUAL_WIDTH_SCATTER, Row, clock_of
from dcrit.theory.circuits.clock import Clock, Pace
from dcrit.theory.circuits.critical_size_law import CriticalSizeLaw, Levels
from dcrit.theory.circuits.finding import FindingLaw

TRUTH = {"prefactor": 2.1, "load": 0.1, "rate": 1.5e-3, "bend": 4.0, "rest": 5.0}
SCATTER = 0.08


def run(modulus: int, width: int, n_train: float, time: float | None, steps: int = 13_333) -> Row:
    return {
        "task": "add",
        "modulus": modulus,
        "model": "transformer",
        "activation": "relu",
        "width": width,
        "weight_decay": 1.0,
        "learning_rate": 3e-3,
        "n_train": n_train,
        fits.TIME: time,
        "steps": steps,
    }


def drawn_runs(seed: int, n: int) -> list[Row]:
    """Runs whose seeds ask for sizes scattered about the law; those of which the horizon is too short have no time."""
    rng = np.random.default_rng(seed)
    found: list[Row] = []
    for modulus in (29, 37, 47):
        for width in (16, 32, 64):
            law = clock_of(TRUTH, modulus, width)
            for factor in (0.95, 1.05, 1.2, 1.4):
                size = factor * float(law.critical_size(13_333))
                for own in size * np.exp(-SCATTER * rng.standard_normal(n)):
                    time = float(law.time(own))
                    found.append(run(modulus, width, size, time if time <= 13_333 else None))
    return found


def test_the_likelihood_is_that_of_a_plain_loop() -> None:
    rows = [*drawn_runs(3, 1), run(29, 32, 500.0, 400.0), run(29, 32, 380.0, None)]
    expected = 0.0
    for row in rows:
        law, log_size = clock_of(TRUTH, row["modulus"], row["width"]), math.log(row["n_train"])

        def chance(time: float, law: Clock = law, log_size: float = log_size) -> float:
            return float(norm.cdf((log_size - math.log(float(law.critical_size(time)))) / SCATTER))

        if row[fits.TIME] is None:
            expected += math.log(1 - chance(row["steps"]))
        elif row[fits.TIME] <= fits.EARLIEST:
            expected += math.log(chance(fits.EARLIEST))
        else:
            t, h = row[fits.TIME], 1e-4
            density = (chance(t * math.exp(h)) - chance(t * math.exp(-h))) / (2 * h)
            expected += math.log(density * math.sqrt(2 * math.pi))
    assert fits.seed_likelihood(TRUTH, SCATTER, fits.networks_of(rows)) == pytest.approx(expected, abs=1e-3 * len(rows))


@pytest.mark.slow
def test_constants_are_found_again_from_scattered_and_censored_times() -> None:
    found = fits.seed_fit(drawn_runs(11, 8), [(29, 32, clock_of(TRUTH, 29, 32).rest)])
    assert found.scatter == pytest.approx(SCATTER, rel=0.15)
    for modulus, width, horizon in ((31, 24, 5000), (113, 64, 13_333), (79, 32, 5000)):
        size = float(clock_of(found.constants, modulus, width).critical_size(horizon))
        assert size == pytest.approx(float(clock_of(TRUTH, modulus, width).critical_size(horizon)), rel=0.08)
    errors = np.sqrt(np.diag(found.covariance))
    assert abs(math.log(found.constants["prefactor"] / TRUTH["prefactor"])) < 4 * errors[0]
    assert abs(found.constants["load"] - TRUTH["load"]) < 4 * errors[1]


def test_another_optimizer_moves_the_clock_by_its_pace() -> None:
    slow = fits.networks_of([{**row, "weight_decay": 0.5} for row in drawn_runs(5, 1)])
    pace = Pace(learning_rate=3e-3, decay_exponent=0.8)
    rate = {**TRUTH, "rate": TRUTH["rate"] * 0.5**0.8}
    plain = fits.seed_likelihood(rate, SCATTER, slow)
    assert fits.seed_likelihood(TRUTH, SCATTER, slow, pace=pace) == pytest.approx(plain)
    assert fits.seed_likelihood(TRUTH, SCATTER, slow) != pytest.approx(plain)


def test_the_width_scatters_by_how_far_networks_are_off_the_law() -> None:
    levels = Levels(low=0.1, high=SCATTER * norm.ppf(0.9), symbols_exponent=0.0, width_exponent=0.0)
    law = CriticalSizeLaw(
        thresholds=FindingLaw(**{name: TRUTH[name] for name in ("prefactor", "load", "rest")}),
        rate=TRUTH["rate"],
        bend=TRUTH["bend"],
        sharpness=SHARPNESS,
        levels=levels,
        pace=Pace(learning_rate=3e-3),
    )
    rows = drawn_runs(7, 8)
    # Of 32 runs each: the most likely s of a network is off by an eighth.
    assert fits.width_scatter(rows, law) < 0.2
    wide = replace(law, levels=replace(levels, high=2 * levels.high))
    assert fits.width_scatter(rows, wide) == pytest.approx(math.log(2), abs=0.15)
    assert fits.width_scatter(rows[:5], law) == USUAL_WIDTH_SCATTER
