"""Comparison figures: axes and results in, drawings out, no files."""

from typing import Any

from dcrit.figures.accuracies import SPEC as ACCURACIES
from dcrit.figures.capacity import SPEC as CAPACITY
from dcrit.figures.critical_sizes import SPEC as CRITICAL_SIZES
from dcrit.figures.delays import SPEC as DELAYS
from dcrit.figures.dynamics import SPEC as DYNAMICS
from dcrit.figures.efficiencies import SPEC as EFFICIENCIES
from dcrit.figures.emergence_threshold import SPEC as EMERGENCE_THRESHOLD
from dcrit.figures.figure import FigureSpec

#: Every figure by its name, the main result first.
FIGURES: dict[str, FigureSpec[Any]] = {
    spec.name: spec
    for spec in (CRITICAL_SIZES, ACCURACIES, EFFICIENCIES, CAPACITY, DYNAMICS, DELAYS, EMERGENCE_THRESHOLD)
}
