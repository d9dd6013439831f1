"""``dcrit measure circuits``: both circuits of trained networks, over training."""

from __future__ import annotations

from dcrit.cli.terminal import options
from dcrit.cli.terminal.following import command_of, problem_words
from dcrit.cli.terminal.output import print_json, remark, say, span_of, table, then
from dcrit.cli.terminal.pictures import Out, check_out, draw, say_where
from dcrit.cli.terminal.session import session
from dcrit.theory.problems.problem import full_label

#: Columns of the tables over training, with the quantities they show.
BEHAVIOUR = {
    "step": "step",
    "train": "train_accuracy",
    "test": "test_accuracy",
    "train loss": "train_loss",
    "restricted": "restricted_loss",
    "excluded": "excluded_loss",
    "γ gen": "generalizing_margin",
    "γ mem": "memorizing_margin",
    "γ mem unseen": "memorizing_margin_unseen",
    "share w": "share",
}
WEIGHTS = {
    "step": "step",
    "keys": "n_keys",
    "Q gen": "generalizing_squared_norm",
    "Q mem": "memorizing_squared_norm",
    "Q mean": "constant_squared_norm",
    "Gini": "gini",
    "IPR": "participation",
}


@options.grouped
def circuits(
    *,
    n_train: options.NTrain,
    problem: options.ProblemOptions,
    seeds: options.Seeds = 5,
    seed: options.Seed = 0,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """The Fourier circuit that generalizes and the rest that memorizes, over training: losses, margins, norms.

    Needs a task that is addition in a cyclic group once symbols are renamed, as add, sub, mul and div are. The estimate
    is the generalizing share w of the margin at the end of training, beside what the theory expects. Runs are made
    anew, as the store keeps no parameters.
    """
    from dcrit.api.instruments import circuits as measure
    from dcrit.empirics.runs.outcomes import SETTLED_FRACTION

    with session():
        check_out(out)
        found = measure(problem, n_train, seeds=seeds, seed=seed)
        draw(found, out)
    if as_json:
        print_json(found.to_dict())
        return
    say(found.headline)
    measured, predicted = found.estimates.values()
    rows = found.rows or ()
    # The last tenth stands still: one row says it.
    start = problem.horizon * (1 - SETTLED_FRACTION)
    shown = [*(row for row in rows if row["step"] < start), *rows[-1:]]
    what = f"{full_label(problem)}, {n_train} examples"
    for title, columns in (("losses and margins in nats", BEHAVIOUR), ("weights", WEIGHTS)):
        table(
            f"{what}: {title}, means of {measured.n_runs} runs",
            list(columns),
            [[row[name] for name in columns.values()] for row in shown],
        )
    table(
        "generalizing share w of the margin at the end",
        ["share", "w", "90% interval", "runs", "note"],
        [
            ("measured", measured.value, span_of(measured), measured.n_runs, measured.reason),
            (
                "predicted",
                predicted.value,
                span_of(predicted),
                None,
                predicted.reason or ("extrapolated" if predicted.extrapolated else ""),
            ),
        ],
    )
    for history in found.found:
        keys = history.circuits[-1].keys if history.circuits else ()
        remark(
            f"seed {history.config.seed}: key frequencies {', '.join(map(str, keys)) or 'none'} "
            f"of 1 – {problem.n_symbols // 2}"
        )
    say_where(out)
    words = [*problem_words(problem), "-n", str(n_train)]
    then(command_of("measure", "effective-dimension", words), "count the directions that the data determine")
