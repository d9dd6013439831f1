"""``dcrit predict regime``: which of the four dynamics a training set shows."""

from __future__ import annotations

from dcrit.cli.terminal import options
from dcrit.cli.terminal.calibrations import CalibrationFile, calibration_of
from dcrit.cli.terminal.output import print_json, say, table
from dcrit.theory.problems.problem import label


@options.grouped
def regime(
    *,
    n_train: options.NTrain,
    problem: options.ProblemOptions,
    horizon: options.Horizon = None,
    level: options.Level = 0.9,
    calibration: CalibrationFile = None,
    as_json: options.Json = False,
) -> None:
    """Progression, ungrokking, semi-grokking or grokking, with probabilities; or that nothing that generalizes fits."""
    from dcrit.theory.predictions.regime import REGIMES, predict_regime

    with options.bad_input():
        problem.check_n_train(n_train)
    chosen = calibration_of(problem, calibration)
    with options.bad_input():
        found = predict_regime(problem, chosen, n_train=n_train, horizon=horizon, level=level)
    chances = dict(zip(REGIMES, found.probabilities, strict=True))
    sizes = found.sizes
    if as_json:
        document = {
            "problem": problem.to_dict(),
            "n_train": n_train,
            "regime": found.most_likely,
            "probabilities": chances,
            "horizon": sizes.critical_size.horizon,
            "extrapolated": found.extrapolated,
            "level": level,
            "calibration": sizes.calibration,
        }
        for size in (sizes.onset, sizes.critical_size, sizes.completion, sizes.capacity):
            document[size.quantity] = size.to_dict()
        print_json(document)
        return
    title = f"{label(problem)}, {n_train} examples"
    table(title, ["regime", "probability"], [(name, f"{chance:.3f}") for name, chance in chances.items()])
    say(f"most likely: {found.most_likely}")
    if found.fit is not None:
        say(f"the generalizing circuit began to fit between widths {found.fit.unfit} and {found.fit.fitted}")
    say(f"calibration: {sizes.calibration}")
    if found.extrapolated:
        say("extrapolated: the question lies outside the calibrated sizes or optimizer, so draws are widened")
