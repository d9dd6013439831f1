"""Handwritten digits and a convolutional network with biases, in mini-batches. Data: ``pip install dcrit[digits]``."""

from gallery import main
from sklearn.datasets import load_digits
from torch import nn

import dcrit


def factory(seed: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


def study(small: bool) -> dcrit.Study:
    pixels, labels = load_digits(return_X_y=True)
    n = 150 if small else 600
    return dcrit.study(
        factory,
        pixels[:n].reshape(n, 1, 8, 8) / 16,
        labels[:n],
        learning_rate=1e-2,
        batch_size=64,
        steps=20 if small else 4000,
        max_runs=2 if small else 10,
        budget_minutes=600,
    )


if __name__ == "__main__":
    main("digits_cnn", study)
