"""What step size and weight decay do to the clock of transformers, from runs at two small moduli that end early."""

from __future__ import annotations

from dataclasses import replace

from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.problems.problem import Problem

#: Modulus, width and sizes: about 1.25 and 1.5 times what the law asks for in a long time.
NETWORKS = ((29, 24, (460, 550)), (37, 32, (660, 790)))

#: η and λ, every pair of both.
RATES, DECAYS = (1e-3, 3e-3, 6e-3), (0.5, 1.0, 2.0)

#: Seeds at each size, and the horizon in time constants 1/(ηλ).
SEEDS, CONSTANTS = 4, 15

#: Part of the committed runs.
PART = "pace"


def configs() -> list[RunConfig]:
    """All runs, network by network."""
    found: list[RunConfig] = []
    for modulus, width, sizes in NETWORKS:
        family = Problem(task="add", modulus=modulus, model="transformer", activation="relu", width=width)
        for rate in RATES:
            for decay in DECAYS:
                problem = replace(family, learning_rate=rate, weight_decay=decay)
                steps = round(CONSTANTS * problem.time_constant)
                found += [
                    RunConfig(problem=problem, n_train=size, seed=seed, steps=steps, until="beyond-mirrors")
                    for size in sizes
                    for seed in range(SEEDS)
                ]
    return found
