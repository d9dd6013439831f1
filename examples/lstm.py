"""Addition modulo 13 and an LSTM that reads both numbers one after the other."""

from gallery import main
from torch import Tensor, nn

import dcrit


class Reader(nn.Module):
    def __init__(self, n_symbols: int, width: int) -> None:
        super().__init__()
        self.symbols = nn.Embedding(n_symbols, width)
        self.reader = nn.LSTM(width, width, batch_first=True)
        self.out = nn.Linear(width, n_symbols)

    def forward(self, pairs: Tensor) -> Tensor:
        return self.out(self.reader(self.symbols(pairs))[0][:, -1])


def study(small: bool) -> dcrit.Study:
    modulus, width = (7, 8) if small else (13, 32)
    inputs, labels = dcrit.pairs("add", modulus)
    return dcrit.study(
        lambda seed: Reader(modulus, width),
        inputs,
        labels,
        learning_rate=2e-2,
        steps=40 if small else 4000,
        max_runs=2 if small else 8,
        budget_minutes=120,
    )


if __name__ == "__main__":
    main("lstm", study)
