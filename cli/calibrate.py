"""``dcrit calibrate``: measure the constants of a problem family and store them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import print_json, say, table
from dcrit.cli.terminal.session import session
from dcrit.theory.problems.problem import Problem


@options.grouped
def calibrate(
    *,
    out: Annotated[Path, typer.Option(help="Calibration file to write, for 'dcrit predict … --calibration'.")],
    problem: Annotated[Problem, options.Group(make=options.problem_from, without=("modulus", "width", "depth"))],
    modulus: Annotated[
        list[int] | None,
        typer.Option(
            parser=options.integer, metavar="INTEGER", help="Modulus of a cell, repeatable; default 17 19 23 29."
        ),
    ] = None,
    width: Annotated[
        list[int] | None,
        typer.Option(
            parser=options.integer,
            metavar="INTEGER",
            help="Width of a cell, repeatable; default 16 24 32 48 64 96 128 256.",
        ),
    ] = None,
    seeds: options.Seeds = 3,
    store: options.StoreFolder = options.DEFAULT_STORE,
    machine: options.MachineOptions,
    as_json: options.Json = False,
) -> None:
    """Measure efficiencies and capacity over moduli and widths, and store them for predictions.

    Only random-label runs and runs on the real task well above the transition are made: no measured
    critical size enters a calibration. The default grid takes about six minutes on two cores.
    """
    from dcrit.api.measurements import calibrate as measure

    with session(machine):
        measured = measure(
            problem, moduli=modulus or None, widths=width or None, seeds=seeds, out=out, store=store, **asdict(machine)
        )
    if as_json:
        print_json(measured.to_dict())
        return
    found = measured.calibration
    table(
        measured.title,
        ["symbols", "width", "D_crit implied", "e_gen", "β", "b", "runs", "not converged"],
        [list(row.values()) for row in measured.rows()],
    )
    for lack in found.omitted:
        say(f"no measurement: {lack}")
    law = found.capacity
    say(
        f"capacity {law.bits:.2f} bits per parameter (± {law.log_bits_error:.0%}) at {law.n_params:.0f} parameters, "
        f"D_mem ∝ N^{law.slope:.2f} (± {law.slope_error:.2f}); written to {out}"
    )
