"""Measured capacity over model size, against a fixed number of bits per parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dcrit.empirics.experiments.capacities import EXPERIMENT, Capacities
from dcrit.empirics.measures.capacity import CapacityLine
from dcrit.figures.drawing import canvas, scales, style
from dcrit.figures.drawing.figure import FigureSpec
from dcrit.theory.estimates import LEVEL, half_width
from dcrit.theory.literature.published import published_values

#: Bits per parameter in the literature.
PUBLISHED = published_values("bits_per_parameter")

#: Who published a number of bits per parameter, by key of the bibliography.
AUTHORS = {"allenzhu2024": "Allen-Zhu & Li 2024", "morris2025": "Morris et al. 2025"}

REFERENCE: dict[str, Any] = {"color": style.GREY, "linewidth": 0.9}
REFERENCE_LINES = dict(zip(PUBLISHED, (":", "--"), strict=True))


def bits_per_label(line: CapacityLine) -> float:
    """log2 C, from the line's own mean c = mean(D_mem/N)·log2 C [bits/label]."""
    return line.bits / float(np.mean([estimate / n_params for n_params, estimate, _, _ in line.points]))


def lines_of(capacities: Capacities) -> dict[str, CapacityLine]:
    """The variants whose capacity was measured."""
    return {name: line for name, line in capacities.items() if isinstance(line, CapacityLine) and line.points}


def missing(capacities: Capacities) -> list[str]:
    """Why a variant has no line."""
    return [f"Not shown: {variant}: {line}." for variant, line in capacities.items() if isinstance(line, str)]


def _half(line: CapacityLine) -> float:
    """Half width of the interval of c, from the scatter between sizes [bits/parameter]."""
    return half_width(line.bits_error, freedom=line.n_sizes - 1)


def _ends(lines: Mapping[str, CapacityLine]) -> tuple[float, float]:
    ends = scales.spread([n_params for line in lines.values() for n_params, *_ in line.points], margin=0.12)
    assert ends is not None
    return ends


def name_of(variant: str, line: CapacityLine) -> str:
    """What the marks of a variant show, with the slope fitted to them: 1 where capacity is linear."""
    half = half_width(line.slope_error, freedom=line.n_sizes - 2)
    return rf"{variant}, measured: $\propto N^{{\,{line.slope:.2f}\pm{half:.2f}}}$"


def draw_points(ax: Axes, variant: str, line: CapacityLine, scale: float | None = None) -> None:
    """Measured capacities with intervals [examples], or with ``scale`` bits a label as [bits/parameter]."""
    n_params, estimate, low, high = np.array(line.points).T
    factor = 1.0 if scale is None else scale / n_params
    ax.errorbar(
        n_params,
        estimate * factor,
        yerr=[(estimate - low) * factor, (high - estimate) * factor],
        fmt=style.marker_of(variant),
        color=style.colour_of(variant),
        label=name_of(variant, line),
        elinewidth=1.0,
        zorder=3,
    )


def draw_capacity(ax: Axes, lines: Mapping[str, CapacityLine]) -> None:
    """D_mem over N with D_mem = cN/log2 C for the measured c and for published ones."""
    ends = _ends(lines)
    n_params = np.geomspace(*ends, 50)
    heights = [value for line in lines.values() for _, *values in line.points for value in values]
    for variant, line in lines.items():
        slope = 1.0 / bits_per_label(line)
        half, colour = _half(line), style.colour_of(variant)
        low, high = (n_params * max(0.0, bits) * slope for bits in (line.bits - half, line.bits + half))
        ax.fill_between(n_params, low, high, color=colour, alpha=style.SHADE, linewidth=0)
        law = f"{variant}, $cN/\\log_2C$ at $c={line.bits:.2f}$"
        ax.plot(n_params, n_params * line.bits * slope, color=colour, label=law)
        draw_points(ax, variant, line)
    # Models with as many classes share their reference lines.
    for per_label in {round(bits_per_label(line), 6) for line in lines.values()}:
        for source, bits in PUBLISHED.items():
            reference = n_params * bits / per_label
            ax.plot(n_params, reference, linestyle=REFERENCE_LINES[source], **REFERENCE)
            heights += [float(reference[0]), float(reference[-1])]
    scales.log_axis(ax, "x", *ends)
    low_high = scales.spread(heights)
    assert low_high is not None
    scales.log_axis(ax, "y", *low_high)
    ax.set_ylabel(rf"capacity $D_\mathrm{{mem}}$ {style.EXAMPLES}")


def draw_bits(ax: Axes, lines: Mapping[str, CapacityLine]) -> None:
    """Bits per parameter over N: level where capacity is linear, with their mean and with published values."""
    ends = _ends(lines)
    tops = list(PUBLISHED.values())
    for variant, line in lines.items():
        half, colour, per_label = _half(line), style.colour_of(variant), bits_per_label(line)
        ax.axhspan(max(0.0, line.bits - half), line.bits + half, color=colour, alpha=style.SHADE, linewidth=0)
        ax.axhline(line.bits, color=colour)
        draw_points(ax, variant, line, per_label)
        tops += [line.bits + half, *(high * per_label / n_params for n_params, _, _, high in line.points)]
    for source, bits in PUBLISHED.items():
        label = f"{bits:g} bits/parameter ({AUTHORS[source]})"
        ax.axhline(bits, linestyle=REFERENCE_LINES[source], label=label, **REFERENCE)
    scales.log_axis(ax, "x", *ends)
    ax.set_ylim(0, 1.08 * max(tops))
    ax.set_ylabel("capacity $c$ [bits/parameter]")


def draw(evidence: Capacities) -> Figure:
    """Capacity over model size: in examples, and in bits per parameter."""
    with style.context():
        figure = canvas.new_figure(style.DOUBLE, 3.0)
        axes = figure.subplots(1, 2)
        lines = lines_of(evidence)
        canvas.footnotes(figure, missing(evidence))
        for ax, fill in zip(axes, (draw_capacity, draw_bits), strict=True):
            canvas.prepare(ax)
            ax.set_xlabel("model size $N$ [parameters]")
            if lines:
                fill(ax, lines)
            else:
                ax.set_ylabel("capacity [examples]" if fill is draw_capacity else "capacity [bits/parameter]")
                canvas.blank(ax, "No capacity was measured.", width=2.0)
        canvas.legend(figure, columns=3)
        return figure


SPEC: FigureSpec[Capacities] = FigureSpec(
    name="capacity",
    title="Random labels that a model memorizes, over its number of parameters",
    caption=(
        "Left: random labels memorized by overloaded models, lucky guesses taken off. Right: the same in bits per "
        "parameter. Lines: the mean of that over sizes; exponents in the legend: fitted freely, 1 where capacity is "
        f"linear. Shading, error bars and ±: {LEVEL:.0%} intervals. Grey: values published for language models. Sizes "
        "that all available random labels do not overload have no measured capacity and no mark."
    ),
    experiment=EXPERIMENT,
    draw=draw,
)
