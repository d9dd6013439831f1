import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcrit.empirics.curves.classify import Classification, classify
from dcrit.empirics.curves.curve_files import CurveSet, read_curves
from dcrit.empirics.curves.settling import Thresholds
from dcrit.empirics.runs.outcomes import dynamics_of, outcome_of, shown_by
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.store.export import RUNS, export
from dcrit.empirics.store.kinds import Store
from dcrit.empirics.training.ensemble import train
from dcrit.theory.checks import FieldError
from dcrit.theory.circuits.regimes import DYNAMICS, FITTED, SEMI_GROKKING
from dcrit.theory.problems.problem import Problem

STEP = np.arange(0.0, 1001.0, 20.0)


def rising(to: float, at: float = 100.0, start: float = 0.05) -> np.ndarray:
    """A curve that jumps to its settled value."""
    return np.where(at > STEP, start, to)


def verdict(n_classes: int | None = None, **curves: Any) -> Classification:
    given_curves = {name: (STEP, np.broadcast_to(values, STEP.shape).astype(float)) for name, values in curves.items()}
    return classify(CurveSet(run="r", curves=given_curves), n_classes=n_classes)  # type: ignore[arg-type]


FITS: dict[str, Any] = {"train_accuracy": rising(1.0)}


@pytest.mark.parametrize(
    ("train_level", "test_level", "dynamics"),
    [
        (FITTED - 1e-9, 0.5, "progression"),
        (0.4, 0.2, "progression"),
        (0.243, 0.01, "partial memorization"),
        (0.05, 0.05, "learned nothing"),
        (FITTED, SEMI_GROKKING[0] - 1e-9, "memorization"),
        (1.0, SEMI_GROKKING[0], "semi-grokking"),
        (1.0, 0.5 - 1e-9, "semi-grokking"),
        (1.0, 0.5, "generalized below a ceiling"),
        (1.0, SEMI_GROKKING[1] - 1e-9, "generalized below a ceiling"),
        (1.0, SEMI_GROKKING[1], "generalized at once"),
    ],
)
def test_settled_accuracies_name_the_dynamics(train_level: float, test_level: float, dynamics: str) -> None:
    found = verdict(train_accuracy=rising(train_level), test_accuracy=rising(test_level))
    assert found.dynamics == dynamics
    assert found.settled["train_accuracy"] == train_level
    assert found.settled["test_accuracy"] == test_level
    assert f"{train_level if dynamics == 'progression' else test_level:.3g}"[:4] in found.reasons[0]
    assert (found.ceiling_estimated == test_level) == (dynamics == "generalized below a ceiling")


def test_delayed_generalization_is_told_from_generalization_with_fitting() -> None:
    delayed = verdict(**FITS, test_accuracy=rising(0.95, at=600.0))
    assert (delayed.events.memorized_at, delayed.events.generalized_at) == (100.0, 600.0)
    assert (delayed.events.delay, delayed.events.delayed) == (6.0, True)
    assert any(
        "is delayed: it comes at step 600, 6 times as late as memorization, 2 or more" in reason
        for reason in delayed.reasons
    )
    together = verdict(**FITS, test_accuracy=rising(0.95, at=180.0))
    assert (together.dynamics, together.events.delayed) == ("generalized at once", False)
    assert any("is not delayed" in reason for reason in together.reasons)
    first = verdict(train_accuracy=np.ones_like(STEP), test_accuracy=rising(0.95))
    assert (first.dynamics, first.events.memorized_at, first.events.delay) == ("grokking", 0.0, None)
    assert any("no ratio of times can be told; it takes 100 steps from there" in reason for reason in first.reasons)


