"""The claims of a suite: what they take, their verdicts, and pictures of their runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from dcrit.api.answers import Answer, axes_of, finished
from dcrit.api.training import STORE, MachineOptions, laboratory_of

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dcrit.empirics.claims.claim import Verdict
    from dcrit.empirics.claims.suites import Result as ExperimentResult
    from dcrit.empirics.claims.suites import Suite
    from dcrit.empirics.experiments.experiment import SuiteName


@dataclass(frozen=True, kw_only=True)
class Validation(Answer):
    """Verdicts on the claims of a suite.

    Attributes:
        suite: What was judged.
        verdicts: One a claim.
        results: Of its experiments, by name.
    """

    suite: Suite
    verdicts: Sequence[Verdict]
    results: Mapping[str, ExperimentResult]

    @property
    def title(self) -> str:
        """What was judged, in a few words."""
        return f"suite {self.suite.name}: {len(self.verdicts)} claims"

    @property
    def rulings(self) -> dict[str, str]:
        """Ruling by claim."""
        return {one.claim.id: one.ruling for one in self.verdicts}

    def to_dict(self) -> dict[str, Any]:
        """Every verdict with its numbers, as JSON values."""
        from dcrit.empirics.claims.claim import verdict_json

        return {"suite": self.suite.name, "claims": [verdict_json(one) for one in self.verdicts]}

    def to_polars(self) -> pl.DataFrame:
        """One row a claim."""
        import polars as pl

        rows = [
            {
                "claim": one.claim.id,
                "predicted": one.finding.predicted,
                "measured": one.finding.measured,
                "low": None if one.finding.interval is None else one.finding.interval.low,
                "high": None if one.finding.interval is None else one.finding.interval.high,
                "verdict": one.ruling,
                "n_runs": one.finding.n_runs,
                "n_unconverged": one.finding.n_unconverged,
                "reason": one.reason,
            }
            for one in self.verdicts
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    def figure(self, name: str = "critical-sizes") -> Figure:
        """A whole comparison figure from the runs of this validation.

        Raises:
            ValueError: There is no such figure, or this validation made no runs for it.
        """
        from dcrit.figures import FIGURES

        drawable = [one.name for one in FIGURES.values() if one.experiment.name in self.results]
        if name not in drawable:
            raise ValueError(f"name must be one of {', '.join(drawable)}, got {name!r}")
        return FIGURES[name].draw(self.results[FIGURES[name].experiment.name].evidence)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw how many claims are supported, refuted and undecided, and which."""
        from dcrit.figures.measured.rulings import draw_rulings

        ax = axes_of(ax)
        draw_rulings(ax, self.rulings)
        return finished(ax, self.title)


def validate(
    suite: SuiteName = "quick",
    *,
    claims: Sequence[str] = (),
    budget: float | None = None,
    store: Path | str = STORE,
    **machine: Unpack[MachineOptions],
) -> Validation:
    """Train real networks, compare them with the theory, and give a verdict on every claim of a suite.

    Args:
        suite: ``quick``, ``standard`` or ``paper``.
        claims: Ids of the claims to judge; none for all.
        budget: Time for the experiments, stored runs counted as well [minutes]; None for the suite's own.
        store: Folder in which runs are kept; what is there is not trained again.
        **machine: Where to train, as :class:`MachineOptions` has it.

    Raises:
        ValueError: A value is out of range, or the folder cannot be written.
    """
    from dcrit.empirics.claims.suites import SUITE_NAMES, budget_of, gather, judge, minutes_of, select, suite_of
    from dcrit.theory.checks import check_choice

    check_choice("suite", suite, SUITE_NAMES)
    chosen = select(suite_of(suite), tuple(claims))
    workers = machine.get("workers", 0)
    minutes = minutes_of(suite, budget, workers=workers, address=machine.get("address"))
    with laboratory_of(store, machine) as laboratory:
        results = gather(chosen, laboratory, budget=budget_of(minutes, workers))
    return Validation(suite=chosen, verdicts=judge(chosen, results), results=results)
