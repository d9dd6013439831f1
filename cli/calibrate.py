"""``dcrit calibrate``: measure the constants of a problem family and store them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import print_json, say, table
from dcrit.cli.terminal.session import check_writable_file, laboratory
from dcrit.theory.problems.problem import Problem

if TYPE_CHECKING:
    from dcrit.theory.calibrations.calibration import Cell


def _row(cell: Cell) -> list[object]:
    from dcrit.theory.circuits.constants import competition_from
    from dcrit.theory.circuits.crossing import Crossing

    laws = competition_from(np.array(cell.constants), cell.n_symbols**2)
    size = laws.size_at_accuracy(0.5)
    return [
        cell.n_symbols,
        cell.width,
        round(size.n_train) if isinstance(size, Crossing) else None,
        laws.generalizing.full_data,
        laws.memorizing.exponent,
        laws.mixing,
        cell.n_runs,
        cell.n_unconverged,
    ]


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
    from dcrit.empirics.experiments.laboratory import RefusedError
    from dcrit.empirics.measures.calibrate import MODULI, WIDTHS, CalibrationDesign
    from dcrit.empirics.measures.calibrate import calibrate as measure
    from dcrit.empirics.store.whole_files import write_whole

    moduli, widths = tuple(modulus or MODULI), tuple(width or WIDTHS)
    with options.bad_input():
        design = CalibrationDesign(
            problem=replace(problem, modulus=moduli[0], width=widths[0]), moduli=moduli, widths=widths, seeds=seeds
        )
        for one in design.problems():
            options.check_trainable(one)
        check_writable_file(out)
    with laboratory(store, machine) as bench:
        try:
            found = measure(design, bench.runs)
        except RefusedError:
            raise
        except ValueError as error:
            raise RuntimeError(
                f"the runs do not make a calibration: {error}; try more moduli, widths or seeds"
            ) from error
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, found.to_json().encode())
    if as_json:
        print_json(
            {"calibration": str(out), "cells": len(found.cells), "omitted": [one.to_dict() for one in found.omitted]}
        )
        return
    table(
        f"calibration {found.name}",
        ["symbols", "width", "D_crit implied", "e_gen", "β", "b", "runs", "not converged"],
        [_row(cell) for cell in found.cells],
    )
    for lack in found.omitted:
        say(f"no measurement: {lack}")
    law = found.capacity
    say(
        f"capacity {law.bits:.2f} bits per parameter (± {law.log_bits_error:.0%}) at {law.n_params:.0f} parameters, "
        f"D_mem ∝ N^{law.slope:.2f} (± {law.slope_error:.2f}); written to {out}"
    )