def test_a_delay_below_the_spacing_of_evaluations_is_said_to_be_below_it() -> None:
    same = verdict(**FITS, test_accuracy=rising(0.95))
    assert (same.dynamics, same.events.spacing) == ("generalized at once", 20.0)
    assert "any delay is below the spacing of evaluations, 20 steps" in same.reasons
    early = verdict(train_accuracy=rising(1.0, at=20.0), test_accuracy=rising(0.95, at=40.0))
    assert (early.dynamics, early.events.delay, early.events.delayed) == ("grokking", 2.0, True)
    assert verdict(train_accuracy=1.0, test_accuracy=0.95).dynamics == "already generalized"


def test_an_event_takes_three_evaluations_in_a_row() -> None:
    test = rising(0.95, at=600.0)
    test[(STEP == 200) | (STEP == 220)] = 1.0
    assert verdict(**FITS, test_accuracy=test).events.generalized_at == 600.0
    test[STEP == 240] = 1.0
    assert verdict(**FITS, test_accuracy=test).events.generalized_at == 200.0


def test_a_collapse_at_the_very_end_decides_nothing() -> None:
    test = rising(0.95)
    test[-2:] = 0.0
    assert verdict(**FITS, test_accuracy=test).dynamics == "generalized at once"


def test_generalization_that_is_lost_is_told() -> None:
    found = verdict(**FITS, test_accuracy=np.where((STEP > 200) & (STEP < 500), 1.0, 0.02))
    assert found.dynamics == "ungrokking"
    assert (found.events.generalized_at, found.events.lost_at) == (220.0, 500.0)
    assert "had generalized by step 220" in found.reasons[0]
    assert "fell below 0.1 at step 500" in found.reasons[-1]
    partly = verdict(**FITS, test_accuracy=np.where((STEP > 200) & (STEP < 500), 1.0, 0.5))
    assert partly.dynamics == "ungrokking"
    assert "a part of that is lost" in partly.reasons[0]


def test_recovery_is_told_as_well_as_the_fall() -> None:
    found = verdict(**FITS, test_accuracy=np.where((STEP < 200) | ((STEP > 400) & (STEP < 600)), 0.02, 1.0))
    assert found.dynamics == "grokking"
    assert (found.events.lost_at, found.events.recovered_at, found.events.falls) == (420.0, 600.0, 1)
    assert "fell below 0.1 at step 420, and recovered to 0.9 at step 600" in found.reasons[-1]


def test_a_run_that_falls_again_and_again_is_unstable() -> None:
    test = np.where(STEP < 200, 0.02, np.where(np.arange(STEP.size) % 10 < 2, 0.3, 1.0))
    found = verdict(**FITS, test_accuracy=test)
    assert found.dynamics == "unstable after generalizing"
    assert (found.events.falls, found.events.fallen_share) == (4, pytest.approx(7 / 39))
    assert "below 0.8 4 times since, in 0.179 of the evaluations" in found.reasons[0]
    test[(STEP > 400)] = 1.0
    assert verdict(**FITS, test_accuracy=test).dynamics == "grokking"


def test_all_times_are_steps_of_the_log_wherever_it_begins() -> None:
    """A log that begins at step 49: what a table and a reason say of one event is one number."""
    step = 49.0 + np.arange(0, 8000, 50.0)
    curves: dict[Any, Any] = {
        "train_accuracy": (step, np.where(step >= 599, 1.0, 0.1)),
        "test_accuracy": (step, np.where(step >= 3999, 0.97, 0.02)),
    }
    found = classify(CurveSet(run="r", curves=curves))
    assert (found.events.memorized_at, found.events.generalized_at) == (599, 3999)
    text = "; ".join(found.reasons)
    assert "the training set is memorized at step 599: " in text
    late = f"{3950 / 550:.3g}"
    told = (
        f"it comes at step 3999, {late} times as late as memorization, counted from the first evaluation at step 49, "
    )
    assert told in text
    assert not re.search(r"\b(550|3950)\b", text)


