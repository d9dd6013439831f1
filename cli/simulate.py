"""``dcrit simulate``: the theory's training curves of one problem."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.answered import say_calibration
from dcrit.cli.terminal.calibrations import CalibrationFile
from dcrit.cli.terminal.following import command_of, horizon_words, problem_words
from dcrit.cli.terminal.output import number, print_json, row_of, say, table, then
from dcrit.cli.terminal.pictures import Out, check_out, save, say_where
from dcrit.cli.terminal.session import session
from dcrit.theory.problems.problem import full_label

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dcrit.theory.predictions.simulation import Trajectory

#: Rows of the table of curves for people.
ROWS = 12


class CircuitsChoice(StrEnum):
    """What circuits have in common."""

    shared = "shared"
    additive = "additive"


@options.grouped
def simulate(
    *,
    n_train: options.NTrain,
    problem: options.ProblemOptions,
    steps: options.Steps = 0,
    accuracy: options.Accuracy = 0.9,
    level: options.Level = 0.9,
    circuits: Annotated[
        CircuitsChoice,
        options.one_of(
            CircuitsChoice,
            "Whether circuits share weights, as calibrated, or add up: then the winner takes all, without a clock.",
        ),
    ] = CircuitsChoice.shared,
    start_ratio: Annotated[
        float,
        options.number_of("Generalizing over memorizing amplitude at step 0; another than 0.1 sets the clock aside."),
    ] = 0.1,
    hysteresis: Annotated[
        bool,
        typer.Option("--hysteresis", help="Compare training from scratch with shrinking a grokked network's data."),
    ] = False,
    calibration: CalibrationFile = None,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """The training curves that the theory expects of one problem at one training-set size; nothing is trained.

    Test accuracy passes every level when 'dcrit predict delay' says so. The other curves are those of two competing
    circuits. Their squared norm Q falls once memory is complete: so does that of trained transformers, while that of
    trained pair-MLPs goes on rising.
    """
    from dcrit.api.predictions import simulate as predict
    from dcrit.theory.circuits.regimes import FITTED

    with session():
        check_out(out)
        asked = predict(
            problem,
            n_train,
            steps=steps,
            accuracy=accuracy,
            level=level,
            circuits=circuits.value,
            start_ratio=start_ratio,
            hysteresis=hysteresis,
            calibration=calibration,
        )
    trajectory, passed, ways = asked.found, asked.milestones, asked.hysteresis
    if out is not None:
        from dcrit.figures.predicted.simulation import new_simulation

        save(new_simulation(trajectory, title=f"{full_label(problem)}, $D={n_train}$"), out)
    document = asked.to_dict()
    if as_json:
        print_json(document | {"out": None if out is None else str(out)})
        return
    say(asked.headline)
    _tell(trajectory, f"{full_label(problem)}, {n_train} examples")
    if asked.norm_caveat:
        say(f"Note: {asked.norm_caveat}")
    say(f"train accuracy stays above {FITTED:g} from step {number(passed.memorized)}")
    say(f"test accuracy stays above {accuracy:g} from step {number(passed.generalized)}")
    size = asked.estimates["critical_size"]
    rows = [
        row_of(f"D_crit after {size.horizon} steps", size),
        row_of("D_cross, where both are as efficient at rest", asked.estimates["crossing"]),
    ]
    table("sizes, in examples", ["where", "value", f"{level:.0%} interval", "note"], rows)
    if hysteresis and ways is None:
        say(f"no sizes at 1/2 on both ways: {size.reason}")
    if ways is not None:
        ends = list(zip(ways.n_trains.tolist(), ways.scratch.tolist(), ways.ungrokking.tolist(), strict=True))
        table(
            f"test accuracy after {document['horizon']} steps",
            ["D", "from scratch", "after shrinking a grokked network's data"],
            ends,
        )
        scratch, shrunk = _flip(ways.scratch_size, ways.scratch), _flip(ways.ungrokking_size, ways.ungrokking)
        say(f"sizes at 1/2: {scratch} from scratch, {shrunk} after shrinking")
    say_calibration(problem, calibration)
    say_where(out)
    then(command_of("train", problem_words(problem), "-n", str(n_train), horizon_words(steps)), "train it and see")


def _flip(size: float | None, accuracy: NDArray[np.float64]) -> str:
    """Where a way passes one half, in words."""
    if size is not None:
        return number(size)
    return "above 1/2 at every size" if (accuracy >= 0.5).all() else "below 1/2 at every size"


def _tell(trajectory: Trajectory, title: str) -> None:
    """Some of the curves' points for people, or why there are none."""
    import numpy as np

    from dcrit.api.predictions import CURVES

    columns = ("steps", "train", "test", "train loss", "test loss", "margin gen.", "margin mem.", "Q")
    shown = (
        np.unique(np.linspace(0, len(trajectory.steps) - 1, ROWS).round().astype(int)) if len(trajectory.steps) else []
    )
    table(title, columns, [[float(getattr(trajectory, name)[k]) for name in CURVES] for k in shown])
