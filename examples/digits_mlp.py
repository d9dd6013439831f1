"""Handwritten digits, 8 by 8 pixels, and a network with one hidden layer. Data: ``pip install dcrit[digits]``."""

from gallery import main
from sklearn.datasets import load_digits
from torch import nn

import dcrit


def factory(seed: int) -> nn.Module:
    return nn.Sequential(nn.Linear(64, 32, bias=False), nn.ReLU(), nn.Linear(32, 10, bias=False))


def study(small: bool) -> dcrit.Study:
    pixels, labels = load_digits(return_X_y=True)
    n = 300 if small else len(labels)
    return dcrit.study(
        factory,
        pixels[:n] / 16,
        labels[:n],
        learning_rate=2e-2,
        steps=60 if small else 700,
        max_runs=2 if small else 12,
        budget_minutes=60,
    )


if __name__ == "__main__":
    main("digits_mlp", study)