def test_a_network_that_loses_all_has_collapsed() -> None:
    lost = np.where(STEP < 700, 1.0, 0.01)
    found = verdict(train_accuracy=rising(1.0) * lost, test_accuracy=rising(1.0, at=500.0) * lost)
    assert found.dynamics == "collapsed"
    assert "had fitted the training set by step 100 and generalized by step 500" in found.reasons[0]
    assert verdict(train_accuracy=rising(1.0) * lost, test_accuracy=0.02).dynamics == "collapsed"
    noisy_fit = rising(1.0) * np.where(STEP < 700, 1.0, 0.98)
    assert verdict(train_accuracy=noisy_fit, test_accuracy=0.5).dynamics == "progression"


def test_a_ceiling_may_be_given() -> None:
    wandering = {**FITS, "test_accuracy": rising(0.7, at=600.0) + 0.03 * np.cos(STEP)}
    assert verdict(**wandering).dynamics == "semi-grokking"
    curves: dict[Any, Any] = {name: (STEP, values) for name, values in wandering.items()}
    found = classify(CurveSet(run="", curves=curves), ceiling=0.74)
    assert (found.dynamics, found.ceiling_estimated) == ("generalized below a ceiling", None)
    assert "counts up to the ceiling of 0.74" in found.reasons[0]
    assert found.events.generalized_at == 600.0
    still: dict[Any, Any] = {**curves, "test_accuracy": (STEP, rising(0.7, at=600.0))}
    assert classify(CurveSet(run="", curves=still)).dynamics == "generalized below a ceiling"
    late: dict[Any, Any] = {**curves, "test_accuracy": (STEP, rising(0.7, at=690.0, start=0.62))}
    assert classify(CurveSet(run="", curves=late)).dynamics == "generalized below a ceiling"
    assert classify(CurveSet(run="", curves=still), ceiling=1.0).dynamics == "semi-grokking"
    with pytest.raises(FieldError, match=r"ceiling must be above chance, 0\.5, and at most 1, got 0\.4"):
        classify(CurveSet(run="", curves=still), n_classes=2, ceiling=0.4)


def test_few_classes_are_told_by_where_accuracies_begin() -> None:
    coin = 0.5 + 0.01 * np.cos(STEP)
    parity = verdict(train_accuracy=np.where(STEP < 100, coin, 1.0), test_accuracy=coin)
    assert (parity.dynamics, parity.n_classes_estimated) == ("memorization", 2)
    assert any("begin near 0.5, so 2 classes are assumed" in reason for reason in parity.reasons)
    nothing = verdict(train_accuracy=coin, test_accuracy=coin)
    assert nothing.dynamics == "learned nothing"
    digits = verdict(train_accuracy=0.1 + 0.01 * np.sin(STEP), test_accuracy=0.1 + 0.01 * np.cos(STEP))
    assert (digits.dynamics, digits.n_classes_estimated) == ("learned nothing", 10)
    assert nothing.thresholds.low == pytest.approx(0.55)


def test_noise_may_keep_the_training_set_just_below_fitted() -> None:
    dropout = rising(0.985) - 0.004 * (1 + np.cos(STEP))
    late = verdict(train_accuracy=dropout, test_accuracy=rising(0.97, at=600.0))
    assert (late.dynamics, late.events.memorized_at) == ("grokking", 100.0)
    assert any("as noise may keep it below 0.99" in reason for reason in late.reasons)
    assert verdict(train_accuracy=dropout, test_accuracy=rising(0.97, at=160.0)).dynamics == "generalized at once"
    assert verdict(train_accuracy=dropout, test_accuracy=rising(0.5)).dynamics == "progression"
    assert verdict(train_accuracy=dropout - 0.05, test_accuracy=rising(0.97)).dynamics == "progression"


def test_zeros_at_chance_are_measurements() -> None:
    chance = np.clip(0.02 * np.cos(np.arange(STEP.size)), 0, 1)
    assert verdict(**FITS, test_accuracy=np.where(STEP < 600, chance, 1.0)).dynamics == "grokking"


