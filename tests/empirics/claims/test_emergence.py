import math
from collections.abc import Callable

import numpy as np
import pytest

from dcrit.empirics.claims import emergence_finetune, emergence_multitask, emergence_split
from dcrit.empirics.claims.claim import Finding
from dcrit.empirics.experiments import facts, second_tasks
from dcrit.empirics.experiments.facts import FactsDesign, FactsPoint, FactsSeries
from dcrit.empirics.experiments.second_tasks import SecondTasksDesign
from dcrit.empirics.runs.multitask import MultitaskConfig
from dcrit.theory.circuits.facts import additive_critical_size
from dcrit.theory.problems.problem import Problem
from tests.worlds.multitask import MultitaskWorld, facts_of

PROBLEM = Problem(modulus=31, width=64)
PREDICTED = MultitaskWorld(size=lambda _: 1.0).laboratory().predict(PROBLEM)
assert PREDICTED is not None
POWER = 2 * PREDICTED.competition.memorizing.exponent / 3
assert PREDICTED.critical_size.value is not None
ALONE: float = PREDICTED.critical_size.value


def measured(size: Callable[[MultitaskConfig], float], *series: FactsSeries) -> list[FactsPoint]:
    return facts.measure(
        FactsDesign(series=series, tolerance=0.02, budget=16), MultitaskWorld(size=size, width=0.05).laboratory()
    )


def by_formula(config: MultitaskConfig) -> float:
    return float(additive_critical_size(ALONE, facts_of(config), POWER))


def by_rule(config: MultitaskConfig) -> float:
    point = FactsPoint(
        series=FactsSeries(problem=PROBLEM, n_facts=(0,)),
        n_facts=facts_of(config),
        transition=None,  # type: ignore[arg-type]
        predicted=PREDICTED,
    )
    size = emergence_multitask.rule(point)
    return math.inf if size is None else size


def multitask(size: Callable[[MultitaskConfig], float]) -> Finding:
    return emergence_multitask.judge(measured(size, FactsSeries(problem=PROBLEM, n_facts=(0, 60, 120))))


@pytest.mark.slow
def test_sizes_by_the_rule_are_pushed_and_refute_the_formula() -> None:
    finding = multitask(by_rule)
    assert finding.ruling(0.05 / 21) == "refuted"
    assert "log10 Bayes factor" in finding.reason
    assert float(finding.reason.split("log10 Bayes factor ")[1].split(";")[0]) > 1
    assert finding.measured is not None
    assert finding.measured < emergence_multitask.THRESHOLD_ERROR
    assert all(row["p pushed"] is not None and float(row["p pushed"]) < 0.001 for row in finding.rows)
    assert all(row["p formula fails"] is not None and float(row["p formula fails"]) < 0.001 for row in finding.rows)


@pytest.mark.slow
def test_the_claim_holds_where_formula_and_prediction_both_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        emergence_multitask,
        "rule",
        lambda point, size_alone=None: float(additive_critical_size(ALONE, point.n_facts, POWER)),
    )
    assert multitask(by_formula).ruling(0.05 / 21) == "supported"


@pytest.mark.slow
def test_sizes_at_which_widths_are_the_threshold_err_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []

    def draws(_: object, *, seed: int = 0) -> tuple[np.ndarray, int]:
        seeds.append(seed)
        return np.zeros(emergence_multitask.DRAWS), 0

    points = measured(by_rule, FactsSeries(problem=PROBLEM, n_facts=(60, 90, 120)))
    monkeypatch.setattr(emergence_multitask, "log_sizes", draws)
    emergence_multitask.judge(points)
    assert len(set(seeds)) == len(points) == len(seeds)


@pytest.mark.slow
def test_sizes_that_facts_do_not_move_refute() -> None:
    finding = multitask(lambda _: ALONE)
    assert finding.ruling(0.05 / 21) == "refuted"
    assert all(row["p pushed"] is not None and float(row["p pushed"]) > 0.9 for row in finding.rows)


def test_a_task_that_is_never_learned_refutes_by_its_prediction_alone() -> None:
    finding = multitask(lambda _: math.inf)
    assert finding.ruling() == "refuted"
    assert all(row["p pushed"] is None and row["p formula fails"] is None for row in finding.rows)
    assert finding.reason.startswith("no critical size beside facts is known")


