"""Every seed, the mean of each width with an interval that is Student's, and whether these means dip."""

from dataclasses import replace

import numpy as np
import pytest

from dcrit.empirics.measures.over_width import AtWidth, dip_over_width, over_width
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.theory.problems.problem import Problem
from dcrit.theory.written import number
from tests.worlds.runs import run_of

PROBLEM = Problem(modulus=7)


def runs(width: int, *accuracies: float) -> list[Run]:
    configs = [
        RunConfig(problem=replace(PROBLEM, width=width), n_train=20, seed=seed) for seed in range(len(accuracies))
    ]
    return [run_of(config, test_accuracy=value) for config, value in zip(configs, accuracies, strict=True)]


def test_each_width_has_its_seeds_their_mean_and_its_interval() -> None:
    wide, narrow, alone = over_width([*runs(16, 0.2, 0.4, 0.6), *runs(8, 1.0, 1.0), *runs(4, 0.7)])[::-1]
    assert [one.width for one in (alone, narrow, wide)] == [4, 8, 16]
    assert wide.accuracies == (0.2, 0.4, 0.6)
    assert wide.mean == pytest.approx(0.4)
    assert wide.n_params == replace(PROBLEM, width=16).n_params
    assert wide.interval is not None
    # 0.4 ± t·s/√3 with s = 0.2 and t = 2.92, Student's quantile for two degrees of freedom; draws come close.
    assert wide.interval.low == pytest.approx(0.4 - 2.92 * 0.2 / 3**0.5, abs=0.03)
    assert wide.interval.high == pytest.approx(0.4 + 2.92 * 0.2 / 3**0.5, abs=0.03)
    assert narrow.interval is not None
    assert (narrow.interval.low, narrow.interval.high) == (1.0, 1.0)
    assert (alone.accuracies, alone.mean, alone.interval) == ((0.7,), pytest.approx(0.7), None)


def test_an_interval_stays_between_no_accuracy_and_all() -> None:
    (one,) = over_width(runs(8, 0.0, 1.0))
    assert one.interval is not None
    assert (one.interval.low, one.interval.high) == (0.0, 1.0)
    (narrower,) = over_width(runs(8, 0.4, 0.5, 0.6), level=0.5)
    (wider,) = over_width(runs(8, 0.4, 0.5, 0.6), level=0.9)
    assert narrower.interval is not None
    assert wider.interval is not None
    assert wider.interval.low < narrower.interval.low
    assert wider.interval.high > narrower.interval.high


def widths_of(means: list[float], seeds: int, *, scatter: float = 0.01) -> list[AtWidth]:
    """Widths 8, 16, 24 … whose seeds lie evenly around their mean."""
    around = np.linspace(-scatter, scatter, seeds)
    return over_width([run for k, mean in enumerate(means) for run in runs(8 * (k + 1), *(mean + around))])


def test_a_dip_has_a_place_and_a_depth_with_an_interval() -> None:
    found = dip_over_width(widths_of([0.5, 0.3, 0.1, 0.6], 4))
    assert found.ruling == "dip"
    assert (found.width.value, found.n_params.value) == (24, replace(PROBLEM, width=24).n_params)
    assert found.depth.value == pytest.approx(0.4)
    assert found.depth.interval is not None
    # Student's t of the two means that make it: 0.4 ± some 2.4·√2·s/√4 with s = 0.0086.
    assert found.depth.interval.low == pytest.approx(0.385, abs=0.01)
    assert found.depth.interval.high == pytest.approx(0.415, abs=0.01)
    assert found.depth.n_runs == 16
    assert found.course == ((8, pytest.approx(0.5)), (24, pytest.approx(0.1)), (32, pytest.approx(0.6)))
    assert found.told.startswith("the runs show a dip at width 24, its depth is 0.4 (90% interval 0.3")
    assert found.p_rising is not None
    assert found.p_rising <= 0.05
    chance = f"{100 * found.p_rising:.3g} % of cases"
    assert found.told.endswith(f"4 seeds a width). Chance alone makes one so deep in {chance}")