def test_nan_between_evaluations_changes_nothing() -> None:
    steps = np.arange(0.0, 1001.0, 10.0)
    values = {name: np.full(steps.size, math.nan) for name in ("train_accuracy", "test_accuracy")}
    values["train_accuracy"][::2], values["test_accuracy"][1::2] = 1.0, 0.02
    values["train_accuracy"][0] = 0.0
    curves: dict[Any, Any] = {name: (steps, one) for name, one in values.items()}
    found = classify(CurveSet(run="", curves=curves))
    assert (found.dynamics, found.events.memorized_at) == ("memorization", 20.0)


def test_the_norm_is_read_against_its_largest_value() -> None:
    norm = np.where(STEP < 300, 10.0, 5.0)
    found = verdict(**FITS, test_accuracy=rising(1.0), squared_norm=norm)
    assert found.settled["norm_ratio"] == 0.5
    assert any("norm falls, to 0.5 of" in reason for reason in found.reasons)
    flat = verdict(**FITS, test_accuracy=rising(1.0), squared_norm=10.0)
    assert any("does not fall: it settles at 1 of" in reason for reason in flat.reasons)
    assert not any("norm" in reason for reason in verdict(**FITS, test_accuracy=1.0, squared_norm=0.0).reasons)


@pytest.mark.parametrize(
    ("curves", "says"),
    [
        (FITS, "no test accuracy: no column is called test accuracy or validation accuracy"),
        (FITS | {"test_accuracy": math.nan}, "test accuracy is nowhere a finite number"),
        (FITS | {"test_accuracy": np.where(STEP > 900, math.nan, 0.5)}, "not finite in its last 5 evaluations"),
        (FITS | {"test_accuracy": np.where(STEP > 980, math.inf, 0.5)}, "not finite in its last 1 evaluations"),
        ({"train_loss": 0.0, "test_loss": 5.0}, "of train there is only a loss.*of test there is only a loss"),
        (FITS | {"test_accuracy": STEP / 1200}, "test accuracy rose by 0.25 from the seventh tenth to the last 10%"),
        (FITS | {"test_accuracy": 1 - STEP / 1200}, "test accuracy fell by 0.25"),
        ({"train_accuracy": STEP / 1100, "test_accuracy": 0.0}, "train accuracy rose by 0.27"),
        ({"train_accuracy": rising(1.0, at=220.0), "test_accuracy": 0.0}, "ends after 4.55 times .* less than 5"),
    ],
)
def test_what_cannot_be_told_says_why(curves: Mapping[str, Any], says: str) -> None:
    found = verdict(**curves)
    assert found.dynamics == "cannot tell"
    assert re.search(says, " ".join(found.reasons)), found.reasons


def test_a_move_beyond_the_outer_thresholds_changes_nothing() -> None:
    up = np.where(STEP < 750, 0.9, 1.0)
    assert verdict(**FITS, test_accuracy=np.where(STEP < 250, 0.2, up)).dynamics == "grokking"
    assert verdict(**FITS, test_accuracy=np.where(STEP < 750, 0.09, 0.01)).dynamics == "memorization"
    assert verdict(train_accuracy=np.where(STEP < 750, 0.5, 0.65), test_accuracy=0.5).dynamics == "cannot tell"


def test_few_rows_are_too_few() -> None:
    curves: dict[Any, Any] = {name: (STEP[:9], np.ones(9)) for name in ("train_accuracy", "test_accuracy")}
    found = classify(CurveSet(run="", curves=curves))
    assert found.dynamics == "cannot tell"
    assert "9 evaluations of train accuracy, and 10 are needed" in found.reasons[0]


