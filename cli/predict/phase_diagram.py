"""``dcrit predict phase-diagram``: the plane of model size and training-set size."""

from __future__ import annotations

from dcrit.cli.terminal import options
from dcrit.cli.terminal.calibrations import AskedOptions, WidthOptions
from dcrit.cli.terminal.names import name_of
from dcrit.cli.terminal.output import print_json, row_of, say, span, table
from dcrit.cli.terminal.pictures import Out, check_out, save
from dcrit.cli.terminal.session import session
from dcrit.theory.problems.problem import label

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
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """Both curves over model size, the star where they cross, and the regime of every point of the plane.

    The width of the problem that --json prints plays no part.
    """
    import numpy as np

    from dcrit.api.predictions import phase_diagram as predict

    with session():
        check_out(out)
        answer = predict(
            problem,
            **widths,
            **asked,
        )
    found = answer.diagram
    if out is not None:
        from dcrit.figures.drawing import canvas, style
        from dcrit.figures.predicted.phase_diagram import draw_phase_diagram

        with style.context():
            figure = canvas.new_figure(style.DOUBLE * 0.75, 3.8)
            draw_phase_diagram(figure.subplots(), found)
            canvas.legend(figure, columns=4)
            save(figure, out)
    if as_json:
        print_json(answer.to_dict() | {"out": None if out is None else str(out)})
        return
    after = f"D_crit after {found.horizon} steps"
    table(
        f"{label(problem, width=False)}: the star, where D_mem meets {after}",
        ["where", "value", f"{asked['level']:.0%} interval", "note"],
        [row_of(name_of(name), value) for name, value in answer.star.items()],
    )
    far = found.extrapolated
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
            f"does not fit: {found.unfit[k]:.2f}" if found.unfit[k] else "",
            "yes" if far[k] else "no",
        )
        for k in np.unique(np.linspace(0, len(found.widths) - 1, ROWS).round().astype(int))
    ]
    columns = ["width", "N", "D_crit", "interval", "D_mem", "interval", "generalizing circuit", "extrapolated"]
    table(f"both curves, {after}", columns, rows)
    say(f"calibration: {found.calibration}")
    if out is not None:
        say(str(out))
