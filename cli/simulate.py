"""``dcrit simulate``: the theory's training curves of one problem."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.calibrations import CalibrationFile, calibration_of
from dcrit.cli.terminal.dynamics_options import Accuracy, check_accuracy, homogeneous
from dcrit.cli.terminal.output import number, print_json, row_of, say, table
from dcrit.cli.terminal.pictures import Out, check_out, save
from dcrit.theory.checks import FieldError
from dcrit.theory.problems.problem import label

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dcrit.theory.predictions.simulation import Hysteresis, Trajectory

#: Sizes at which both ways are compared, and the smallest of them as a fraction of all pairs.
SIZES, SMALLEST_FRACTION = 25, 0.03

#: Rows of the table of curves for people.
ROWS = 12

#: Longest horizon that is simulated [steps].
LONGEST = 10**9

#: Curves that are printed, in the order of the columns.
CURVES = (
    *("steps", "train_accuracy", "test_accuracy", "train_loss", "test_loss"),
    *("generalizing_margin", "memorizing_margin", "squared_norm"),
)


class CircuitsChoice(StrEnum):
    """What circuits have in common."""

    shared = "shared"
    additive = "additive"


@options.grouped
def simulate(
    *,
    n_train: options.NTrain,
    problem: options.ProblemOptions,
    steps: Annotated[
        int, typer.Option(parser=options.integer, metavar="INTEGER", help="Horizon; 0 for the protocol's 40/(ηλ).")
    ] = 0,
    accuracy: Accuracy = 0.9,
    level: options.Level = 0.9,
    circuits: Annotated[
        CircuitsChoice,
        options.one_of(
            CircuitsChoice, "Whether circuits share weights, as calibrated, or add up, so that the winner takes all."
        ),
    ] = CircuitsChoice.shared,
    start_ratio: Annotated[
        float,
        typer.Option(
            parser=options.decimal, metavar="NUMBER", help="Generalizing over memorizing amplitude at step 0."
        ),
    ] = 0.1,
    hysteresis: Annotated[
        bool,
        typer.Option("--hysteresis", help="Compare training from scratch with shrinking a grokked network's data."),
    ] = False,
    calibration: CalibrationFile = None,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """The training curves that the theory expects of one problem at one training-set size; nothing is trained."""
    import numpy as np

    from dcrit.theory.checks import check_level, check_positive
    from dcrit.theory.circuits.regimes import FITTED
    from dcrit.theory.predictions.critical_size import predict_critical_size
    from dcrit.theory.predictions.delay import Start
    from dcrit.theory.predictions.simulation import flow_at, grokking_delay, ungrokking_and_scratch
    from dcrit.theory.predictions.simulation import simulate as simulated

    problem = homogeneous(problem)
    shared = circuits is CircuitsChoice.shared
    with options.bad_input():
        problem.check_n_train(n_train)
        check_accuracy(accuracy)
        check_level(level)
        check_positive("start_ratio", start_ratio)
        start = Start(generalizing=start_ratio)
        check_out(out)
        if not 0 <= steps <= LONGEST:
            raise FieldError("steps", f"be an integer from 0 to {LONGEST}", steps)
    chosen = calibration_of(problem, calibration)
    with options.bad_input():
        found = predict_critical_size(problem, chosen, level=level)
        competing = flow_at(problem, found.from_scratch, n_train, shared=shared)
        horizon = steps or competing.horizon
        trajectory = simulated(competing, start, steps=horizon)
        ways: Hysteresis | None = None
        if hysteresis:
            sizes = np.geomspace(max(1.0, SMALLEST_FRACTION * problem.n_pairs), problem.n_pairs, SIZES)
            ways = ungrokking_and_scratch(problem, found.competition, sizes, shared=shared, start=start, steps=horizon)
    passed = grokking_delay(trajectory, level=accuracy)
    if out is not None:
        from dcrit.figures.predicted.simulation import new_simulation

        save(new_simulation(trajectory, title=f"{label(problem)}, $D={n_train}$"), out)
    if as_json:
        document: dict[str, Any] = {
            "problem": problem.to_dict(),
            "n_train": n_train,
            "horizon": horizon,
            "memorized_accuracy": FITTED,
            "generalized_accuracy": accuracy,
            "circuits": circuits.value,
            "start_ratio": start_ratio,
            "memorized_at": passed.memorized,
            "generalized_at": passed.generalized,
            "delay": passed.delay,
            "level": level,
            "critical_size": found.critical_size.to_dict(),
            "crossing": found.crossing.to_dict(),
            "reason": trajectory.reason,
            "curves": {name: getattr(trajectory, name).tolist() for name in CURVES},
            "hysteresis": None if ways is None else _fields(ways),
            "calibration": found.calibration,
            "out": None if out is None else str(out),
        }
        print_json(document)
        return
    _tell(trajectory, f"{label(problem)}, {n_train} examples")
    say(f"train accuracy stays above {FITTED:g} from step {number(passed.memorized)}")
    say(f"test accuracy stays above {accuracy:g} from step {number(passed.generalized)}")
    rows = [row_of("D_crit", found.critical_size), row_of("D_cross, where both are as efficient", found.crossing)]
    table("sizes, in examples", ["where", "value", f"{level:.0%} interval", "note"], rows)
    if ways is not None:
        ends = list(zip(ways.n_trains.tolist(), ways.scratch.tolist(), ways.ungrokking.tolist(), strict=True))
        table("final test accuracy", ["D", "from scratch", "after shrinking a grokked network's data"], ends)
        scratch, shrunk = _flip(ways.scratch_size, ways.scratch), _flip(ways.ungrokking_size, ways.ungrokking)
        say(f"sizes at 1/2: {scratch} from scratch, {shrunk} after shrinking")
    say(f"calibration: {found.calibration}")
    if out is not None:
        say(str(out))


def _fields(ways: Hysteresis) -> dict[str, Any]:
    """Both ways as JSON values."""
    return {
        "n_trains": ways.n_trains.tolist(),
        "scratch": ways.scratch.tolist(),
        "ungrokking": ways.ungrokking.tolist(),
        "scratch_size": ways.scratch_size,
        "ungrokking_size": ways.ungrokking_size,
    }


def _flip(size: float | None, accuracy: NDArray[np.float64]) -> str:
    """Where a way passes one half, in words."""
    if size is not None:
        return number(size)
    return "above 1/2 at every size" if (accuracy >= 0.5).all() else "below 1/2 at every size"


def _tell(trajectory: Trajectory, title: str) -> None:
    """Some of the curves' points for people, or why there are none."""
    import numpy as np

    if trajectory.reason:
        say(trajectory.reason)
    columns = ("steps", "train", "test", "train loss", "test loss", "margin gen.", "margin mem.", "Q")
    shown = (
        np.unique(np.linspace(0, len(trajectory.steps) - 1, ROWS).round().astype(int)) if len(trajectory.steps) else []
    )
    table(title, columns, [[float(getattr(trajectory, name)[k]) for name in CURVES] for k in shown])
