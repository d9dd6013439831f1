"""dcrit: when does a neural network stop memorizing and start generalizing?

    >>> import dcrit
    >>> prediction = dcrit.predict(dcrit.Problem(task="add", modulus=31, width=48))
    >>> prediction.interval.low < prediction.critical_size < prediction.interval.high
    True

Names are loaded when they are first used: a prediction loads neither torch nor matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dcrit.api.answers import Finding
    from dcrit.api.double_descent import SizeCurve, double_descent
    from dcrit.api.explorer.page import Explorer, explore
    from dcrit.api.instruments import circuits, effective_dimension, homogeneity
    from dcrit.api.measurements import Calibrated, Efficiencies, Measurement, calibrate, capacity, efficiency, measure
    from dcrit.api.own import Classification, Study, classify, study
    from dcrit.api.predictions import (
        Diagram,
        Prediction,
        Simulation,
        delay,
        emergence,
        phase_diagram,
        predict,
        regime,
        simulate,
    )
    from dcrit.api.stores import Exported, Holdings, Soundness, export_runs, list_runs, verify_runs
    from dcrit.api.suites import (
        Drawing,
        FigureList,
        Plan,
        Validation,
        figure,
        list_figures,
        plan,
        plan_phase_diagram,
        validate,
    )
    from dcrit.api.training import Runs, train
    from dcrit.theory.problems.examples import pairs, sparse_parity
    from dcrit.theory.problems.problem import Problem

__version__ = version("dcrit")

__all__ = [
    "Calibrated",
    "Classification",
    "Diagram",
    "Drawing",
    "Efficiencies",
    "Explorer",
    "Exported",
    "FigureList",
    "Finding",
    "Holdings",
    "Measurement",
    "Plan",
    "Prediction",
    "Problem",
    "Runs",
    "Simulation",
    "SizeCurve",
    "Soundness",
    "Study",
    "Validation",
    "__version__",
    "calibrate",
    "capacity",
    "circuits",
    "classify",
    "delay",
    "double_descent",
    "effective_dimension",
    "efficiency",
    "emergence",
    "explore",
    "export_runs",
    "figure",
    "homogeneity",
    "list_figures",
    "list_runs",
    "measure",
    "pairs",
    "phase_diagram",
    "plan",
    "plan_phase_diagram",
    "predict",
    "regime",
    "simulate",
    "sparse_parity",
    "study",
    "train",
    "validate",
    "verify_runs",
]

#: Modules of the interface, in the order in which a name is looked for.
_MODULES = (
    "theory.problems.problem",
    "theory.problems.examples",
    "api.predictions",
    "api.double_descent",
    "api.training",
    "api.measurements",
    "api.instruments",
    "api.own",
    "api.stores",
    "api.suites",
    "api.explorer.page",
)


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in _MODULES:
            if hasattr(found := import_module(f"dcrit.{module}"), name):
                return getattr(found, name)
    raise AttributeError(f"module 'dcrit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
