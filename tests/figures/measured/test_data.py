"""What is in the picture is what is in the evidence."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from dcrit.empirics.measures.critical_size import sizes_and_accuracies
from dcrit.empirics.measures.efficiency import CompetitionFit, usable
from dcrit.figures.drawing import style
from dcrit.figures.drawing.labels import PLACES, boxes_of, place_labels
from dcrit.figures.measured import accuracies, capacity, critical_sizes, dynamics, efficiencies
from dcrit.figures.measured.capacity import PUBLISHED
from dcrit.theory.estimates import Interval
from dcrit.theory.families.family import FAMILIES
from dcrit.theory.problems.problem import Problem
from tests.worlds.figures import BITS, Evidence, capacity_line, dynamics_evidence, with_lost_runs, without_fit

FloatArray = NDArray[np.float64]


def panel() -> Axes:
    return Figure().subplots()


def line(ax: Axes, label: str) -> Line2D:
    (found,) = [one for one in ax.lines if one.get_label() == label]
    return found


def data(ax: Axes, label: str) -> tuple[FloatArray, FloatArray]:
    found = line(ax, label)
    return np.asarray(found.get_xdata(), dtype=np.float64), np.asarray(found.get_ydata(), dtype=np.float64)


def errorbar(ax: Axes, label: str) -> ErrorbarContainer:
    (found,) = [one for one in ax.containers if isinstance(one, ErrorbarContainer) and one.get_label() == label]
    return found


def point_of(bar: ErrorbarContainer) -> Any:
    assert bar.lines[0] is not None
    return bar.lines[0].get_xydata()


def ends_of(bar: ErrorbarContainer, axis: int) -> list[tuple[float, float]]:
    """Ends of the bars along an axis."""
    bars = [collection.get_segments() for collection in bar.lines[2]]
    along = [segments for segments in bars if np.ptp(segments[0][:, axis]) > 0]
    return [(float(ends[0, axis]), float(ends[1, axis])) for segments in along for ends in segments]


def band(interval: Interval | None) -> tuple[float, float]:
    assert interval is not None
    return interval.low, interval.high


@pytest.mark.parametrize("kind", critical_sizes.KINDS)
def test_predictions_stand_against_measurements_with_both_intervals(
    evidence: Evidence, kind: critical_sizes.Kind
) -> None:
    ax = panel()
    critical_sizes.draw_predictions(ax, evidence["competition"], kind)
    assert len(ax.containers) == len(evidence["competition"])
    for bar, entry in zip(ax.containers, evidence["competition"], strict=True):
        assert isinstance(bar, ErrorbarContainer)
        prediction = critical_sizes.prediction_of(entry, kind)
        assert prediction is not None
        assert prediction.value is not None
        assert entry.transition.measured.value is not None
        assert_allclose(point_of(bar), [(entry.transition.measured.value, prediction.value)])
        assert_allclose(ends_of(bar, 0), [band(entry.transition.measured.interval)])
        assert_allclose(ends_of(bar, 1), [band(prediction.interval)])
        mark = bar.lines[0]
        assert mark is not None
        assert mark.get_marker() == style.marker_of(entry.problem.variant)
        assert (mark.get_markerfacecolor() == "white") == (kind == "from efficiencies")


def test_problems_without_a_point_are_named_instead(evidence: Evidence) -> None:
    entry = without_fit(evidence["competition"][0])
    ax = panel()
    assert critical_sizes.draw_predictions(ax, [entry], "from efficiencies") == [None]
    assert len(critical_sizes.missing(entry)) == 1
    assert critical_sizes.missing(evidence["competition"][0]) == []


def test_every_problem_is_labelled_by_what_tells_it_apart() -> None:
    widths = [Problem(width=width) for width in (16, 32)]
    assert critical_sizes.names(widths) == (["$H$ = 16", "$H$ = 32"], "")
    moduli = [*widths, Problem(modulus=29, width=16)]
    assert critical_sizes.names(moduli) == (["23/16", "23/32", "29/16"], "labels: $p$/$H$")
    tasks = [*widths, Problem(task="sub", width=16)]
    assert critical_sizes.names(tasks) == (["add/16", "add/32", "sub/16"], "labels: task/$H$")


def test_a_label_with_room_sits_beside_its_point() -> None:
    ax = panel()
    ax.plot([0, 1], [0, 1], linestyle="")
    (label,) = place_labels(ax, [((0.5, 0.5), "H = 48")], boxes_of(ax, [(0.5, 0.5)], 6))
    assert label.xyann == PLACES[0][:2]
    assert label.arrow_patch is None


def test_every_run_is_drawn_and_only_those_fitted_to_are_filled(evidence: Evidence) -> None:
    entry = with_lost_runs(evidence["competition"][0])
    ax = panel()
    efficiencies.draw_efficiencies(ax, entry)
    filled, hollow, lost = (line(ax, label) for label in (efficiencies.RANDOM, efficiencies.UNUSED, "no finite value"))
    used = usable(entry.memorizing)[0]
    assert_allclose(np.asarray(filled.get_xydata()), [(o.config.n_train, o.efficiency) for o in used])
    assert hollow.get_markerfacecolor() == "none"
    rest = [o for o in entry.memorizing if o not in used and math.isfinite(o.efficiency)]
    assert_allclose(np.asarray(hollow.get_xydata()), [(o.config.n_train, o.efficiency) for o in rest])
    assert_allclose(
        np.asarray(lost.get_xdata()), [o.config.n_train for o in entry.memorizing if math.isnan(o.efficiency)]
    )
    assert len(rest) > 0
    assert len(used) + len(rest) + 1 == len(entry.memorizing)
    task = data(ax, efficiencies.TASK)
    assert_allclose(np.transpose(task), [(o.config.n_train, o.efficiency) for o in entry.generalizing])


def test_laws_and_sizes_are_those_of_the_fit(evidence: Evidence) -> None:
    entry = evidence["competition"][0]
    assert isinstance(entry.fit, CompetitionFit)
    laws = entry.fit.competition
    ax = panel()
    assert efficiencies.draw_efficiencies(ax, entry) == []
    expected = (laws.memorizing.log_efficiency, laws.generalizing.log_efficiency, laws.log_efficiency)
    for (label, *_), law in zip(efficiencies.CURVES, expected, strict=True):
        x, y = data(ax, label)
        assert_allclose(np.log(y), law(np.log(x)))
    crossing = laws.crossing()
    sizes = {efficiencies.CROSSING: crossing.n_train}  # type: ignore[union-attr]
    sizes |= {efficiencies.IMPLIED: entry.implied.value, efficiencies.MEASURED: entry.transition.measured.value}  # type: ignore[dict-item]
    for label, size in sizes.items():
        assert_allclose(data(ax, label)[0], size)
    spans = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in ax.patches]  # type: ignore[attr-defined]
    assert_allclose(spans, [band(entry.implied.interval), band(entry.transition.measured.interval)])
    assert len(ax.collections) == len(efficiencies.CURVES)


def test_accuracies_of_all_runs_are_drawn(evidence: Evidence) -> None:
    entry = with_lost_runs(evidence["competition"][1])
    ax = panel()
    accuracies.draw_accuracies(ax, entry)
    assert_allclose(data(ax, accuracies.RUNS), sizes_and_accuracies(entry.transition.outcomes))
    lost = [o.config.n_train for o in entry.transition.outcomes if math.isnan(o.test_accuracy)]
    assert_allclose(data(ax, "no finite value")[0], lost)


def test_accuracy_curves_are_the_theorys_and_the_fits(evidence: Evidence) -> None:
    entry = evidence["competition"][0]
    assert isinstance(entry.fit, CompetitionFit)
    ax = panel()
    assert accuracies.draw_accuracies(ax, entry) == []
    x, y = data(ax, accuracies.THEORY)
    assert_allclose(y, entry.fit.competition.test_accuracy(x))
    (shade,) = ax.collections[:1]
    edge = shade.get_paths()[0].vertices
    draws = np.array([laws.test_accuracy(x) for laws in entry.fit.draws])
    assert np.ptp(edge[:, 1]) <= np.ptp(draws)  # type: ignore[index]
    x, y = data(ax, accuracies.FIT)
    assert entry.transition.measured.value is not None
    assert np.interp(math.log(entry.transition.measured.value), np.log(x), y) == pytest.approx(0.5, abs=0.01)
    assert entry.transition.predicted is not None
    assert entry.transition.predicted.value is not None
    for label, size, interval in (
        (accuracies.MEASURED, entry.transition.measured.value, entry.transition.measured.interval),
        (accuracies.A_PRIORI, entry.transition.predicted.value, entry.transition.predicted.interval),
    ):
        bar = errorbar(ax, label)
        assert_allclose(point_of(bar), [(size, 0.5)])
        assert_allclose(ends_of(bar, 0), [band(interval)])


def test_semi_grokking_is_where_both_curves_pass_its_two_accuracies(evidence: Evidence) -> None:
    entry = evidence["competition"][0]
    assert isinstance(entry.fit, CompetitionFit)
    ax = panel()
    accuracies.draw_accuracies(ax, entry)
    theory = data(ax, accuracies.SPAN_THEORY)[0]
    assert_allclose(entry.fit.competition.test_accuracy(theory), [0.1, 0.9])
    curve = accuracies.psychometric_of(entry)
    assert curve is not None
    fitted = data(ax, accuracies.SPAN_FIT)[0]
    assert_allclose([curve.accuracy(size) for size in fitted], [0.1, 0.9])


def test_semi_grokking_is_open_where_the_upper_accuracy_is_never_reached(evidence: Evidence) -> None:
    fit = evidence["competition"][0].fit
    assert isinstance(fit, CompetitionFit)
    laws = fit.competition
    noisy = replace(laws, deficits=replace(laws.deficits, spread=1000 * laws.deficits.spread))
    found = accuracies.predicted_range(noisy)
    assert found is not None
    assert found.high == laws.generalizing.n_pairs
    deaf = replace(laws, deficits=replace(laws.deficits, median=1e6 * laws.deficits.median))
    assert accuracies.predicted_range(deaf) is None


@pytest.mark.parametrize("activation", ["square", "relu"])
def test_capacities_carry_their_intervals_and_the_line(activation: Any) -> None:
    measured = capacity_line(activation)
    ax = panel()
    capacity.draw_capacity(ax, {activation: measured})
    bar = errorbar(ax, capacity.name_of(activation, measured))
    assert_allclose(point_of(bar), [(n_params, estimate) for n_params, estimate, _, _ in measured.points])
    assert_allclose(ends_of(bar, 1), [(low, high) for _, _, low, high in measured.points])
    n_params = next(one for one in ax.lines if "log_2" in str(one.get_label())).get_xdata()
    slopes = [np.asarray(one.get_ydata()) / n_params for one in ax.lines if len(np.asarray(one.get_xdata())) == 50]
    assert_allclose([slope.std() / slope.mean() for slope in slopes], 0, atol=1e-9)
    bits = [slope.mean() * math.log2(31) for slope in slopes]
    assert_allclose(bits, [BITS[activation], *PUBLISHED.values()], rtol=1e-6)


def test_bits_per_parameter_are_the_capacities_over_the_sizes() -> None:
    measured = capacity_line("square")
    assert capacity.bits_per_label(measured) == pytest.approx(math.log2(31))
    ax = panel()
    capacity.draw_bits(ax, {"square": measured})
    drawn = point_of(errorbar(ax, capacity.name_of("square", measured)))
    assert drawn[:, 1].mean() == pytest.approx(measured.bits)
    levels = [float(np.asarray(one.get_ydata())[0]) for one in ax.lines if len(np.asarray(one.get_xdata())) == 2]
    assert_allclose(levels, [measured.bits, *PUBLISHED.values()])
    for source, author in capacity.AUTHORS.items():
        assert f"{PUBLISHED[source]:g} bits/parameter ({author})" in ax.get_legend_handles_labels()[1]


def test_training_curves_are_those_of_the_run(evidence: Evidence) -> None:
    point = evidence["four-dynamics"][0]
    upper, lower = panel(), panel()
    dynamics.draw_accuracy(upper, point)
    dynamics.draw_norm(lower, point)
    curves = point.example
    assert_allclose(data(upper, "train accuracy"), (curves.step, curves.train_accuracy))
    assert_allclose(data(upper, "test accuracy"), (curves.step, curves.test_accuracy))
    assert_allclose(data(lower, "squared norm"), (curves.step, curves.squared_norm))
    assert upper.get_xlim() == (0, curves.step[-1])


def test_the_problem_with_most_dynamics_is_chosen() -> None:
    few, many = Problem(modulus=31, width=96), Problem(modulus=31, width=48)
    points = dynamics_evidence(few, ["progression", "ungrokking"])
    points += dynamics_evidence(many, ["ungrokking", "semi-grokking", "grokking"])
    chosen = dynamics.choose(points)
    widths = {kind: None if point is None else point.problem.width for kind, point in chosen.items()}
    assert widths == {"progression": 4, "ungrokking": 48, "semi-grokking": 48, "grokking": 48}
    other = replace(many, activation="relu")
    lone = dynamics.choose(
        [*dynamics_evidence(other, ["progression"]), *dynamics_evidence(many, ["ungrokking", "grokking"])]
    )
    assert [kind for kind, point in lone.items() if point is not None] == ["ungrokking", "grokking"]


def test_a_run_that_shows_other_dynamics_says_so(evidence: Evidence) -> None:
    point = evidence["four-dynamics"][1]
    assert "this one" not in dynamics.title_of(point)
    assert "this one: grokking" in dynamics.title_of(replace(point, observed=("grokking", "ungrokking")))
    assert "in 1 of 2 runs" in dynamics.title_of(replace(point, observed=("grokking", "ungrokking")))


@pytest.mark.slow
def test_a_diverged_run_is_drawn_as_far_as_it_went(evidence: Evidence) -> None:
    point = evidence["four-dynamics"][0]
    gone = np.where(point.example.step > 100, np.nan, 1.0)
    fields = {name: values if name == "step" else values * gone for name, values in vars(point.example).items()}
    figure = dynamics.draw([replace(point, example=type(point.example)(**fields))])
    figure.draw_without_rendering()
    drawn = np.asarray(line(figure.axes[0], "train accuracy").get_ydata())
    assert 0 < np.isfinite(drawn).sum() < drawn.size


def test_activations_differ_in_marker_and_in_grey() -> None:
    variants = [family.variant(kind) for family in FAMILIES.values() for kind in family.activations]
    assert variants == ["relu", "square", "relu transformer", "square transformer"]
    assert len({style.marker_of(one) for one in variants}) == len({style.colour_of(one) for one in variants}) == 4
    greys = [np.dot(to_rgba(style.colour_of(one)), [0.299, 0.587, 0.114, 0.0]) for one in variants]
    assert abs(greys[0] - greys[1]) > 0.08
