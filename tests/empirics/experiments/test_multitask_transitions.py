import math

import pytest

from dcrit.empirics.claims.size_effects import effect_of_bound, effect_of_ratio, log_sizes, size_text
from dcrit.empirics.experiments.multitask_transitions import (
    MultitaskTransition,
    measure_multitask_transitions,
    multitask_of,
    multitask_transitions_stages,
)
from dcrit.empirics.runs.multitask import MultitaskConfig, beside_facts
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training.work import flops_of, work_of
from dcrit.theory.problems.problem import Problem
from tests.worlds.multitask import MultitaskWorld, facts_of

PROBLEM = Problem(modulus=19, width=16)


def template(n_facts: int = 0, pretraining: int = 0) -> MultitaskConfig:
    return beside_facts(PROBLEM, n_train=1, n_facts=n_facts, pretraining=pretraining)


def transitions(world: MultitaskWorld, *facts: int) -> list[MultitaskTransition]:
    wanted = [template(n) for n in facts]
    return measure_multitask_transitions(wanted, world.laboratory(), tolerance=0.05, budget=8, stage="sizes")


@pytest.mark.slow
def test_true_sizes_are_found_all_measured_together() -> None:
    world = MultitaskWorld(size=lambda config: 100.0 + facts_of(config))
    found = transitions(world, 0, 40, 80)
    for transition, size in zip(found, (100, 140, 180), strict=True):
        assert transition.measured.value == pytest.approx(size, rel=0.05)
        assert transition.measured.interval is not None
        assert size in transition.measured.interval
        draws = transition.log_size_draws(100)
        assert draws is not None
        assert draws.shape == (100,)
        assert {one.config.horizon for one in transition.outcomes} == {4000}
    assert world.stages == [f"sizes, round {k + 1}" for k in range(len(world.stages))]
    assert len({config.address for config in world.asked}) == len(world.asked)
    # The first round probes every set of tasks.
    assert {facts_of(config) for config in world.asked[:18]} == {0, 40, 80}
    assert {config.horizon for config in world.asked[:18]} == {400}


def test_a_task_that_is_never_learned_lies_beyond_what_was_tried() -> None:
    (never,) = transitions(MultitaskWorld(size=lambda _: math.inf), 40)
    assert never.measured.value is None
    assert never.is_beyond
    assert never.largest >= 0.9 * PROBLEM.n_pairs
    assert never.log_size_draws(10) is None
    assert size_text(never) == f"over {never.largest}"


def test_phases_before_the_last_are_never_cut() -> None:
    probe = multitask_of(template(40, pretraining=500), RunConfig(problem=PROBLEM, n_train=77, seed=3, steps=400))
    assert [phase.steps for phase in probe.phases] == [500, 400]
    assert (probe.components[0].n_train, probe.components[1].n_train, probe.seed) == (77, 40, 3)


def test_work_is_bounded_by_runs_on_all_pairs() -> None:
    world = MultitaskWorld(size=lambda _: 100.0)
    transitions(world, 0)
    most = work_of(multitask_transitions_stages([template()], budget=8))
    assert flops_of(world.asked) <= most.flops
    assert len(world.asked) <= most.n_runs


def test_ratios_of_sizes_know_from_which_side() -> None:
    near, far, never = transitions(
        MultitaskWorld(size=lambda config: {0: 100.0, 20: 150.0, 40: math.inf}[facts_of(config)]), 0, 20, 40
    )
    grown = effect_of_ratio(far, near, (math.log(1.05), math.inf))
    assert grown is not None
    assert math.exp(grown.value) == pytest.approx(1.5, rel=0.05)
    assert grown.p_inside < 0.001 < grown.p_outside
    beyond = effect_of_ratio(never, near, (math.log(1.05), math.inf))
    assert beyond is not None
    assert beyond.p_inside < 0.001
    assert beyond.p_outside == 1
    within = effect_of_ratio(never, near, (-0.1, 0.1))
    assert within is not None
    assert within.p_inside == 1
    assert within.p_outside < 0.001
    below = effect_of_ratio(near, never, (-math.inf, -0.05))
    assert below is not None
    assert below.p_inside < 0.001
    assert below.p_outside == 1
    assert effect_of_ratio(never, never, (-0.1, 0.1)) is None


def test_a_bound_within_the_range_says_nothing_where_the_range_ends_beyond_it() -> None:
    (near,) = transitions(MultitaskWorld(size=lambda _: 100.0), 0)
    known = log_sizes(near)
    assert known is not None
    draws = known[0] - math.log(100)
    bound = effect_of_bound(draws, (-0.5, 0.5), 1)
    assert bound.p_inside == 1
    assert bound.p_outside > 0.9
    assert effect_of_bound(draws, (-0.5, 0.5), 0).p_inside < 0.001
