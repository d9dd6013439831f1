"""Synthetic problem families: cells drawn from a known law with known scatter."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcrit.theory.calibrations.calibration import Calibration, Cell
from dcrit.theory.calibrations.omission import Cause, Omission
from dcrit.theory.circuits.constants import competition_from
from dcrit.theory.circuits.laws import CapacityLaw
from dcrit.theory.circuits.mixture import Competition
from dcrit.theory.problems.problem import Problem

FloatArray = NDArray[np.float64]

SYMBOLS = (11, 13, 17, 19, 23, 29)
WIDTHS = (16, 24, 32, 48, 64, 96, 128)

#: Constants at 20 symbols and width 48, in the order of ``CONSTANTS``.
CENTRE = np.array([-3.0, 0.75, -3.2, math.log(3.0), math.log(0.6), 0.05, math.log(0.2), -0.1])
SLOPES = np.array(
    [
        [-0.9, 0.02, -1.0, 0.0, 0.0, 0.01, 0.02, 0.0],  # per ln S
        [0.30, -0.03, 0.4, 0.10, 0.0, 0.02, -0.05, 0.01],  # per ln H
        [0.02, 0.01, 0.01, 0.0, 0.01, 0.0, 0.0, 0.0],  # per (ln H)²
        [0.01, 0.0, 0.02, 0.0, 0.02, 0.0, 0.01, 0.0],  # per ln S·ln H
    ]
)


@dataclass(frozen=True, kw_only=True)
class World:
    """A law and the covariance of the scatter around it."""

    covariance: FloatArray

    def mean(self, n_symbols: int, width: int) -> FloatArray:
        s, h = math.log(n_symbols / 20), math.log(width / 48)
        return CENTRE + np.array([s, h, h * h, s * h]) @ SLOPES

    def draw(self, n_symbols: int, width: int, rng: np.random.Generator) -> FloatArray:
        return rng.multivariate_normal(self.mean(n_symbols, width), self.covariance, method="eigh")

    def calibrate(self, rng: np.random.Generator, *, n_cells: int = len(SYMBOLS) * len(WIDTHS)) -> Calibration:
        places = [(n_symbols, width) for n_symbols in SYMBOLS for width in WIDTHS]
        chosen = rng.choice(len(places), size=n_cells, replace=False)
        return Calibration(
            tasks=("add", "sub"),
            model="mlp",
            activation="square",
            weight_decay=1.0,
            learning_rate=1e-2,
            capacity=CapacityLaw(bits=2.0, log_bits_error=0.1 / 2.0),
            cells=tuple(
                Cell(
                    n_symbols=places[k][0],
                    width=places[k][1],
                    constants=tuple(float(value) for value in self.draw(places[k][0], places[k][1], rng)),
                    n_runs=30,
                    n_unconverged=1,
                )
                for k in chosen
            ),
            omitted=(Omission(n_symbols=7, width=8, cause=Cause.FEW_MEMORIZING, reason="only 2 runs converged"),),
        )

    def competition(self, problem: Problem, rng: np.random.Generator) -> Competition:
        return competition_from(self.draw(problem.n_symbols, problem.width, rng), problem.n_pairs)


def scatter(size: float, correlation: float = 0.6) -> FloatArray:
    """Covariance with equal variances and equal correlations."""
    n = len(CENTRE)
    return size**2 * ((1 - correlation) * np.eye(n) + correlation * np.ones((n, n)))


EXACT = World(covariance=scatter(0.0))
NOISY = World(covariance=scatter(0.05))
