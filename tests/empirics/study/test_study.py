import io
import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

import dcrit
from dcrit.empirics.measures.efficiency import LawsFit, NoLaws
from dcrit.empirics.study import cost as costs
from dcrit.empirics.study import study as module
from dcrit.empirics.study.cost import Cost, Pace, check_budget, cost_of
from dcrit.empirics.study.design import ROLES, Role
from dcrit.empirics.study.module_runs import MODULE_CURVES, Factory, ModuleRun, ModuleRunConfig
from dcrit.empirics.study.study import StudyDesign, StudyResult, study
from dcrit.theory.calibrations.omission import Cause
from dcrit.theory.circuits.crossing import Crossing
from dcrit.theory.circuits.laws import GeneralizingLaw, MemorizingLaw
from dcrit.theory.circuits.margin import loss_from_margin
from dcrit.theory.circuits.mixture import Competition, DeficitLaw

N, CLASSES, KAPPA, MARGIN, ROOM = 1000, 20, 2.0, 12.0, 700

#: The law of a world: its transition lies near D = 100 of 1000 examples.
LAWS = Competition(
    memorizing=MemorizingLaw(amplitude=2.0, exponent=0.9),
    generalizing=GeneralizingLaw(full_data=0.035, n_pairs=N),
    deficits=DeficitLaw(median=0.4, median_exponent=0.1, spread=0.2, spread_exponent=0.1),
    mixing=3.0,
)
HALF = (1 / CLASSES + 1) / 2

INPUTS = torch.zeros(N, 2)
LABELS = torch.arange(N) % CLASSES

DESIGN = StudyDesign(
    n_classes=CLASSES,
    sizes=(40, 60, 80, 100, 130, 180, 260),
    generalizing_sizes=(200, 300, 450, 700),
    memorizing_sizes=(40, 80, 160, 320),
    overloading_sizes=(900, 1000),
    seeds=4,
    device="cpu",
)


class World:
    """Stands in for training: every run ends where the laws put it, but for curves that are given by name."""

    def __init__(
        self, *, noise: float = 0.01, kappa: float = KAPPA, room: float = ROOM, fall: float = 0.0, **changed: float
    ) -> None:
        self.noise, self.kappa, self.room, self.fall, self.changed = noise, kappa, room, fall, changed
        self.made: list[ModuleRunConfig] = []

    @staticmethod
    def factory(seed: int) -> nn.Module:
        """Whose modules no world looks at."""
        return nn.Linear(2, CLASSES)

    def __call__(
        self, factory: Factory, inputs: Tensor, labels: Tensor, config: ModuleRunConfig, *, device: str
    ) -> ModuleRun:
        self.made.append(config)
        rng = np.random.default_rng(config.seed)
        log_size, is_real = math.log(config.n_train), config.labels == "real"
        law = LAWS if is_real else LAWS.memorizing
        efficiency = math.exp(float(law.log_efficiency(log_size)) + self.noise * float(rng.standard_normal()))
        efficiency *= (config.n_train / 450) ** (-self.fall if is_real else 0)
        deficits = math.exp(float(LAWS.deficits.log_median(log_size))) + np.array([-1.28155, 0, 1.28155]) * math.exp(
            float(LAWS.deficits.log_spread(log_size))
        )
        if is_real:
            share = 1 / (1 + math.exp(-float(LAWS.log_odds(log_size))))
            deficits = (1 - share) * deficits - share
        chance, fitted = 1 / CLASSES, min(1.0, self.room / config.n_train)
        accuracy = float(LAWS.test_accuracy(config.n_train)) + 2 * self.noise * float(rng.standard_normal())
        values = {
            "train_loss": float(loss_from_margin(MARGIN, CLASSES)),
            "train_accuracy": 1.0 if is_real else fitted + (1 - fitted) * chance,
            "test_loss": 1.0,
            "test_accuracy": math.nan if config.n_train == N else accuracy if is_real else chance,
            "squared_norm": (MARGIN / efficiency) ** (2 / KAPPA),
            **dict(zip(("deficit_low", "deficit_median", "deficit_high"), (MARGIN * deficits).tolist(), strict=True)),
        } | self.changed
        step = np.array(config.evaluation_steps(), dtype=np.float64)
        curves = np.tile([values[name] for name in MODULE_CURVES], (step.size, 1))
        return ModuleRun(config=config, step=step, curves=curves, homogeneity=self.kappa, n_params=5000)


@pytest.fixture
def patch() -> Iterator[pytest.MonkeyPatch]:
    """With few resamples: intervals are tested elsewhere. Nothing is timed."""
    with pytest.MonkeyPatch.context() as found:
        found.setattr(module, "best_pace", lambda *_: Pace(step=1e-6, example=0.0, evaluation=0.0))
        found.setattr(module, "fit_laws", partial(module.fit_laws, resamples=20))
        yield found


def studied(patch: pytest.MonkeyPatch, world: World, **changed: Any) -> StudyResult:
    patch.setattr(module, "train_module", world)
    fields = {name: getattr(DESIGN, name) for name in DESIGN.__dataclass_fields__}
    return study(World.factory, INPUTS, LABELS, StudyDesign(**(fields | changed)))