def test_evaluations_that_grow_rarer_are_counted_by_tenths_of_them() -> None:
    step = np.geomspace(1.0, 1e5, 40)
    curves: dict[Any, Any] = {
        "train_accuracy": (step, np.where(step < 50, 0.2, 1.0)),
        "test_accuracy": (step, np.where(step < 5000, 0.02, 1.0)),
    }
    found = classify(CurveSet(run="", curves=curves))
    assert (found.dynamics, found.settled["test_accuracy_moved"]) == ("grokking", pytest.approx(0.98))
    curves["test_accuracy"] = step, 0 * step
    assert classify(CurveSet(run="", curves=curves)).dynamics == "memorization"


def test_curves_that_end_early_are_told() -> None:
    curves = {"train_accuracy": (STEP, np.ones(STEP.size)), "test_accuracy": (STEP / 2, np.ones(STEP.size))}
    found = classify(CurveSet(run="", curves=curves))  # type: ignore[arg-type]
    assert found.reasons[0] == "test accuracy ends at step 500, and the run at step 1000"


def test_losses_tell_what_they_guarantee() -> None:
    memorized = rising(1e-4, start=3.0)
    assert verdict(10, train_loss=memorized, test_loss=rising(0.05, at=300.0, start=3.0)).dynamics == "grokking"
    high = verdict(10, train_loss=memorized, test_loss=5.0)
    assert high.dynamics == "cannot tell"
    assert "a constant guess has 2.3" in high.reasons[0]
    assert verdict(10, train_loss=1.0, test_loss=5.0).dynamics == "cannot tell"
    assert verdict(10, train_loss=1.0, test_loss=1.1).dynamics == "progression"
    assert verdict(10, train_loss=2.3, test_loss=2.4).dynamics == "learned nothing"
    between = verdict(10, train_loss=0.2, test_loss=5.0)
    assert between.dynamics == "cannot tell"
    assert "accuracy is at least 0.711" in between.reasons[0]
    assert verdict(10, train_loss=memorized, test_accuracy=rising(0.4)).dynamics == "semi-grokking"


@pytest.mark.slow
@given(st.data())
def test_a_loss_guarantees_the_accuracy_that_is_claimed(data: st.DataObject) -> None:
    n_classes = data.draw(st.integers(2, 6))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    logits = rng.normal(size=(200, n_classes)) * data.draw(st.floats(0.1, 30.0))
    logits[:, 0] += data.draw(st.floats(0.0, 60.0))
    loss = float(np.mean(np.logaddexp.reduce(logits, axis=1) - logits[:, 0]))
    accuracy = float(np.mean(logits.argmax(axis=1) == 0))
    curves = {"train_loss": np.full(STEP.size, loss), "test_accuracy": 0.5}
    assert accuracy >= verdict(n_classes, **curves).settled["train_accuracy_at_least"] - 1e-12


def test_levels_count_from_chance_where_classes_are_known() -> None:
    assert Thresholds.for_classes(None).low == SEMI_GROKKING[0]
    assert Thresholds.for_classes(2).low == pytest.approx(0.55)
    assert Thresholds.for_classes(2).high == pytest.approx(0.95)
    chance = {**FITS, "test_accuracy": 0.5}
    unknown = verdict(**chance)
    assert unknown.dynamics == "generalized below a ceiling"
    assert any("with 2 classes this test accuracy would be chance" in reason for reason in unknown.reasons)
    assert verdict(2, **chance).dynamics == "memorization"
    with pytest.raises(ValueError, match="n_classes must be an integer of at least 2, got 1"):
        verdict(1, **chance)


# --- what must not matter ---

LEVELS = st.floats(0.0, 1.0)


