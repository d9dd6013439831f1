"""``dcrit predict critical-size``: D_crit from a calibration, at once and without training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.answered import say_calibration, say_outside, say_record, show_several
from dcrit.cli.terminal.calibrations import AskedOptions
from dcrit.cli.terminal.following import command_of, horizon_words, list_words, problem_words
from dcrit.cli.terminal.output import print_json, say, span_of, table, then
from dcrit.cli.terminal.pictures import Out, check_out, draw, say_where
from dcrit.cli.terminal.session import session
from dcrit.theory.problems.problem import full_label
from dcrit.theory.written import number

if TYPE_CHECKING:
    from dcrit.api.predictions import Prediction
    from dcrit.api.several import Answers


@options.grouped
def critical_size(
    *,
    problems: options.SeveralProblems,
    asked: AskedOptions,
    explain: Annotated[
        bool, typer.Option("--explain", help="Print the equations with their numbers, and what cannot be told.")
    ] = False,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """The training-set size at which a network stops memorizing and starts generalizing.

    Prints D_crit(T) with its interval, the interval of semi-grokking around it, the size that is needed at rest, the
    capacity D_mem and the generalizing efficiency. For the tasks that ship it follows the law of two thresholds
    and a clock, with constants from runs at moduli up to 47; for others the mixture of circuits at rest. Several moduli
    or widths are answered in one table.
    """
    from dcrit.api.predictions import Prediction, predict

    with session():
        check_out(out)
        answer = predict(problems.problem, **problems.lists, **asked)
        draw(answer, out)
    each = [answer] if isinstance(answer, Prediction) else answer.answers
    if as_json:
        print_json(answer.to_dict())
    elif isinstance(answer, Prediction):
        _show(answer, f"{asked['level']:.0%} interval", explain=explain)
    else:
        _show_several(answer, f"{asked['level']:.0%} interval")
    if explain:
        for one in each:
            typer.echo(one.explain(), err=as_json)
    if not as_json:
        say_where(out)
        words = [*problem_words(problems.problem, without=problems.lists_fields), *list_words(problems.lists)]
        then(command_of("measure", "critical-size", words, horizon_words(asked["horizon"])), "train and measure it")


#: What rows are called, T being the horizon [steps]; those of circuits at rest are calibrated in a narrower range.
MEANINGS = {
    "critical_size": "D_crit: accuracy 0.5 after {T} steps",
    "onset": "accuracy 0.1 after {T} steps: semi-grokking",
    "completion": "accuracy 0.9 after {T} steps: grokking",
    "at_rest": "D_rest, at rest: accuracy 0.5 is kept",
    "capacity": "D_mem: random labels are memorized",
    "symmetric_size": "D_sym: unordered pairs are memorized",
    "crossing": "D_cross, at rest: equally efficient circuits",
    "mixture": "the mixture at rest: accuracy 0.5",
}

#: Quantities of circuits at rest, in the order of the answer, as a sentence names them.
CIRCUITS = {"crossing": "D_cross", "mixture": "the mixture at rest", "generalizing_efficiency": "e_gen"}


def _show(answer: Prediction, interval: str, *, explain: bool) -> None:
    found, record, told, problem = answer.sizes, answer.track_record, answer.sizes.estimates(), answer.problem
    # What lies too far outside to be told is one sentence, and what is said below of all rows is no note.
    far = [name for name in CIRCUITS if told[name].value is None and getattr(found, name).value is not None]
    outside, records = "; ".join(answer.outside), {} if record is None else record.by_size()

    def note_of(name: str) -> str:
        one, size = records.get(name), told[name]
        reasons = [size.reason if size.reason != outside else ""]
        if size.value is not None and one is not None and one.is_overconfident:
            reasons.append(
                f"unreliable: {one.n_inside} of {one.n_configurations} measured sizes lay inside 90 % intervals"
            )
        if name == "capacity" and size.value is not None and size.value > problem.n_pairs:
            reasons.append("more than there are pairs: all that are trained on can be memorized")
        return "; ".join(filter(None, reasons))

    rows = [
        [meaning.format(T=found.critical_size.horizon), told[name].value, span_of(told[name]), note_of(name)]
        for name, meaning in MEANINGS.items()
        if name in told and name not in far
    ]
    say(answer.brief)
    model = f"{problem.family.label}, {problem.n_params} parameters, {problem.n_pairs} pairs"
    title = f"{full_label(problem)} ({model})"
    table(title, ["training-set size D", "value", interval, "note"], rows)
    rates = {"η": problem.learning_rate, "λ": problem.weight_decay, "β₂": problem.beta2, "ε": problem.epsilon}
    said = ", ".join(f"{name} = {number(value)}" for name, value in rates.items())
    say(f"Accuracy is the mean over seeds, on all unseen pairs. AdamW with {said}, all examples in every step.")
    say_outside(answer.outside)
    efficiency = told["generalizing_efficiency"]
    if efficiency.value is not None:
        more = f"; {efficiency.reason}" if efficiency.reason else ""
        value = f"{number(efficiency.value)} ({interval} {span_of(efficiency)})"
        say(f"Generalizing efficiency e_gen = {value} nats per norm^κ{more}.")
    say_calibration(problem, answer.calibration)
    say_record(record)
    # What nobody asked for is not missed either.
    if far and explain:
        named = ", ".join(CIRCUITS[name] for name in far)
        say(f"Too far outside the calibration to tell: {named}; {'; '.join(found.outside)}.")


def _show_several(answer: Answers[Prediction], interval: str) -> None:
    def row(one: Prediction) -> list[object]:
        told = one.sizes.estimates()
        size, rest, memory = told["critical_size"], told["at_rest"], told["capacity"]
        note = size.reason or "; ".join(one.outside)
        return [size.horizon, size.value, span_of(size), rest.value, memory.value, note]

    show_several(answer, ["T", "D_crit", interval, "D_rest", "D_mem", "note"], row)
    for one in {one.calibration.name: one for one in answer.answers}.values():
        say_calibration(one.problem, one.calibration)
