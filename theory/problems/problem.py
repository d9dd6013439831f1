"""What is to be predicted or measured: a task, an architecture and an optimizer."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Literal, Self, cast

from dcrit.theory.checks import check_choice, check_integer, check_positive
from dcrit.theory.problems.tasks import Task, find_task

Model = Literal["mlp", "transformer"]
Family = Literal["square", "relu", "square transformer", "relu transformer"]
Activation = Literal["relu", "square"]

#: Degree of homogeneity κ of the pair-MLP's logits in its parameters: σ's degree plus the unembedding's 1.
HOMOGENEITY: dict[Activation, int] = {"relu": 2, "square": 3}

#: Effective degree κ of transformers of one layer, two layers …: logits of trained networks grow as this power of the
#: parameters' scale. Sharper attention adds to the factors of the longest path, paths around blocks take off. Medians
#: over networks on random labels and on addition that fit their training set, as ``dcrit measure homogeneity --modulus
#: 17 --width 16 --activation …`` remeasures them: relu 6.54 at p = 17, d = 16 and 24 (24 networks, 90 % within
#: 6.06–7.21) and 9.7 with two layers at p = 13, d = 16 (4 networks, 8.9–10.3), square 11.1 at p = 17, d = 16 (10
#: networks, 90 % within 10.7–11.9). It is no constant of the model: relu networks of one layer have 6.8 on random
#: labels and 6.2 on addition.
#: That was before gradients were exact at the correct class (docs/reference/performance.md). Since, the command gives
#: 6.54 (6.18–6.73) and 6.45 (6.23–6.75) for relu at d = 16 and 24, and 11.29 (10.47–12.01) for square, of 12 networks
#: each.
TRANSFORMER_HOMOGENEITY: dict[Activation, tuple[float, ...]] = {"relu": (6.5, 9.7), "square": (11.1,)}


def longest_path(activation: Activation, depth: int) -> int:
    """Factors that are multiplied along a transformer's longest path, attention weights taken as given.

    n ← σ's degree·(n + 3) + 1 in each layer, from the embedding's 1, and 1 for the unembedding: value,
    output and inward matrices come before σ, the outward matrix behind it.
    """
    factors = 1
    for _ in range(depth):
        factors = (HOMOGENEITY[activation] - 1) * (factors + 3) + 1
    return factors + 1


def check_rate(name: str, got: float) -> None:
    """Raise ``ValueError`` naming the field unless ``got`` is positive, and products of two such are within doubles."""
    check_positive(name, got)
    if not SMALLEST_RATE <= got <= LARGEST_RATE:
        raise ValueError(f"{name} must be between {SMALLEST_RATE:g} and {LARGEST_RATE:g}, got {got!r}")


#: Attention heads of the transformer.
N_HEADS = 4

#: Hidden units of a transformer's feed-forward block, in widths.
EXPANSION = 4

#: Largest modulus, width and depth: counts of pairs and parameters, and powers of them, stay within doubles.
MOST_MODULUS, MOST_WIDTH, MOST_DEPTH = 10**5, 10**9, 100

#: Weight decay and learning rate lie between these.
SMALLEST_RATE, LARGEST_RATE = 1e-30, 1e30


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A task, an architecture and an optimizer; everything but the training-set size and the seed.

    Attributes:
        task: Name of the task, see ``dcrit.theory.problems.tasks.TASKS``.
        modulus: p, modulus of the arithmetic; permuted things for ``symmetric-group``, bits for ``sparse-parity``.
        model: Model family.
        activation: σ of the hidden layer.
        width: H, hidden units of the pair-MLP, or d_model of the transformer.
        depth: Layers; the pair-MLP has one.
        weight_decay: λ, decoupled weight decay [1/step/learning rate].
        learning_rate: η [1].

    Raises:
        ValueError: A field has a value outside its range; the message names field, range and value.
    """

    task: str = "add"
    modulus: int = 23
    model: Model = "mlp"
    activation: Activation = "square"
    width: int = 64
    depth: int = 1
    weight_decay: float = 1.0
    learning_rate: float = 1e-2

    def __post_init__(self) -> None:
        task = find_task(self.task)
        check_integer("modulus", self.modulus, 3, MOST_MODULUS)
        task.check_modulus(self.modulus)
        check_choice("model", self.model, ("mlp", "transformer"))
        check_choice("activation", self.activation, ("relu", "square"))
        check_integer("width", self.width, 1, MOST_WIDTH)
        check_integer("depth", self.depth, 1, MOST_DEPTH)
        if self.model == "mlp" and self.depth != 1:
            raise ValueError(f"depth must be 1 for model 'mlp', got {self.depth}")
        if self.model == "transformer" and self.width % N_HEADS:
            raise ValueError(f"width must be a multiple of the transformer's {N_HEADS} heads, got {self.width}")
        check_rate("weight_decay", self.weight_decay)
        check_rate("learning_rate", self.learning_rate)
        for name in ("weight_decay", "learning_rate"):  # 1 and 1.0 are one problem: they must be written alike
            object.__setattr__(self, name, float(getattr(self, name)))

    @property
    def definition(self) -> Task:
        """The task object behind the name."""
        return find_task(self.task)

    @property
    def n_symbols(self) -> int:
        """S, values an operand takes."""
        return self.definition.n_symbols(self.modulus)

    @property
    def n_classes(self) -> int:
        """C, number of classes."""
        return self.definition.n_classes(self.modulus)

    @property
    def n_pairs(self) -> int:
        """Examples that exist [examples]."""
        return self.definition.n_pairs(self.modulus)

    @property
    def n_params(self) -> int:
        """N, trainable parameters.

        Pair-MLP: (2S + C)H. Transformer of width d: token and position embeddings (S + 1 + 3)d, in each
        layer four d×d attention matrices and two d×4d feed-forward ones, and the unembedding Cd.
        """
        if self.model == "mlp":
            return (2 * self.n_symbols + self.n_classes) * self.width
        d = self.width
        return (self.n_symbols + 1 + 3) * d + self.depth * 12 * d * d + self.n_classes * d

    @property
    def family(self) -> Family:
        """Activation, and the model where it is not the pair-MLP: what a colour of the figures stands for."""
        if self.model == "mlp":
            return self.activation
        return "square transformer" if self.activation == "square" else "relu transformer"

    @property
    def n_units(self) -> int:
        """Units whose norms an efficiency is counted in: H hidden units, or the whole transformer."""
        return self.width if self.model == "mlp" else 1

    @property
    def homogeneity(self) -> float:
        """κ, degree of homogeneity of the logits in the parameters: exact for pair-MLPs, measured for transformers.

        Beyond the deepest one measured it grows as the longest path's factors, an extrapolation.
        """
        if self.model == "mlp":
            return HOMOGENEITY[self.activation]
        measured = TRANSFORMER_HOMOGENEITY[self.activation]
        deepest = min(self.depth, len(measured))
        more = longest_path(self.activation, self.depth) / longest_path(self.activation, deepest)
        return measured[deepest - 1] * more

    @property
    def time_constant(self) -> float:
        """1/(ηλ), steps in which weight decay alone shrinks a weight by e [steps]."""
        return 1.0 / (self.learning_rate * self.weight_decay)

    def on_random_labels(self) -> Self:
        """The same model and optimizer on as many symbols, with random labels as frequent: pure memorization."""
        return replace(self, task=self.definition.control, modulus=self.n_symbols)

    def check_rule(self) -> None:
        """Refuse a task that can only be memorized.

        Raises:
            ValueError: Its labels are random.
        """
        if self.definition.rule is None:
            raise ValueError(f"task must have a rule to generalize to, and labels of '{self.task}' are random")

    def check_n_train(self, n_train: int) -> None:
        """Refuse a training-set size that the task cannot fill.

        Raises:
            ValueError: ``n_train`` is below 1 or above the number of pairs.
        """
        check_integer("n_train", n_train, 1)
        if n_train > self.n_pairs:
            raise ValueError(
                f"n_train must be at most {self.n_pairs}, the number of pairs of task '{self.task}' "
                f"at modulus {self.modulus}, got {n_train}"
            )

    def to_dict(self) -> dict[str, str | int | float]:
        """Fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, object]) -> Self:
        """Inverse of :meth:`to_dict`; validates as the constructor does."""
        return cls(**cast("dict[str, str]", fields))  # type: ignore[arg-type]
