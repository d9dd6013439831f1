"""``dcrit predict phase-diagram``: the plane of model size and training-set size."""

from __future__ import annotations

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
    from dcrit.api.predictions import Diagram

#: Rows of the table for people.
ROWS = 12


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
    if answer.runs is not None:
        _show_runs(answer, str(store))
    say_calibration(problem, asked["calibration"])
    say_outside(answer.outside)
    say_where(out)
    words = problem_words(problem, without=["width"])
    then(
        command_of("plan", "phase-diagram", words, "--points", "6", ["--steps", str(found.horizon)]),
        "see what it costs to train such a plane, and with which command",
    )


def _show_runs(answer: Diagram, store: str) -> None:
    """What the runs of a folder show, beside the regime that is predicted there."""
    from dcrit.empirics.measures.beside import told
    from dcrit.empirics.measures.in_plane import as_predicted

    points, found = answer.points, answer.diagram
    if not points:
        say_none_beside(store, answer.left_out)
        return
    inside = [one for one in points if one["predicted"] is not None]
    agree = sum(as_predicted(one["dynamics"], one["predicted"]) for one in inside)
    table(
        f"your runs in {store}, from scratch, after {found.horizon} steps",
        ["width", "D", "runs", "test", "most show", "predicted"],
        [
            [
                *(one[name] for name in ("width", "n_train", "n_runs", "test_accuracy", "dynamics")),
                one["predicted"] and shown_from_scratch(one["predicted"]),
            ]
            for one in points
        ],
    )
    say(f"Of {store}, {told(len(answer.runs or ()), answer.left_out)}.")
    say(f"At {agree} of {len(inside)} points most runs show what is most likely there.")
