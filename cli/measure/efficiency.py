"""``dcrit measure efficiency``: margin per norm of both circuits, and the critical size that they imply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcrit.cli.measure.shown import row, show
from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import say, span_of, table
from dcrit.cli.terminal.session import laboratory

if TYPE_CHECKING:
    from dcrit.empirics.measures.efficiency import CompetitionFit


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
    from dcrit.empirics.measures.efficiency import (
        EfficiencyDesign,
        fit_competition,
        implied_critical_size,
        measure_generalizing_efficiency,
    )
    from dcrit.empirics.runs.norms import outcome_in_norm, recorded_norms
    from dcrit.empirics.runs.outcomes import outcome_of

    with options.bad_input():
        options.check_trainable(problem)
        design = EfficiencyDesign(problem=problem, seeds=seeds)
    memory, general, recorded = design.memorizing(), design.generalizing(), recorded_norms(problem)
    with laboratory(store, machine) as bench:
        # In every norm at once: a run is decoded once.
        each = [
            (outcome_of(one), [outcome_in_norm(one, norm) for norm in recorded])
            for one in bench.runs([*memory, *general], stage="efficiencies")
        ]
    outcomes = [outcome for outcome, _ in each]
    fit = fit_competition(problem, outcomes[: len(memory)], outcomes[len(memory) :])
    measurement = measure_generalizing_efficiency(fit)
    implied = implied_critical_size(fit)
    law = None if isinstance(fit, str) else fit.competition
    in_norms = {
        norm.name: fit_competition(
            problem,
            [values[place] for _, values in each[: len(memory)]],
            [values[place] for _, values in each[len(memory) :]],
        )
        for place, norm in enumerate(recorded)
    }
    if as_json:
        show(
            problem,
            measurement,
            as_document=True,
            others=[implied],
            **_laws(fit),
            norms={
                norm: {
                    "generalizing_efficiency": measure_generalizing_efficiency(found).to_dict(),
                    **_laws(found),
                    "implied_critical_size": implied_critical_size(found).to_dict(),
                }
                for norm, found in in_norms.items()
            },
            runs=[row(outcome) for outcome in outcomes],
        )
        return
    show(problem, measurement, as_document=False)
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
            for norm, efficient, laws, size in (
                (norm, measure_generalizing_efficiency(found), _laws(found), implied_critical_size(found))
                for norm, found in in_norms.items()
            )
        ],
    )
    table(
        "runs",
        ["labels", "n_train", "seed", "train accuracy", "margin γ", "squared norm Q", "efficiency", "converged"],
        [tuple(row(outcome).values()) for outcome in outcomes],
    )
    if law is not None:
        say(
            f"e_mem(D) = {law.memorizing.amplitude:.3g}·D^-{law.memorizing.exponent:.3f}, mixing b = {law.mixing:.2f}; "
            f"implied critical size {implied.value or implied.reason}"
        )


def _laws(fit: CompetitionFit | str) -> dict[str, float | None]:
    """Constants of the fitted laws, or that there are none."""
    law = None if isinstance(fit, str) else fit.competition
    return {
        "memorizing_amplitude": None if law is None else law.memorizing.amplitude,
        "memorizing_exponent": None if law is None else law.memorizing.exponent,
        "mixing": None if law is None else law.mixing,
    }
