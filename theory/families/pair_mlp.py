"""The pair-MLP: logits(a, b) = W·σ(U[a] + V[b]), without biases."""

from __future__ import annotations

from dataclasses import dataclass

from dcrit.theory.families.family import ModelFamily, Shape

#: Degree of homogeneity κ of the logits in the parameters: σ's degree plus the unembedding's 1.
HOMOGENEITY = {"relu": 2, "square": 3}


@dataclass(frozen=True, kw_only=True)
class PairMLP(ModelFamily):
    """Facts of the pair-MLP of width H."""

    def n_params(self, shape: Shape) -> int:
        """N = (2S + C)·H."""
        return (2 * shape.n_symbols + shape.n_classes) * shape.width

    def homogeneity(self, shape: Shape) -> float:
        """κ, exact."""
        return HOMOGENEITY[shape.activation]

    def step_flops(self, shape: Shape, n_train: int) -> int:
        """6·D·H·C [FLOPs]."""
        return 6 * n_train * self.weights_per_pair(shape)

    def weights_per_pair(self, shape: Shape) -> int:
        """Those of W."""
        return shape.n_classes * shape.width

    def values_per_pair(self, shape: Shape) -> int:
        """Hidden units."""
        return shape.width

    def norm_units(self, shape: Shape) -> int:
        """H hidden units."""
        return shape.width


FAMILY = PairMLP(
    name="mlp",
    label="pair-MLP",
    architecture="dcrit.empirics.models.pair_mlp:ARCHITECTURE",
    activations=("relu", "square"),
    activation="square",
    learning_rate=1e-2,
    exactly_homogeneous=True,
    multitask=True,
    capacity_exponent=2.0,
)
