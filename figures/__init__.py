"""Comparison figures: axes and results in, drawings out, no files."""

from typing import Any

from dcrit.figures.drawing.figure import FigureSpec
from dcrit.figures.measured.accuracies import SPEC as ACCURACIES
from dcrit.figures.measured.capacity import SPEC as CAPACITY
from dcrit.figures.measured.critical_sizes import SPEC as CRITICAL_SIZES
from dcrit.figures.measured.delays import SPEC as DELAYS
from dcrit.figures.measured.dynamics import SPEC as DYNAMICS
from dcrit.figures.measured.effective_dimension import SPEC as EFFECTIVE_DIMENSION
from dcrit.figures.measured.efficiencies import SPEC as EFFICIENCIES
from dcrit.figures.measured.emergence_threshold import SPEC as EMERGENCE_THRESHOLD
from dcrit.figures.measured.model_size import SPEC as MODEL_SIZE
from dcrit.figures.measured.modulus_scaling import SPEC as MODULUS_SCALING
from dcrit.figures.measured.phase_map import SPEC as PHASE_MAP
from dcrit.figures.measured.size_scaling import SPEC as SIZE_SCALING

#: Every figure by its name, the main result first.
FIGURES: dict[str, FigureSpec[Any]] = {
    spec.name: spec
    for spec in (
        CRITICAL_SIZES,
        ACCURACIES,
        EFFICIENCIES,
        CAPACITY,
        PHASE_MAP,
        MODEL_SIZE,
        EFFECTIVE_DIMENSION,
        DYNAMICS,
        DELAYS,
        EMERGENCE_THRESHOLD,
        SIZE_SCALING,
        MODULUS_SCALING,
    )
}