def test_the_laws_of_a_world_come_back(patch: pytest.MonkeyPatch) -> None:
    found = studied(patch, World())
    truth = LAWS.size_at_accuracy(HALF)
    assert isinstance(truth, Crossing)
    assert found.half_accuracy == pytest.approx(HALF)
    assert found.homogeneity.value == KAPPA
    assert found.memorizing_exponent.value == pytest.approx(-0.9, abs=0.02)
    assert found.generalizing_efficiency.value == pytest.approx(0.035, rel=0.03)
    assert found.capacity.value == pytest.approx(ROOM, rel=0.01)
    assert found.bits_per_parameter == pytest.approx(ROOM * math.log2(CLASSES) / 5000, rel=0.01)
    assert found.predicted.value == pytest.approx(truth.n_train, rel=0.05)
    assert found.predicted.interval is not None
    assert truth.n_train in found.predicted.interval
    # Accuracies that a normal distribution gives, counted from chance, are nearly a logistic curve in ln D.
    assert found.measured.value == pytest.approx(truth.n_train, rel=0.05)
    assert (found.measured.n_runs, found.measured.n_unconverged) == (28 + 16, 0)
    for point in found.memorizing:
        expected = math.exp(float(LAWS.memorizing.log_efficiency(math.log(point.n_train))))
        assert point.efficiency == pytest.approx(expected, rel=0.03)
        assert point.interval is not None
        assert (point.labels, point.n_runs) == ("uniform", 4)
        assert point.to_dict()["interval"] == {"low": point.interval.low, "high": point.interval.high}
        assert point.to_dict()["level"] == point.interval.level
    assert [point.n_train for point in found.generalizing] == [40, 60, 80, 100, 130, 180, 200, 260, 300, 450, 700]


def test_every_run_has_a_seed_and_a_role_of_its_own(patch: pytest.MonkeyPatch) -> None:
    world = World()
    found = studied(patch, world, first_seed=7)
    assert len({config.seed for config in world.made}) == len(world.made) == 4 * 17
    counted = Counter[tuple[Role, int]]()
    for role, run in found.runs:
        size = run.config.n_train
        assert run.config.seed == found.design.seed(role, size, counted[role, size])
        assert run.config.seed == 7 + counted[role, size] + 1000 * (ROLES.index(role) + 5 * size)
        counted[role, size] += 1
    assert set(counted.values()) == {4}
    assert {config.steps for config in world.made} == {4000}
    assert [run.config for _, run in found.runs] == world.made
    assert {(role, run.config.labels) for role, run in found.runs} == {
        ("transition", "real"),
        ("generalizing", "real"),
        ("memorizing", "uniform"),
        ("overloading", "uniform"),
    }


@pytest.mark.slow
def test_the_prediction_does_not_see_the_transition(patch: pytest.MonkeyPatch) -> None:
    above = (500, 600, 700, 750, 760, 770, 780)
    plain, other = studied(patch, World()), studied(patch, World(), sizes=above)
    assert other.measured != plain.measured
    assert other.predicted == plain.predicted


@pytest.mark.parametrize(
    ("sizes", "side", "advice"),
    [
        ((400, 600), "one half or more at every size", "the transition lies below, try sizes= from 100 to 400"),
        ((10, 20), "below one half at every size", "the transition lies above by this step, try sizes= from 20 to 60"),
    ],
)
def test_no_transition_is_an_outcome_and_says_what_to_change(
    sizes: tuple[int, ...], side: str, advice: str, patch: pytest.MonkeyPatch
) -> None:
    found = studied(patch, World(), sizes=sizes, predict=False)
    assert found.measured.value is None
    assert side in found.measured.reason
    assert advice in found.measured.reason
    assert all(f"{size} (" in found.measured.reason for size in sizes)
    assert f"test accuracy {HALF:.3g} counts as one half" in found.measured.reason
    assert found.measured.reason.endswith("; in brackets, 0 stands for chance, 0.05, and 1 for the ceiling, 1")
    assert found.comparison == f"There is no prediction to compare: {found.predicted.reason}."
    assert found.agrees is found.ratio is None


def test_rows_on_both_sides_of_one_half_hold_a_transition(patch: pytest.MonkeyPatch) -> None:
    found = studied(patch, World(), sizes=(10, 20))
    low, high = (
        [one.n_train for one in found.generalizing if (one.test_accuracy >= HALF) == passes] for passes in (False, True)
    )
    assert low == [10, 20]
    assert min(high) == 200
    assert found.measured.value is not None
    assert found.measured.interval is not None
    # Between 20 and 200 nothing was run, and nothing is resolved.
    assert 20 < found.measured.value < 200
    assert found.measured.interval.high / found.measured.interval.low > 5


def test_nearly_all_examples_that_are_not_enough_ask_for_more(patch: pytest.MonkeyPatch) -> None:
    found = studied(patch, World(test_accuracy=0.05), sizes=(100, 950), predict=False)
    assert (
        "nearly all 1000 examples are not enough by this step, try steps=16000 (about 1 s on this machine), or give "
        "more examples"
    ) in found.measured.reason