@st.composite
def curve_tables(draw: st.DrawFn) -> pl.DataFrame:
    """Two runs that jump, drift and scatter."""
    frames = []
    for run in ("a", "b"):
        rng = np.random.default_rng(draw(st.integers(0, 2**32)))
        columns: dict[str, object] = {"run": [run] * STEP.size, "step": STEP}
        for name in ("train_accuracy", "test_accuracy"):
            jump, drift = draw(st.floats(0, 1000)), draw(st.floats(-0.2, 0.2))
            levels = np.where(jump > STEP, draw(LEVELS), draw(LEVELS)) + drift * STEP / 1000
            # A file whose accuracies never exceed one percent cannot say its unit.
            columns[name] = np.clip(levels + draw(st.sampled_from([0, 0.02])) * rng.normal(size=STEP.size), 0.02, 1)
        columns["norm"] = rng.uniform(1, 2, size=STEP.size)
        frames.append(pl.DataFrame(columns))
    return pl.concat(frames)


def verdicts(frame: pl.DataFrame, folder: Path) -> list[tuple[str, str, object]]:
    path = folder / "curves.csv"
    frame.write_csv(path)
    found = [classify(curves) for curves in read_curves(path).runs]
    return [(one.run, one.dynamics, one.events) for one in found]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("curves")


@pytest.mark.slow
@given(frame=curve_tables(), seed=st.integers(0, 1000))
def test_order_names_and_units_do_not_matter(frame: pl.DataFrame, seed: int, folder: Path) -> None:
    plain = verdicts(frame, folder)
    rng = np.random.default_rng(seed)
    mixed = frame.select(list(rng.permutation(frame.columns))).sample(fraction=1.0, shuffle=True, seed=seed)
    assert verdicts(mixed, folder) == plain
    renamed = frame.rename({"step": "Iteration", "train_accuracy": "acc", "test_accuracy": "Val Acc", "run": "Run ID"})
    assert verdicts(renamed, folder) == plain
    percent = frame.select(
        pl.exclude("train_accuracy", "test_accuracy"),
        *((pl.col(f"{part}_accuracy") * 100).alias(f"{part}_acc_pct") for part in ("train", "test")),
    )
    assert [one[:2] for one in verdicts(percent, folder)] == [one[:2] for one in plain]


@pytest.mark.slow
@given(frame=curve_tables(), factor=st.sampled_from([0.5, 3.0, 1000.0]))
def test_the_unit_of_the_step_does_not_matter(frame: pl.DataFrame, factor: float, folder: Path) -> None:
    stretched = frame.with_columns(pl.col("step") * factor)
    assert [one[:2] for one in verdicts(stretched, folder)] == [one[:2] for one in verdicts(frame, folder)]


def _timeless(reasons: Sequence[str]) -> list[str]:
    """Reasons without the steps of the log, which are all that may differ where it begins elsewhere."""
    counted = r", counted from the first evaluation at step [^,;]+"
    return [re.sub(r"step -?[\d.e+-]+", "step", re.sub(counted, "", reason)) for reason in reasons]


@pytest.mark.slow
@given(frame=curve_tables(), constant=st.sampled_from([-500, 1, 44_000, 10**9]))
def test_time_starts_where_the_log_starts(frame: pl.DataFrame, constant: int, folder: Path) -> None:
    def told(table: pl.DataFrame) -> list[object]:
        path = folder / "curves.csv"
        table.write_csv(path)
        found = [classify(curves) for curves in read_curves(path).runs]
        return [(one.run, one.dynamics, _timeless(one.reasons), one.events.delay, one.settled) for one in found]

    assert told(frame.with_columns(pl.col("step") + constant)) == told(frame)


