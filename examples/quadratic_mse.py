"""Addition modulo 97, a quadratic network and squared errors; another group finds 17.5 to 20 % of all pairs.

Their network: 256 hidden units, mean squared error, AdamW at η = 1e-3 and λ = 0.1; 0 of 5 seeds generalize at 17.5 % of
the pairs and 5 of 5 at 20 %, there in 5500 steps. The horizon here is 6000 steps, far below 10/(ηλ) = 100,000: norms
still move, so the critical size is measured and not predicted.
"""

import torch
from gallery import main
from torch import Tensor, nn

import dcrit


class Quadratic(nn.Module):
    def __init__(self, n_symbols: int, width: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Embedding(n_symbols, width) for _ in range(2))
        self.out = nn.Linear(width, n_symbols, bias=False)
        for one in (self.first, self.second):
            nn.init.normal_(one.weight, std=(2 * n_symbols) ** -0.5)

    def forward(self, pairs: Tensor) -> Tensor:
        hidden = self.first(pairs[:, 0]) + self.second(pairs[:, 1])  # (n, H)
        return self.out(hidden.square())


def study(small: bool) -> dcrit.Study:
    modulus, width = (7, 16) if small else (97, 256)
    inputs, labels = dcrit.pairs("add", modulus)
    return dcrit.study(
        lambda seed: Quadratic(modulus, width),
        torch.tensor(inputs),
        labels,
        loss="mean-squared-error",
        learning_rate=1e-3,
        weight_decay=0.1,
        beta2=0.999,
        predict=False,
        steps=40 if small else 6000,
        max_runs=2 if small else 6,
        tolerance=0.05,
        budget_minutes=120,
    )


if __name__ == "__main__":
    main("quadratic_mse", study, published=(0.175 * 97**2, 0.2 * 97**2))