def test_a_prediction_that_misses_says_so(patch: pytest.MonkeyPatch) -> None:
    near, far = studied(patch, World()), studied(patch, World(fall=0.5))
    assert near.agrees
    assert near.comparison.startswith("Prediction and measurement agree: predicted ")
    assert far.agrees is False
    assert far.comparison.startswith("Prediction and measurement DISAGREE: predicted ")
    assert far.comparison.endswith("Use the measured size, which rests on accuracies alone.")
    assert far.ratio is not None
    assert f"is {far.ratio:.2f} times measured" in far.comparison
    assert far.to_dict()["comparison"] == far.comparison


def test_a_capacity_that_is_not_reached_is_an_outcome(patch: pytest.MonkeyPatch) -> None:
    found = studied(patch, World(room=5000))
    assert found.capacity.value is None
    assert found.bits_per_parameter is None
    assert found.capacity.reason == (
        "not reached: at least 1000 random labels are memorized, and there are 1000 examples in all"
    )
    fewer = studied(patch, World(room=5000), overloading_sizes=(800, 900))
    assert fewer.capacity.reason == (
        "not reached: at least 900 random labels are memorized; larger overloading_sizes= may reach it"
    )


def test_guesses_are_counted_by_how_labels_are_drawn(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module, "train_module", World())
    skewed = torch.arange(N) % 2
    design = StudyDesign(n_classes=CLASSES, random_labels="permuted", sizes=(40,), overloading_sizes=(1000,), seeds=2)
    found = study(World.factory, INPUTS, skewed, design)
    assert (found.chance, found.half_accuracy) == (0.5, 0.75)
    accuracy = 0.7 + 0.3 / CLASSES
    assert found.capacity.value == pytest.approx(1000 * (accuracy - 0.5) / 0.5)


def test_a_margin_that_does_not_grow_with_the_norm_has_no_efficiency(patch: pytest.MonkeyPatch) -> None:
    found = studied(patch, World(kappa=0.01))
    assert found.homogeneity.value is None
    assert "κ_eff = 0.01" in found.homogeneity.reason
    assert found.fit == NoLaws(cause=Cause.NO_HOMOGENEITY, reason=found.predicted.reason)
    assert found.predicted.reason.startswith(found.homogeneity.reason)
    assert found.predicted.value is None
    assert "normalization layers" in found.predicted.reason
    assert found.memorizing == ()
    assert found.measured.value is not None
    given = studied(patch, World(kappa=0.01), homogeneity=KAPPA)
    assert (given.homogeneity.value, given.homogeneity.reason) == (KAPPA, "given")
    assert isinstance(given.fit, LawsFit)


def test_runs_that_fit_nothing_give_reasons(patch: pytest.MonkeyPatch) -> None:
    world = World(train_accuracy=0.5)
    found = studied(patch, world)
    assert found.homogeneity.reason == "no run fits its training set"
    assert found.predicted.reason.startswith(
        "the first run on 450 examples does not fit its training set: it gets right 0.5 of them, and 0.99 is needed"
    )
    assert (found.memorizing_exponent.value, found.memorizing_exponent.n_runs) == (None, 0)
    # One run showed it: all others measure.
    assert [config.n_train for config in world.made if config.enough > 1] == [450]


def test_an_efficiency_that_falls_on_real_labels_is_said_beside_the_prediction(patch: pytest.MonkeyPatch) -> None:
    flat, falling = studied(patch, World()), studied(patch, World(fall=0.3))
    assert flat.predicted.reason == ""
    assert falling.predicted.value is not None
    assert "may be too high: e on real labels falls as D^-0.3" in falling.predicted.reason
    assert "flat: go by the measured size, which does not rest" in falling.predicted.reason


def test_an_efficiency_that_grows_on_real_labels_is_little_to_rest_on(patch: pytest.MonkeyPatch) -> None:
    growing = studied(patch, World(fall=-0.35))
    assert growing.predicted.value is not None
    slope = growing.generalizing_exponent.value
    assert slope == pytest.approx(0.32, abs=0.03)
    grows = f"rests on little: e on real labels grows as D^{slope:.2f}, which the theory takes as flat"
    assert f"{grows}: try larger generalizing_sizes=, from " in growing.predicted.reason


def test_sizes_close_to_the_measured_transition_are_little_to_rest_on(patch: pytest.MonkeyPatch) -> None:
    near, far = (studied(patch, World(), generalizing_sizes=(size, 300, 450, 700)) for size in (80, 95))
    assert near.measured.value is not None
    assert near.measured.value < 80 < 1.1 * near.measured.value < 95
    assert "rests on little: e on real labels was also taken at 80 examples, which is not 10% above" in (
        near.predicted.reason
    )
    enough = math.ceil(1.1 * near.measured.value)
    assert near.predicted.reason.endswith(f"above the measured size: try generalizing_sizes= from {enough} on")
    assert "rests on little" not in far.predicted.reason


def test_diverged_runs_are_counted(patch: pytest.MonkeyPatch) -> None:
    found = studied(patch, World(train_loss=math.nan), homogeneity=KAPPA)
    assert (found.measured.n_runs, found.measured.n_unconverged) == (0, 28 + 1)
    assert found.predicted.reason.startswith("the first run on 450 examples diverged; try learning_rate=0.003 (about ")
    assert found.capacity.value is None