#: What a reason says of two numbers, and whether it is so.
COMPARISONS = (
    (r"([\d.e+-]+), below ([\d.e+-]*\d)", lambda one, other: one < other),
    (r"([\d.e+-]+), at or above ([\d.e+-]*\d)", lambda one, other: one >= other),
    (
        r"by ([\d.e+-]+) from the seventh tenth to the last 10% of the steps, more than ([\d.e+-]*\d)",
        lambda one, other: one > other,
    ),
    (r"([\d.e+-]+) times as late as memorization[^;]*, ([\d.e+-]*\d) or more", lambda one, other: one >= other),
    (r"([\d.e+-]+) times as late as memorization[^;]*, less than ([\d.e+-]*\d)", lambda one, other: one < other),
    (r"after ([\d.e+-]+) times the steps it took to memorize, less than ([\d.e+-]*\d)", lambda one, other: one < other),
    (r"to ([\d.e+-]+) of its largest value \(below ([\d.e+-]*\d)\)", lambda one, other: one < other),
    (r"at ([\d.e+-]+) of its largest value \(([\d.e+-]*\d) or more\)", lambda one, other: one >= other),
    (r"settles at ([\d.e+-]+), between ([\d.e+-]*\d)", lambda one, other: one >= other),
    (r"settles at ([\d.e+-]+), between [\d.e+-]+ and ([\d.e+-]*\d)", lambda one, other: one < other),
    (r"keep within ([\d.e+-]+), at most ([\d.e+-]*\d)", lambda one, other: one <= other),
    (
        r"fell below [\d.e+-]+ after ([\d.e+-]+) steps, and recovered to [\d.e+-]+ after ([\d.e+-]*\d)",
        lambda one, other: one < other,
    ),
)


@pytest.mark.slow
@given(frame=curve_tables(), near=st.sampled_from([0.0, 0.1, 0.9, 0.99]), data=st.data())
def test_no_reason_contradicts_its_own_numbers(
    frame: pl.DataFrame, near: float, data: st.DataObject, folder: Path
) -> None:
    if near:  # levels are where rounding could turn a comparison round
        scale = data.draw(st.sampled_from([1e-12, 1e-6, 1e-3]))
        shifts = {name: data.draw(st.floats(-scale, scale)) for name in ("train_accuracy", "test_accuracy")}
        frame = frame.with_columns(
            pl.when(pl.col("step") < 300).then(pl.col(name)).otherwise(near + shift).alias(name)
            for name, shift in shifts.items()
        )
    path = folder / "curves.csv"
    frame.write_csv(path)
    for curves in read_curves(path).runs:
        found = classify(curves, n_classes=data.draw(st.sampled_from([None, 2, 97])))
        for reason in found.reasons:
            for pattern, holds in COMPARISONS:
                for one, other in re.findall(pattern, reason):
                    assert holds(float(one), float(other)), reason
        (settled,) = re.findall(r"test accuracy (?:settles|rests) at ([\d.e+-]*\d)", found.reasons[0])[:1] or [None]
        if settled is not None:
            assert float(settled) == pytest.approx(found.settled["test_accuracy"], rel=6e-3)


@pytest.mark.slow
@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, math.nan, math.inf, -math.inf, 1e300]), min_size=30, max_size=30))
def test_any_numbers_get_a_verdict(values: list[float]) -> None:
    step = np.arange(30.0)
    curves = {name: (step, np.array(values)) for name in ("train_accuracy", "test_loss", "squared_norm")}
    for n_classes in (None, 5):
        found = classify(CurveSet(run="", curves=curves), n_classes=n_classes)  # type: ignore[arg-type]
        assert found.reasons


# --- the package's own runs ---

