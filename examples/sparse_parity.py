"""Sparse parity (20, 3) as the field means it: the product of 3 of 20 signs, the others do not matter."""

from gallery import main
from torch import nn

import dcrit


def factory(seed: int) -> nn.Module:
    return nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 2))


def study(small: bool) -> dcrit.Study:
    inputs, labels = dcrit.sparse_parity(20, 3, 200 if small else 2000)
    return dcrit.study(
        factory,
        inputs,
        labels,
        learning_rate=2e-2,
        steps=40 if small else 4000,
        max_runs=2 if small else 12,
        budget_minutes=60,
    )


if __name__ == "__main__":
    main("sparse_parity", study)