def test_what_cannot_be_told_is_said_about_examples(patch: pytest.MonkeyPatch) -> None:
    world, said = World(deficit_median=-1.0), dict[str, int]()
    patch.setattr(costs.Watch, "say", lambda _, text: said.setdefault(text, len(world.made)))
    found = studied(patch, world)
    assert isinstance(found.fit, NoLaws)
    assert "too few unseen examples" in found.fit.reason
    # It is said once it is known: before the first run across the transition.
    n_before = next(k for k, config in enumerate(world.made) if config.n_train in DESIGN.sizes and config.enough <= 1)
    assert said[f"will measure and not predict: {found.fit.reason}"] == n_before


@pytest.mark.slow
def test_a_lower_ceiling_lowers_one_half(patch: pytest.MonkeyPatch) -> None:
    plain, lower = studied(patch, World()), studied(patch, World(), ceiling=0.6)
    assert lower.half_accuracy == pytest.approx((1 / CLASSES + 0.6) / 2)
    for name in ("predicted", "measured"):
        one, other = (getattr(result, name) for result in (plain, lower))
        assert other.value < one.value


# --- sizes that are chosen ---


def test_a_study_finds_its_sizes_itself(patch: pytest.MonkeyPatch) -> None:
    truth = LAWS.size_at_accuracy(HALF)
    assert isinstance(truth, Crossing)
    world = World()
    chosen = dict.fromkeys(("sizes", "generalizing_sizes", "memorizing_sizes", "overloading_sizes"), ())
    found = studied(patch, world, **chosen, seeds=2)
    roles = [role for role, _ in found.runs]
    # First where to look, then all that the prediction rests on, then what it is compared with.
    order = ("probing", "predicting", "transition")
    stages = ["predicting" if role not in order else role for role in roles]
    assert stages == sorted(stages, key=order.index)
    # One of each kind comes before the others, and shows whether these are of use.
    assert roles[6:8] == ["generalizing", "memorizing"]
    assert {config.steps for config in world.made} == {400, 4000}
    assert len({config.seed for config in world.made}) == len(world.made)
    for one in (found.predicted, found.measured):
        assert one.value == pytest.approx(truth.n_train, rel=0.15)
        assert one.interval is not None
        assert truth.n_train in one.interval
    assert found.agrees
    assert roles.count("transition") <= 12
    measured = found.measured.interval
    assert measured is not None
    assert math.log(measured.high / measured.low) / 2 <= 0.1
    assert min(found.design.generalizing_sizes) > truth.n_train
    assert found.design.memorizing_sizes[0] < truth.n_train < found.design.memorizing_sizes[-1]


@pytest.mark.parametrize(
    ("accuracy", "says"), [(0.05, "nearly all 1000 examples are not enough"), (1.0, "the transition lies below")]
)
def test_a_search_without_a_transition_ends(accuracy: float, says: str, patch: pytest.MonkeyPatch) -> None:
    found = studied(patch, World(test_accuracy=accuracy), sizes=(), predict=False)
    assert says in found.measured.reason or "one example is enough" in found.measured.reason
    assert len(found.runs) <= 6 + 12


def test_what_steps_lack_is_said(patch: pytest.MonkeyPatch) -> None:
    world = World()

    def moving(*given: Any, **named: Any) -> ModuleRun:
        run = world(*given, **named)
        run.curves[:, MODULE_CURVES.index("squared_norm")] *= np.exp(-run.step / run.step[-1])
        return run

    patch.setattr(module, "train_module", moving)
    found = study(World.factory, INPUTS, LABELS, replace(DESIGN, steps=900))
    assert found.predicted.value is None
    assert found.predicted.reason.startswith("the first run on 450 examples has not converged by step 900: its effic")
    assert "; steps=900 is below 10/(ηλ) = 1000, try steps=4000 (about 1 s on this machine)" in found.predicted.reason
    assert [role for role, _ in found.runs if role != "transition"] == ["generalizing"]
    longer = study(World.factory, INPUTS, LABELS, DESIGN)
    assert "try steps=64000 (about " in longer.predicted.reason
    # Left open, the horizon is doubled as often as it may be; runs before that are of another horizon.
    assert longer.design.horizon == 16_000
    assert [run.config.steps for role, run in longer.runs if role == "probing"] == [4000, 8000]
    assert {run.config.steps for role, run in longer.runs if role == "transition"} == {16_000}
    assert longer.measured.horizon == 16_000
    assert "so all runs take 8000 steps; " in longer.measured.reason
    patch.setattr(module, "best_pace", lambda *_: Pace(step=3e-3, example=0.0, evaluation=0.0))
    dear = study(World.factory, INPUTS, LABELS, DESIGN)
    assert dear.design.horizon == 4000
    assert "try steps=16000 with budget_minutes=53 (about 48 minutes on this machine)" in dear.predicted.reason


# --- what first runs show ---


