"""Measured critical sizes of tasks that are learned beside others, all measured together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.experiments.laboratory import Laboratory
from dcrit.empirics.experiments.transitions import log_size_draws, rounds
from dcrit.empirics.measures.critical_size import Sides, sides_of, sizes_and_accuracies
from dcrit.empirics.measures.sequential import SequentialDesign
from dcrit.empirics.runs.multitask import MultitaskConfig, MultitaskRun
from dcrit.empirics.runs.outcomes import Outcome
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training.work import Stage, in_turn
from dcrit.theory.estimates import Estimate

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class MultitaskTransition:
    """A measured critical size of the first of several tasks.

    Attributes:
        template: The tasks; the own size of the first task plays no part.
        outcomes: Of the full runs, as if the first task had been alone; they hold accuracies and no norms.
        measured: Critical size from them.
    """

    template: MultitaskConfig
    outcomes: Sequence[Outcome]
    measured: Estimate

    def log_size_draws(self, n_draws: int, *, seed: int = 0) -> FloatArray | None:
        """Draws of ln D_crit from its posterior, (n_draws,); None where there is no transition."""
        return log_size_draws(self.outcomes, self.measured, n_draws, seed=seed)

    @property
    def largest(self) -> int:
        """Largest size that was run [examples]."""
        return max(one.config.n_train for one in self.outcomes)

    @property
    def is_beyond(self) -> bool:
        """Whether there is no transition because accuracy stays below one half at every size."""
        return sides_of(*sizes_and_accuracies(self.outcomes)) is Sides.BELOW


def design_of(template: MultitaskConfig, *, tolerance: float, budget: float) -> SequentialDesign:
    """Which runs measure it: probes are short in the last phase alone, those before it are never cut."""
    return SequentialDesign(
        problem=template.problem(0),
        tolerance=tolerance,
        budget=budget,
        steps=template.phases[-1].steps,
        first_seed=template.seed,
    )


def multitask_of(template: MultitaskConfig, config: RunConfig) -> MultitaskConfig:
    """The tasks of a proposed run of the first task: its size, its seed, and as many steps in the last phase."""
    last = replace(template.phases[-1], steps=config.horizon)
    resized = template.with_n_train(config.n_train, seed=config.seed)
    return replace(resized, phases=(*template.phases[:-1], last))


def outcome_of_multitask(config: RunConfig, run: MultitaskRun) -> Outcome:
    """Settled accuracies of the first task."""
    nothing = math.nan
    return Outcome(
        config=config,
        train_accuracy=run.settled("train_accuracy"),
        test_accuracy=run.settled("test_accuracy"),
        margin=nothing,
        squared_norm=nothing,
        efficiency=nothing,
        log_efficiency_drift=nothing,
        deficits=(nothing, nothing, nothing),
        converged=False,
    )


def measure_multitask_transitions(
    templates: Sequence[MultitaskConfig], laboratory: Laboratory, *, tolerance: float, budget: float, stage: str
) -> list[MultitaskTransition]:
    """One transition a set of tasks, round by round, so that every round fills the machine.

    Args:
        templates: What to measure.
        laboratory: Trains runs or finds them.
        tolerance: Relative half width of the 90 % interval at which a measurement ends.
        budget: Most model-steps of one measurement, in horizons.
        stage: What they are for.
    """
    designs = [design_of(template, tolerance=tolerance, budget=budget) for template in templates]
    found: list[list[Outcome]] = [[] for _ in templates]
    rounds = 0
    while True:
        proposals = [design.propose(outcomes) for design, outcomes in zip(designs, found, strict=True)]
        if not any(proposals):
            break
        rounds += 1
        wanted = [multitask_of(own, one) for own, new in zip(templates, proposals, strict=True) for one in new]
        runs = iter(laboratory.multitask(wanted, stage=f"{stage}, round {rounds}"))
        for outcomes, new in zip(found, proposals, strict=True):
            outcomes.extend(outcome_of_multitask(one, next(runs)) for one in new)
    return [
        MultitaskTransition(
            template=template,
            outcomes=design.full_runs(outcomes),
            measured=design.measure(outcomes),
        )
        for template, design, outcomes in zip(templates, designs, found, strict=True)
    ]


def multitask_transitions_stages(templates: Sequence[MultitaskConfig], *, budget: float) -> list[Stage]:
    """What the measurements train at most, each to the end of its budget, every full run on nearly all pairs."""
    return in_turn(_stages(template, budget) for template in templates)


def _stages(template: MultitaskConfig, budget: float) -> list[Stage]:
    design = design_of(template, tolerance=1.0, budget=budget)
    probes = design.propose([])
    spent = sum(probe.horizon for probe in probes) / design.horizon
    n_runs = math.floor(budget - spent + 1e-9)
    return [
        Stage(known=[multitask_of(template, probe) for probe in probes]),
        *rounds(multitask_of(template, design.largest), n_runs),
    ]
