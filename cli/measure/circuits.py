"""``dcrit measure circuits`` and ``effective-dimension``: what trained networks hold, beyond their curves."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import print_json, say, span_of, table
from dcrit.theory.problems.problem import label

if TYPE_CHECKING:
    from dcrit.empirics.instruments.circuit_runs import CircuitHistory


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
    as_json: options.Json = False,
) -> None:
    """The Fourier circuit that generalizes and the rest that memorizes, over training: losses, margins, norms.

    Needs a task that is addition in a cyclic group once symbols are renamed, as add, sub, mul and div are. The estimate
    is the generalizing share w of the margin at the end of training, beside what the theory expects. Runs are made
    anew, as the store keeps no parameters.
    """
    from dcrit.empirics.instruments.circuit_runs import (
        CircuitDesign,
        circuit_histories,
        mean_over_seeds,
        measure_generalizing_share,
        predict_generalizing_share,
    )
    from dcrit.empirics.runs.outcomes import SETTLED_FRACTION
    from dcrit.empirics.training.devices import resolve_device
    from dcrit.theory.calibrations.calibration import calibration_for, shipped_calibrations

    with options.bad_input():
        options.check_trainable(problem)
        design = CircuitDesign(problem=problem, n_train=n_train, seeds=seeds)
    with display("circuits", seeds, seeds * design.configs()[0].horizon) as progress:
        histories = circuit_histories(design, device=resolve_device("auto"), progress=progress)
    measured = measure_generalizing_share(histories)
    predicted = predict_generalizing_share(problem, n_train, calibration_for(problem, shipped_calibrations()))
    rows = mean_over_seeds(histories)
    if as_json:
        print_json(
            {
                "problem": problem.to_dict(),
                "n_train": n_train,
                measured.quantity: measured.to_dict(),
                "predicted_generalizing_share": predicted.to_dict(),
                "over_training": rows,
                "runs": [_run(history) for history in histories],
            }
        )
        return
    # The last tenth stands still: one row says it.
    start = design.configs()[0].horizon * (1 - SETTLED_FRACTION)
    shown = [row for row in rows if row["step"] < start] + rows[-1:]
    what = f"{label(problem)}, {n_train} examples"
    for title, columns in (("losses and margins in nats", BEHAVIOUR), ("weights", WEIGHTS)):
        table(
            f"{what}: {title}, means of {measured.n_runs} runs",
            list(columns),
            [[row[name] for name in columns.values()] for row in shown],
        )
    table(
        "generalizing share w of the margin at the end",
        ["", "w", "90% interval", "runs", "note"],
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
    for history in histories:
        keys = history.circuits[-1].keys if history.circuits else ()
        say(
            f"seed {history.config.seed}: key frequencies {', '.join(map(str, keys)) or 'none'} "
            f"of 1 – {problem.n_symbols // 2}"
        )


def _run(history: CircuitHistory) -> dict[str, object]:
    from dcrit.empirics.instruments.circuit_runs import QUANTITIES

    return {
        "seed": history.config.seed,
        "diverged": not history.finite,
        "key_frequencies": list(history.circuits[-1].keys) if history.circuits else [],
        "frequency_power": list(history.circuits[-1].power) if history.circuits else [],
        **{name: history.settled(name) for name in QUANTITIES},
    }


@contextlib.contextmanager
def display(stage: str, n_runs: int, total: int) -> Iterator[Callable[[int], None]]:
    """Shows on standard error how far work is; what it yields is told how much was just finished.

    Args:
        stage: What the work is.
        n_runs: Networks.
        total: All of the work, in the units that are reported.
    """
    from dcrit.empirics.training.progress import SweepDisplay
    from dcrit.empirics.training.sweep import SweepProgress

    done = 0
    with SweepDisplay() as bars:
        report = bars.stage(stage)

        def tell(runs_done: int) -> None:
            report(SweepProgress(done=done, total=total, runs_done=runs_done, runs_total=n_runs, runs_reused=0))

        def progress(finished: int) -> None:
            nonlocal done
            done += finished
            tell(0)

        tell(0)
        yield progress
        done = total
        tell(n_runs)