def test_sizes_that_do_not_fit_are_lowered_where_they_were_chosen(
    patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(room=60)
    found = studied(patch, world, memorizing_sizes=())
    assert found.predicted.value is not None
    tried = [config.n_train for config in world.made if config.labels == "uniform" and config.n_train < 900]
    largest = found.design.memorizing_sizes[-1]
    assert largest <= 60 < tried[0]
    said = f"as the first run on {tried[0]} random labels does not fit its training set"
    assert said in found.measured.reason
    assert said in capsys.readouterr().err
    given = studied(patch, world)
    assert given.predicted.reason.startswith("the first run on 320 random labels does not fit its training set: it ")
    assert "try smaller memorizing_sizes=, or a larger network" in given.predicted.reason
    assert "study: will measure and not predict: the first run on 320 random labels" in capsys.readouterr().err


def test_sizes_that_are_not_past_the_transition_are_raised_where_they_were_chosen(patch: pytest.MonkeyPatch) -> None:
    class Late(World):
        """Probes show the transition at half of its size."""

        def __call__(self, *given: Any, **named: Any) -> ModuleRun:
            factory, inputs, labels, config = given
            changed = replace(config, n_train=2 * config.n_train) if config.steps == 400 else config
            return replace(super().__call__(factory, inputs, labels, changed, **named), config=config)

    world = Late()
    found = studied(patch, world, sizes=(), generalizing_sizes=(), memorizing_sizes=())
    assert found.predicted.value is not None
    assert found.design.generalizing_sizes[0] > next(c.n_train for c in world.made if c.steps == 4000)
    assert "ends below one half, with test accuracy" in found.measured.reason
    given = studied(patch, World(), generalizing_sizes=(40, 60))
    assert "ends below one half" in given.predicted.reason
    assert "try larger generalizing_sizes=" in given.predicted.reason


@pytest.mark.parametrize(("kappas", "said"), [((9.9, 10.1), "9.90 to 10.10 over runs"), ((3.0, 3.0), "")])
def test_the_spread_of_homogeneities_is_told_where_there_is_one(
    patch: pytest.MonkeyPatch, kappas: tuple[float, float], said: str
) -> None:
    class Spread(World):
        """Every second seed has another κ_eff."""

        def __call__(self, *given: Any, **named: Any) -> ModuleRun:
            return replace(super().__call__(*given, **named), homogeneity=kappas[given[3].seed % 2])

    assert studied(patch, Spread()).homogeneity.reason == said


@pytest.mark.parametrize("rising", [False, True])
def test_more_steps_are_advised_only_where_accuracy_still_rises(patch: pytest.MonkeyPatch, rising: bool) -> None:
    class Slow(World):
        """No size is enough by the end, but test accuracy may be on its way."""

        def __call__(self, *given: Any, **named: Any) -> ModuleRun:
            run = super().__call__(*given, **named)
            ends = np.linspace(0.0, 0.4, len(run.step)) if rising else np.full(len(run.step), 0.4)
            run.curves[:, MODULE_CURVES.index("test_accuracy")] = ends
            return run

    found = studied(patch, Slow(), sizes=(), generalizing_sizes=())
    assert "ends below one half" in found.predicted.reason
    assert ("give more examples, or try steps=16000" in found.predicted.reason) == rising
    more = "test accuracy rises no more, and there are 1000 examples in all: more are needed"
    assert (more in found.predicted.reason) == (not rising)


def test_larger_sizes_are_taken_where_later_runs_end_below_one_half(patch: pytest.MonkeyPatch) -> None:
    class Late(World):
        """Every second seed has its transition at 250."""

        def __call__(self, *given: Any, **named: Any) -> ModuleRun:
            run, config = super().__call__(*given, **named), given[3]
            if config.labels == "real" and config.n_train < 250 and config.steps == 4000 and config.seed % 2:
                run.curves[:, MODULE_CURVES.index("test_accuracy")] = 0.4
            return run

    found = studied(patch, Late(), sizes=(), generalizing_sizes=(), seeds=2)
    sizes = found.design.generalizing_sizes
    assert sizes[0] >= 250
    assert len(sizes) == 3
    left_out = {run.config.n_train for role, run in found.runs if role == "generalizing"} - set(sizes)
    assert left_out
    assert max(left_out) < 250
    assert found.predicted.value is not None
    assert found.generalizing_exponent.n_runs == 6
    assert "6 of 6 are not past the transition" in found.measured.reason


def test_no_run_across_the_transition_enters_a_prediction(patch: pytest.MonkeyPatch) -> None:
    clean, mixed = studied(patch, World()), studied(patch, World(), generalizing_sizes=(40, 60, 200, 300, 450, 700))
    assert mixed.predicted == clean.predicted
    few = studied(patch, World(), generalizing_sizes=(60, 200, 40), seeds=2)
    assert few.predicted.value is None
    assert "4 runs on real labels are not past the transition, try generalizing_sizes= from 200" in few.predicted.reason


def test_too_few_sizes_for_laws_are_named_before_any_run(patch: pytest.MonkeyPatch) -> None:
    world = World()
    found = studied(patch, world, generalizing_sizes=(300,))
    assert found.predicted.reason == "laws take 4 runs over two sizes: give 2 sizes in generalizing_sizes= for seeds=4"
    assert {config.labels for config in world.made} == {"real"}
    alone = StudyDesign(n_classes=CLASSES, seeds=1).for_examples(N)
    assert (len(alone.generalizing_sizes), len(alone.memorizing_sizes), alone.why_unpredicted) == (4, 4, "")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"weight_decay": 0.0, "steps": 500}, "weight_decay=0: nothing makes a network prefer"),
        ({"label_noise": 0.1}, "label_noise=0.1: what fits noise is more than the rule"),
        ({"predict": False}, "not asked for: predict=False"),
    ],
)
def test_what_cannot_be_predicted_is_measured(changed: dict[str, Any], why: str, patch: pytest.MonkeyPatch) -> None:
    world = World()
    found = studied(patch, world, **changed)
    for one in (found.predicted, found.capacity, found.memorizing_exponent, found.generalizing_exponent):
        assert one.value is None
        assert one.reason.startswith(why)
    assert {config.labels for config in world.made} == {"real"}
    assert found.measured.value is not None


