import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from dcrit.empirics.ablations import transformer_pace as pace
from dcrit.empirics.ablations.committed import Row, read, text_of
from dcrit.empirics.ablations.transformer_clock import PACE
from dcrit.empirics.ablations.two_thresholds_fit import FOLDER
from dcrit.empirics.runs.outcomes import level_beyond_mirrors
from dcrit.empirics.runs.single import Run, RunConfig
from tests.worlds.runs import run_of

RESULTS = Path(__file__).parents[3] / "docs" / "results"
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

    n_cells = 0

    def runs(self, configs: Sequence[RunConfig], /, *, stage: str) -> list[Run]:
        assert stage.startswith("pace: ")
        self.n_cells += 1
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
    designed = {
        (one[0].problem.modulus, one[0].n_train, one[0].problem.learning_rate, one[0].problem.weight_decay): one
        for one in pace.configs()
    }
    for row in made:
        configs = designed[row["modulus"], row["n_train"], row["learning_rate"], row["weight_decay"]]
        assert row["steps"] == round(15 / (row["learning_rate"] * row["weight_decay"]))
        for time, config in zip(row["times"], configs, strict=True):
            assert config.until == "beyond-mirrors"
            if time is not None:
                assert time == pytest.approx(time_of(config), rel=0.02)
            else:
                assert time_of(config) > 0.99 * row["steps"]


def test_what_is_there_is_not_run_again(tmp_path: Path, made: list[Row]) -> None:
    (tmp_path / FOLDER).mkdir()
    path = tmp_path / FOLDER / pace.FILE
    path.write_text(text_of({"fit": None, "rows": made[1:]}), encoding="utf-8")
    world = World()
    pace.measure(tmp_path, world)  # type: ignore[arg-type]
    assert world.n_cells == 1
    assert pace.rows(tmp_path) == made
    ((there, text),) = pace.pace(tmp_path).items()
    assert there == path
    fit = json.loads(text)["fit"]
    assert fit["n_runs"] == 144
    assert fit["n_censored"] == sum(time is None for row in made for time in row["times"])
    assert fit["decay_exponent"][0] == pytest.approx(DECAY, abs=3 * fit["decay_exponent"][1])


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


def test_the_committed_times_give_units_of_time_that_the_law_has() -> None:
    document = read(RESULTS / FOLDER / pace.FILE)
    designed = {
        (one[0].problem.modulus, one[0].n_train, one[0].problem.learning_rate, one[0].problem.weight_decay)
        for one in pace.configs()
    }
    cells = [(row["modulus"], row["n_train"], row["learning_rate"], row["weight_decay"]) for row in document["rows"]]
    assert len(set(cells)) == len(cells)
    assert set(cells) <= designed
    assert {len(row["times"]) for row in document["rows"]} == {pace.SEEDS}
    for name, exponent in (("decay_exponent", PACE.decay_exponent), ("rate_exponent", PACE.learning_rate_exponent)):
        value, error = document["fit"][name]
        assert abs(value - exponent) < 2 * error
