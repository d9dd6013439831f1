"""Critical size over the modulus, against the three laws of the literature and the prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dcrit.empirics.experiments.scaling import LARGEST_FRACTION, LAWS, SeriesFit, fit_moduli, weights_of
from dcrit.empirics.experiments.size_series import MODULI
from dcrit.empirics.experiments.transitions import SeriesEvidence, Transition
from dcrit.figures.drawing import scales, style
from dcrit.figures.drawing.figure import FigureSpec
from dcrit.figures.measured.size_scaling import Ends, panel_per_series
from dcrit.theory.estimates import LEVEL
from dcrit.theory.problems.problem import label

SYMBOLS: Mapping[str, str] = {"p ln p": r"p\,\ln p", "p^(5/3)": "p^{5/3}", "p^2": "p^2"}

#: Line style and colour of each law.
LINES: Mapping[str, tuple[str, str]] = {
    "p ln p": ("-", style.GREEN),
    "p^(5/3)": ("--", style.ORANGE),
    "p^2": (":", style.PURPLE),
}


def draw_laws(ax: Axes, fit: SeriesFit, ends: tuple[float, float]) -> None:
    """Each law through the weighted mean of ln D_crit of the measured sizes, which weigh by their errors."""
    posterior = fit.posterior
    if posterior is None:
        return
    moduli = np.geomspace(*ends, 50)
    weight = 1 / posterior.errors**2  # (n,)
    for name, law in LAWS.items():
        dashes, colour = LINES[name]
        shape = np.array([law(float(p)) for p in np.exp(posterior.log_x)])  # (n,)
        factor = float((weight * (posterior.log_size - shape)).sum() / weight.sum())
        height = np.exp([factor + law(float(p)) for p in moduli])
        ax.plot(
            moduli, height, linestyle=dashes, color=colour, linewidth=1.1, label=rf"$\propto {SYMBOLS[name]}$", zorder=2
        )


def reading(fit: SeriesFit) -> str:
    """The exponent with its interval, and the weights of the laws."""
    if fit.posterior is None or fit.interval is None:
        return "too few measured transitions for an exponent"
    theory = "" if fit.predicted is None else f", predicted {fit.predicted:.2f}"
    weights = ", ".join(f"${SYMBOLS[law]}$ {weight:.2g}" for law, weight in weights_of(fit).items())
    exponent = f"exponent {fit.posterior.slope:.2f} ({fit.interval.low:.2f} – {fit.interval.high:.2f}){theory}"
    return f"{exponent}\nweights: {weights}"


def draw(evidence: SeriesEvidence) -> Figure:
    """One panel a series."""

    def fill(ax: Axes, found: SeriesFit, series: Sequence[Transition], ends: Ends, heights: Ends) -> None:
        draw_laws(ax, found, ends)
        scales.log_axis(ax, "x", *ends, most=7)
        scales.log_axis(ax, "y", *heights, most=7)
        ax.set_xticks([one.problem.modulus for one in series])

    return panel_per_series(
        evidence,
        fill,
        fit=fit_moduli,
        heading=lambda problem, found: f"{label(problem, modulus=False)}\n{reading(found)}",
        x_of=lambda one: one.modulus,
        xlabel="modulus $p$",
        margins=(0.12, 0.08),
        height=2.9,
        columns=4,
    )


SPEC: FigureSpec[SeriesEvidence] = FigureSpec(
    name="modulus-scaling",
    title="Critical size over the modulus",
    caption=(
        "Critical training-set size D_crit over the modulus p at a fixed width. Filled: measured; open: predicted. "
        f"Error bars are {LEVEL:.0%} intervals. Lines: the three laws of the literature, each through the weighted "
        f"mean of the measured sizes up to {LARGEST_FRACTION:.0%} of all pairs. The exponent is that of a free power "
        "law with its interval; weights are posterior probabilities of the three laws, equally likely beforehand."
    ),
    experiment=MODULI,
    draws_predictions=True,
    draw=draw,
)
