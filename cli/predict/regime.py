"""``dcrit predict regime``: which of the four dynamics a training set shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcrit.cli.terminal import options
from dcrit.cli.terminal.answered import say_calibration, say_outside, say_record, show_several
from dcrit.cli.terminal.calibrations import AskedOptions
from dcrit.cli.terminal.following import command_of, horizon_words, list_of, list_words, problem_words
from dcrit.cli.terminal.output import print_json, remark, say, table, then
from dcrit.cli.terminal.pictures import Out, check_out, draw, say_where
from dcrit.cli.terminal.session import session
from dcrit.theory.problems.problem import full_label

if TYPE_CHECKING:
    from pathlib import Path

    from dcrit.api.answers import Finding


@options.grouped
def regime(
    *,
    n_train: options.Sizes,
    problems: options.SeveralProblems,
    asked: AskedOptions,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """Progression, ungrokking, semi-grokking or grokking, with probabilities; or that nothing that generalizes fits.

    In the regime called ungrokking, below D_crit, training from scratch shows memorization. A network that generalizes
    loses the rule only once its examples are fewer than D_rest.
    Several sizes, moduli or widths are answered in one table. The first line says a regime as it is from probability
    0.9 on, and as more likely than not from 0.5 on; below that it says that it cannot tell.
    """
    from dcrit.api.answers import Finding
    from dcrit.api.headlines import chance_cell
    from dcrit.api.predictions import regime as predict
    from dcrit.theory.circuits.regimes import DYNAMICS, region_label

    with session():
        check_out(out)
        answer = predict(problems.problem, options.one_or_several(n_train), **problems.lists, **asked)
        draw(answer, out)
    if as_json:
        print_json(answer.to_dict())
        return
    if isinstance(answer, Finding):
        _show(answer, n_train[0], asked["calibration"])
    else:
        chances = [one.to_dict()["probabilities"] for one in answer.answers]
        # The four dynamics always, and what else has a chance somewhere.
        shown = [name for k, name in enumerate(chances[0]) if k < len(DYNAMICS) or any(one[name] for one in chances)]
        columns = [region_label(name) for name in shown]
        show_several(answer, columns, lambda one: [chance_cell(one.to_dict()["probabilities"][name]) for name in shown])
    say_where(out)
    words = [*problem_words(problems.problem, without=problems.lists_fields), *list_words(problems.lists)]
    if "moduli" not in problems.lists:
        command = command_of("train", words, "-n", list_of(n_train), horizon_words(asked["horizon"]))
        then(command, "train it and see")


def _show(answer: Finding, n_train: int, calibration: Path | None) -> None:
    from dcrit.api.headlines import chance_cell
    from dcrit.api.predictions import chosen_calibration
    from dcrit.theory.calibrations.track_record import track_record
    from dcrit.theory.circuits.regimes import region_label

    found, document = answer.found, answer.to_dict()
    say(answer.headline)
    title = f"{full_label(answer.problem)}, {n_train} examples, after {document['horizon']} steps"
    rows = [(region_label(name), chance_cell(chance)) for name, chance in document["probabilities"].items()]
    table(title, ["regime", "probability"], rows)
    if found.fit is not None:
        remark(f"The generalizing circuit began to fit between widths {found.fit.unfit} and {found.fit.fitted}.")
    chosen = chosen_calibration(answer.problem, calibration)
    say_calibration(answer.problem, chosen)
    say_record(track_record(chosen))
    say_outside(document["outside"])
