"""What a report leads with: what was tested, what came out, and two pictures of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dcrit.empirics.claims.claim import Verdict
from dcrit.empirics.claims.frames import Frame
from dcrit.theory.calibrations.calibration import Calibration, calibration_for
from dcrit.theory.calibrations.thresholds import thresholds_of
from dcrit.theory.estimates import LEVEL, Interval
from dcrit.theory.literature.published import published_numbers
from dcrit.theory.predictions.critical_size import predict_critical_size
from dcrit.theory.problems.problem import Problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dcrit.figures.predicted.two_thresholds import SizePoint, ThresholdPanel

#: Names of both pictures.
PREDICTED, THRESHOLDS = "predicted-against-measured", "thresholds"

#: Under each.
CAPTIONS = {
    PREDICTED: (
        "Left: critical sizes of drawn problems, predicted before any run of them, against measured ones, with "
        f"{LEVEL:.0%} intervals of both. Right: where measured sizes lie in what was predicted, with the "
        "measurement's error; bars are even if predictions know how far off they are."
    ),
    THRESHOLDS: (
        "Lines: both thresholds over the modulus, as the laws that ship predict them for one width and horizon. Filled "
        "marks: drawn problems of this report, moved to that width and horizon by the law's own ratio. Open marks: "
        "what others published."
    ),
}


def drawn_rows(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """Rows of all problems that were drawn, whatever their claim."""
    return [dict(row) for one in verdicts for row in one.finding.details()]


def pictures(verdicts: Sequence[Verdict], calibrations: Sequence[Calibration]) -> dict[str, Callable[[], Figure]]:
    """What draws each picture of the headline; none where no drawn problem is measured."""
    rows = drawn_rows(verdicts)
    if not any(row["measured"] is not None for row in rows):
        return {}

    def predicted() -> Figure:
        from dcrit.figures.measured.prediction_errors import draw

        return draw(rows)

    def thresholds() -> Figure:
        from dcrit.figures.predicted.two_thresholds import draw

        return draw(_panels(verdicts, calibrations))

    return {PREDICTED: predicted, THRESHOLDS: thresholds}


def _panels(verdicts: Sequence[Verdict], calibrations: Sequence[Calibration]) -> list[ThresholdPanel]:
    from dcrit.api.report.bibliography import short
    from dcrit.empirics.ablations.over_modulus import SERIES
    from dcrit.figures.predicted.two_thresholds import SizePoint, ThresholdPanel, published_points

    measured = list(_measured(verdicts))
    found: list[ThresholdPanel] = []
    for model, activation, width, horizon in SERIES:
        law = thresholds_of(Problem(model=model, activation=activation))
        points: list[SizePoint] = []
        for problem, steps, size, interval in measured:
            if (problem.model, problem.activation) != (model, activation):
                continue
            ratio = _ratio(problem, steps, (width, horizon), calibrations)
            if ratio is None:
                continue
            moved = None if interval is None else Interval(low=interval.low * ratio, high=interval.high * ratio)
            points.append(SizePoint(modulus=problem.n_symbols, size=size * ratio, interval=moved))
        others = published_points(published_numbers(), short) if model == "transformer" else ()
        title = f"{model}, {activation}, width {width}"
        found.append(ThresholdPanel(title=title, law=law, width=width, horizon=horizon, points=(*points, *others)))
    return found


def _measured(verdicts: Sequence[Verdict]) -> Iterator[tuple[Problem, int, float, Interval | None]]:
    """Problem, horizon, measured size and its interval of every drawn problem."""
    for one in verdicts:
        for stream in one.finding.streams:
            if not isinstance(stream, Frame) or stream not in one.finding.records:
                continue
            for drawn, row in zip(stream.drawn, one.finding.records[stream].details, strict=False):
                size, low, high = (row[name] for name in ("measured", "measured low", "measured high"))
                if not isinstance(size, float):
                    continue
                known = isinstance(low, float) and isinstance(high, float) and math.isfinite(high)
                interval = Interval(low=float(low), high=float(high)) if known else None  # type: ignore[arg-type]
                yield drawn.problem, drawn.steps or drawn.problem.horizon, size, interval


def _ratio(problem: Problem, steps: int, to: tuple[int, int], calibrations: Sequence[Calibration]) -> float | None:
    """D_crit predicted at another width and horizon over that at its own; None where nothing is predicted."""
    calibration = calibration_for(problem, calibrations)
    if calibration is None:
        return None
    width, horizon = to
    own = predict_critical_size(problem, calibration, horizon=steps).critical_size.value
    other = predict_critical_size(replace(problem, width=width), calibration, horizon=horizon).critical_size.value
    return None if own is None or other is None else other / own


def headline_of(verdicts: Sequence[Verdict], n_runs: int) -> dict[str, Any]:
    """Sentences that a report leads with, and what draws of them.

    Args:
        verdicts: Of the suite.
        n_runs: Behind them.
    """
    rulings = [one.ruling for one in verdicts]
    counts = {word: rulings.count(word) for word in ("supported", "refuted", "inconclusive")}
    return {
        "tested": (
            "Before any training, dcrit predicts the number of examples from which on a network finds the rule of a "
            f"task instead of memorizing. {len(verdicts)} claims about that, from papers and of our own, are set "
            f"against {n_runs} fresh training runs."
        ),
        "counts": counts,
        "results": [*_of_frames(verdicts), *_of_brackets(verdicts)],
    }


#: What families are called.
FAMILIES = {"mlp": "pair-MLPs", "transformer": "transformers"}


def _of_frames(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """A sentence for every claim on drawn problems."""
    for one in verdicts:
        frames = [stream for stream in one.finding.streams if isinstance(stream, Frame)]
        problems = [drawn.problem for stream in frames for drawn in stream.drawn]
        for errors in one.finding.prediction_errors():
            inside = next(entry["part"] for entry in errors["coverage"] if entry["level"] == LEVEL)
            kinds = " and ".join(FAMILIES.get(kind, kind) for kind in sorted({each.model for each in problems}))
            moduli = [each.modulus for each in problems]
            yield (
                f"{errors['n']} {kinds} at moduli {min(moduli)} to {max(moduli)} were drawn, and their critical sizes "
                f"predicted before any run of them. Predictions are off by {math.expm1(errors['rms']):.0%} (root mean "
                f"square) and by {math.expm1(errors['worst']):.0%} at worst; {round(inside * errors['n'])} of "
                f"{errors['n']} measured sizes lie inside the {LEVEL:.0%} interval."
            )


def _of_brackets(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """A sentence for the claim on sizes at both sides of predicted ones."""
    for one in verdicts:
        if one.claim.id != "dcrit-bracketed":
            continue
        told = [(condition, one.finding.records.get(condition.stream)) for _, condition, _ in one.finding.conditions]
        means = [(condition, float(np.mean(record.values))) for condition, record in told if record and record.values]
        right = sum(condition.low < mean < condition.high for condition, mean in means)
        if means:
            yield (
                "Fresh networks were trained on both sides of predicted sizes, from scratch and at rest: at "
                f"{right} of {len(means)} sizes their mean test accuracy lies on the predicted side of one half."
            )
