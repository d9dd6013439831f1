"""The numbers that seeds give, each against runs made by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from dcrit.empirics.claims.streams import BLOCK, FIRST_SEED, MEASURES, Arm, DimensionArm, SeveralTasksArm, Stream
from dcrit.empirics.experiments.facts import FactsSeries
from dcrit.empirics.runs.dimensions import DimensionConfig, DimensionRun, DimensionValues
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.theory.problems.problem import Problem
from tests.worlds.multitask import MultitaskWorld
from tests.worlds.runs import World, run_of

PROBLEM = Problem(modulus=7, width=8)
CONFIG = RunConfig(problem=PROBLEM, n_train=20, seed=3)
STEPS = np.array(CONFIG.evaluation_steps(), dtype=np.float64)


def run(**curves: object) -> Run:
    return run_of(CONFIG, **({"train_accuracy": 1.0} | curves))  # type: ignore[arg-type]


def value(measure: str, *runs: object) -> float:
    return MEASURES[measure].of(runs)


def stream(measure: str = "accuracy", *arms: Arm, blocks: int = 2) -> Stream:
    return Stream(measure=measure, arms=arms or (Arm(problem=PROBLEM, n_train=20),), blocks=blocks)


# --- streams ---


def test_streams_ask_for_fresh_seeds_one_after_the_other() -> None:
    one = stream()
    seeds = [one.configs(unit)[0].seed for unit in range(3)]  # type: ignore[union-attr]
    assert seeds == [one.first_seed, one.first_seed + 1, one.first_seed + 2]
    assert one.first_seed >= FIRST_SEED
    assert one.block == BLOCK


def test_streams_of_other_runs_have_other_seeds_and_the_same_runs_the_same() -> None:
    others = [stream("fits"), stream("accuracy", Arm(problem=PROBLEM, n_train=21))]
    assert len({one.first_seed for one in [stream(), *others]}) == 3
    assert stream(blocks=5).first_seed == stream(blocks=2).first_seed


def test_arms_of_a_seed_share_it() -> None:
    pair = stream("advantage", Arm(problem=PROBLEM, n_train=20), Arm(problem=PROBLEM, n_train=30))
    first, second = pair.configs(5)
    assert first.seed == second.seed  # type: ignore[union-attr]


def test_slopes_come_a_seed_at_a_time() -> None:
    arms = [Arm(problem=PROBLEM, n_train=size) for size in (10, 20)]
    assert stream("memorizing-slope", *arms).block == 1


@pytest.mark.parametrize(
    ("measure", "n_arms", "message"),
    [
        ("nothing", 1, "^measure must be one of accuracy, "),
        ("accuracy", 2, "^arms must be 1 for accuracy, got 2$"),
        ("memorizing-slope", 1, "^arms must be two or more for memorizing-slope, got 1$"),
    ],
)
def test_what_cannot_be_measured_is_refused(measure: str, n_arms: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stream(measure, *[Arm(problem=PROBLEM, n_train=20)] * n_arms)


def test_a_run_that_began_generalized_may_lose_it_to_the_end() -> None:
    assert Arm(problem=PROBLEM, n_train=20).config(0).until == "generalized"
    assert Arm(problem=PROBLEM, n_train=20, start="generalized").config(0).until == "horizon"


# --- measures ---


def test_accuracy_is_that_of_the_horizon() -> None:
    assert value("accuracy", run(test_accuracy=0.3)) == 0.3
    assert math.isnan(value("accuracy", run_of(CONFIG, ending="diverged", test_accuracy=0.3)))
    assert value("advantage", run(test_accuracy=0.9), run(test_accuracy=0.3)) == pytest.approx(0.6)


def test_a_network_that_had_not_generalized_has_nothing_to_lose() -> None:
    config = replace(CONFIG, start="generalized")
    assert value("accuracy", run_of(config, test_accuracy=1.0)) == 1.0
    assert math.isnan(value("accuracy", run_of(config, test_accuracy=0.2)))


def test_accuracy_beside_facts_is_that_of_the_task() -> None:
    config = FactsSeries(problem=PROBLEM, n_facts=(10,)).config(10)
    arm = SeveralTasksArm(problem=PROBLEM, n_train=30, config_of_first=config)
    asked = arm.config(7)
    assert (asked.seed, asked.components[0].n_train, asked.components[1].n_train) == (7, 30, 10)
    made = MultitaskWorld(size=lambda _: 30.0).run(asked)
    assert value("accuracy", made) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        (0.8, 0.0, {"progresses"}),
        (1.0, 0.02, {"fits", "memorizes"}),
        (1.0, 0.5, {"fits", "semi-groks"}),
        (1.0, 0.97, {"fits"}),
    ],
)
def test_what_a_run_shows(train: float, test: float, expected: set[str]) -> None:
    names = ("progresses", "fits", "memorizes", "semi-groks")
    shown = {name for name in names if value(name, run(train_accuracy=train, test_accuracy=test))}
    assert shown == expected


def test_accuracy_that_still_moves_has_not_settled() -> None:
    rising = np.where(0.6 * STEPS[-1] < STEPS, 0.5, 0.4)
    assert value("semi-groks", run(test_accuracy=rising)) == 0.0


@pytest.mark.parametrize(("late", "groks", "prompt"), [(0.5, 1.0, 0.0), (0.0, 0.0, 1.0)])
def test_grokking_needs_a_delay(late: float, groks: float, prompt: float) -> None:
    fitted = (STEPS >= 100) * 1.0
    general = (max(100, late * STEPS[-1]) <= STEPS) * 1.0
    made = run(train_accuracy=fitted, test_accuracy=general)
    assert (value("groks", made), value("generalizes", made)) == (groks, prompt)


@pytest.mark.parametrize("slope", [-0.7, 0.2])
def test_slopes_of_efficiencies_are_those_of_the_runs(slope: float) -> None:
    made = []
    for size in (20, 30, 45):
        config = replace(CONFIG, n_train=size)
        # e = γ/Q^(κ/2) for equal norms.
        norm = 100.0 * size ** (-slope * 2 / PROBLEM.homogeneity)
        made.append(run_of(config, train_loss=1e-3, train_accuracy=1.0, squared_norm=norm, neuron_norm=math.sqrt(norm)))
    assert value("memorizing-slope", *made) == pytest.approx(slope)
    assert math.isnan(value("generalizing-slope", *made))  # they are right on nothing that is unseen
    general = [replace(one, curves=replace(one.curves, test_accuracy=np.ones_like(one.curves.step))) for one in made]
    assert value("generalizing-slope", *general) == pytest.approx(slope)
    assert value("generalizing-beside-memorizing", *general, *made) == pytest.approx(slope - slope / 3)


def test_slopes_of_capacity_are_those_of_overloaded_models() -> None:
    world = World(noise=0.0)
    labels = Problem(task="random", modulus=31)
    made = [world.run(RunConfig(problem=replace(labels, width=w), n_train=769, seed=0)) for w in (4, 6, 8)]
    assert value("capacity-slope", *made) == pytest.approx(1.0, abs=1e-6)
    wide = world.run(RunConfig(problem=replace(labels, width=64), n_train=769, seed=0))
    assert math.isnan(value("capacity-slope", *made, wide))


def test_times_are_when_accuracy_passes_one_half() -> None:
    at = run(test_accuracy=np.clip(STEPS / 2000, 0, 1))
    assert value("log-time", at) == pytest.approx(math.log(1000), rel=1e-3)
    assert math.isnan(value("log-time", run(test_accuracy=0.2)))


@pytest.mark.parametrize(
    ("measure", "name"), [("delay-over-rate", "learning_rate"), ("delay-over-decay", "weight_decay")]
)
def test_slopes_of_times_are_those_of_the_runs(measure: str, name: str) -> None:
    made = []
    for factor in (0.5, 1.0, 2.0):
        problem = replace(PROBLEM, **{name: factor * getattr(PROBLEM, name)})
        config = replace(CONFIG, problem=problem, steps=8000)
        step = np.array(config.evaluation_steps(), dtype=np.float64)
        made.append(run_of(config, test_accuracy=np.clip(step * factor / 2000, 0, 1)))
    assert value(measure, *made) == pytest.approx(-1.0, abs=0.02)


@pytest.mark.parametrize(("power", "expected"), [(0.0, 0.0), (1.0, -3.5)])
def test_times_grow_faster_near_the_critical_size_than_a_power_says(power: float, expected: float) -> None:
    """t ∝ D^-2 at any size, or steeper below 30 by D^-3.5."""
    made = []
    for size in (20, 28, 30, 40):
        config = replace(CONFIG, n_train=size, steps=8000)
        step = np.array(config.evaluation_steps(), dtype=np.float64)
        time = 300 * (size / 40) ** -2 * min(1.0, size / 30) ** (-3.5 * power)
        made.append(run_of(config, test_accuracy=np.clip(step / (2 * time), 0, 1)))
    assert value("delay-steepens", *made) == pytest.approx(expected, abs=0.05)
    made[0] = run_of(made[0].config, test_accuracy=0.2)
    assert math.isnan(value("delay-steepens", *made))  # cut off


def test_a_width_is_set_beside_the_mean_of_a_band() -> None:
    assert value("band-advantage", *(run(test_accuracy=one) for one in (0.9, 0.2, 0.6))) == pytest.approx(0.5)


def test_the_norm_of_a_grokking_run_is_compared_with_a_memorizing_one() -> None:
    constant = PROBLEM.time_constant
    falling = np.where(STEPS > 1000, 50.0, 100.0)
    grokking = run(test_accuracy=(STEPS >= 1000) * 1.0, squared_norm=falling)
    control = run(test_accuracy=0.0, squared_norm=90.0)
    assert 1000 + 5 * constant < STEPS[-1]
    assert value("norm-beside-control", grokking, control) == pytest.approx(math.log(0.5))
    assert math.isnan(value("norm-beside-control", control, control))  # it never generalizes
    assert value("norm-rise", run(squared_norm=np.where(STEPS > 0, 200.0, 100.0))) == pytest.approx(math.log(2))


@pytest.mark.parametrize(("exponent", "expected"), [(0.5, 1.0), (1.0, 0.0), (None, 0.0)])
def test_peaks_go_as_the_root_or_count_against(exponent: float | None, expected: float) -> None:
    made = []
    for size in (10, 20, 40):
        for width in (4, 8, 16, 32, 64):
            problem = replace(PROBLEM, width=width)
            peak = 0.0 if exponent is None else math.log(replace(PROBLEM, width=12).n_params * (size / 20) ** exponent)
            loss = math.exp(-((math.log(problem.n_params) - peak) ** 2))
            made.append(run_of(replace(CONFIG, problem=problem, n_train=size), test_loss=loss))
    assert value("peaks-as-root", *made) == expected


@pytest.mark.parametrize(("direction", "expected"), [(1, 1.0), (-1, -1.0)])
def test_dimension_is_ranked_with_loss_where_networks_fit(direction: int, expected: float) -> None:
    arm = Arm(problem=PROBLEM, n_train=20)
    assert DimensionArm(arm=arm).config(4) == DimensionConfig(run=arm.config(4))

    def looked_at(dimension: float, loss: float) -> DimensionRun:
        values = DimensionValues(value=dimension, smaller=0, larger=0, train_loss=0, test_loss=loss, step=1)
        return DimensionRun(config=DimensionConfig(run=CONFIG), values=values, ending="horizon", seconds=1.0)

    looked = [looked_at(direction * k, k) for k in (1.0, 2.0, 3.0)]
    assert value("rank-of-dimension", *[run()] * 3, *looked) == pytest.approx(expected)
    assert math.isnan(value("rank-of-dimension", run(), run(), run(train_accuracy=0.5), *looked))
