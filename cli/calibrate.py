"""``dcrit calibrate``: measure the constants of a problem family and store them."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import print_json, say, table
from dcrit.cli.terminal.session import session
from dcrit.theory.problems.problem import Problem

if TYPE_CHECKING:
    from dcrit.api.measurements import Calibrated
    from dcrit.theory.calibrations.thresholds import Thresholds


class OnlyChoice(StrEnum):
    """A part of a calibration."""

    circuits = "circuits"
    law = "law"


@options.grouped
def calibrate(
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Calibration file to write, for 'dcrit predict … --calibration'.")
    ],
    problem: Annotated[Problem, options.Group(make=options.problem_from, without=("modulus", "width", "depth"))],
    modulus: Annotated[
        list[int] | None,
        options.integers_of("Moduli of the cells, at least two. Default: 17,19,23,29.", "--modulus", "-p"),
    ] = None,
    width: Annotated[
        list[int] | None,
        options.integers_of(
            "Widths of the cells, at least three. Default: 16,24,32,48,64,96,128,256.", "--width", "-w"
        ),
    ] = None,
    seeds: options.Seeds = 3,
    only: Annotated[
        OnlyChoice | None,
        options.one_of(
            OnlyChoice,
            "Measure the circuits at rest, or the law of sizes from scratch, alone; default: both, where there is such "
            "a law. With 'law' the circuits are those of the calibration that ships.",
        ),
    ] = None,
    store: options.StoreFolder = options.DEFAULT_STORE,
    machine: options.MachineOptions,
    as_json: options.Json = False,
) -> None:
    """Measure the constants of a family of networks, and store them for predictions.

    Circuits: efficiencies and capacity over moduli and widths; some nine minutes on two cores. --modulus, --width and
    --seeds are of them. Law: both thresholds and the clock, from runs at moduli 19 to 47; up to three minutes, or forty
    for a transformer. Sizes from scratch by any horizon follow from it, for the β₂ and ε of its runs. No measured
    critical size from scratch enters.
    """
    from dcrit.api.measurements import calibrate as measure

    with session(machine):
        measured = measure(
            problem,
            moduli=modulus or None,
            widths=width or None,
            seeds=seeds,
            only=None if only is None else only.value,
            out=out,
            store=store,
            **asdict(machine),
        )
    if as_json:
        print_json(measured.to_dict())
        return
    if measured.only != "law":
        _tell_circuits(measured)
    if measured.calibration.thresholds is not None:
        _tell_law(measured.calibration.thresholds)
    say(f"written to {out}")


def _tell_circuits(measured: Calibrated) -> None:
    """The cells and the capacity, for people."""
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
        f"D_mem ∝ N^{law.slope:.2f} (± {law.slope_error:.2f})"
    )


def _tell_law(law: Thresholds) -> None:
    """Constants of the law with their standard errors, for people."""
    from dcrit.theory.circuits.critical_size_law import LOGARITHMIC

    constants = law.to_dict()["constants"]
    shown = {"prefactor": "k0", "load": "k1", "rate": "r [1/step]", "bend": "m", "rest": "ρ"}
    lines: list[list[object]] = []
    for place, name in enumerate(law.law.fitted):
        error = law.law.covariance[place][place] ** 0.5 * (constants[name] if name in LOGARITHMIC else 1.0)
        lines.append([shown[name], constants[name], error])
    table(
        f"law of sizes from scratch, from {law.calibrated.n_runs} runs", ["constant", "value", "standard error"], lines
    )
