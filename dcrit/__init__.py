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
    from dcrit.api import (
        Classification,
        Diagram,
        Finding,
        Measurement,
        Prediction,
        Runs,
        Study,
        Validation,
        capacity,
        classify,
        delay,
        double_descent,
        efficiency,
        emergence,
        measure,
        phase_diagram,
        predict,
        regime,
        study,
        train,
        validate,
    )
    from dcrit.theory.problems.problem import Problem

__version__ = version("dcrit")

__all__ = [
    "Classification",
    "Diagram",
    "Finding",
    "Measurement",
    "Prediction",
    "Problem",
    "Runs",
    "Study",
    "Validation",
    "__version__",
    "capacity",
    "classify",
    "delay",
    "double_descent",
    "efficiency",
    "emergence",
    "measure",
    "phase_diagram",
    "predict",
    "regime",
    "study",
    "train",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'dcrit' has no attribute {name!r}")
    return getattr(import_module("dcrit.theory.problems.problem" if name == "Problem" else "dcrit.api"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
