"""``dcrit predict critical-size``: D_crit from a calibration, at once and without training."""

from __future__ import annotations

from typing import Annotated

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.calibrations import AskedOptions
from dcrit.cli.terminal.output import print_json, say, span_of, table
from dcrit.cli.terminal.session import session
from dcrit.theory.problems.problem import label


@options.grouped
def critical_size(
    *,
    problem: options.ProblemOptions,
    asked: AskedOptions,
    explain: Annotated[bool, typer.Option("--explain", help="Print the equations with their numbers.")] = False,
    as_json: options.Json = False,
) -> None:
    """The training-set size at which a network stops memorizing and starts generalizing.

    Prints D_crit(T) with its interval, the interval of semi-grokking around it, the size that is needed at rest, the
    capacity D_mem and the generalizing efficiency. For the tasks that ship it follows the law of two thresholds
    and a clock, with constants from runs at moduli up to 47; for others the mixture of circuits at rest.
    """
    from dcrit.api.predictions import predict

    with session():
        answer = predict(problem, **asked)
    found, record, told = answer.sizes, answer.track_record, answer.sizes.estimates()
    efficiency = told["generalizing_efficiency"]
    sizes = [told[name] for name in ("critical_size", "onset", "completion", "crossing", "capacity")]
    if as_json:
        print_json(answer.to_dict())
    else:
        after = f"test accuracy after {found.critical_size.horizon} steps passes"
        meanings = (
            f"{after} 1/2: D_crit",
            f"{after} 1/10: semi-grokking begins",
            f"{after} 9/10: semi-grokking ends",
            "both circuits equally efficient at rest: D_cross",
            "random labels that can be memorized: D_mem",
        )
        rows: list[tuple[str, float | None, str, str]] = [
            (meaning, size.value, span_of(size), size.reason) for meaning, size in zip(meanings, sizes, strict=True)
        ]
        rest = [
            ("memory turns from ordered to unordered pairs: D_sym", told.get("symmetric_size")),
            ("half is still right at rest, after data shrank: D_rest", told["at_rest"]),
            ("the mixture at rest has test accuracy 1/2", told["mixture"]),
        ]
        rows += [(meaning, size.value, span_of(size), size.reason) for meaning, size in rest if size is not None]
        if record is not None and 2 * record.n_inside < record.n_configurations:
            warning = "unreliable: most measured sizes lie outside such intervals, see the track record"
            meaning, value, interval, note = rows[0]
            rows[0] = (meaning, value, interval, f"{note}; {warning}" if note else warning)
        rows.append(
            (
                "generalizing efficiency e_gen, nats per norm^κ",
                efficiency.value,
                span_of(efficiency),
                efficiency.reason,
            )
        )
        title = f"{label(problem)} ({problem.n_params} parameters, {problem.n_pairs} pairs)"
        table(title, ["where", "value", f"{asked['level']:.0%} interval", "note"], rows)
        say(f"calibration: {found.calibration}")
        if record is not None:
            say(f"track record: {record.sentence()}")
        if found.critical_size.extrapolated:
            say("extrapolated: the question lies outside the calibrated sizes or optimizer, so intervals are widened")
    if explain:
        typer.echo(answer.explain(), err=as_json)