PROBLEM = Problem(modulus=17, width=32)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Runs of every dynamics."""
    made = Store(tmp_path_factory.mktemp("store"))
    for width, size in ((32, 40), (32, 120), (32, 250), (2, 250)):
        problem = replace(PROBLEM, width=width)
        made.add(train([RunConfig(problem=problem, n_train=size, seed=seed) for seed in (0, 1)]))
    return made


@pytest.mark.processes
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_real_runs_are_classified_as_the_package_does(ending: str, store: Store, tmp_path: Path) -> None:
    path = tmp_path / f"runs.{ending}"
    export(store.runs(), path, RUNS)
    found = {one.run: one for one in map(classify, read_curves(path).runs)}
    runs = {run.config.address: run for run in store.runs()}
    assert found.keys() == runs.keys()
    assert {dynamics_of(run) for run in runs.values()} == set(DYNAMICS)
    for address, run in runs.items():
        assert found[address].dynamics == shown_by(run)
        outcome = outcome_of(run)
        assert found[address].settled["test_accuracy"] == outcome.test_accuracy
        assert found[address].settled["squared_norm"] == outcome.squared_norm


@pytest.mark.slow
def test_a_real_run_on_its_way_is_not_settled(tmp_path: Path) -> None:
    problem = Problem(modulus=13, width=32, learning_rate=0.03)
    (run,) = train([RunConfig(problem=problem, n_train=100, seed=0)])
    path = tmp_path / "run.csv"
    export([run], path, RUNS)
    (found,) = map(classify, read_curves(path).runs)
    assert dynamics_of(run) == "semi-grokking"
    assert found.dynamics == "cannot tell"
    assert found.settled["test_accuracy_moved"] > 0.2
    assert "has not settled: test accuracy rose" in found.reasons[0]


@pytest.mark.processes
def test_the_store_s_own_files_are_read_as_well(store: Store) -> None:
    runs = {run.config.address: run for run in store.runs()}
    paths = list(store.folder.glob("*.parquet"))
    found = {one.run: classify(one).dynamics for path in paths for one in read_curves(path).runs}
    assert found == {address: shown_by(run) for address, run in runs.items()}


def noisy(level: float, other: float) -> np.ndarray:
    """A curve that is at another level at every third evaluation of its second half."""
    return np.where((STEP > 500) & (np.arange(STEP.size) % 3 == 0), other, level)


@pytest.mark.parametrize(
    ("field", "value", "curves"),
    [
        ("fitted", 0.9, {"train_accuracy": rising(0.95), "test_accuracy": rising(1.0)}),
        ("low", 0.02, FITS | {"test_accuracy": rising(0.05)}),
        ("high", 0.7, FITS | {"test_accuracy": rising(0.8)}),
        ("settled_fraction", 0.2, FITS | {"test_accuracy": rising(1.0, at=905.0)}),
        ("moving", 0.4, FITS | {"test_accuracy": STEP / 1200}),
        ("persistent_evaluations", 1, {"train_accuracy": noisy(0.5, 1.0), "test_accuracy": rising(1.0)}),
        ("delayed", 4.0, FITS | {"test_accuracy": rising(1.0, at=300.0)}),
        ("patience", 20.0, FITS | {"test_accuracy": rising(0.05)}),
        ("fallen", 0.5, FITS | {"test_accuracy": rising(1.0), "squared_norm": np.where(STEP < 500, 10.0, 8.0)}),
    ],
)
def test_every_threshold_decides_something(field: str, value: float, curves: dict[str, Any]) -> None:
    def found(thresholds: Thresholds) -> dict[str, Any]:
        given_curves = {name: (STEP, np.asarray(values, dtype=float)) for name, values in curves.items()}
        told = classify(CurveSet(run="r", curves=given_curves), thresholds=thresholds)  # type: ignore[arg-type]
        numbers = re.compile(r"[0-9.]+%?")
        words = [numbers.sub("", reason) for reason in told.reasons]  # which thresholds are printed is not a decision
        return {"dynamics": told.dynamics, "words": words, "events": told.events, "settled": dict(told.settled)}

    assert found(Thresholds()) == found(Thresholds())
    assert found(Thresholds()) != found(replace(Thresholds(), **{field: value}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("fitted", 1.2), ("low", -0.1), ("high", 0.05), ("settled_fraction", 0.3), ("persistent_evaluations", 0)],
        *[("delayed", 0.0), ("patience", math.inf), ("moving", math.nan)],
    ],
)
def test_thresholds_out_of_range_are_refused(field: str, value: float) -> None:
    with pytest.raises(FieldError) as caught:
        Thresholds(**{field: value})  # type: ignore[arg-type]
    assert caught.value.field == field
