"""``dcrit measure efficiency``: margin per norm of both circuits, and the critical size that they imply."""

from __future__ import annotations

from dataclasses import asdict

from dcrit.cli.measure.shown import show
from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import print_json, say, span_of, table
from dcrit.cli.terminal.session import session


@options.grouped
def efficiency(
    *,
    problem: options.ProblemOptions,
    seeds: options.Seeds = 3,
    store: options.StoreFolder = options.DEFAULT_STORE,
    machine: options.MachineOptions,
    as_json: options.Json = False,
) -> None:
    """The efficiency of generalizing, the law of memorizing, and the critical size they imply, in three norms.

    The norms are l2, l2,kappa (which is l2 for relu) and linf. No run near the transition is made: only random labels,
    and the real task well above it.
    """
    from dcrit.api.measurements import efficiency as measure

    with session(machine):
        found = measure(problem, seeds=seeds, store=store, **asdict(machine))
    if as_json:
        print_json(found.to_dict())
        return
    show(problem, {"generalizing_efficiency": found.estimates["generalizing_efficiency"]})
    table(
        "the same runs in other norms",
        ["norm", "e_gen", "90% interval", "β of e_mem", "mixing b", "implied D_crit", "90% interval", "note"],
        [
            (
                norm,
                efficient.value,
                span_of(efficient),
                laws["memorizing_exponent"],
                laws["mixing"],
                size.value,
                span_of(size),
                efficient.reason if efficient.value is None else size.reason,
            )
            for norm, laws in found.laws_in_norms().items()
            for efficient, size in [(laws["generalizing_efficiency"], laws["implied_critical_size"])]
        ],
    )
    table(
        "runs",
        ["labels", "n_train", "seed", "train accuracy", "margin γ", "squared norm Q", "efficiency", "converged"],
        [tuple(row.values()) for row in found.rows or ()],
    )
    law, implied = found.found.competition, found.estimates["implied_critical_size"]
    if law is not None:
        say(
            f"e_mem(D) = {law.memorizing.amplitude:.3g}·D^-{law.memorizing.exponent:.3f}, mixing b = {law.mixing:.2f}; "
            f"implied critical size {implied.value or implied.reason}"
        )