def test_a_dip_that_comes_back_in_part_is_twice_as_deep_as_its_rise() -> None:
    found = dip_over_width(widths_of([0.6, 0.1, 0.25], 4))
    assert found.depth.value == pytest.approx(0.3)
    assert not found.is_vague
    assert "surer" not in found.told
    vague = dip_over_width(widths_of([0.6, 0.1, 0.25], 4, scatter=0.15))
    assert vague.ruling == "dip"
    assert vague.depth.interval is not None
    assert vague.depth.interval.low < 0.1
    assert vague.is_vague
    assert vague.told.endswith(" % of cases: that there is one is surer than how deep it is")


def test_a_rise_is_no_dip_and_scattered_seeds_cannot_tell() -> None:
    rising = dip_over_width(widths_of([0.1, 0.3, 0.5, 0.9], 4))
    assert rising.ruling == "no dip"
    assert rising.width.value is None
    assert rising.told.startswith("the runs show no dip: the largest fall that recovers by half is 0 (")
    assert rising.told.endswith(", and a dip counts from 0.1 on")
    assert rising.course == ()
    unsure = dip_over_width(widths_of([0.5, 0.3, 0.5], 3, scatter=0.4))
    assert unsure.ruling == "cannot tell"
    assert unsure.told.startswith(
        "cannot tell whether the runs show a dip: the largest fall that recovers by half is 0.2 ("
    )
    assert unsure.p_rising is not None
    assert unsure.p_rising > 0.05
    percent = number(100 * unsure.p_rising)
    assert unsure.told.endswith(f", and chance alone makes one so deep in {percent} % of cases, more than 5 %")
    shallow = dip_over_width(widths_of([0.5, 0.45, 0.5], 3, scatter=0.1))
    assert shallow.ruling == "cannot tell"
    assert shallow.told.endswith(", and one of 0.1 is not ruled out")


@pytest.mark.parametrize(("means", "seeds"), [([0.9, 0.1, 0.9], 2), ([0.9, 0.1, 0.9], 1), ([0.9, 0.1], 9)])
def test_too_few_seeds_or_widths_cannot_tell_and_say_how_many_there_are(means: list[float], seeds: int) -> None:
    found = dip_over_width(widths_of(means, seeds))
    assert found.ruling == "cannot tell"
    assert found.depth.value is None
    assert f"({seeds} seed{'s' * (seeds > 1)} a width)" in found.told
    assert found.to_dict()["seeds"] == [seeds, seeds]


def test_widths_with_too_few_seeds_do_not_count() -> None:
    measured = [*widths_of([0.5, 0.3, 0.6], 3), *over_width(runs(40, 0.0, 0.0)), *over_width(runs(48, 1.0, 1.0))]
    found = dip_over_width(measured)
    assert found.widths == (8, 16, 24)
    assert found.too_few == (40, 48)
    assert found.width.value == 16
    assert found.seeds == (2, 3)
    assert "widths 40, 48, with fewer than 3, are left out" in found.told


def test_a_width_with_too_few_seeds_may_hide_a_dip() -> None:
    """It is the wide one that recovers: without it accuracy only falls, which is no dip of the widths that count."""
    falling = widths_of([0.5, 0.3, 0.1], 3)
    assert dip_over_width(falling).ruling == "no dip"
    found = dip_over_width([*falling, *over_width(runs(48, 0.6, 0.6))])
    assert found.ruling == "cannot tell"
    assert "width 48, with fewer than 3, is left out" in found.told


def test_seeds_that_generalize_or_do_not_seldom_show_a_dip_where_there_is_none() -> None:
    """Nominally 5 %; of 40 worlds more than 6 would be rarer than one in a hundred."""
    rng, rising = np.random.default_rng(0), np.array([0.1, 0.3, 0.5, 0.5, 0.9])
    worlds = [
        [
            AtWidth(width=k, n_params=k, accuracies=tuple(one), losses=(), mean=float(one.mean()), interval=None)
            for k, one in enumerate((rng.random((5, 3)) < rising[:, None]).astype(float), start=1)
        ]
        for _ in range(40)
    ]
    assert sum(dip_over_width(world).ruling == "dip" for world in worlds) <= 6
