"""``dcrit predict delay``: when a network memorizes, and when it generalizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcrit.cli.terminal import options
from dcrit.cli.terminal.answered import say_calibration, say_outside, show_several
from dcrit.cli.terminal.calibrations import AskedOptions
from dcrit.cli.terminal.following import command_of, horizon_words, list_of, list_words, problem_words
from dcrit.cli.terminal.output import print_json, row_of, say, span_of, table, then
from dcrit.cli.terminal.pictures import Out, check_out, draw, say_where
from dcrit.cli.terminal.session import session
from dcrit.theory.problems.problem import full_label

if TYPE_CHECKING:
    from pathlib import Path

    from dcrit.api.answers import Finding


@options.grouped
def delay(
    *,
    n_train: options.Sizes,
    problems: options.SeveralProblems,
    accuracy: options.Accuracy = 0.9,
    asked: AskedOptions,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """Steps until the training set is memorized, and until unseen examples are answered.

    Several sizes, moduli or widths are answered in one table.
    """
    from dcrit.api.answers import Finding
    from dcrit.api.headlines import chance_cell
    from dcrit.api.predictions import delay as predict

    with session():
        check_out(out)
        answer = predict(
            problems.problem, options.one_or_several(n_train), accuracy=accuracy, **problems.lists, **asked
        )
        draw(answer, out)
    if as_json:
        print_json(answer.to_dict())
        return
    interval = f"{asked['level']:.0%} interval"
    if isinstance(answer, Finding):
        _show(answer, n_train[0], accuracy, interval, asked["calibration"])
    else:

        def row(one: Finding) -> list[object]:
            memorize, generalize = one.found.memorize_steps, one.found.generalize_steps
            chance = chance_cell(one.found.probability_by_horizon)
            steps = [memorize.value, generalize.value, span_of(generalize)]
            return [*steps, one.found.horizon, chance, generalize.reason]

        columns = ["memorized at", f"test ≥ {accuracy:g} at", interval, "T", "probability by T", "note"]
        show_several(answer, columns, row)
    say_where(out)
    words = [*problem_words(problems.problem, without=problems.lists_fields), *list_words(problems.lists)]
    if "moduli" not in problems.lists:
        command = command_of("train", words, "-n", list_of(n_train), horizon_words(asked["horizon"]))
        then(command, "train it and see")


def _show(answer: Finding, n_train: int, accuracy: float, interval: str, calibration: Path | None) -> None:
    from dcrit.theory.circuits.regimes import FITTED
    from dcrit.theory.written import probability

    found = answer.found
    branches = (
        ("probability that a seed memorizes unordered pairs first", found.symmetric),
        ("the second time, where it does", found.generalize_if_symmetric),
        ("the second time, where it does not", found.generalize_if_ordered),
    )
    say(answer.headline)
    table(
        f"{full_label(answer.problem)}, {n_train} examples",
        ["until", "steps", interval, "note"],
        [
            row_of(f"train accuracy stays above {FITTED:g}", found.memorize_steps),
            row_of(f"test accuracy stays above {accuracy:g}", found.generalize_steps),
            *(row_of(name, one) for name, one in branches if one is not None),
        ],
    )
    say(
        f"Probability that it ever does: {probability(found.probability)}; within {found.horizon} steps: "
        f"{probability(found.probability_by_horizon)}."
    )
    say_calibration(answer.problem, calibration)
    say_outside(answer.to_dict()["outside"])
