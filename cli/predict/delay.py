"""``dcrit predict delay``: when a network memorizes, and when it generalizes."""

from __future__ import annotations

from typing import Any

from dcrit.cli.terminal import options
from dcrit.cli.terminal.calibrations import CalibrationFile, calibration_of
from dcrit.cli.terminal.dynamics_options import Accuracy, check_accuracy, homogeneous
from dcrit.cli.terminal.output import print_json, row_of, say, table
from dcrit.theory.problems.problem import label


@options.grouped
def delay(
    *,
    n_train: options.NTrain,
    problem: options.ProblemOptions,
    accuracy: Accuracy = 0.9,
    horizon: options.Horizon = None,
    level: options.Level = 0.9,
    calibration: CalibrationFile = None,
    as_json: options.Json = False,
) -> None:
    """Steps until the training set is memorized, and until unseen examples are answered."""
    from dcrit.theory.checks import check_level
    from dcrit.theory.circuits.regimes import FITTED
    from dcrit.theory.predictions.delay import predict_delay

    problem = homogeneous(problem)
    with options.bad_input():
        check_level(level)
        check_accuracy(accuracy)
        problem.check_n_train(n_train)
    chosen = calibration_of(problem, calibration)
    with options.bad_input():
        found = predict_delay(problem, chosen, n_train, accuracy, horizon=horizon, content=level)
    memorize, generalize = found.memorize_steps, found.generalize_steps
    if as_json:
        document: dict[str, Any] = {
            "problem": problem.to_dict(),
            "n_train": n_train,
            "memorized_accuracy": FITTED,
            "generalized_accuracy": accuracy,
            "level": level,
            "memorize_steps": memorize.to_dict(),
            "generalize_steps": generalize.to_dict(),
            "probability": found.probability,
            "probability_by_horizon": found.probability_by_horizon,
            "horizon": found.horizon,
            "extrapolated": generalize.extrapolated,
            "calibration": found.calibration,
        }
        print_json(document)
        return
    table(
        f"{label(problem)}, {n_train} examples",
        ["until", "steps", f"{level:.0%} interval", "note"],
        [
            row_of(f"train accuracy stays above {FITTED:g}", memorize),
            row_of(f"test accuracy stays above {accuracy:g}", generalize),
        ],
    )
    say(
        f"probability that it ever does: {found.probability:.2f}, within {found.horizon} steps: "
        f"{found.probability_by_horizon:.2f}"
    )
    say(f"calibration: {found.calibration}")
