"""Test accuracy over model size at a fixed training set: what the theory says, and what runs show beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcrit.api.answers import Finding, axes_of, finished, plain
from dcrit.api.headlines import LIKELY, said_of
from dcrit.api.predictions import chosen_calibration, outside_at_ends
from dcrit.theory.arguments import hinting
from dcrit.theory.calibrations.calibration import Calibration
from dcrit.theory.estimates import LEVEL, Estimate
from dcrit.theory.problems.problem import Problem, full_label
from dcrit.theory.written import number, probability, span

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dcrit.api.training import Runs
    from dcrit.empirics.measures.beside import LeftOut
    from dcrit.empirics.measures.over_width import AtWidth, MeasuredDip
    from dcrit.empirics.runs.single import Run
    from dcrit.empirics.store.kinds import Store
    from dcrit.theory.predictions.double_descent import DoubleDescent


#: Mean width of predicted intervals of accuracy above which agreement says little [fraction].
WEAK = 0.3

#: Probabilities of a dip that differ by less are told as one.
ALIKE = 0.05


def widths_of(found: DoubleDescent) -> str:
    """Between which widths a curve lies, in words."""
    return f"widths {found.widths[0]} to {found.widths[-1]}"


@dataclass(frozen=True, kw_only=True)
class LaidOver:
    """Runs that lie over a curve.

    Attributes:
        measured: What networks of each width reached, rising.
        predicted: What the theory says of each of these widths.
        left_out: Why other runs do not lie over the curve.
        dip: Whether these runs show a dip, where and how deep; None where no run lies over the curve.
        expected: The prediction for the widths alone by which the runs tell that, so that both speak of the same; None
            where those are too few, or the calibration does not reach them.
        curve: The prediction for all widths of the curve.
    """

    measured: Sequence[AtWidth]
    predicted: Sequence[Estimate]
    left_out: Sequence[LeftOut]
    dip: MeasuredDip | None = None
    expected: DoubleDescent | None = None
    curve: DoubleDescent

    @property
    def both_dip(self) -> bool:
        """Whether the runs show a dip, and the prediction says that one at these widths is more likely than not."""
        if self.dip is None or self.expected is None:
            return False
        return self.dip.ruling == "dip" and self.expected.probability >= LIKELY

    @property
    def agrees(self) -> bool | None:
        """Whether prediction and runs say the same of a dip at these widths; None where one of them says nothing.

        Where both say that there is one, the intervals of its depth have to overlap as well.
        """
        if self.dip is None or self.expected is None or self.dip.ruling == "cannot tell":
            return None
        if not self.both_dip:
            return self.dip.ruling != "dip" and self.expected.probability < LIKELY
        measured, predicted = self.dip.depth.interval, self.expected.depth.interval
        assert measured is not None
        assert predicted is not None
        return measured.overlaps(predicted)

    @property
    def verdict(self) -> str:
        """What the runs show of a dip, and whether the prediction agrees; empty without runs.

        The last sentence says why a dip is not as probable at these widths as over the whole curve, where it is not.
        """
        if self.dip is None:
            return ""
        told = f"{self.dip.told[0].upper()}{self.dip.told[1:]}."
        if self.expected is None:
            return f"{told} So the prediction is not compared with them."
        predicted = f"for these widths a dip has probability {probability(self.expected.probability)}"
        if not self.both_dip:
            agreed = {True: "agrees", False: "disagrees", None: "cannot be compared"}[self.agrees]
            return f"{told} The prediction {agreed}: {predicted}.{self._weakness}{self._why_another}"
        depth, interval = self.expected.depth.value, self.expected.depth.interval
        assert interval is not None
        predicted += f", depth {number(depth)} ({number(interval.low)} to {number(interval.high)})"
        return (
            f"{told} The prediction agrees {self._agreed}: {predicted}{self._place}.{self._weakness}{self._why_another}"
        )

    @property
    def gist(self) -> str:
        """Whether the runs show a dip, and whether that was predicted, in a sentence or two; empty without runs."""
        if self.dip is None:
            return ""
        if self.dip.ruling == "cannot tell":
            return f"{self.dip.told}."
        if self.expected is None:
            return f"{self.dip.ruling}."
        chance = probability(self.expected.probability)
        if self.both_dip:
            said = f"dip at width {number(self.dip.width.value)}, {number(self.dip.depth.value)} deep"
            guess = f"at width {number(self.expected.width.value)}, {number(self.expected.depth.value)} deep"
            said += f". The prediction agrees {self._agreed}: probability {chance}, {guess}"
        else:
            said = f"{self.dip.ruling}, {'as' if self.agrees else 'not'} predicted (probability of a dip {chance})"
        if self.agrees and self.mean_span > WEAK:
            said += f". A weak test: intervals of predicted accuracy are {self.mean_span:.2f} wide on average"
        return f"{said}.{' That the runs dip is surer than how deep.' if self.dip.is_vague else ''}"

    @property
    def _agreed(self) -> str:
        """On what a prediction agrees that has a dip as the runs do, and on what it does not."""
        asked = {"its depth": self.agrees, "its place": self.agrees_on_place}
        yes, no = ([name for name, one in asked.items() if one is answer] for answer in (True, False))
        agreed = _in_words(["on the dip", *yes], "and")
        return agreed + (f", but not on {_in_words(no, 'or')}" if no else "")

    @property
    def agrees_on_place(self) -> bool | None:
        """Whether the runs are lowest at a width within the interval of the predicted place; None unless both dip."""
        if not self.both_dip:
            return None
        assert self.dip is not None
        assert self.dip.width.value is not None
        assert self.expected is not None
        place = self.expected.width.interval
        return None if place is None else self.dip.width.value in place

    @property
    def _weakness(self) -> str:
        """How little it says that a prediction agrees, in a sentence; empty where it says something."""
        if not self.agrees or not self.mean_span > WEAK:
            return ""
        return f" A weak test: its intervals of accuracy are {self.mean_span:.2f} wide on average."

    @property
    def _place(self) -> str:
        """Where the prediction is lowest, in words that follow others; empty unless both dip."""
        if self.agrees_on_place is None:
            return ""
        assert self.expected is not None
        place = self.expected.width
        assert place.interval is not None
        ends = f" ({span(place.interval.low, place.interval.high, between='to')})"
        where = f"{number(place.value)}{ends if place.interval.low < place.interval.high else ''}"
        return f", and is at width {where}"

    @property
    def _why_another(self) -> str:
        """Why a dip is not as probable at the widths of the runs as the headline says; empty where it is."""
        assert self.expected is not None
        if abs(self.expected.probability - self.curve.probability) < ALIKE:
            return ""
        over_all = probability(self.curve.probability)
        return (
            f" Over {widths_of(self.curve)} it has {over_all}: a dip counts only where some width shows its fall and a "
            "larger one its recovery."
        )

    @property
    def told(self) -> str:
        """How many runs lie over the curve, and how many were left out and why, in a sentence."""
        from dcrit.empirics.measures.beside import told

        return told(sum(len(one.accuracies) for one in self.measured), self.left_out)

    @property
    def remark(self) -> str:
        """What a picture says of these runs: the verdict, how many there are, and why others were left out."""
        return f"{self.verdict} {self.told[0].upper()}{self.told[1:]}." if self.verdict else self.told

    @property
    def n_inside(self) -> int:
        """Widths whose measured mean lies inside the interval of the prediction."""
        pairs = zip(self.measured, self.predicted, strict=True)
        return sum(told.interval is not None and one.mean in told.interval for one, told in pairs)

    @property
    def mean_span(self) -> float:
        """Mean width of the predicted intervals [fraction]; NaN without any."""
        spans = [one.interval.high - one.interval.low for one in self.predicted if one.interval is not None]
        return sum(spans) / len(spans) if spans else math.nan

    def to_dict(self) -> dict[str, Any]:
        """One entry a width, and why other runs were left out, as JSON values."""
        return {
            "widths": [
                {
                    "width": one.width,
                    "n_params": one.n_params,
                    "predicted": expected.to_dict(),
                    "measured": one.mean,
                    "interval": None if one.interval is None else one.interval.to_dict(),
                    "n_seeds": len(one.accuracies),
                    "accuracies": list(one.accuracies),
                    "test_losses": list(one.losses),
                }
                for one, expected in zip(self.measured, self.predicted, strict=True)
            ],
            "left_out": [one.to_dict() for one in self.left_out],
            "dip": None if self.dip is None else self.dip.to_dict(),
            "predicted_dip": None
            if self.expected is None
            else {"probability": self.expected.probability, "depth": self.expected.depth.to_dict()},
            "agrees": self.agrees,
            "agrees_on_place": self.agrees_on_place,
            "verdict": self.verdict,
            "gist": self.gist,
        }


def _in_words(names: Sequence[str], last: str) -> str:
    """Names one after the other, with a word before the last."""
    *others, end = names
    return f"{', '.join(others)} {last} {end}" if others else end


@dataclass(frozen=True, kw_only=True)
class SizeCurve(Finding):
    """Test accuracy over model size at one training set, as predicted, and as runs show it.

    Attributes:
        found: The predicted curves as arrays.
        lay: Lays those of some runs over the curve that it speaks of.
        runs: Those of a folder; None where none were asked for.
    """

    found: DoubleDescent
    lay: Callable[[Iterable[Run]], LaidOver] = field(repr=False, compare=False)
    runs: LaidOver | None = None

    def to_dict(self) -> dict[str, Any]:
        """Curves, the dip, and what runs show where they were asked for, as JSON values."""
        return super().to_dict() | {"runs": None if self.runs is None else self.runs.to_dict()}

    def plot(self, ax: Axes | None = None, *, runs: Runs | None = None) -> Axes:
        """Draw test accuracy over model size in its band, and real runs over it.

        Args:
            ax: Axes to draw on; None for those of a new picture.
            runs: Finished runs to lay over the theory, of which those of its problem, training-set size and horizon
                are drawn; None for those of the answer.
        """
        from dcrit.figures.predicted.double_descent import depth_told, draw_accuracy, draw_measured, name_widths

        ax, laid = axes_of(ax), self.runs if runs is None else self.lay(runs.runs)
        draw_accuracy(ax, self.found)
        if laid is not None:
            draw_measured(ax, laid.measured, level=self.found.level)
        name_widths(ax, self.found, self.problem)
        return finished(ax, f"{self.title}; {depth_told(self.found)}", "" if laid is None else laid.remark)

    def figure(self) -> Figure:
        """Accuracy, with the runs of the answer, and beside it their test loss, of which nothing is predicted."""
        from dcrit.figures.predicted.double_descent import new_double_descent

        laid = self.runs
        return new_double_descent(
            self.found,
            self.problem,
            title=self.title,
            measured=() if laid is None else laid.measured,
            remark="" if laid is None else laid.remark,
        )


@hinting(problem=Problem)
def double_descent(
    problem: Problem,
    n_train: int,
    *,
    points: int = 200,
    min_width: int | None = None,
    max_width: int | None = None,
    sharp_capacity: bool = False,
    horizon: int | None = None,
    level: float = LEVEL,
    calibration: Calibration | Path | str | None = None,
    store: Path | str | None = None,
) -> SizeCurve:
    """Predict test accuracy over model size at a fixed training set: where it dips, how deep, how sure.

    Test loss is not predicted: no law of it is known that holds.

    Args:
        problem: The question; its width is replaced.
        n_train: D [examples].
        points: Widths at most.
        min_width: First width; None for half the smallest calibrated one.
        max_width: Last width; None for the largest calibrated one.
        sharp_capacity: Let memorizing stop at capacity, as the starting theory has it.
        horizon: As for :func:`predict` [steps].
        level: Probability content of the intervals.
        calibration: As for :func:`predict`.
        store: Folder of runs; those of the problem with this training-set size and horizon, at any width, lie over the
            theory. None for none.

    Raises:
        ValueError: A value is out of range, no calibration speaks for the problem, or there is no such folder.
    """
    from dcrit.theory.predictions.double_descent import predict_accuracies, predict_double_descent
    from dcrit.theory.predictions.phase_diagram import default_widths

    n_train = plain(n_train)
    problem.check_n_train(n_train)
    chosen = chosen_calibration(problem, calibration)
    held: Store | None = None
    if store is not None:
        from dcrit.api.stores import stored_runs_of

        held = stored_runs_of(store)
    widths = default_widths(problem, chosen, points, smallest=min_width, largest=max_width)
    found = predict_double_descent(
        problem, chosen, n_train=n_train, widths=widths, horizon=horizon, sharp_capacity=sharp_capacity, level=level
    )

    def laid(runs: Sequence[Run], left_out: Sequence[LeftOut]) -> LaidOver:
        from dcrit.empirics.measures.over_width import FEWEST_WIDTHS, dip_over_width, over_width

        measured = over_width(runs, level=level)
        expected = predict_accuracies(
            problem,
            chosen,
            n_train=n_train,
            widths=[one.width for one in measured],
            horizon=horizon,
            sharp_capacity=sharp_capacity,
            level=level,
        )
        dip = dip_over_width(measured, level=level) if measured else None
        same: DoubleDescent | None = None
        told = {one.width: guess for one, guess in zip(measured, expected, strict=True)}
        if (
            dip is not None
            and len(dip.widths) >= FEWEST_WIDTHS
            and all(told[one].value is not None for one in dip.widths)
        ):
            same = predict_double_descent(
                problem,
                chosen,
                n_train=n_train,
                widths=dip.widths,
                horizon=horizon,
                sharp_capacity=sharp_capacity,
                level=level,
            )
        return LaidOver(measured=measured, predicted=expected, left_out=left_out, dip=dip, expected=same, curve=found)

    def lay(runs: Iterable[Run]) -> LaidOver:
        from dcrit.empirics.measures.beside import choose

        return laid(*choose(runs, problem, horizon=found.horizon, n_train=n_train))

    over: LaidOver | None = None
    if held is not None:
        from dcrit.api.stores import runs_beside

        over = laid(*runs_beside(held, problem, horizon=found.horizon, n_train=n_train))
    estimates = {
        "depth": found.depth,
        "width": found.width,
        "n_params": found.place,
    }
    curves = ("widths", "n_params", "accuracy", "accuracy_low", "accuracy_high")
    document: dict[str, Any] = {
        "n_train": n_train,
        "dip": found.dip,
        "sharp_capacity": sharp_capacity,
        "probability": found.probability,
        "outside": outside_at_ends(problem, found.widths.tolist(), chosen, found.horizon),
        "horizon": found.horizon,
        "level": level,
        "calibration": found.calibration,
        **{name: one.to_dict() for name, one in estimates.items()},
        "params_exponent": found.params_exponent,
        "width_exponent": found.width_exponent,
        **{"params" if name == "n_params" else name: getattr(found, name).tolist() for name in curves},
    }
    return SizeCurve(
        asked=(
            f"test accuracy over model size: {full_label(problem, width=False)}, D = {n_train}, "
            f"T = {found.horizon} steps"
        ),
        told=said_of(
            found.probability,
            f"test accuracy dips as the model grows over {widths_of(found)}",
            f"no dip of test accuracy as the model grows over {widths_of(found)}",
        ),
        problem=problem,
        estimates=estimates,
        found=found,
        document=document,
        lay=lay,
        runs=over,
    )
