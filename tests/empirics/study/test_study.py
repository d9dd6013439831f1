import io
import json
import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

from dcrit.empirics.measures.efficiency import LawsFit, NoLaws
from dcrit.empirics.study import study as module
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
    """With few resamples: intervals are tested elsewhere."""
    with pytest.MonkeyPatch.context() as found:
        found.setattr(module, "fit_laws", partial(module.fit_laws, resamples=20))
        yield found


def studied(patch: pytest.MonkeyPatch, world: World, **changed: Any) -> StudyResult:
    patch.setattr(module, "train_module", world)
    fields = {name: getattr(DESIGN, name) for name in DESIGN.__dataclass_fields__}
    return study(lambda seed: nn.Identity(), INPUTS, LABELS, StudyDesign(**(fields | changed)))


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
    assert (found.measured.n_runs, found.measured.n_unconverged) == (28, 0)
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
    assert [config.seed for config in world.made] == list(range(7, 7 + 4 * 17))
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
    ("sizes", "side"), [((400, 600), "one half or more at every size"), ((10, 20), "below one half at every size")]
)
def test_no_transition_is_an_outcome(sizes: tuple[int, ...], side: str, patch: pytest.MonkeyPatch) -> None:
    found = studied(patch, World(), sizes=sizes)
    assert found.measured.value is None
    assert side in found.measured.reason
    assert all(f"{size} (" in found.measured.reason for size in sizes)
    assert f"test accuracy {HALF:.3g} counts as one half" in found.measured.reason


def test_a_capacity_that_is_not_reached_is_an_outcome(patch: pytest.MonkeyPatch) -> None:
    found = studied(patch, World(room=5000))
    assert found.capacity.value is None
    assert found.bits_per_parameter is None
    assert found.capacity.reason == "not reached: at least 1000 random labels are memorized"


def test_guesses_are_counted_by_how_labels_are_drawn(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module, "train_module", World())
    skewed = torch.arange(N) % 2
    design = StudyDesign(n_classes=CLASSES, random_labels="permuted", sizes=(40,), overloading_sizes=(1000,), seeds=2)
    found = study(lambda seed: nn.Identity(), INPUTS, skewed, design)
    assert (found.chance, found.half_accuracy) == (0.5, 0.75)
    accuracy = 0.7 + 0.3 / CLASSES
    assert found.capacity.value == pytest.approx(1000 * (accuracy - 0.5) / 0.5)


def test_a_margin_that_does_not_grow_with_the_norm_has_no_efficiency(patch: pytest.MonkeyPatch) -> None:
    found = studied(patch, World(kappa=0.01))
    assert found.homogeneity.value is None
    assert "κ_eff = 0.01" in found.homogeneity.reason
    assert found.fit == NoLaws(cause=Cause.NO_HOMOGENEITY, reason=found.predicted.reason)
    assert found.predicted.reason == found.homogeneity.reason
    assert found.predicted.value is None
    assert all(point.efficiency is None for point in found.memorizing)
    assert found.measured.value is not None
    given = studied(patch, World(kappa=0.01), homogeneity=KAPPA)
    assert (given.homogeneity.value, given.homogeneity.reason) == (KAPPA, "given")
    assert isinstance(given.fit, LawsFit)


def test_runs_that_fit_nothing_give_reasons(patch: pytest.MonkeyPatch) -> None:
    found = studied(patch, World(train_accuracy=0.5))
    assert found.homogeneity.reason == "no run fits its training set"
    given = studied(patch, World(train_accuracy=0.5), homogeneity=KAPPA)
    assert "only 0 runs on random labels converged" in given.predicted.reason
    assert (given.memorizing_exponent.value, given.memorizing_exponent.n_runs) == (None, 0)
    assert given.memorizing[0].n_unfitted == 4


def test_an_efficiency_that_falls_on_real_labels_is_said_beside_the_prediction(patch: pytest.MonkeyPatch) -> None:
    flat, falling = studied(patch, World()), studied(patch, World(fall=0.3))
    assert flat.predicted.reason == ""
    assert falling.predicted.value is not None
    assert "likely too high: e on real labels falls as D^-0.3" in falling.predicted.reason


def test_diverged_runs_are_counted(patch: pytest.MonkeyPatch) -> None:
    found = studied(patch, World(train_loss=math.nan), homogeneity=KAPPA)
    assert (found.measured.n_runs, found.measured.n_unconverged) == (0, 28)
    assert (found.capacity.value, found.capacity.n_unconverged) == (None, 8)
    assert found.memorizing[0].n_unconverged == 4


def test_what_cannot_be_told_is_said_about_examples(patch: pytest.MonkeyPatch) -> None:
    found = studied(patch, World(deficit_median=-1.0))
    assert isinstance(found.fit, NoLaws)
    assert "too few unseen examples" in found.fit.reason


@pytest.mark.slow
def test_a_lower_ceiling_lowers_one_half(patch: pytest.MonkeyPatch) -> None:
    plain, lower = studied(patch, World()), studied(patch, World(), ceiling=0.6)
    assert lower.half_accuracy == pytest.approx((1 / CLASSES + 0.6) / 2)
    for name in ("predicted", "measured"):
        one, other = (getattr(result, name) for result in (plain, lower))
        assert other.value < one.value


# --- designs ---


def test_sizes_are_chosen_where_none_are_given() -> None:
    design = StudyDesign(n_classes=10).for_examples(1000)
    assert design.sizes == design.memorizing_sizes
    assert (design.sizes[0], design.sizes[-1], len(design.sizes)) == (5, 500, 7)
    assert design.generalizing_sizes == (500, 700, 900)
    assert design.overloading_sizes == (800, 1000)
    assert StudyDesign(n_classes=10, learning_rate=0.1, weight_decay=0.5).horizon == 800
    assert len(list(design.configs())) == 3 * 19
    for n_examples in (3, 4, 10):
        StudyDesign(n_classes=2).for_examples(n_examples)


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
    patch.setattr(module, "PATIENCE_SECONDS", -1.0)
    patch.setattr(module, "Console", lambda stderr: Console(file=screen, force_terminal=stderr, width=100))
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
    assert "training" in screen.getvalue()
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
    text = io.StringIO()
    for table in found.tables():
        Console(file=text, width=150).print(table)
    for words in ("measured critical size", "predicted critical size", "homogeneity", "uniform", "real", "not fitted"):
        assert words in text.getvalue()