# --- what it costs ---

PACE = Pace(step=1e-3, example=1e-6, evaluation=1e-2)


def test_costs_are_those_of_the_runs_of_a_design() -> None:
    design = StudyDesign(
        n_classes=2,
        sizes=(100,),
        generalizing_sizes=(200, 300),
        memorizing_sizes=(50, 60),
        overloading_sizes=(400,),
        seeds=2,
        steps=1000,
    )
    found = cost_of(design, 400, PACE)
    assert (found.runs, found.steps) == (12, 12_000)
    evaluations = len(design.config("real", 1, 0).evaluation_steps())
    # Runs across the transition end early on average.
    whole, across = 5 + 0.001 * 1010 + 5 * 0.01 * evaluations, 1 + 0.001 * 100 + 0.01 * evaluations
    assert found.seconds == pytest.approx(2 * (whole + 0.7 * across))
    searched = cost_of(StudyDesign(n_classes=2, steps=1000), 400, PACE)
    # Three and four sizes, one that overloads, two runs each, twelve across the transition, six probes.
    assert (searched.runs, searched.steps) == (2 * 8 + 12 + 6, 28 * 1000 + 6 * 100)


def test_a_study_that_takes_too_long_is_refused_before_its_first_run(patch: pytest.MonkeyPatch) -> None:
    world = World()
    patch.setattr(module, "best_pace", lambda *_: PACE)
    with pytest.raises(ValueError, match="budget_minutes must be at least ") as caught:
        studied(patch, world, weight_decay=1e-3)
    said = str(caught.value)
    assert "68 runs, 272,000,000 steps" in said
    assert "below 10/(ηλ) = 1,000,000" in said
    assert world.made == []
    # What would be refused as well is not advised.
    assert "predict=False" not in said
    with pytest.raises(ValueError, match="budget_minutes must be at least ") as caught:
        studied(patch, world, steps=15_000, sizes=())
    assert re.search(
        r"; or seeds=1 and max_runs=6 \(about . minutes on this machine\); or predict=False to measure alone \(about",
        str(caught.value),
    )
    design = StudyDesign(n_classes=2, budget_minutes=1)
    with pytest.raises(ValueError, match=r"change budget_minutes=3; or steps=2000$"):
        check_budget(Cost(runs=1, steps=4000, seconds=120), design, dear)
    check_budget(Cost(runs=1, steps=4000, seconds=59), design, dear)


def dear(design: StudyDesign) -> Cost:
    """What nobody can pay."""
    return Cost(runs=1, steps=1, seconds=1e9)


def test_a_study_is_refused_once_sizes_are_known_to_cost_far_too_much(patch: pytest.MonkeyPatch) -> None:
    world = World()
    by_size = Pace(step=0.0, example=1e-5, evaluation=0.0)
    patch.setattr(module, "best_pace", lambda *_: by_size)
    chosen = dict.fromkeys(("sizes", "generalizing_sizes", "memorizing_sizes"), ())
    told = cost_of(StudyDesign(n_classes=CLASSES, overloading_sizes=(1000,)), N, by_size).seconds
    with pytest.raises(ValueError, match="budget_minutes must be at least "):
        studied(patch, world, **chosen, seeds=2, overloading_sizes=(1000,), budget_minutes=told / 60 / 2.5 + 1)
    assert len(world.made) in (0, 6)


def test_where_threads_wait_for_each_other_the_refusal_names_one_thread() -> None:
    long, design = Cost(runs=1, steps=4000, seconds=1200), StudyDesign(n_classes=2, budget_minutes=1)
    with pytest.raises(ValueError, match=r"change the environment: OMP_NUM_THREADS=1 makes it about 31 s"):
        check_budget(long, design, dear, alone=lambda: replace(long, seconds=31))
    with pytest.raises(ValueError, match=r"change budget_minutes=") as caught:
        check_budget(long, design, dear, alone=lambda: replace(long, seconds=1000))
    assert "OMP_NUM_THREADS" not in str(caught.value)


