"""``dcrit predict phase-diagram``: the plane of model size and training-set size."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dcrit.cli.terminal import options
from dcrit.cli.terminal.answered import say_calibration, say_none_beside, say_outside
from dcrit.cli.terminal.calibrations import AskedOptions, WidthOptions
from dcrit.cli.terminal.following import command_of, problem_words
from dcrit.cli.terminal.names import name_of
from dcrit.cli.terminal.output import print_json, row_of, say, span, table, then
from dcrit.cli.terminal.pictures import Out, check_out, draw, say_where
from dcrit.cli.terminal.session import session
from dcrit.theory.circuits.regimes import shown_from_scratch
from dcrit.theory.problems.problem import full_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from dcrit.api.predictions import Diagram

#: Rows of the table for people.
ROWS = 12

#: Points whose runs show something else than is most likely, as many as are told one by one.
NAMED = 3


def ends(low: float, high: float, *, far: bool) -> str:
    """An interval for people, as long as it says something."""
    from dcrit.theory.calibrations.thresholds import WIDEST

    return "cannot tell" if far and not high <= WIDEST * low else span(low, high)


@options.grouped
def phase_diagram(
    *,
    problem: options.AnyWidth,
    widths: WidthOptions,
    asked: AskedOptions,
    store: options.OverTheory = None,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """Both curves over model size, the star where they cross, and the regime of every point of the plane.

    In the regime called ungrokking, below D_crit, training from scratch shows memorization. A network that generalizes
    loses the rule only once its examples are fewer than D_rest.
    The width of the problem that --json prints plays no part.
    """
    import numpy as np

    from dcrit.api.predictions import phase_diagram as predict
    from dcrit.theory.written import probability

    with session():
        check_out(out)
        answer = predict(problem, **widths, **asked, store=store)
        draw(answer, out)
    found = answer.diagram
    if as_json:
        print_json(answer.to_dict() | {"out": None if out is None else str(out)})
        return
    say(answer.headline)
    after = f"D_crit after {found.horizon} steps"
    table(
        f"{full_label(problem, width=False)}: the star, where D_mem meets {after}",
        ["where", "value", f"{asked['level']:.0%} interval", "note"],
        [row_of(name_of(name), value) for name, value in answer.star.items()],
    )
    far = [bool(one) for one in found.extrapolated]
    spans = [
        [ends(float(low), float(high), far=out_of_range) for low, high, out_of_range in zip(*curve, far, strict=True)]
        for curve in ((found.critical_low, found.critical_high), (found.capacity_low, found.capacity_high))
    ]
    rows = [
        (
            *(int(found.widths[k]), int(found.n_params[k])),
            *(float(found.critical_size[k]), spans[0][k]),
            *(float(found.capacity[k]), spans[1][k]),
            "; ".join(
                [
                    *(
                        [f"the generalizing circuit does not fit with probability {probability(float(found.unfit[k]))}"]
                        if found.unfit[k]
                        else []
                    ),
                    *(["outside the calibration"] if far[k] else []),
                ]
            ),
        )
        for k in np.unique(np.linspace(0, len(found.widths) - 1, ROWS).round().astype(int))
    ]
    columns = ["width", "N", "D_crit", "interval", "D_mem", "interval", "note"]
    table(f"both curves, {after}", columns, rows)
    points = answer.points
    # Where seeds are divided, none of it is what most of them show.
    agreed = [one for one in points if one["predicted"] is not None and 2 * one["n_showing"] > one["n_runs"]]
    surprises = _surprises(answer, agreed, asked["calibration"])
    if answer.runs is not None:
        _show_runs(answer, str(store), points, len(agreed), surprises)
    say_calibration(problem, asked["calibration"])
    say_outside(answer.outside)
    say_where(out)
    words = problem_words(problem, without=["width"])
    ends_at = ["--steps", str(found.horizon)]
    if surprises:
        first, _ = surprises[0]
        place = ["-w", str(first["width"]), "-n", str(first["n_train"])]
        then(command_of("predict", "regime", words, place, ends_at), "see how sure the regime is there")
    else:
        then(
            command_of("plan", "phase-diagram", words, "--points", "6", ends_at),
            "see what it costs to train such a plane, and with which command",
        )


def _surprises(
    answer: Diagram, points: Sequence[Mapping[str, Any]], calibration: Path | None
) -> list[tuple[Mapping[str, Any], float]]:
    """Points whose runs show what is not most likely there, and how likely it is; the least likely first."""
    from dcrit.api.predictions import regime
    from dcrit.empirics.measures.in_plane import as_predicted

    found = answer.diagram
    others: list[tuple[Mapping[str, Any], float]] = []
    for one in points:
        shown = one["dynamics"]
        if as_predicted(shown, one["predicted"]):
            continue
        # The plane has the regime of the nearest of its points, which may be another.
        problem = replace(found.problem, width=one["width"])
        asked = regime(problem, one["n_train"], horizon=found.horizon, calibration=calibration)
        chances = asked.to_dict()["probabilities"]
        if not as_predicted(shown, max(chances, key=chances.__getitem__)):
            others.append((one, sum(chance for region, chance in chances.items() if as_predicted(shown, region))))
    return sorted(others, key=lambda other: other[1])


def _show_runs(
    answer: Diagram,
    store: str,
    points: Sequence[Mapping[str, Any]],
    n_agreed: int,
    others: Sequence[tuple[Mapping[str, Any], float]],
) -> None:
    """What the runs of a folder show, beside the regime that is predicted there.

    Args:
        answer: The plane with its runs.
        store: The folder.
        points: Places of the runs.
        n_agreed: Those inside the plane where more than half of the seeds show the same.
        others: Of these, where that is not most likely, and how likely it is.
    """
    from dcrit.empirics.measures.beside import told
    from dcrit.theory.written import probability

    if not points:
        say_none_beside(store, answer.left_out)
        return
    table(
        f"your runs in {store}, from scratch, after {answer.diagram.horizon} steps",
        ["width", "D", "test", "most show", "so many", "predicted"],
        [
            [
                *(one[name] for name in ("width", "n_train", "test_accuracy", "dynamics")),
                f"{one['n_showing']} of {one['n_runs']}",
                one["predicted"] and shown_from_scratch(one["predicted"]),
            ]
            for one in points
        ],
    )
    say(f"Of {store}, {told(len(answer.runs or ()), answer.left_out)}.")
    n_inside = sum(one["predicted"] is not None for one in points)
    if n_agreed < n_inside:
        say(f"At {n_inside - n_agreed} of {n_inside} points no more than half of the runs show the same.")
    if n_inside < len(points):
        say(f"{len(points) - n_inside} of {len(points)} points lie outside of the plane.")
    if not n_agreed:
        return
    say(
        f"At {n_agreed - len(others)} of {n_agreed} points most runs show what is most likely there"
        + "".join(
            f"; at width {one['width']}, D = {one['n_train']} they show {one['dynamics']}, which has probability "
            f"{probability(chance)} there"
            for one, chance in others[:NAMED]
        )
        + (f"; and not at {len(others) - NAMED} more" if len(others) > NAMED else "")
        + "."
    )
