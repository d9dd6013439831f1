"""``dcrit plan``: what a suite or a phase diagram takes, before anything of it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.following import command_of, horizon_words, list_of, problem_words
from dcrit.cli.terminal.output import note, print_json, remark, table, then
from dcrit.cli.terminal.sentences import Branch
from dcrit.cli.terminal.session import session
from dcrit.cli.train import DeviceChoice

if TYPE_CHECKING:
    from dcrit.api.suites import Plan
    from dcrit.empirics.experiments.experiment import SuiteName

app = typer.Typer(
    cls=Branch,
    help="How many runs, FLOPs, bytes and hours a suite or a phase diagram takes at most; nothing is trained for it "
    "but some ensembles for seconds, to know how fast this machine is.",
    no_args_is_help=True,
)

Claims = Annotated[
    list[str] | None,
    typer.Option(
        "--claim", autocompletion=options.claim_ids, help="Plan only for this claim; may be given several times."
    ),
]
Workers = Annotated[
    list[int] | None,
    options.integer_of(
        "Number of workers to tell the time for, each a core or a GPU; may be given several times. Default: 1, "
        "those of this machine, 8, 64, 512."
    ),
]
Device = Annotated[
    DeviceChoice,
    options.one_of(DeviceChoice, "Where to train."),
]
Rate = Annotated[
    float | None,
    typer.Option(
        parser=options.decimal,
        metavar="FLOP/S",
        help="What one worker does in a second, for machines other than this one; default: measured here. On a core "
        "calls and evaluations count as the products that take as long; on a GPU products alone count.",
    ),
]


class MachineAsked(TypedDict):
    """Whose time is told, by the names of the library."""

    workers: Sequence[int]
    device: str
    rate: float | None


def machine_from(workers: Workers = None, device: Device = DeviceChoice.auto, rate: Rate = None) -> MachineAsked:
    """These options, as they were given."""
    return MachineAsked(workers=workers or (), device=device.value, rate=rate)


MachineOptions = Annotated[MachineAsked, options.Group(make=machine_from)]


@app.command("quick")
@options.grouped
def plan_quick(*, claim: Claims = None, machine: MachineOptions, as_json: options.Json = False) -> None:
    """What 'dcrit validate quick' takes at most."""
    _plan_suite("quick", claim, machine, as_json)


@app.command("standard")
@options.grouped
def plan_standard(*, claim: Claims = None, machine: MachineOptions, as_json: options.Json = False) -> None:
    """What 'dcrit validate standard' takes at most."""
    _plan_suite("standard", claim, machine, as_json)


@app.command("paper")
@options.grouped
def plan_paper(*, claim: Claims = None, machine: MachineOptions, as_json: options.Json = False) -> None:
    """What 'dcrit validate paper' takes at most, without a budget."""
    _plan_suite("paper", claim, machine, as_json)


@app.command("phase-diagram")
@options.grouped
def plan_phase_diagram(
    *,
    problem: options.AnyWidth,
    points: options.Points = 20,
    min_width: Annotated[int, options.integer_of("First width.")] = 4,
    max_width: Annotated[int, options.integer_of("Last width.")] = 128,
    min_n_train: Annotated[
        int | None, options.integer_of("First training-set size; default: 3 % of all pairs.")
    ] = None,
    max_n_train: Annotated[int | None, options.integer_of("Last one; default: 95 % of all pairs.")] = None,
    seeds: options.Seeds = 3,
    steps: options.Steps = 0,
    machine: MachineOptions,
    as_json: options.Json = False,
) -> None:
    """What real training of a whole plane takes: widths × sizes × seeds, both evenly spaced in their logarithms.

    It ends with the command that trains the plane, and 'dcrit predict phase-diagram --store' lays it over the theory.
    """
    from dcrit.api.suites import plan_phase_diagram as plan_of

    with session():
        found = plan_of(
            problem,
            points=points,
            min_width=min_width,
            max_width=max_width,
            min_n_train=min_n_train,
            max_n_train=max_n_train,
            seeds=seeds,
            steps=steps,
            note=note,
            **machine,
        )
    _print(found, as_json)
    if not as_json and found.plane is not None:
        words = [*problem_words(problem, without=["width"]), "-w", list_of(found.plane.widths)]
        words += ["-n", list_of(found.plane.sizes), "-s", str(seeds), *horizon_words(steps)]
        then(command_of("train", words), "train it")


def _plan_suite(name: SuiteName, claims: list[str] | None, machine: MachineAsked, as_json: bool) -> None:
    from dcrit.api.suites import plan as plan_of

    with session():
        found = plan_of(name, claims=claims or (), note=note, **machine)
    _print(found, as_json)
    if not as_json:
        then(command_of("validate", name, *(["--claim", one] for one in claims or ())), "run it")


def _print(found: Plan, as_json: bool) -> None:
    if as_json:
        print_json(found.to_dict())
        return
    _show(found)
    speed, how = found.speed, "as given"
    if found.rate_measured:
        how = (
            f"measured just now with {found.workers_here} at a time"
            if speed.device == "cpu"
            else "half of what products reach here"
        )
    remark(f"One worker does {speed.rate / 1e9:.3g} GFLOP/s, {how}.")
    remark(
        "All numbers are upper bounds: claims that are decided get no more runs, runs end early where they generalize, "
        "and those that are stored are not made again."
    )


def _show(found: Plan) -> None:
    from dcrit.empirics.training.budget import duration

    title, works, total, speed = found.title, found.works, found.total, found.speed
    unit = "core" if speed.device == "cpu" else "GPU"
    table(
        f"{title}: at most",
        [
            "claim" if title.startswith("suite") else "what",
            "runs",
            "ensembles",
            "FLOPs",
            f"{unit} time",
            "stored",
            "memory of a worker",
        ],
        [
            [
                *(name, work.n_runs, work.n_ensembles, f"{work.flops:.2g}".replace("e+", "e")),
                duration(speed.seconds(work)),
                *(f"{work.bytes_stored / 1e6:.1f} MB", f"{found.bytes_of_worker(work) / 1e6:.0f} MB"),
            ]
            for name, work in (*works.items(), *([("in all", total)] if len(works) > 1 else []))
        ],
    )
    table(
        f"{title}: until the last of some workers ends, at most",
        ["workers", "time", "workers busy"],
        [[n, duration(seconds), f"{speed.seconds(total) / (n * seconds):.0%}"] for n, seconds in found.walls.items()],
    )
