"""``dcrit predict delay``: when a network memorizes, and when it generalizes."""

from __future__ import annotations

from dcrit.cli.terminal import options
from dcrit.cli.terminal.calibrations import AskedOptions
from dcrit.cli.terminal.output import print_json, row_of, say, table
from dcrit.cli.terminal.session import session
from dcrit.theory.problems.problem import label


@options.grouped
def delay(
    *,
    n_train: options.NTrain,
    problem: options.ProblemOptions,
    accuracy: options.Accuracy = 0.9,
    asked: AskedOptions,
    as_json: options.Json = False,
) -> None:
    """Steps until the training set is memorized, and until unseen examples are answered."""
    from dcrit.api.predictions import delay as predict
    from dcrit.theory.circuits.regimes import FITTED

    with session():
        answer = predict(problem, n_train, accuracy=accuracy, **asked)
    if as_json:
        print_json(answer.to_dict())
        return
    found = answer.found
    branches = (
        ("probability that a seed memorizes unordered pairs first", found.symmetric),
        ("the second time, where it does", found.generalize_if_symmetric),
        ("the second time, where it does not", found.generalize_if_ordered),
    )
    table(
        f"{label(problem)}, {n_train} examples",
        ["until", "steps", f"{asked['level']:.0%} interval", "note"],
        [
            row_of(f"train accuracy stays above {FITTED:g}", found.memorize_steps),
            row_of(f"test accuracy stays above {accuracy:g}", found.generalize_steps),
            *(row_of(name, one) for name, one in branches if one is not None),
        ],
    )
    say(
        f"probability that it ever does: {found.probability:.2f}, within {found.horizon} steps: "
        f"{found.probability_by_horizon:.2f}"
    )
    say(f"calibration: {found.calibration}")
