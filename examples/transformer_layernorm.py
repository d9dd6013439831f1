"""Addition modulo 17 and a one-layer transformer with LayerNorm and biases, torch's own layer."""

import torch
from gallery import main
from torch import Tensor, nn

import dcrit


class Transformer(nn.Module):
    def __init__(self, n_symbols: int, width: int) -> None:
        super().__init__()
        self.symbols, self.places = nn.Embedding(n_symbols + 1, width), nn.Parameter(torch.randn(3, width) / width**0.5)
        self.layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True)
        self.out = nn.Linear(width, n_symbols)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.out(self.layer(self.symbols(tokens) + self.places)[:, -1])


def study(small: bool) -> dcrit.Study:
    modulus, width = (7, 8) if small else (17, 32)
    inputs, labels = dcrit.pairs("add", modulus)
    tokens = torch.nn.functional.pad(torch.tensor(inputs), (0, 1), value=modulus)  # [a, b, =]
    return dcrit.study(
        lambda seed: Transformer(modulus, width),
        tokens,
        labels,
        learning_rate=5e-3,
        weight_decay=2.0,
        warm_up=10,
        steps=40 if small else 4000,
        max_runs=2 if small else 8,
        budget_minutes=120,
    )


if __name__ == "__main__":
    main("transformer_layernorm", study)
