"""``dcrit measure efficiency``: margin per norm of both circuits, and the critical size that they imply."""

from __future__ import annotations

from dataclasses import asdict

from dcrit.cli.measure.shown import show
from dcrit.cli.terminal import options
from dcrit.cli.terminal.following import command_of, problem_words
from dcrit.cli.terminal.output import number, print_json, say, span_of, table, then
from dcrit.cli.terminal.pictures import Out, check_out, draw, say_where
from dcrit.cli.terminal.session import session


@options.grouped
def efficiency(
    *,
    problem: options.ProblemOptions,
    seeds: options.Seeds = 3,
    seed: options.Seed = 0,
    store: options.StoreFolder = options.DEFAULT_STORE,
    machine: options.MachineOptions,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """The efficiency of generalizing, the law of memorizing, and the critical size they imply, in three norms.

    The norms are l2, l2,kappa (which is l2 for relu) and linf. No run near the transition is made: only random labels,
    and the real task well above it.
    """
    from dcrit.api.measurements import efficiency as measure

    with session(machine):
        check_out(out)
        found = measure(problem, seeds=seeds, seed=seed, store=store, **asdict(machine))
        draw(found, out)
    if as_json:
        print_json(found.to_dict())
        return
    say(found.headline)
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
        ["labels", "D", "seed", "train", "margin γ", "norm² Q", "efficiency", "converged"],
        [tuple(row.values()) for row in found.rows or ()],
    )
    law, implied = found.found.competition, found.estimates["implied_critical_size"]
    if law is not None:
        say(
            f"e_mem(D) = {law.memorizing.amplitude:.3g}·D^-{law.memorizing.exponent:.3f}, mixing b = {law.mixing:.2f}; "
            f"implied critical size {implied.reason if implied.value is None else number(implied.value)}"
        )
    say_where(out)
    then(command_of("measure", "critical-size", problem_words(problem)), "measure the critical size itself")
