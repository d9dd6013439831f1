"""``dcrit predict regime``: which of the four dynamics a training set shows."""

from __future__ import annotations

from dcrit.cli.terminal import options
from dcrit.cli.terminal.calibrations import AskedOptions
from dcrit.cli.terminal.output import print_json, say, table
from dcrit.cli.terminal.session import session
from dcrit.theory.problems.problem import label


@options.grouped
def regime(
    *,
    n_train: options.NTrain,
    problem: options.ProblemOptions,
    asked: AskedOptions,
    as_json: options.Json = False,
) -> None:
    """Progression, ungrokking, semi-grokking or grokking, with probabilities; or that nothing that generalizes fits."""
    from dcrit.api.predictions import regime as predict

    with session():
        answer = predict(problem, n_train, **asked)
    document = answer.to_dict()
    if as_json:
        print_json(document)
        return
    found, chances = answer.found, document["probabilities"]
    title = f"{label(problem)}, {n_train} examples, after {found.sizes.critical_size.horizon} steps"
    table(title, ["regime", "probability"], [(name, f"{chance:.3f}") for name, chance in chances.items()])
    say(f"most likely: {found.most_likely}")
    if found.fit is not None:
        say(f"the generalizing circuit began to fit between widths {found.fit.unfit} and {found.fit.fitted}")
    say(f"calibration: {found.sizes.calibration}")
    if found.extrapolated:
        say("extrapolated: the question lies outside the calibrated sizes or optimizer, so draws are widened")
