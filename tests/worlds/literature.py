"""Figures of the literature, small enough for tests."""

from dataclasses import replace

from dcrit.theory.literature.figures import FigurePanel, LiteratureFigure


def miniature(figure: LiteratureFigure, steps: int = 40) -> LiteratureFigure:
    """The same figure with one seed (a plane has two), two places a panel, narrow networks and few steps."""
    return replace(figure, panels=tuple(_small(panel, steps) for panel in figure.panels))


def _small(panel: FigurePanel, steps: int) -> FigurePanel:
    series = tuple(
        replace(
            one,
            problem=replace(one.problem, width=8),
            steps=steps if one.steps else 0,
            pretraining=steps if one.pretraining else 0,
        )
        for one in panel.series
    )
    return replace(
        panel,
        series=series,
        sizes=panel.sizes[:2],
        widths=panel.widths[:2],
        capacity_widths=panel.capacity_widths[:2],
        seeds=2 if panel.kind == "plane" else 1,
        steps=steps,
    )