def test_one_thread_is_taken_where_it_is_faster_and_nobody_set_them(patch: pytest.MonkeyPatch) -> None:
    fast, slow = Pace(step=1e-3, example=0.0, evaluation=0.0), Pace(step=1e-2, example=0.0, evaluation=0.0)
    timed = World.factory, INPUTS, LABELS, DESIGN, "cpu"
    for name in costs.THREADS_SET:
        patch.delenv(name, raising=False)
    patch.setattr(costs, "pace_of", lambda *_, **more: fast if torch.get_num_threads() == 1 else slow)
    with costs.using(2):
        patch.setattr(costs.os, "cpu_count", lambda: 2)
        patch.setattr(costs.os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
        found = costs.best_pace(*timed)
        assert (found.step, found.threads, found.idle, found.where) == (1e-3, 1, True, "on an idle core")
        assert torch.get_num_threads() == 2
        patch.setattr(costs, "pace_of", lambda *_, **more: slow if torch.get_num_threads() == 1 else fast)
        assert costs.best_pace(*timed) == fast
        patch.setenv("OMP_NUM_THREADS", "2")
        patch.setattr(costs, "pace_of", lambda *_, **more: fast if torch.get_num_threads() == 1 else slow)
        assert costs.best_pace(*timed) == slow
    patch.delenv("OMP_NUM_THREADS")
    with costs.using(7):
        assert costs.threads_are_set()


def test_a_clock_of_the_processor_does_not_count_what_others_take(patch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(10**6))
    patch.setattr(costs, "TIMED_SECONDS", 20.0)
    found = costs.pace_of(World.factory, INPUTS, LABELS, DESIGN, "cpu", clock=lambda: float(next(ticks)))
    assert (found.step, found.example, found.evaluation) == (1.0, 0.0, 1.0)


def test_costs_and_progress_are_said_where_nobody_watches(
    patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    patch.setattr(costs, "PATIENCE_SECONDS", 0.0)
    patch.setattr(costs, "LINE_SECONDS", 0.0)
    studied(patch, World(), sizes=(60, 260), seeds=1)
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert captured.out == ""
    assert lines[0].startswith("study: at most 12 runs, 48,000 steps, about 1 s on this machine")
    assert len(lines) == 1 + 12
    assert lines[-1].startswith("study: 12 of at most 12 runs after about ")
    assert lines[-1].endswith("transition")


def test_what_is_left_is_told_anew_where_a_study_is_changed_on_the_way(
    patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    patch.setattr(costs, "PATIENCE_SECONDS", 0.0)
    patch.setattr(costs, "LINE_SECONDS", 0.0)
    found = studied(patch, World(room=60), memorizing_sizes=(), seeds=2)
    err = capsys.readouterr().err
    told = [(int(n), int(most)) for n, most in re.findall(r"study: (\d+) of at most (\d+) runs", err)]
    n_all = len(found.runs)
    assert told[-1] == (n_all, n_all)
    assert {most for _, most in told} > {n_all}  # more than were told at first
    assert f"study: now at most {n_all} runs, about " in err


def test_short_studies_say_nothing(patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    studied(patch, World(), seeds=1)
    assert capsys.readouterr().err == ""


def test_time_is_measured_on_this_machine() -> None:
    def slow(seed: int) -> nn.Module:
        return nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, CLASSES))

    found = costs.pace_of(slow, INPUTS, LABELS, DESIGN, "cpu")
    assert 0 <= found.step < 1  # what is left of a step where the cost of examples is taken off
    assert 0 <= found.example < 1e-3
    assert found.seconds(DESIGN, N, 100) > 0
    assert 0 < found.evaluation < 1


# --- designs ---

NUMBERS: tuple[tuple[Any, Any], ...] = ((int, float), (np.int64, np.float64))


def test_sizes_are_chosen_where_none_are_given() -> None:
    design = StudyDesign(n_classes=10)
    assert design.needs_probes
    probes = design.probe_sizes(1000)
    assert (probes[0], probes[-1], len(probes)) == (5, 900, 6)
    filled = design.for_examples(1000, np.array([30.0, 100.0, 300.0]), np.array([0.1, 0.2, 0.8]))
    assert 100 < filled.generalizing_sizes[0] < filled.generalizing_sizes[-1] < 900
    assert filled.overloading_sizes == (1000,)
    below = design.for_examples(1000, np.array([5.0, 900.0]), np.array([0.0, 0.1]))
    assert below.generalizing_sizes[-1] == 900
    assert len(below.generalizing_sizes) == 3
    # Where 3.3 times the transition does not fit, sizes lie above it all the same.
    assert design.sizes_above(100.0, 900) == (150, 220, 330)
    assert design.sizes_above(327.0, 476) == (360, 414, 476)
    assert design.sizes_above(166.0, 260) == (183, 218, 260)
    assert design.sizes_above(470.0, 476) == (433, 454, 476)
    assert StudyDesign(n_classes=10, learning_rate=0.1, weight_decay=0.5).horizon == 800
    assert StudyDesign(n_classes=10, optimizer="sgd", momentum=0.9, learning_rate=0.1).horizon == 40
    for n_examples in (3, 4, 10):
        StudyDesign(n_classes=2).for_examples(n_examples)


def test_without_decay_steps_have_to_be_given() -> None:
    with pytest.raises(ValueError, match="steps must be given where there is no weight decay, got none: without"):
        StudyDesign(n_classes=2, weight_decay=0.0)
    assert StudyDesign(n_classes=2, weight_decay=0.0, steps=100).horizon == 100


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_classes", 1),
        ("sizes", (0,)),
        ("memorizing_sizes", (2.5,)),
        ("seeds", 0),
        ("first_seed", -1),
        ("steps", -1),
        ("learning_rate", 0),
        ("weight_decay", math.inf),
        ("weight_decay", -1.0),
        ("optimizer", "adam"),
        ("momentum", 0.9),
        ("momentum", 1.0),
        ("label_noise", 1.0),
        ("warm_up", -1),
        ("loss", "hinge"),
        ("loss_precision", "float16"),
        ("sizes", 5),
        ("predict", "no"),
        ("tolerance", 0.0),
        ("max_runs", 0),
        ("budget_minutes", 0.0),
        ("beta2", 0.0),
        ("epsilon", -1.0),
        ("batch_size", -1),
        ("random_labels", "real"),
        ("homogeneity", 0.0),
        ("ceiling", 1.5),
        ("level", 1.0),
        ("device", "tpu"),
    ],
)
def test_a_bad_design_names_the_field(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{field} must be"):
        StudyDesign(**({"n_classes": 10} | {field: value}))  # type: ignore[arg-type]


def test_numbers_of_numpy_are_numbers() -> None:
    plain, other = (StudyDesign(n_classes=k(3), steps=k(50), sizes=(5, 9), learning_rate=x(0.5)) for k, x in NUMBERS)
    assert plain == other
    assert type(other.n_classes) is int


@pytest.mark.parametrize("field", ["sizes", "memorizing_sizes", "generalizing_sizes", "overloading_sizes"])
def test_sizes_beyond_the_data_are_refused(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} must be at most .* for 50 examples, got 51"):
        StudyDesign(**{"n_classes": 2, field: (51,)}).for_examples(50)  # type: ignore[arg-type]


def test_a_ceiling_below_chance_is_refused(patch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"ceiling must be above chance, which is 0.05, got 0.04"):
        studied(patch, World(), ceiling=0.04)


# --- from end to end ---


@pytest.mark.slow
def test_a_small_study_runs_and_becomes_json_and_tables(
    patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = io.StringIO()
    patch.setattr(costs, "PATIENCE_SECONDS", -1.0)
    patch.setattr(
        costs, "Console", lambda file, quiet: Console(file=screen, quiet=quiet, force_terminal=True, width=100)
    )
    inputs = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
    design = StudyDesign(
        n_classes=2,
        sizes=(2, 20),
        generalizing_sizes=(30, 60),
        memorizing_sizes=(2, 4),
        overloading_sizes=(60,),
        seeds=2,
        steps=60,
        learning_rate=0.05,
        device="cpu",
    )
    found = study(lambda seed: nn.Sequential(nn.Linear(4, 2, bias=False)), inputs, (inputs[:, 0] > 0).long(), design)
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert document["n_params"] == 8
    assert document["homogeneity"]["value"] == pytest.approx(1.0, abs=1e-3)
    assert len(document["efficiencies"]) == 2 + 4
    assert "study: at most 14 runs" in screen.getvalue()
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
    text = io.StringIO()
    for table in found.tables():
        Console(file=text, width=150).print(table)
    for words in ("measured critical size", "predicted critical size", "homogeneity", "uniform", "real", "not fitted"):
        assert words in text.getvalue()
    (row,) = [line for line in text.getvalue().splitlines() if line.startswith("│ predicted critical size")]
    assert [cell.strip() for cell in row.split("│")[4:6]] == ["–", "–"]  # a prediction has no runs


def plain(seed: int) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


SHARED = plain(0)
ROWS = np.random.default_rng(0).normal(size=(40, 4))
SIGNS = (ROWS[:, 0] > 0).astype(np.int32)


@pytest.mark.parametrize(
    ("factory", "says"),
    [
        (lambda seed: SHARED, "return a new module at every call, got one that shares parameters"),
        (lambda seed: nn.Sequential(SHARED), "return a new module at every call"),
        (lru_cache(plain), "return a new module at every call"),
        (SHARED, "got a module, Sequential: one module would be trained on from run to run"),
        (nn.Linear, "got the class Linear: Linear.seed. would take the seed as its first argument"),
        (lambda: plain(0), "got a function that takes no seed: too many positional arguments"),
        ("network", "be a function of a seed that returns a new torch.nn.Module, got str"),
        (lambda seed: nn.Linear(5, 2), r"takes inputs float32 of shape \(n, 4\), got RuntimeError: mat1 and mat2"),
        (lambda seed: nn.Linear(4, 3), r"logits have shape \(n, 2\), got \(\d+, 3\)"),
    ],
)
def test_factories_that_are_none_are_named(factory: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        dcrit.study(factory, ROWS, SIGNS, steps=10)


@pytest.mark.parametrize(
    ("inputs", "labels", "says"),
    [
        (ROWS, SIGNS[:, None], "labels must be integers of shape"),
        (ROWS, np.eye(2)[SIGNS], "one column a class is not a class: give labels.argmax"),
        (ROWS[:-1], SIGNS, "inputs must hold one example for each of at least 2 labels"),
        (ROWS, 0 * SIGNS, "labels must hold two classes at least, got 0 alone"),
        (ROWS, [["a"]], "labels must be a tensor or an array of numbers"),
    ],
)
def test_data_that_are_none_are_named(inputs: Any, labels: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        dcrit.study(plain, inputs, labels, steps=10)


def test_a_choice_that_there_is_not_lists_those_there_are() -> None:
    with pytest.raises(TypeError, match=r"has no argument wd\. Did you mean weight_decay\?$"):
        dcrit.study(plain, ROWS, SIGNS, wd=1.0)
