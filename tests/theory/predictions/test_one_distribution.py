"""All answers about one problem come from one distribution, and never contradict each other."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcrit.api.predictions import Prediction
from dcrit.theory.calibrations.calibration import Calibration, calibration_for, shipped_calibrations
from dcrit.theory.predictions.critical_size import CriticalSizePrediction, predict_critical_size
from dcrit.theory.predictions.delay import predict_delay, time_to_generalize
from dcrit.theory.predictions.double_descent import predict_double_descent
from dcrit.theory.predictions.emergence import predict_emergence
from dcrit.theory.predictions.phase_diagram import default_widths, phase_diagram, predict_star
from dcrit.theory.predictions.regime import REGIMES, predict_regime
from dcrit.theory.predictions.simulation import grokking_delay, hysteresis_by_law, simulate_by_clock
from dcrit.theory.problems.problem import Problem

SHIPPED = shipped_calibrations()
FEW = 60


def chosen(problem: Problem) -> Calibration:
    found = calibration_for(problem, SHIPPED)
    assert found is not None
    return found


def problems(tasks: tuple[str, ...] = ("add", "mul", "square-of-sum", "sum-squares")) -> st.SearchStrategy[Problem]:
    return st.builds(
        Problem,
        task=st.sampled_from(tasks),
        modulus=st.sampled_from((17, 23, 31, 43, 53, 89, 113, 199)),
        activation=st.sampled_from(("square", "relu")),
        width=st.sampled_from((16, 32, 64, 128, 256, 512)),
        weight_decay=st.sampled_from((0.5, 1.0, 2.0)),
        learning_rate=st.sampled_from((5e-3, 1e-2, 2e-2)),
        beta2=st.sampled_from((0.9, 0.98, 0.98, 0.995)),
        epsilon=st.sampled_from((1e-12, 1e-8, 1e-8)),
    )


either_family = st.one_of(
    problems(),
    st.builds(
        Problem,
        task=st.sampled_from(("add", "mul")),
        modulus=st.sampled_from((29, 43, 59, 113)),
        model=st.just("transformer"),
        activation=st.just("relu"),
        width=st.sampled_from((4, 8, 12, 16, 32, 64)),
        weight_decay=st.sampled_from((1.0, 2.0)),
        learning_rate=st.sampled_from((1e-3, 3e-3)),
    ),
)

horizons = st.sampled_from((None, 1000, 4000, 20_000))
quick = settings(max_examples=40, deadline=None)


def predicted(problem: Problem, horizon: int | None) -> CriticalSizePrediction:
    return predict_critical_size(problem, chosen(problem), horizon=horizon, n_draws=FEW)


@pytest.mark.slow
@quick
@given(problems(), horizons)
def test_the_size_is_that_of_the_law_with_its_horizon(problem: Problem, horizon: int | None) -> None:
    found = predicted(problem, horizon)
    law = chosen(problem).thresholds
    assert law is not None
    steps = horizon or problem.horizon
    size = law.clocks(problem).size(0.5, steps)
    assert found.critical_size.horizon == steps
    assert (found.critical_size.reason != "") >= found.critical_size.extrapolated
    if found.critical_size.value is None:
        far = bool(law.silence(problem, steps))
        assert found.capacity.value is not None
        assert far or size > 0.98 * problem.n_pairs or size > found.capacity.value
        assert found.critical_size.reason
        return
    assert found.critical_size.value == size
    for one, accuracy in ((found.onset, 0.1), (found.completion, 0.9)):
        assert one.value is None or one.value == pytest.approx(law.clocks(problem).size(accuracy, steps))
    assert found.at_rest.value is not None
    assert found.at_rest.value < size


@pytest.mark.slow
@quick
@given(problems(), horizons)
def test_circuits_from_scratch_pass_the_levels_where_the_law_does(problem: Problem, horizon: int | None) -> None:
    found = predicted(problem, horizon)
    for one in (found.onset, found.critical_size):
        if one.value is not None:
            expected, tolerance = (0.1, 0.05) if one is found.onset else (0.5, 1e-6)
            assert float(found.from_scratch.test_accuracy(one.value)) == pytest.approx(expected, abs=tolerance)


@pytest.mark.slow
@quick
@given(either_family, horizons)
def test_plane_and_regimes_agree_with_the_size(problem: Problem, horizon: int | None) -> None:
    found, calibration = predicted(problem, horizon), chosen(problem)
    size = found.critical_size.value
    if size is None or found.completion.value is None or found.onset.value is None:
        return
    widths = [problem.width, 2 * problem.width]
    assert found.onset.value is not None
    assert found.capacity.value is not None
    below, above = round(0.5 * found.onset.value), round(min(1.7 * found.completion.value, problem.n_pairs))
    plane = phase_diagram(
        problem, calibration, widths=widths, n_trains=[below, size, above], horizon=horizon, n_draws=FEW
    )
    star = plane.star
    assert {one.horizon for one in (star.width, star.n_params, star.n_train)} == {plane.horizon}
    assert plane.horizon == found.critical_size.horizon
    assert plane.critical_size[0] == pytest.approx(size)
    assert plane.capacity[0] == pytest.approx(found.capacity.value)
    assert found.critical_size.interval is not None
    assert plane.critical_low[0] == pytest.approx(found.critical_size.interval.low)
    assert plane.critical_high[0] == pytest.approx(found.critical_size.interval.high, rel=0.03)
    rest = found.estimates()["at_rest"]
    drawn = (plane.at_rest[0], plane.rest_low[0], plane.rest_high[0])
    if rest.value is None or rest.interval is None:
        assert np.isnan(drawn).all()
    else:
        assert drawn == pytest.approx((rest.value, rest.interval.low, rest.interval.high))
    assert star == predict_star(problem, calibration, horizon=horizon, n_draws=FEW)
    capacity = found.capacity.value
    near = [round(factor * capacity) for factor in (0.9, 0.99, 1.01, 1.1) if factor * capacity < problem.n_pairs]
    sizes = sorted({below, size, above, *near})
    codes = phase_diagram(problem, calibration, widths=widths, n_trains=sizes, horizon=horizon, n_draws=FEW).codes[:, 0]
    for code, n_train in zip(codes, sizes, strict=True):
        if n_train != size:
            regime = predict_regime(problem, calibration, n_train=round(n_train), horizon=horizon, n_draws=FEW)
            assert sum(regime.probabilities) == pytest.approx(1)
            assert regime.probabilities[code] == max(regime.probabilities)
            assert regime.most_likely in (REGIMES[code], "cannot tell")
    if below < 0.8 * capacity:
        assert REGIMES[plane.codes[0, 0]] in ("ungrokking", "does not fit")


@pytest.mark.slow
@quick
@given(either_family, horizons, st.floats(0.7, 3.0))
def test_time_is_within_the_horizon_where_the_size_is_enough(
    problem: Problem, horizon: int | None, factor: float
) -> None:
    found, calibration = predicted(problem, horizon), chosen(problem)
    size = found.critical_size.value
    if size is None or factor * size > problem.n_pairs or abs(math.log(factor)) < 0.01:
        return
    n_train, steps = round(factor * size), horizon or problem.horizon
    delay = predict_delay(problem, calibration, n_train, 0.5, horizon=horizon, n_draws=2000)
    in_time = delay.generalize_steps.value is not None and delay.generalize_steps.value <= steps
    assert in_time == (n_train >= size)
    (grokked,) = [
        predict_regime(problem, calibration, n_train=n_train, horizon=horizon, n_draws=2000).probabilities[:4]
    ]
    late = predict_delay(problem, calibration, n_train, 0.9, horizon=horizon, n_draws=2000)
    unfit = predict_regime(problem, calibration, n_train=n_train, horizon=horizon, n_draws=10).probabilities[4]
    # Grokking and nothing else, as long as everything fits and can be memorized.
    if unfit == 0 and grokked[0] < 1e-9:
        assert late.probability_by_horizon == pytest.approx(grokked[3], abs=1e-6)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, derandomize=True)
@given(either_family, horizons, st.sampled_from((0.5, 0.9, 0.98, 1.02, 1.05, 1.15, 1.5, 2.0, 3.0)))
def test_simulated_curves_pass_the_levels_when_the_clock_says(
    problem: Problem, horizon: int | None, factor: float
) -> None:
    found, calibration = predicted(problem, horizon), chosen(problem)
    size = found.critical_size.value
    if size is None or factor * size > problem.n_pairs:
        return
    n_train, steps = round(factor * size), horizon or problem.horizon
    curves = simulate_by_clock(problem, calibration, found, n_train, n_points=1000)
    if curves.reason:
        assert curves.reason == "weight decay extinguishes both circuits"
        return
    # The odds of both margins pass the median deficit when accuracy passes 1/2, too.
    half = predict_delay(problem, calibration, n_train, 0.5, horizon=horizon, n_draws=FEW).generalize_steps.value
    odds = curves.generalizing_margin / curves.memorizing_margin
    median = math.exp(float(found.from_scratch.deficits.log_median(math.log(n_train))))
    assert (odds[-1] > median) == (half is not None and half <= steps)
    if half is not None and half <= steps:
        assert np.interp(half, curves.steps, odds) == pytest.approx(median, rel=0.03)
    for level in (0.1, 0.5, 0.8, 0.9):
        expected = time_to_generalize(problem, calibration, n_train, level)
        passed = grokking_delay(curves, level=level).generalized
        assert expected is not None
        if expected > steps:
            assert passed is None
            assert curves.test_accuracy[-1] < level
        else:
            assert passed == pytest.approx(expected, rel=0.02, abs=1)


@pytest.mark.slow
@settings(max_examples=20, deadline=None, derandomize=True)
@given(either_family, st.sampled_from((1.05, 1.5, 3.0, 6.0)))
def test_generalizing_comes_no_sooner_than_memorizing(problem: Problem, factor: float) -> None:
    found, calibration = predicted(problem, None), chosen(problem)
    size = found.critical_size.value
    if size is None or factor * size > problem.n_pairs:
        return
    delay = predict_delay(problem, calibration, round(factor * size), 0.5, n_draws=FEW)
    memorize, generalize = delay.memorize_steps.value, delay.generalize_steps
    assert calibration.thresholds is not None
    first = calibration.thresholds.earliest(problem)
    if generalize.value is not None:
        assert memorize is None or memorize <= generalize.value
        assert generalize.interval is not None
        assert generalize.value >= first or generalize.interval.high >= first
        assert (f"before step {first:.0f}" in generalize.reason) == (generalize.value < first)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(either_family, horizons)
def test_accuracy_over_widths_passes_one_half_where_the_size_says(problem: Problem, horizon: int | None) -> None:
    found, calibration = predicted(problem, horizon), chosen(problem)
    size = found.critical_size.value
    if size is None:
        return
    widths = [problem.width, 2 * problem.width]
    for factor in (0.9, 1.1):
        n_train = round(factor * size)
        if n_train > problem.n_pairs:
            return
        curve = predict_double_descent(
            problem, calibration, n_train=n_train, widths=widths, horizon=horizon, n_draws=FEW
        )
        fits = predict_regime(problem, calibration, n_train=n_train, horizon=horizon, n_draws=10).probabilities[4] == 0
        if fits:
            assert (curve.accuracy[0] > 0.5) == (n_train > size)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(problems(("add", "square-of-sum")), horizons)
def test_emergence_without_facts_needs_the_same_size(problem: Problem, horizon: int | None) -> None:
    size = predicted(problem, horizon).critical_size.value
    if size is None or problem.width > 256:
        return
    widths = np.array([problem.width, problem.width + problem.width // 2])
    calibration = chosen(problem)
    if any(calibration.constants(replace(problem, width=int(width)))[1] > 1 for width in widths):
        return  # facts are priced for exponents up to 1
    found = predict_emergence(
        problem, calibration, n_facts=0, n_train=round(size), horizon=horizon, widths=widths, n_draws=FEW
    )
    assert found.critical_size_alone[0] == pytest.approx(size, rel=1e-3)
    assert found.horizon == found.width.horizon == found.n_params.horizon == (horizon or problem.horizon)


def test_mirror_images_are_spoken_of_where_they_matter() -> None:
    def reason(problem: Problem, n_train: int) -> str:
        return predict_delay(problem, chosen(problem), n_train, 0.5, n_draws=FEW).generalize_steps.reason

    transformer = Problem(model="transformer", modulus=43, width=32)
    # (1 − 1/43)·800/(43² − 1)
    assert "0.42 of the unseen pairs are mirror images of trained ones" in reason(transformer, 800)
    assert "mirror" not in reason(transformer, 50)
    assert "mirror" not in reason(Problem(modulus=43), 800)


@pytest.mark.parametrize("decay", [4.0, 8.0])
@pytest.mark.parametrize("activation", ["relu", "square"])
def test_at_a_decay_far_above_that_of_runs_all_predictions_are_silent(activation: str, decay: float) -> None:
    # Runs there end at train accuracies of 0.5 to 0.95 for relu, below 1 for square.
    problem = Problem(modulus=23, activation=activation, width=64, weight_decay=decay)
    calibration = chosen(problem)
    sizes = predicted(problem, None)
    delay = predict_delay(problem, calibration, 500)
    said = [sizes.critical_size, sizes.onset, sizes.completion, delay.generalize_steps]
    assert all(one.value is None and one.reason.startswith("cannot tell: weight decay") for one in said)
    assert predict_regime(problem, calibration, n_train=500).most_likely == "cannot tell"
    assert delay.memorize_steps.reason.startswith("cannot tell whether weight decay lets the network memorize")
    curves = simulate_by_clock(problem, calibration, sizes, 500)
    assert curves.reason.startswith("cannot tell: weight decay")


def test_where_runs_memorize_it_is_not_said_that_decay_keeps_them_from_it() -> None:
    problem = Problem(modulus=23, activation="relu", width=64, weight_decay=2.0)
    memorize = predict_delay(problem, chosen(problem), 420).memorize_steps
    assert memorize.value is None
    assert memorize.reason.startswith("cannot tell whether weight decay lets the network memorize: the weight decay 2")


def test_a_network_that_groks_is_not_said_to_never_generalize() -> None:
    problem = Problem(modulus=23, activation="relu", width=64, weight_decay=2.0)
    regime = predict_regime(problem, chosen(problem), n_train=500)
    delay = predict_delay(problem, chosen(problem), 500)
    assert delay.probability_by_horizon == pytest.approx(regime.probabilities[3], abs=0.03)
    assert delay.probability >= regime.probabilities[3] - 0.03


def test_far_above_its_completion_a_transformer_groks() -> None:
    problem = Problem(model="transformer", activation="relu", modulus=113, width=128, learning_rate=1e-3)
    regime = predict_regime(problem, chosen(problem), n_train=9000)
    completion = regime.sizes.completion
    assert completion.interval is not None
    assert completion.interval.high < 9000
    assert regime.most_likely == "grokking"
    assert predict_delay(problem, chosen(problem), 9000).probability_by_horizon > 0.9


@pytest.mark.parametrize(
    "problem",
    [Problem(modulus=31, width=64), Problem(modulus=43, activation="relu"), Problem(model="transformer", modulus=31)],
    ids=str,
)
def test_the_star_that_is_explained_is_that_of_the_plane(problem: Problem) -> None:
    explained = Prediction(sizes=predicted(problem, None), calibration=chosen(problem)).explain()
    star = predict_star(problem, chosen(problem))
    plane = phase_diagram(problem, chosen(problem), widths=[32, 64, 128], n_trains=[200, 400])
    assert plane.star == star
    if star.n_train.value is None or star.n_params.value is None:
        assert star.n_params.reason in explained
    else:
        assert f"D* = {star.n_train.value:.4g} examples, T = {plane.horizon} steps" in explained
        assert f"N* = {star.n_params.value:.4g} parameters" in explained


@pytest.mark.slow
@settings(max_examples=25, deadline=None, derandomize=True)
@given(either_family, horizons)
def test_hysteresis_lies_between_both_thresholds(problem: Problem, horizon: int | None) -> None:
    found, calibration = predicted(problem, horizon), chosen(problem)
    ways = hysteresis_by_law(calibration, found, np.geomspace(problem.n_pairs / 30, problem.n_pairs, 400))
    if found.critical_size.value is None or found.at_rest.value is None:
        assert ways is None
        return
    assert ways is not None
    assert (ways.scratch_size, ways.ungrokking_size) == (found.critical_size.value, found.at_rest.value)
    for accuracy, size in ((ways.scratch, ways.scratch_size), (ways.ungrokking, ways.ungrokking_size)):
        assert size is not None
        if ways.n_trains[0] < size < ways.n_trains[-1]:
            assert np.interp(math.log(size), np.log(ways.n_trains), accuracy) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("more", [{"horizon": 0}, {"horizon": 2.5}, {"horizon": 10**13}])
def test_a_horizon_is_a_whole_number_of_steps(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="horizon must be an integer"):
        predict_critical_size(Problem(), chosen(Problem()), **more)


def test_without_a_clock_only_the_protocols_horizon_is_answered() -> None:
    problem = Problem(model="transformer", width=32, modulus=23)
    bare = replace(chosen(problem), thresholds=None)
    found = predict_critical_size(problem, bare, horizon=problem.horizon, n_draws=FEW)
    assert found.critical_size == predict_critical_size(problem, bare, n_draws=FEW).critical_size
    with pytest.raises(ValueError, match="horizon must be 13334, the protocol's"):
        predict_critical_size(problem, bare, horizon=5000)


@pytest.mark.parametrize("more", [{"modulus": 9973}, {"modulus": 31, "weight_decay": 1e20}])
def test_where_no_width_can_be_told_the_calibration_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"calibration must reach widths 8 to 256.*cannot tell"):
        default_widths(Problem(**more), chosen(Problem()), 20)


@pytest.mark.parametrize("more", [{"beta2": 0.999}, {"epsilon": 1e-12}], ids=str)
def test_without_a_law_no_answer_is_made_up_for_another_beta2_or_epsilon(more: dict[str, float]) -> None:
    problem = Problem(model="transformer", modulus=31, width=24, **more)  # type: ignore[arg-type]
    calibration = chosen(problem)
    if calibration.thresholds is not None:
        assert calibration.thresholds.silence(problem, problem.horizon)
    found = predicted(problem, None)
    for size in (found.critical_size, found.onset, found.completion, found.at_rest):
        assert size.value is None
        assert size.reason.startswith("cannot tell: ")
        assert "AdamW's" in size.reason
    assert predict_regime(problem, calibration, n_train=300, n_draws=FEW).probabilities[-1] == 1.0
    assert predict_delay(problem, calibration, n_train=300, n_draws=FEW).generalize_steps.value is None
    with pytest.raises(ValueError, match="cannot tell: "):
        phase_diagram(problem, calibration, widths=[24, 32], n_trains=[300], n_draws=FEW)
    with pytest.raises(ValueError, match="cannot tell: "):
        predict_double_descent(problem, calibration, n_train=300, widths=[24, 32], n_draws=FEW)
    with pytest.raises(ValueError, match="cannot tell: "):
        predict_emergence(problem, calibration, n_facts=40, n_train=300, n_draws=FEW)


@pytest.mark.slow
def test_inside_the_calibrated_range_hardly_any_regime_cannot_be_told() -> None:
    rng, asked, silent = np.random.default_rng(1773), 0, 0
    for _ in range(60):
        modulus = int(rng.choice([23, 29, 31, 37, 41, 43, 47]))
        family = [{"activation": "square"}, {"activation": "relu"}, {"model": "transformer"}][rng.integers(3)]
        width = int(rng.choice([24, 32, 48, 64] if "model" in family else [48, 64, 96, 128, 256]))
        problem = Problem(modulus=modulus, width=width, **family)  # type: ignore[arg-type]
        n_train = round(math.exp(rng.uniform(math.log(0.05), math.log(0.95))) * problem.n_pairs)
        regime = predict_regime(problem, chosen(problem), n_train=n_train, n_draws=FEW)
        asked += 1
        silent += regime.most_likely == "cannot tell"
    assert silent <= asked / 10


def test_a_narrow_network_never_reaches_what_it_does_not_hold() -> None:
    problem = Problem(model="transformer", modulus=37, width=4)
    late, half = (predict_delay(problem, chosen(problem), 900, level, n_draws=FEW) for level in (0.9, 0.5))
    assert late.generalize_steps.value is None
    assert "width 4 can hold 0.78 of the rule, so accuracy never reaches 0.9" in late.generalize_steps.reason
    assert late.probability_by_horizon == 0
    assert half.generalize_steps.value is not None
    sizes = predicted(problem, None)
    assert sizes.completion.value is None
    assert "never reaches 0.9" in sizes.completion.reason
    assert sizes.critical_size.value is not None
    assert sizes.capacity.value is not None
    assert sizes.critical_size.value > sizes.capacity.value
    assert "above the capacity" in sizes.critical_size.reason


def test_a_plane_has_no_size_at_rest_of_a_network_that_holds_less_than_half_of_the_rule() -> None:
    problem = Problem(modulus=23)
    plane = phase_diagram(problem, chosen(problem), widths=[8, 64], n_trains=[200], n_draws=FEW)
    assert np.isfinite(plane.at_rest).tolist() == [False, True]
    narrow = predicted(replace(problem, width=8), None)
    for size in (narrow.critical_size, narrow.at_rest):
        assert size.value is None
        assert size.reason.startswith("width 8 can hold 0.44 of the rule, so accuracy never reaches 0.5")


def test_without_a_law_a_plane_has_the_size_at_rest_of_the_mixture_without_an_interval() -> None:
    problem = Problem(modulus=23, width=64)
    bare = replace(chosen(problem), thresholds=None)
    plane = phase_diagram(problem, bare, widths=[64, 96], n_trains=[200], n_draws=FEW)
    found = predict_critical_size(problem, bare, n_draws=FEW).at_rest.value
    assert found is not None
    assert plane.at_rest[0] == pytest.approx(found)
    assert np.isnan(plane.rest_low).all()
    assert plane.to_dict()["rest_high"] == [None, None]


def test_no_network_is_silent_for_its_width_where_narrow_ones_were_measured() -> None:
    for modulus, width in ((23, 4), (31, 4), (31, 8), (43, 8), (47, 4), (113, 12)):
        problem = Problem(model="transformer", modulus=modulus, width=width)
        law = chosen(problem).thresholds
        assert law is not None
        assert not law.silence(problem, 5000)
    law = chosen(Problem(model="transformer")).thresholds
    assert law is not None
    assert "says nothing beyond" in law.silence(Problem(model="transformer", modulus=113, width=4), 5000)
