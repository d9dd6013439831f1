"""``dcrit plan``: what a suite or a phase diagram takes, before anything of it runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.options import check_widths
from dcrit.cli.terminal.output import print_json, say, table
from dcrit.cli.train import DeviceChoice
from dcrit.theory.problems.problem import label

if TYPE_CHECKING:
    from dcrit.empirics.experiments.experiment import SuiteName
    from dcrit.empirics.training.budget import Speed
    from dcrit.empirics.training.work import Stage, Work

app = typer.Typer(
    help="How many runs, FLOPs, bytes and hours a suite or a phase diagram takes at most; nothing is trained for it "
    "but some ensembles for seconds, to know how fast this machine is.",
    no_args_is_help=True,
)

#: Numbers of workers that times are told for, beside the number of this machine's.
WORKERS = (1, 8, 64, 512)

Claims = Annotated[
    list[str] | None, typer.Option("--claim", help="Plan only for this claim; may be given several times.")
]
Workers = Annotated[
    list[int] | None,
    typer.Option(
        parser=options.integer,
        metavar="INTEGER",
        help="Number of workers to tell the time for, each a core or a GPU; may be given several times. Default: 1, "
        "those of this machine, 8, 64, 512.",
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


@app.command("quick")
def plan_quick(
    claim: Claims = None,
    workers: Workers = None,
    device: Device = DeviceChoice.auto,
    rate: Rate = None,
    as_json: options.Json = False,
) -> None:
    """What 'dcrit validate quick' takes at most."""
    _plan_suite("quick", claim, workers, device, rate, as_json)


@app.command("standard")
def plan_standard(
    claim: Claims = None,
    workers: Workers = None,
    device: Device = DeviceChoice.auto,
    rate: Rate = None,
    as_json: options.Json = False,
) -> None:
    """What 'dcrit validate standard' takes at most."""
    _plan_suite("standard", claim, workers, device, rate, as_json)


@app.command("paper")
def plan_paper(
    claim: Claims = None,
    workers: Workers = None,
    device: Device = DeviceChoice.auto,
    rate: Rate = None,
    as_json: options.Json = False,
) -> None:
    """What 'dcrit validate paper' takes at most, without a budget."""
    _plan_suite("paper", claim, workers, device, rate, as_json)


@app.command("phase-diagram")
@options.grouped
def plan_phase_diagram(
    *,
    problem: options.AnyWidth,
    points: options.Points = 20,
    min_width: Annotated[int, typer.Option(parser=options.integer, metavar="INTEGER", help="First width.")] = 4,
    max_width: Annotated[int, typer.Option(parser=options.integer, metavar="INTEGER", help="Last width.")] = 128,
    min_n_train: Annotated[
        int | None,
        typer.Option(
            parser=options.integer, metavar="INTEGER", help="First training-set size; default: 3 % of all pairs."
        ),
    ] = None,
    max_n_train: Annotated[
        int | None,
        typer.Option(parser=options.integer, metavar="INTEGER", help="Last one; default: 95 % of all pairs."),
    ] = None,
    seeds: Annotated[
        int, typer.Option(parser=options.integer, metavar="INTEGER", help="Runs per point, at least 2.")
    ] = 3,
    steps: Annotated[
        int, typer.Option(parser=options.integer, metavar="INTEGER", help="Horizon; 0 for the protocol's 40/(ηλ).")
    ] = 0,
    workers: Workers = None,
    device: Device = DeviceChoice.auto,
    rate: Rate = None,
    as_json: options.Json = False,
) -> None:
    """What real training of a whole plane takes: widths × sizes × seeds, both evenly spaced in their logarithms."""
    from dcrit.empirics.experiments.size_grid import GridDesign, plane_of, stages

    with options.bad_input():
        check_widths(min_width, max_width, points)
        first = max(1, round(0.03 * problem.n_pairs)) if min_n_train is None else min_n_train
        last = max(first + 1, round(0.95 * problem.n_pairs)) if max_n_train is None else max_n_train
        plane = plane_of(
            problem, points=points, widths=(min_width, max_width), sizes=(first, last), seeds=seeds, steps=steps
        )
    title = f"phase diagram of {label(problem, width=False)}"
    _plan(title, {"plane": stages(GridDesign(planes=(plane,)))}, workers, device, rate, as_json)


def _plan_suite(
    name: SuiteName,
    claims: list[str] | None,
    workers: list[int] | None,
    device: DeviceChoice,
    rate: float | None,
    as_json: bool,
) -> None:
    from dcrit.empirics.claims.suites import select, suite_of

    with options.bad_input():
        suite = select(suite_of(name), tuple(claims or ()))
    stages = {one.name: one.stages(one.designs[suite.name]) for one in suite.experiments}
    _plan(f"suite {name}", stages, workers, device, rate, as_json)


def _plan(
    title: str,
    stages: Mapping[str, Sequence[Stage]],
    workers: list[int] | None,
    device: DeviceChoice,
    rate: float | None,
    as_json: bool,
) -> None:
    from dcrit.empirics.training.work import Work, work_of

    with options.bad_input():
        speed, here = _speed(device, rate, workers or ())
    works = {name: work_of(own, speed.device) for name, own in stages.items()}
    total = sum(works.values(), Work())
    waits = [(n, speed.seconds(total, n)) for n in workers or sorted({*WORKERS, here})]
    if as_json:
        print_json(
            {
                "plan": title,
                "device": speed.device,
                "rate": speed.rate,
                "rate_measured": rate is None,
                "workers_here": here,
                "experiments": [{"name": name} | _fields(work, speed) for name, work in works.items()],
                "total": _fields(total, speed),
                "wall": [{"workers": n, "seconds": seconds} for n, seconds in waits],
            }
        )
        return
    _show(title, works, total, waits, speed)
    how = "as given"
    if rate is None:
        how = (
            f"measured just now with {here} at a time" if speed.device == "cpu" else "half of what products reach here"
        )
    say(f"One worker does {speed.rate / 1e9:.3g} GFLOP/s, {how}.")
    say(
        "All numbers are upper bounds: measurements end early where they are exact enough, and runs that are stored, "
        "or that experiments share, are not made again."
    )


def _speed(device: DeviceChoice, rate: float | None, workers: Sequence[int]) -> tuple[Speed, int]:
    """Speed of one worker, and how many this machine has; only measured where no rate is given."""
    from dcrit.empirics.training.budget import Speed
    from dcrit.empirics.training.executor import usable_cores
    from dcrit.theory.checks import check_integer

    for n in workers:
        check_integer("workers", n, 1)
    if rate is not None:
        name = "cpu" if device is DeviceChoice.auto else device.value
        return Speed(device=name, rate=rate), usable_cores() if name == "cpu" else 1
    from dcrit.empirics.training.devices import resolve_device
    from dcrit.empirics.training.speed import measure_speed

    name = resolve_device(device.value)
    here = usable_cores() if name == "cpu" else 1
    print(f"measuring how fast {here} worker{'s train' if here > 1 else ' trains'} here", file=sys.stderr)
    return measure_speed(name, here), here


def _fields(work: Work, speed: Speed) -> dict[str, Any]:
    return asdict(work) | {"seconds": speed.seconds(work), "bytes_of_worker": _held(work, speed)}


def _held(work: Work, speed: Speed) -> int:
    """Memory of a worker: of a process where it is one, of the accelerator there."""
    from dcrit.empirics.training.work import PROCESS_BYTES

    return work.bytes_held + (PROCESS_BYTES if speed.device == "cpu" else 0)


def _show(title: str, works: Mapping[str, Work], total: Work, waits: Sequence[tuple[int, float]], speed: Speed) -> None:
    from dcrit.empirics.training.budget import duration

    unit = "core" if speed.device == "cpu" else "GPU"
    table(
        f"{title}: at most",
        ["experiment", "runs", "ensembles", "FLOPs", f"{unit} time", "stored", "memory of a worker"],
        [
            [
                *(name, work.n_runs, work.n_ensembles, f"{work.flops:.2g}".replace("e+", "e")),
                duration(speed.seconds(work)),
                *(f"{work.bytes_stored / 1e6:.1f} MB", f"{_held(work, speed) / 1e6:.0f} MB"),
            ]
            for name, work in (*works.items(), *([("in all", total)] if len(works) > 1 else []))
        ],
    )
    table(
        f"{title}: until the last of some workers ends, at most",
        ["workers", "time", "workers busy"],
        [[n, duration(seconds), f"{speed.seconds(total) / (n * seconds):.0%}"] for n, seconds in waits],
    )
