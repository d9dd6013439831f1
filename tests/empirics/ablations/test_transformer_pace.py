import math
from collections.abc import Sequence

import numpy as np
import pytest

from dcrit.empirics.ablations import transformer_pace as pace
from dcrit.empirics.ablations.committed import Row
from dcrit.empirics.ablations.two_thresholds_fit import FOLDER
from dcrit.empirics.runs.outcomes import level_beyond_mirrors
from dcrit.empirics.runs.single import Run, RunConfig
from tests.worlds.runs import run_of

DECAY, RATE, NOISE = 1.1, 0.7, 0.4


def time_of(config: RunConfig) -> float:
    """Twins have luck of their own, by the size and the seed; the optimizer moves it by its pace, and by some noise."""
    problem = config.problem
    luck = np.random.default_rng([config.seed, config.n_train]).normal(math.log(900), 0.6)
    noise = NOISE * np.random.default_rng(int(config.address, 16)).standard_normal()
    moved = DECAY * math.log(problem.weight_decay) + RATE * math.log(problem.learning_rate / pace.REFERENCE)
    return math.exp(luck - moved + noise)


class World:
    """A laboratory that trains nothing."""

    def runs(self, configs: Sequence[RunConfig], /, *, stage: str) -> list[Run]:
        assert stage.startswith("pace: ")
        made: list[Run] = []
        for config in configs:
            step = np.array(config.evaluation_steps(), dtype=np.float64)
            accuracy = np.minimum(1.0, level_beyond_mirrors(config) * step / time_of(config))
            made.append(run_of(config, test_accuracy=accuracy))
        return made


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    results = tmp_path_factory.mktemp("clone")
    (results / FOLDER).mkdir()
    pace.measure(results, World())  # type: ignore[arg-type]
    return pace.rows(results)


def test_times_of_all_pairs_of_settings_are_kept(made: list[Row]) -> None:
    cells = {(row["modulus"], row["n_train"], row["learning_rate"], row["weight_decay"]) for row in made}
    assert len(made) == len(cells) == 4 * 9
    for row, configs in zip(made, pace.configs(), strict=True):
        assert row["steps"] == round(15 / (row["learning_rate"] * row["weight_decay"]))
        for time, config in zip(row["times"], configs, strict=True):
            assert config.until == "beyond-mirrors"
            if time is not None:
                assert time == pytest.approx(time_of(config), rel=0.02)
            else:
                assert time_of(config) > 0.99 * row["steps"]


@pytest.mark.slow
def test_exponents_that_made_the_times_are_found_again(made: list[Row]) -> None:
    found = pace.pace_fit(made)
    for (value, error), truth in ((found.decay, DECAY), (found.rate, RATE)):
        assert 0.01 < error < 0.15
        assert abs(value - truth) < 3 * error
    assert found.noise == pytest.approx(NOISE, rel=0.2)
    assert found.n_runs == 4 * 9 * 4


def test_a_time_before_memory_has_formed_says_no_more_than_that() -> None:
    row = {"modulus": 29, "width": 24, "n_train": 460, "learning_rate": 1e-3, "weight_decay": 1.0, "steps": 15_000}
    times = pace.times_of([{**row, "times": [500.0]}])
    assert times.log_least[0] == pytest.approx(math.log(3 * 150))


def test_the_slope_is_that_of_the_cost(made: list[Row]) -> None:
    times = pace.times_of(made)
    x = np.concatenate([[0.9, 0.8, -0.3], np.full(16, 6.5)])
    value, slope = pace.cost_and_slope(x, times)
    for place in (0, 1, 2, 3, 18):
        moved = x.copy()
        moved[place] += 1e-5
        assert (pace.cost_and_slope(moved, times)[0] - value) / 1e-5 == pytest.approx(slope[place], abs=1e-2)
