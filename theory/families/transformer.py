"""The transformer on [a, b, =]: four heads, ReLU or square, learned positions, no LayerNorm, no biases."""

from __future__ import annotations

from dataclasses import dataclass

from dcrit.theory.families.family import ModelFamily, Shape

#: Attention heads.
N_HEADS = 4

#: Hidden units of a feed-forward block, in widths.
EXPANSION = 4

#: Tokens of the input: a, b, =.
N_TOKENS = 3

#: Degree of an activation itself.
ACTIVATION_DEGREE = {"relu": 1, "square": 2}

#: Effective degree κ of one layer, two layers …: logits of trained networks grow as this power of the
#: parameters' scale. Sharper attention adds to the factors of the longest path, paths around blocks take off. Medians
#: over networks on random labels and on addition that fit their training set, as ``dcrit measure homogeneity --modulus
#: 17 --width 16 --activation …`` remeasures them: relu 6.54 at p = 17, d = 16 and 24 (24 networks, 90 % within
#: 6.06–7.21) and 9.7 with two layers at p = 13, d = 16 (4 networks, 8.9–10.3), square 11.1 at p = 17, d = 16 (10
#: networks, 90 % within 10.7–11.9). It is no constant of the model: relu networks of one layer have 6.8 on random
#: labels and 6.2 on addition.
#: That was before gradients were exact at the correct class (docs/reference/performance.md). Since, the command gives
#: 6.54 (6.18–6.73) and 6.45 (6.23–6.75) for relu at d = 16 and 24, and 11.29 (10.47–12.01) for square, of 12 networks
#: each.
HOMOGENEITY: dict[str, tuple[float, ...]] = {"relu": (6.5, 9.7), "square": (11.1,)}

#: What takes as long as what one layer does to one position of one example outside of products [FLOPs].
ATTENTION_FLOPS = 30_000


def longest_path(activation: str, depth: int) -> int:
    """Factors that are multiplied along a transformer's longest path, attention weights taken as given.

    n ← σ's degree·(n + 3) + 1 in each layer, from the embedding's 1, and 1 for the unembedding: value,
    output and inward matrices come before σ, the outward matrix behind it.
    """
    factors = 1
    for _ in range(depth):
        factors = ACTIVATION_DEGREE[activation] * (factors + 3) + 1
    return factors + 1


@dataclass(frozen=True, kw_only=True)
class Transformer(ModelFamily):
    """Facts of the transformer of width d and some layers."""

    def n_params(self, shape: Shape) -> int:
        """N = (S + 1 + 3)·d + L·12·d² + C·d.

        Token and position embeddings, in each layer four d×d attention matrices and two d×4d feed-forward ones, and
        the unembedding.
        """
        d = shape.width
        layer = 4 * d * d + 2 * EXPANSION * d * d
        return (shape.n_symbols + 1 + N_TOKENS) * d + shape.depth * layer + shape.n_classes * d

    def homogeneity(self, shape: Shape) -> float:
        """κ as measured; beyond the deepest one measured it grows as the longest path's factors, an extrapolation."""
        measured = HOMOGENEITY[shape.activation]
        deepest = min(shape.depth, len(measured))
        more = longest_path(shape.activation, shape.depth) / longest_path(shape.activation, deepest)
        return measured[deepest - 1] * more

    def step_flops(self, shape: Shape, n_train: int) -> int:
        """Counted operations, see :meth:`ModelFamily.step_flops`.

        One layer, whose attention comes from tables of K = 2S + 1 inputs: 6·[D·(8d² + 8d + Cd) + K·(2d² + 4d)], the
        feed-forward block, the weighted sum of 8 table rows and the unembedding for each example, values, outputs and
        scores for each input; its query counts as nothing. Deeper: 6·D·(Cd + (L − 1)·(36d² + 12d) + 16d² + 6d), as of
        the last layer only keys and values are needed at all three positions.
        """
        d = shape.width
        unembed, feed_forward = shape.n_classes * d, 2 * EXPANSION * d**2
        if shape.depth == 1:
            per_input = 2 * d**2 + N_HEADS * d
            inputs = 2 * shape.n_symbols + 1
            return 6 * (n_train * (feed_forward + 2 * N_HEADS * d + unembed) + inputs * per_input)
        # Query, key, value, output and feed-forward block at all positions; pairs of positions that attend.
        whole = N_TOKENS * (4 * d**2 + feed_forward) + 2 * d * N_TOKENS * (N_TOKENS + 1) // 2
        # Keys and values at all positions, the rest at the one that is read.
        last = (2 * N_TOKENS + 2) * d**2 + feed_forward + 2 * d * N_TOKENS
        return 6 * n_train * (unembed + (shape.depth - 1) * whole + last)

    def weights_per_pair(self, shape: Shape) -> int:
        """Those of the last layer's feed-forward block at one position, and in deeper ones keys and values at three.

        Of one layer, attention is made of tables that pairs share.
        """
        depth = shape.depth
        return ((depth > 1) * (36 * (depth - 1) + 8) + 8) * shape.width**2 + shape.n_classes * shape.width

    def values_per_pair(self, shape: Shape) -> int:
        """Of one layer, hidden units and the residual stream; of several, what autograd keeps of each position."""
        return 5 * shape.width if shape.depth == 1 else 36 * shape.depth * shape.width

    def other_flops_per_pair(self, shape: Shape) -> int:
        """Of positions that attend to others: one in the last layer, all in those before."""
        return ATTENTION_FLOPS * (N_TOKENS * (shape.depth - 1) + 1)


FAMILY = Transformer(
    name="transformer",
    label="transformer",
    architecture="dcrit.empirics.models.deep_transformer:ARCHITECTURE",
    activations=("relu", "square"),
    activation="relu",
    learning_rate=3e-3,
    width_symbol="d",
    width_unit="model dimension",
    width_step=N_HEADS,
    width_parts="heads",
    deepest=None,
    shares_embedding=True,
    multitask=True,
    # With 4 heads, few widths are overloaded.
    capacity_widths=(4, 8, 12),
    # A step is many more calls, and does more with each number: members are held together by the calls they share.
    fewest_members=8,
    call_flops=6_000_000,
    cache_bytes=16 << 20,
    large_set=1024,
)