@pytest.mark.slow
def test_a_size_beyond_all_pairs_counts_as_larger() -> None:
    finding = multitask(lambda config: math.inf if facts_of(config) == 120 else by_rule(config))
    (last,) = [row for row in finding.rows if row["facts"] == 120]
    assert str(last["measured"]).startswith("over ")
    assert float(last["p pushed"]) < 0.001  # type: ignore[arg-type]


def split(ratio: float) -> Finding:
    series = (
        FactsSeries(problem=PROBLEM, n_facts=(0, 40, 80)),
        FactsSeries(problem=PROBLEM, n_facts=(0, 40, 80), blocks="split"),
        FactsSeries(problem=PROBLEM, n_facts=(40,), is_pretrained=True),
    )
    return emergence_split.judge(measured(lambda config: 300.0 * (ratio if config.blocks == "split" else 1.0), *series))


@pytest.mark.slow
@pytest.mark.parametrize(("ratio", "ruling"), [(0.8, "supported"), (1.1, "refuted"), (0.95, "inconclusive")])
def test_split_blocks_are_earlier_or_not(ratio: float, ruling: str) -> None:
    finding = split(ratio)
    assert finding.ruling() == ruling
    assert [row["facts"] for row in finding.rows] == [0, 40, 80]
    assert finding.measured == pytest.approx(ratio, rel=0.03)


def test_split_blocks_share_the_total_width() -> None:
    series = FactsSeries(problem=PROBLEM, n_facts=(0,), blocks="split")
    assert series.config(0).width == 32
    assert FactsSeries(problem=PROBLEM, n_facts=(0,)).config(0).width == 64
    with pytest.raises(ValueError, match="width must be even"):
        FactsSeries(problem=Problem(width=33), n_facts=(0,), blocks="split")
    with pytest.raises(ValueError, match="n_facts"):
        FactsSeries(problem=PROBLEM, n_facts=(-1,))
    phases = FactsSeries(problem=PROBLEM, n_facts=(40,), is_pretrained=True).config(40).phases
    assert [(phase.tasks, phase.steps) for phase in phases] == [((0,), 4000), ((0, 1), 4000)]


def tuned(ratio: float) -> Finding:
    design = SecondTasksDesign(problems=(Problem(modulus=23, width=64),), first=("sub", "sum-squares"))
    world = MultitaskWorld(size=lambda config: 150.0 * (ratio if len(config.phases) == 2 else 1.0), width=0.05)
    return emergence_finetune.judge(second_tasks.measure(design, world.laboratory()))


@pytest.mark.slow
@pytest.mark.parametrize(("ratio", "ruling"), [(0.8, "supported"), (1.1, "refuted"), (0.95, "inconclusive")])
def test_pretraining_is_earlier_or_not(ratio: float, ruling: str) -> None:
    finding = tuned(ratio)
    assert finding.ruling() == ruling
    assert [row["pretrained on"] for row in finding.rows] == ["sub", "sum-squares"]
    assert finding.measured == pytest.approx(ratio, rel=0.03)


def test_pretraining_is_on_the_first_task_alone_in_the_same_architecture() -> None:
    design = SecondTasksDesign(problems=(Problem(modulus=23, width=64),), first=("sub",))
    fresh, after = design.templates()
    assert [phase.tasks for phase in fresh.phases] == [(0,)]
    assert [phase.tasks for phase in after.phases] == [(1,), (0,)]
    assert fresh.components == after.components
    assert [component.task for component in after.components] == ["add", "sub"]
    with pytest.raises(ValueError, match="fraction"):
        SecondTasksDesign(problems=(), first=(), fraction=1.1)


@pytest.mark.parametrize("module", [facts, second_tasks])
def test_designs_say_what_they_cost(module: object) -> None:
    experiment = module.EXPERIMENT  # type: ignore[attr-defined]
    assert set(experiment.designs) == {"standard", "paper"}
    costs = [experiment.work(name).cost for name in ("standard", "paper")]
    assert 0 < costs[0] < costs[1]


def test_the_additive_formula_solves_its_equation() -> None:
    size = additive_critical_size([100.0, 200.0], 50, 0.5)
    np.testing.assert_allclose((50 + size) ** 0.5 - 50**0.5, np.sqrt([100, 200]))
    np.testing.assert_allclose(additive_critical_size(100, 0, 0.5), 100)
    with pytest.raises(ValueError, match="power"):
        additive_critical_size(100, 50, 0)
