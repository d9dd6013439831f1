"""What the theory says before any run; nothing here loads torch, and matplotlib only to draw."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, get_args, overload

import numpy as np

from dcrit.api.answers import Answer, Finding, Sized, axes_of, finished, plain, table_of
from dcrit.api.headlines import at_rates, said_of, said_of_kinds, said_of_size
from dcrit.api.horizons import steps_of
from dcrit.api.several import Answers, problems_over, several, values_of
from dcrit.theory.arguments import hinting
from dcrit.theory.calibrations.calibration import Calibration, calibration_of
from dcrit.theory.checks import FieldError, check_accuracy, check_choice, check_integer, check_level, check_positive
from dcrit.theory.circuits.regimes import FITTED, GENERALIZED, region_label
from dcrit.theory.estimates import LEVEL, Estimate
from dcrit.theory.predictions.critical_size import CriticalSizePrediction, predict_critical_size
from dcrit.theory.problems.problem import Problem, full_label
from dcrit.theory.written import number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from dcrit.api.training import Runs
    from dcrit.empirics.measures.beside import LeftOut
    from dcrit.empirics.runs.single import Run
    from dcrit.empirics.store.kinds import Store
    from dcrit.theory.calibrations.track_record import TrackRecord
    from dcrit.theory.predictions.delay import DelayPrediction
    from dcrit.theory.predictions.emergence import EmergencePrediction
    from dcrit.theory.predictions.phase_diagram import PhaseDiagram
    from dcrit.theory.predictions.simulation import Hysteresis, Milestones

#: What circuits have in common.
Sharing = Literal["shared", "additive"]

#: Numbers of facts in the picture of emergence.
POINTS = 25

#: Sizes at which both ways are compared.
SIZES = 25

#: Longest horizon that is simulated [steps].
LONGEST = 10**9

#: Generalizing over memorizing amplitude at step 0.
START_RATIO = 0.1

#: What measured pair-MLPs do where simulated ones lose norm.
RISING_NORM = "the squared norm Q falls here once memory is complete; that of trained pair-MLPs goes on rising"

#: Curves that are simulated, in the order of the columns.
CURVES = (
    *("steps", "train_accuracy", "test_accuracy", "train_loss", "test_loss"),
    *("generalizing_margin", "memorizing_margin", "squared_norm"),
)


class Asked(TypedDict, total=False):
    """What every prediction is asked with.

    Attributes:
        horizon: T, after which accuracy is looked at; None for the protocol's 40/(ηλ) [steps].
        level: Probability content of the intervals.
        calibration: Constants, or a file of them that ``dcrit calibrate`` wrote; None for the ones that ship.
    """

    horizon: int | None
    level: float
    calibration: Calibration | Path | str | None


@dataclass(frozen=True, kw_only=True)
class Prediction(Sized):
    """What the theory says of a transition before any run.

    Attributes:
        sizes: Every predicted size, each with its interval.
        calibration: The constants that it rests on.
    """

    sizes: CriticalSizePrediction
    calibration: Calibration

    @property
    def size(self) -> Estimate:
        """The critical size with all that belongs to it."""
        return self.sizes.critical_size

    @property
    def problem(self) -> Problem:
        """What was asked about."""
        return self.sizes.problem

    @property
    def _at(self) -> str:
        return at_rates(self.problem)

    @property
    def at_rest(self) -> float | None:
        """D_rest, what circuits at rest need [examples]."""
        return self.estimates["at_rest"].value

    @property
    def capacity(self) -> float | None:
        """D_mem, random-label examples that the model memorizes [examples]."""
        return self.estimates["capacity"].value

    @property
    def extrapolated(self) -> bool:
        """Whether the question lies outside what was calibrated."""
        return self.sizes.critical_size.extrapolated

    @property
    def outside(self) -> tuple[str, ...]:
        """What of the question lies outside what was calibrated, and by how much."""
        return outside_of(self.problem, self.calibration, self.horizon)

    @property
    def estimates(self) -> dict[str, Estimate]:
        """Everything predicted, by name."""
        return self.sizes.estimates()

    @property
    def track_record(self) -> TrackRecord | None:
        """How far off such predictions were; None for constants that do not ship or were never tested."""
        from dcrit.theory.calibrations.track_record import track_record

        return track_record(self.calibration)

    @property
    def title(self) -> str:
        """What was asked, in a few words."""
        return f"predicted: {full_label(self.problem)}, T = {self.horizon} steps"

    def explain(self) -> str:
        """The equations behind it, with their numbers."""
        from dcrit.theory.circuits.closed_forms import explain, explain_branches
        from dcrit.theory.predictions.phase_diagram import explain_star, predict_star

        bits = float(self.calibration.capacity.bits_at(self.problem.n_params, self.problem.n_classes))
        law, size, problem = self.calibration.thresholds, self.size, self.problem
        star, branches = "", ""
        if not self.calibration.silence(problem, size.horizon or problem.horizon):
            star = explain_star(predict_star(problem, self.calibration, horizon=size.horizon))
        if law is not None and size.value is not None and law.branches is not None and law.norms is not None:
            branches = explain_branches(law.branches, law.norms, problem.n_symbols, problem.width, size.value)
        return explain(
            self.sizes.from_scratch,
            self.problem,
            bits_per_parameter=bits,
            clocks=None if law is None or size.value is None else law.clocks(self.problem),
            horizon=size.horizon,
            star=star,
            branches=branches,
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything that was predicted and how such predictions did, as JSON values."""
        record = self.track_record
        told = {"outside": list(self.outside), "track_record": None if record is None else record.to_dict()}
        return self.sizes.to_dict() | told

    def to_polars(self) -> pl.DataFrame:
        """One row a quantity."""
        return table_of(self.estimates)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw sizes at test accuracy 0.1, 1/2 and 0.9, each with its interval."""
        from dcrit.figures.drawing import canvas
        from dcrit.figures.measured.runs import size_axis
        from dcrit.figures.predicted.critical_size import draw_sizes

        ax = axes_of(ax)
        canvas.prepare(ax)
        shown = draw_sizes(ax, self.sizes.by_accuracy())
        size_axis(ax, shown, self.problem.n_pairs)
        return finished(ax, self.title)


@overload
def predict(problem: Problem, **asked: Unpack[Asked]) -> Prediction: ...
@overload
def predict(
    problem: Problem, *, moduli: ArrayLike, widths: ArrayLike | None = None, **asked: Unpack[Asked]
) -> Answers[Prediction]: ...
@overload
def predict(problem: Problem, *, widths: ArrayLike, **asked: Unpack[Asked]) -> Answers[Prediction]: ...


@hinting(problem=Problem)
def predict(
    problem: Problem,
    *,
    moduli: ArrayLike | None = None,
    widths: ArrayLike | None = None,
    horizon: int | None = None,
    level: float = LEVEL,
    calibration: Calibration | Path | str | None = None,
) -> Prediction | Answers[Prediction]:
    """Predict the training-set size at which a network stops memorizing and starts to generalize.

    Args:
        problem: The question.
        moduli: p, several of them in the place of the problem's: then there is an answer for each.
        widths: H, several of them in the place of the problem's: then there is an answer for each.
        horizon: T, after which accuracy is looked at; None for the protocol's 40/(ηλ) [steps].
        level: Probability content of the intervals.
        calibration: Constants, or a file of them that ``dcrit calibrate`` wrote; None for the ones that ship.

    Raises:
        ValueError: A value is out of range, or no calibration speaks for the problem or of that horizon.
    """
    check_level(level)

    def ask(one: Problem) -> Prediction:
        chosen = chosen_calibration(one, calibration)
        sizes = predict_critical_size(one, chosen, horizon=horizon, level=level)
        return Prediction(sizes=sizes, calibration=chosen)

    if moduli is None and widths is None:
        return ask(problem)
    return several("predicted critical sizes", "critical_size", problems_over(problem, moduli, widths), ask)


@dataclass(frozen=True, kw_only=True)
class Diagram(Answer):
    """The plane of model size and training-set size: D_crit(N), D_mem(N), their crossing, and the regimes between.

    Attributes:
        diagram: Curves and regimes as arrays.
        runs: Finished runs of the problem at any width that lie over the theory; None where none were asked for.
        left_out: Why other runs of the folder do not.
        outside: What of its narrowest and widest model lies outside what was calibrated, and by how much.
    """

    diagram: PhaseDiagram
    runs: Sequence[Run] | None = None
    left_out: Sequence[LeftOut] = ()
    outside: Sequence[str] = ()

    @property
    def title(self) -> str:
        """What was asked, in a few words."""
        return f"phase diagram: {full_label(self.diagram.problem, width=False)}, T = {self.diagram.horizon} steps"

    @property
    def headline(self) -> str:
        """Where both curves cross, in a sentence."""
        star = self.diagram.star
        if star.n_params.value is None:
            return f"no star: {star.n_params.reason}{at_rates(self.diagram.problem)}"
        where = f"D_crit meets D_mem at width {number(star.width.value)}{at_rates(self.diagram.problem)}, D"
        return said_of_size(where, star.n_train, self.outside)

    @property
    def points(self) -> list[dict[str, Any]]:
        """Every width and size that has runs: what most of them show, beside the regime that is predicted there."""
        if self.runs is None:
            return []
        from dcrit.empirics.measures.in_plane import points_in_plane

        return points_in_plane(self.runs, self.diagram)

    @property
    def star(self) -> dict[str, Estimate]:
        """Where both curves cross: width, number of parameters, training-set size."""
        star = self.diagram.star
        return {"width": star.width, "n_params": star.n_params, "n_train": star.n_train}

    def to_dict(self) -> dict[str, Any]:
        """Curves, regimes, star, and what runs show where they were asked for, as JSON values."""
        return self.diagram.to_dict() | {
            "outside": list(self.outside),
            "runs": None if self.runs is None else self.points,
            "left_out": [one.to_dict() for one in self.left_out],
        }

    def to_polars(self) -> pl.DataFrame:
        """One row a width."""
        import polars as pl

        names = (
            *("widths", "n_params", "critical_size", "critical_low", "critical_high", "capacity", "at_rest"),
            "extrapolated",
        )
        return pl.DataFrame({name: getattr(self.diagram, name) for name in names})

    def plot(self, ax: Axes | None = None, *, runs: Runs | None = None) -> Axes:
        """Draw D_crit, D_mem and D_rest in their bands, the star and the regimes, and real runs over them.

        Args:
            ax: Axes to draw on; None for those of a new picture.
            runs: Finished runs to lay over the theory, of which those of its problem and horizon are drawn; None for
                those of the answer.
        """
        from dcrit.empirics.measures.beside import choose, told
        from dcrit.figures.drawing import scales
        from dcrit.figures.measured.runs import draw_over_plane
        from dcrit.figures.predicted.phase_diagram import (
            draw_at_rest,
            draw_phase_diagram,
            draw_star,
            name_curves,
            name_widths,
        )

        ax, remark = axes_of(ax), ""
        draw_phase_diagram(ax, self.diagram, star=False, listed=False)
        draw_at_rest(ax, self.diagram)
        laid, left_out = self.runs, self.left_out
        if runs is not None:
            laid, left_out = choose(runs.runs, self.diagram.problem, horizon=self.diagram.horizon)
        if laid is not None:
            draw_over_plane(ax, laid)
            remark = told(len(laid), left_out)
        scales.log_axis(ax, "y", *ax.get_ylim())
        draw_star(ax, self.diagram.star)
        name_widths(ax, self.diagram)
        name_curves(ax, self.diagram)
        return finished(ax, self.title, remark)


@hinting(problem=Problem)
def phase_diagram(
    problem: Problem,
    *,
    points: int = 200,
    min_width: int | None = None,
    max_width: int | None = None,
    horizon: int | None = None,
    level: float = LEVEL,
    calibration: Calibration | Path | str | None = None,
    store: Path | str | None = None,
) -> Diagram:
    """Predict both curves over model size, and the regime of every point of the plane.

    Args:
        problem: The question; its width is replaced.
        points: Training-set sizes, and at most as many widths.
        min_width: First width; None for half the smallest calibrated one.
        max_width: Last width; None for the largest calibrated one.
        horizon: As for :func:`predict` [steps].
        level: Probability content of the intervals.
        calibration: As for :func:`predict`.
        store: Folder of runs; those of the problem with this horizon, at any width, lie over the theory. None for none.

    Raises:
        ValueError: A value is out of range, no calibration speaks for the problem, or there is no such folder.
    """
    from dcrit.theory.predictions.phase_diagram import diagram_over

    chosen = chosen_calibration(problem, calibration)
    held: Store | None = None
    if store is not None:
        from dcrit.api.stores import stored_runs_of

        held = stored_runs_of(store)
    found = diagram_over(
        problem, chosen, points=points, min_width=min_width, max_width=max_width, horizon=horizon, level=level
    )
    outside = outside_at_ends(problem, found.widths.tolist(), chosen, found.horizon)
    if held is None:
        return Diagram(diagram=found, outside=outside)
    from dcrit.api.stores import runs_beside

    runs, left_out = runs_beside(held, problem, horizon=found.horizon)
    return Diagram(diagram=found, runs=runs, left_out=left_out, outside=outside)


@overload
def regime(problem: Problem, n_train: int, **asked: Unpack[Asked]) -> Finding: ...
@overload
def regime(
    problem: Problem,
    n_train: Sequence[int] | NDArray[np.integer],
    *,
    moduli: ArrayLike | None = None,
    widths: ArrayLike | None = None,
    **asked: Unpack[Asked],
) -> Answers[Finding]: ...
@overload
def regime(
    problem: Problem,
    n_train: int,
    *,
    moduli: ArrayLike,
    widths: ArrayLike | None = None,
    **asked: Unpack[Asked],
) -> Answers[Finding]: ...
@overload
def regime(problem: Problem, n_train: int, *, widths: ArrayLike, **asked: Unpack[Asked]) -> Answers[Finding]: ...


@hinting(problem=Problem)
def regime(
    problem: Problem,
    n_train: int | Sequence[int] | NDArray[np.integer],
    *,
    moduli: ArrayLike | None = None,
    widths: ArrayLike | None = None,
    horizon: int | None = None,
    level: float = LEVEL,
    calibration: Calibration | Path | str | None = None,
) -> Finding | Answers[Finding]:
    """Predict which of the four dynamics a network shows at one training-set size, with probabilities.

    Args:
        problem: The question.
        n_train: D, one or several [examples].
        moduli: As for :func:`predict`.
        widths: As for :func:`predict`.
        horizon: As for :func:`predict` [steps].
        level: Probability content of the intervals.
        calibration: As for :func:`predict`.

    Raises:
        ValueError: A value is out of range, or no calibration speaks for the problem.
    """

    def ask(one: Problem, size: int) -> Finding:
        return _regime(one, size, Asked(horizon=horizon, level=level, calibration=calibration))

    return _asked_of_sizes("predicted regimes", "grokking", ask, problem, n_train=n_train, moduli=moduli, widths=widths)


def _regime(problem: Problem, n_train: int, asked: Asked) -> Finding:
    """The regime of one problem at one size."""
    from dcrit.theory.calibrations.track_record import track_record
    from dcrit.theory.predictions.regime import REGIMES, predict_regime

    level = asked.get("level", LEVEL)
    problem.check_n_train(n_train)
    chosen = chosen_calibration(problem, asked.get("calibration"))
    found = predict_regime(problem, chosen, n_train=n_train, horizon=asked.get("horizon"), level=level)
    chances = dict(zip(REGIMES, found.probabilities, strict=True))
    sizes, record = found.sizes, track_record(chosen)
    named = {region_label(name): chance for name, chance in chances.items()}
    document: dict[str, Any] = {
        "n_train": n_train,
        "regime": found.most_likely,
        "probabilities": chances,
        "horizon": sizes.critical_size.horizon,
        "extrapolated": found.extrapolated,
        "outside": list(outside_of(problem, chosen, sizes.critical_size.horizon)),
        "level": level,
        "calibration": sizes.calibration,
        "track_record": None if record is None else record.to_dict(),
    }
    for name in ("onset", "critical_size", "completion", "capacity"):
        document[name] = sizes.estimates()[name].to_dict()
    return Finding(
        asked=f"regime: {full_label(problem)}, D = {n_train}, T = {sizes.critical_size.horizon} steps",
        told=said_of_kinds(named, REGIMES[-1]),
        problem=problem,
        estimates={
            name: Estimate(quantity=name, value=chance, unit="probability", extrapolated=found.extrapolated)
            for name, chance in chances.items()
        },
        found=found,
        document=document,
    )


@overload
def delay(problem: Problem, n_train: int, *, accuracy: float = GENERALIZED, **asked: Unpack[Asked]) -> Finding: ...
@overload
def delay(
    problem: Problem,
    n_train: Sequence[int] | NDArray[np.integer],
    *,
    moduli: ArrayLike | None = None,
    widths: ArrayLike | None = None,
    accuracy: float = GENERALIZED,
    **asked: Unpack[Asked],
) -> Answers[Finding]: ...
@overload
def delay(
    problem: Problem,
    n_train: int,
    *,
    moduli: ArrayLike,
    widths: ArrayLike | None = None,
    accuracy: float = GENERALIZED,
    **asked: Unpack[Asked],
) -> Answers[Finding]: ...
@overload
def delay(
    problem: Problem, n_train: int, *, widths: ArrayLike, accuracy: float = GENERALIZED, **asked: Unpack[Asked]
) -> Answers[Finding]: ...


@hinting(problem=Problem)
def delay(
    problem: Problem,
    n_train: int | Sequence[int] | NDArray[np.integer],
    *,
    moduli: ArrayLike | None = None,
    widths: ArrayLike | None = None,
    accuracy: float = GENERALIZED,
    horizon: int | None = None,
    level: float = LEVEL,
    calibration: Calibration | Path | str | None = None,
) -> Finding | Answers[Finding]:
    """Predict the steps until the training set is memorized, and until unseen examples are answered.

    Args:
        problem: The question.
        n_train: D, one or several [examples].
        moduli: As for :func:`predict`.
        widths: As for :func:`predict`.
        accuracy: Test accuracy that counts as generalization.
        horizon: As for :func:`predict` [steps].
        level: Probability content of the intervals.
        calibration: As for :func:`predict`.

    Raises:
        ValueError: A value is out of range, or no calibration speaks for the problem.
    """
    check_level(level)
    check_accuracy(accuracy)

    def ask(one: Problem, size: int) -> Finding:
        return _delay(one, size, accuracy, Asked(horizon=horizon, level=level, calibration=calibration))

    return _asked_of_sizes(
        "predicted times", "generalize_steps", ask, problem, n_train=n_train, moduli=moduli, widths=widths
    )


def _delay(problem: Problem, n_train: int, accuracy: float, asked: Asked) -> Finding:
    """The delay of one problem at one size."""
    from dcrit.theory.predictions.delay import predict_delay

    level = asked.get("level", LEVEL)
    problem.check_n_train(n_train)
    chosen = chosen_calibration(problem, asked.get("calibration"))
    if chosen.thresholds is None:
        problem.check_homogeneous()
    found = predict_delay(problem, chosen, n_train, accuracy, horizon=asked.get("horizon"), content=level)
    steps = {"memorize_steps": found.memorize_steps, "generalize_steps": found.generalize_steps}
    for branch in (found.symmetric, found.generalize_if_symmetric, found.generalize_if_ordered):
        if branch is not None:
            steps[branch.quantity] = branch
    return Finding(
        asked=f"delay: {full_label(problem)}, D = {n_train}, T = {found.horizon} steps",
        told=_told_of_delay(found, accuracy),
        problem=problem,
        estimates=steps,
        found=found,
        document={
            "n_train": n_train,
            "memorized_accuracy": FITTED,
            "generalized_accuracy": accuracy,
            "level": level,
            **{name: one.to_dict() for name, one in steps.items()},
            "probability": found.probability,
            "probability_by_horizon": found.probability_by_horizon,
            "horizon": found.horizon,
            "extrapolated": found.generalize_steps.extrapolated,
            "outside": list(outside_of(problem, chosen, found.horizon)),
            "calibration": found.calibration,
        },
    )


def _told_of_delay(found: DelayPrediction, accuracy: float) -> str:
    """Whether and when a network generalizes, in a sentence."""
    if found.generalize_steps.value is None and found.generalize_steps.reason.startswith("cannot tell"):
        return found.generalize_steps.reason
    by, yes = f"within {found.horizon} steps", f"test accuracy passes {accuracy:g}"
    return said_of(found.probability_by_horizon, f"{yes} {by}", f"test accuracy stays below {accuracy:g} {by}")


def _asked_of_sizes(
    asked: str,
    main: str,
    ask: Callable[[Problem, int], Finding],
    problem: Problem,
    *,
    n_train: int | Sequence[int] | NDArray[np.integer],
    moduli: ArrayLike | None,
    widths: ArrayLike | None,
) -> Finding | Answers[Finding]:
    """One answer, or one for each of several moduli, widths and sizes."""
    if np.ndim(n_train) == 0 and moduli is None and widths is None:
        return ask(problem, plain(n_train))
    return several(asked, main, problems_over(problem, moduli, widths), ask, values_of(n_train, 0))


@hinting(problem=Problem)
def emergence(
    problem: Problem,
    n_train: int,
    n_facts: int,
    *,
    horizon: int | None = None,
    level: float = LEVEL,
    calibration: Calibration | Path | str | None = None,
) -> Finding:
    """Predict the smallest model that learns the task from D examples while it also memorizes facts.

    Args:
        problem: The question; its width is what is asked for.
        n_train: D [examples].
        n_facts: D_r, facts to memorize beside the task [examples].
        horizon: As for :func:`predict` [steps].
        level: Probability content of the intervals.
        calibration: As for :func:`predict`.

    Raises:
        ValueError: A value is out of range, or no calibration speaks for the problem.
    """
    from dcrit.theory.predictions.emergence import emergence_curve, predict_emergence

    n_train, n_facts = plain(n_train), plain(n_facts)
    check_integer("n_facts", n_facts, 0)
    problem.check_n_train(n_train)
    chosen = chosen_calibration(problem, calibration)
    found = predict_emergence(problem, chosen, n_facts=n_facts, n_train=n_train, horizon=horizon, level=level)
    estimates = {"width": found.width, "n_params": found.n_params}
    curves = ("widths", "critical_size", "critical_size_alone", "capacity")

    def draw(ax: Axes) -> None:
        from dcrit.figures.predicted.emergence import draw_emergence

        most = max(2 * n_facts, problem.n_pairs // 4)
        some = np.unique(np.append(np.linspace(0, most, POINTS).astype(int), n_facts)).tolist()
        curve = emergence_curve(problem, chosen, n_facts=some, n_train=n_train, horizon=horizon, level=level)
        draw_emergence(ax, curve, found)

    return Finding(
        asked=(
            f"smallest model: {full_label(problem, width=False)}, D = {n_train}, {n_facts} facts, "
            f"T = {found.horizon} steps"
        ),
        told=_told_of_threshold(found),
        problem=problem,
        estimates=estimates,
        found=found,
        document={
            "n_facts": n_facts,
            "n_train": n_train,
            "horizon": found.horizon,
            "level": level,
            "calibration": found.calibration,
            **{name: one.to_dict() for name, one in estimates.items()},
            **{name: getattr(found, name).tolist() for name in curves},
        },
        draw=draw,
    )


def _told_of_threshold(found: EmergencePrediction) -> str:
    """The smallest width that learns the task, in a sentence."""
    name = f"smallest width that learns the task beside {found.n_facts} facts"
    return said_of_size(name, found.width)


@dataclass(frozen=True, kw_only=True)
class Simulation(Finding):
    """The training curves that the theory expects.

    Attributes:
        milestones: Steps at which accuracies get to stay up.
        hysteresis: Final accuracies from scratch and after data shrank; None where they were not asked for.
        norm_caveat: What is known to be wrong with the curve of the norm; empty where nothing is.
    """

    milestones: Milestones
    hysteresis: Hysteresis | None
    norm_caveat: str


@hinting(problem=Problem)
def simulate(
    problem: Problem,
    n_train: int,
    *,
    steps: int = 0,
    horizon: int | None = None,
    accuracy: float = GENERALIZED,
    level: float = LEVEL,
    circuits: Sharing = "shared",
    start_ratio: float = START_RATIO,
    hysteresis: bool = False,
    calibration: Calibration | Path | str | None = None,
) -> Simulation:
    """Integrate the training curves that the theory expects at one training-set size; nothing is trained.

    Test accuracy is the clock's and passes every level when :func:`delay` says; the other curves are those of both
    circuits' amplitudes. Where the squared norm of a pair-MLP falls there, that of trained ones goes on rising.
    Additive circuits, another start and calibrations without a clock have amplitudes alone.

    Args:
        problem: The question.
        n_train: D [examples].
        steps: How long is simulated, the horizon [steps]; 0 for the protocol's 40/(ηλ).
        horizon: T, another name for steps; None where it is not given [steps].
        accuracy: Test accuracy that counts as generalization.
        level: Probability content of the intervals.
        circuits: ``shared``: circuits share weights, as calibrated; ``additive``: they add up, so the winner takes all.
        start_ratio: Generalizing over memorizing amplitude at step 0; another than the default's sets the clock aside.
        hysteresis: Also compare training from scratch with shrinking a grokked network's data.
        calibration: As for :func:`predict`.

    Returns:
        The curves; one row a step.

    Raises:
        ValueError: A value is out of range, or no calibration speaks for the problem.
    """
    from dcrit.theory.predictions.delay import Start
    from dcrit.theory.predictions.phase_diagram import SMALLEST_FRACTION
    from dcrit.theory.predictions.simulation import (
        flow_at,
        grokking_delay,
        hysteresis_by_law,
        simulate_by_clock,
        ungrokking_and_scratch,
    )
    from dcrit.theory.predictions.simulation import simulate as simulated

    n_train = plain(n_train)
    problem.check_n_train(n_train)
    check_accuracy(accuracy)
    check_level(level)
    check_choice("circuits", circuits, get_args(Sharing))
    check_positive("start_ratio", start_ratio)
    steps = steps_of(steps, horizon)
    start, shared = Start(generalizing=start_ratio), circuits == "shared"
    if not 0 <= steps <= LONGEST:
        raise FieldError("steps", f"be an integer from 0 to {LONGEST}", steps)
    chosen, length = chosen_calibration(problem, calibration), steps or problem.horizon
    clocked = chosen.thresholds is not None and shared and start_ratio == START_RATIO
    if not clocked:
        problem.check_homogeneous()
    sizes = predict_critical_size(problem, chosen, horizon=length if clocked else None, level=level)
    if clocked:
        trajectory = simulate_by_clock(problem, chosen, sizes, n_train)
    else:
        trajectory = simulated(flow_at(problem, sizes.from_scratch, n_train, shared=shared), start, steps=length)
    ways: Hysteresis | None = None
    if hysteresis:
        some = np.geomspace(max(1.0, SMALLEST_FRACTION * problem.n_pairs), problem.n_pairs, SIZES)
        ways = (
            hysteresis_by_law(chosen, sizes, some)
            if clocked
            else ungrokking_and_scratch(problem, sizes.competition, some, shared=shared, start=start, steps=length)
        )
    passed = grokking_delay(trajectory, level=accuracy)
    curves = {name: getattr(trajectory, name).tolist() for name in CURVES}
    estimates = {name: sizes.estimates()[name] for name in ("critical_size", "crossing")}
    norm_caveat = RISING_NORM if problem.model == "mlp" and trajectory.norm_falls else ""

    def draw(ax: Axes) -> None:
        from dcrit.figures.predicted.simulation import draw_panel

        draw_panel(ax, trajectory)

    return Simulation(
        asked=f"simulated: {full_label(problem)}, D = {n_train}, T = {length} steps",
        told=_told_of_curves(trajectory.reason, passed.generalized, accuracy, length),
        problem=problem,
        estimates=estimates,
        found=trajectory,
        milestones=passed,
        hysteresis=ways,
        norm_caveat=norm_caveat,
        document={
            "n_train": n_train,
            "horizon": length,
            "memorized_accuracy": FITTED,
            "generalized_accuracy": accuracy,
            "circuits": circuits,
            "start_ratio": start_ratio,
            "memorized_at": passed.memorized,
            "generalized_at": passed.generalized,
            "delay": passed.delay,
            "level": level,
            **{name: one.to_dict() for name, one in estimates.items()},
            "reason": trajectory.reason,
            "norm_caveat": norm_caveat,
            "curves": curves,
            "hysteresis": None if ways is None else _hysteresis_values(ways),
            "calibration": sizes.calibration,
        },
        rows=[dict(zip(curves, values, strict=True)) for values in zip(*curves.values(), strict=True)],
        draw=draw,
    )


def _told_of_curves(reason: str, generalized: float | None, accuracy: float, horizon: int) -> str:
    """What the expected curve does, in a sentence; it is one curve, and delay says how sure it is."""
    if reason:
        return reason
    if generalized is None:
        return f"the expected test accuracy stays below {accuracy:g} within {horizon} steps"
    return f"the expected test accuracy passes {accuracy:g} at step {number(generalized)}"


def _hysteresis_values(ways: Hysteresis) -> dict[str, Any]:
    """Both ways as JSON values."""
    return {
        "n_trains": ways.n_trains.tolist(),
        "scratch": ways.scratch.tolist(),
        "ungrokking": ways.ungrokking.tolist(),
        "scratch_size": ways.scratch_size,
        "ungrokking_size": ways.ungrokking_size,
    }


def chosen_calibration(problem: Problem, given: Calibration | Path | str | None) -> Calibration:
    """The constants that were given, of a file, or those that ship.

    Raises:
        ValueError: The file is no calibration, or none speaks for the problem.
    """
    return given if isinstance(given, Calibration) else calibration_of(problem, None if given is None else Path(given))


def outside_of(problem: Problem, calibration: Calibration, horizon: int | None) -> tuple[str, ...]:
    """What of a question lies outside what was calibrated, and by how much: one phrase each.

    Args:
        problem: The question.
        calibration: What was calibrated.
        horizon: T; None for the protocol's [steps].
    """
    law = calibration.thresholds
    return calibration.outside(problem) if law is None else law.outside(problem, horizon or problem.horizon)


def outside_at_ends(problem: Problem, widths: Sequence[int], calibration: Calibration, horizon: int) -> list[str]:
    """What of the narrowest and the widest of some models lies outside what was calibrated, each phrase once.

    Args:
        problem: Its width is replaced.
        widths: H, rising.
        calibration: What was calibrated.
        horizon: T [steps].
    """
    ends = [replace(problem, width=width) for width in (widths[0], widths[-1])]
    return list(dict.fromkeys(phrase for end in ends for phrase in outside_of(end, calibration, horizon)))


def prediction_if_any(problem: Problem, *, horizon: int | None = None) -> Prediction | None:
    """What the constants that ship say of a problem at a horizon; None where none of them speaks of it."""
    with contextlib.suppress(FieldError):
        return predict(problem, horizon=horizon)
    return None
