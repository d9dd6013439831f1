"""Runs of somebody else's torch module on somebody else's data: an ordinary training loop, and what it settles at."""

from __future__ import annotations

import contextlib
import inspect
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from dcrit.empirics.models.loss import deficits_and_losses
from dcrit.empirics.runs.outcomes import CONVERGENCE_TOLERANCE, PERSISTENCE, SETTLED_FRACTION
from dcrit.empirics.runs.single import DEFICIT_QUANTILES, evaluation_steps
from dcrit.empirics.study.recipe import Recipe
from dcrit.empirics.training.adamw import BETA_1
from dcrit.theory.advice import Advice, Setting, joined
from dcrit.theory.checks import FieldError, check_choice, check_integer
from dcrit.theory.circuits.margin import efficiency, margin_from_loss
from dcrit.theory.problems.problem import HORIZON

FloatArray = NDArray[np.float64]
Factory = Callable[[int], nn.Module]
LabelKind = Literal["real", "uniform", "permuted"]

#: Parameters are scaled by exp(±this) to measure how the margin grows with the norm.
SCALING = 0.02

#: Examples that are evaluated at once.
CHUNK = 4096

#: Recorded curves beside the step, in the order of :class:`ModuleRun`'s table.
MODULE_CURVES = (
    "train_loss",
    "train_accuracy",
    "test_loss",
    "test_accuracy",
    "squared_norm",
    "deficit_low",
    "deficit_median",
    "deficit_high",
)

TEST_ACCURACY = MODULE_CURVES.index("test_accuracy")

#: Noise on labels has a stream of its own, so that the same examples are drawn with and without it.
NOISE_SEED = 7_919


@dataclass(frozen=True, kw_only=True)
class ModuleRunConfig(Recipe):
    """What decides the result of one run, beside factory and data; fields of :class:`Recipe`, and these.

    Attributes:
        labels: ``real``; ``uniform``: each label drawn among all classes; ``permuted``: the real labels, shuffled.
        n_train: D, training-set size [examples].
        seed: Draws the module, the training set, random labels, noise and batches.
        n_classes: C.
        steps: Optimizer steps [steps].
        enough: Test accuracy that ends a run before, once it has lasted for an eighth of the steps; above 1 for never.

    Raises:
        ValueError: A field has a value outside its range.
    """

    labels: LabelKind
    n_train: int
    seed: int
    n_classes: int
    steps: int
    enough: float = math.inf

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("labels", self.labels, ("real", "uniform", "permuted"))
        check_integer("n_train", self.n_train, 1)
        check_integer("seed", self.seed, 0)
        check_integer("n_classes", self.n_classes, 2)
        check_integer("steps", self.steps, 1)

    @property
    def horizon(self) -> int:
        """The same, by the name that it has for the package's own models [steps]."""
        return self.steps

    def evaluation_steps(self) -> list[int]:
        """Steps at which curves are recorded, as of a run whose horizon this is."""
        return evaluation_steps(self.steps, self.steps / HORIZON)


@dataclass(frozen=True, kw_only=True)
class ModuleRun:
    """A finished run.

    Attributes:
        config: What was run.
        step: (E,) evaluation steps.
        curves: (E, 8) columns in the order of ``MODULE_CURVES``: mean cross-entropies [nats] and accuracies on the
            training set and on all other examples (NaN where there are none), squared ℓ2 norm of the trained
            parameters, and quantiles over the other examples of best wrong minus correct logit.
        homogeneity: κ_eff at the end, see :func:`effective_homogeneity`; NaN where the margin is not above 0.
        n_params: N, trained parameters.
    """

    config: ModuleRunConfig
    step: FloatArray
    curves: FloatArray
    homogeneity: float
    n_params: int

    def curve(self, name: str) -> FloatArray:
        """One recorded curve, (E,)."""
        return self.curves[:, MODULE_CURVES.index(name)]

    def settled(self, name: str, start: float = 1.0 - SETTLED_FRACTION, stop: float = 1.0) -> float:
        """Median of a curve between two fractions of the run's length; NaN where nothing finite was recorded."""
        window = (self.step >= start * self.step[-1]) & (self.step <= stop * self.step[-1])
        if not window.any() or not np.isfinite(self.curve("train_loss")).all():
            return math.nan
        return float(np.median(self.curve(name)[window]))


@dataclass(frozen=True, kw_only=True)
class ModuleOutcome:
    """Settled values of one run, at one homogeneity for all runs of a model.

    Attributes:
        config: What was run.
        train_accuracy: On the training set.
        test_accuracy: On all other examples; NaN where there are none.
        margin: γ, soft margin on the training set [nats].
        squared_norm: Q.
        efficiency: e = γ/Q^(κ/2) [nats per norm^κ].
        deficits: Quantiles (10, 50, 90 %) over the other examples of best wrong minus correct logit, in units of γ.
        log_efficiency_drift: ln e in the last tenth minus ln e in the seventh tenth.
        converged: The run took all its steps, is finite, and its efficiency stands still.
    """

    config: ModuleRunConfig
    train_accuracy: float
    test_accuracy: float
    margin: float
    squared_norm: float
    efficiency: float
    deficits: tuple[float, float, float]
    log_efficiency_drift: float
    converged: bool


def outcome_at(run: ModuleRun, homogeneity: float) -> ModuleOutcome:
    """Settled values of a run, medians over its last tenth, with the norm priced at κ.

    Args:
        run: A finished run; a diverged one gives NaN and is not converged.
        homogeneity: κ.
    """

    def log_efficiency(start: float, stop: float) -> float:
        margin = margin_from_loss(run.settled("train_loss", start, stop), run.config.n_classes)
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.log(efficiency(margin, run.settled("squared_norm", start, stop), homogeneity)))

    last = 1.0 - SETTLED_FRACTION
    margin = float(margin_from_loss(run.settled("train_loss"), run.config.n_classes))
    with np.errstate(invalid="ignore"):  # both may be infinite in a run that diverged
        drift = float(np.subtract(log_efficiency(last, 1.0), log_efficiency(0.6, 0.7)))
    low, median, high = (run.settled(f"deficit_{level}") / (margin or math.nan) for level in ("low", "median", "high"))
    return ModuleOutcome(
        config=run.config,
        train_accuracy=run.settled("train_accuracy"),
        test_accuracy=run.settled("test_accuracy"),
        margin=margin,
        squared_norm=run.settled("squared_norm"),
        efficiency=float(np.exp(log_efficiency(last, 1.0))),
        deficits=(low, median, high),
        log_efficiency_drift=drift,
        converged=bool(abs(drift) <= CONVERGENCE_TOLERANCE and run.step[-1] == run.config.steps),
    )


def check_labels(labels: Tensor) -> None:
    """Refuse labels that are not one whole number an example.

    Raises:
        ValueError: They have another shape or type.
    """
    if labels.ndim == 1 and not labels.dtype.is_floating_point and labels.dtype not in {torch.bool, torch.complex64}:
        return
    why = ""
    if labels.ndim == 2 and labels.shape[1] > 1:
        why = "one column a class is not a class: give labels.argmax(1)"
    elif labels.ndim == 2:
        why = "give labels[:, 0]"
    elif labels.dtype == torch.bool or (labels.dtype.is_floating_point and bool((labels == labels.round()).all())):
        why = "give them as integers, such as labels.astype(int) of an array or labels.long() of a tensor"
    got = f"{labels.dtype} of shape {tuple(labels.shape)}"
    raise FieldError("labels", "be integers of shape (n,)", got, why=why)


def check_data(inputs: Tensor, labels: Tensor, n_classes: int) -> None:
    """Refuse data that no run could use.

    Args:
        inputs: (n, …) examples.
        labels: (n,) classes.
        n_classes: C.

    Raises:
        ValueError: Shapes, types or values do not fit.
    """
    check_labels(labels)
    if inputs.ndim < 1 or len(inputs) != len(labels) or len(labels) < 2:
        raise FieldError(
            "inputs", "hold one example for each of at least 2 labels", f"{tuple(inputs.shape)} for {len(labels)}"
        )
    if int(labels.min()) < 0 or int(labels.max()) >= n_classes:
        raise FieldError("labels", f"lie between 0 and {n_classes - 1}", f"{int(labels.min())} to {int(labels.max())}")
    if bool((labels == labels[0]).all()):
        raise FieldError("labels", "hold two classes at least", f"{int(labels[0])} alone")
    if not torch.isfinite(inputs).all():
        raise FieldError("inputs", "be finite", "values that are not")


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Generators of torch, NumPy and Python at a seed within, and as they were afterwards."""
    before = np.random.get_state(), random.getstate()  # noqa: NPY002 - that one is what modules of others draw from
    try:
        with torch.random.fork_rng(devices=list(range(torch.cuda.device_count()))):
            torch.manual_seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002
            random.seed(seed)
            yield
    finally:
        np.random.set_state(before[0])  # noqa: NPY002
        random.setstate(before[1])


@contextlib.contextmanager
def somebodys(demand: str) -> Iterator[None]:
    """Where code of somebody else runs: what it raises is told as what the factory has to do.

    Args:
        demand: What it has to do, as it follows the word "must".

    Raises:
        ValueError: It raised something.
    """
    try:
        yield
    except FieldError:
        raise
    except Exception as error:
        lines = str(error).strip().splitlines()
        raise FieldError("factory", demand, type(error).__name__, lines[0] if lines else "") from error


def build(factory: Factory, seed: int, device: str) -> nn.Module:
    """The module of a seed, made with all generators seeded by it and left as they were.

    Raises:
        ValueError: The factory is none, or returns something else than a module.
    """
    wanted = "be a function of a seed that returns a new torch.nn.Module"
    if isinstance(factory, nn.Module):
        why = "one module would be trained on from run to run"
        raise FieldError("factory", wanted, f"a module, {type(factory).__name__}", why=why)
    if isinstance(factory, type):
        why = f"{factory.__name__}(seed) would take the seed as its first argument: lambda seed: {factory.__name__}(…)"
        raise FieldError("factory", wanted, f"the class {factory.__name__}", why=why)
    if not callable(factory):
        raise FieldError("factory", wanted, type(factory).__name__)
    try:
        inspect.signature(factory).bind(seed)
    except TypeError as error:
        raise FieldError("factory", wanted, "a function that takes no seed", why=error) from error
    except ValueError:
        pass  # a callable of C has no signature to look at
    with _seeded(seed), somebodys(f"return a new module, as for seed {seed}"):
        module = factory(seed)
    if not isinstance(module, nn.Module):
        raise FieldError("factory", "return a torch.nn.Module", type(module).__name__)
    return module.to(device)


def new_module(factory: Factory, inputs: Tensor, seed: int, n_classes: int, *, device: str) -> nn.Module:
    """The module of a seed with all its parameters, those of lazy layers as well.

    Args:
        factory: Makes it.
        inputs: (n, …) examples.
        seed: Its seed.
        n_classes: C.
        device: Where it lies.

    Raises:
        ValueError: The factory is none, or its module does not fit the data.
    """
    module = build(factory, seed, device)
    if any(map(nn.parameter.is_lazy, trained_parameters(module))):
        with _seeded(seed):
            logits_of(module, inputs[:2].to(device), n_classes)
    return module


@dataclass(frozen=True, kw_only=True)
class Factories:
    """What two calls of a factory show.

    Attributes:
        note: What an answer has to say of its modules; empty where that is nothing.
        repeats: Whether the same seed gives the same weights.
    """

    note: str
    repeats: bool


def check_factory(factory: Factory, inputs: Tensor, n_classes: int, device: str, *, loss: str) -> Factories:
    """Refuse a factory that does not make a new module at each call, or one that does not take the inputs.

    Args:
        factory: Makes a module from a seed.
        inputs: (n, …) examples.
        n_classes: C.
        device: Where to train.
        loss: Name of the loss.

    Returns:
        Whether its modules differ by their seed, and by nothing else.

    Raises:
        ValueError: Two calls share a parameter or differ in size, or the module does not make logits of the inputs.
    """
    first, *others = (build(factory, seed, device) for seed in (0, 1, 0))  # the last one finds those that are kept
    made = {id(one) for one in trained_parameters(first)}
    if any(id(one) in made for other in others for one in trained_parameters(other)):
        why = "the same parameters would be trained on from run to run; make the layers inside of the function"
        raise FieldError("factory", "return a new module at every call", "one that shares parameters", why=why)
    kinds = {one.dtype for one in trained_parameters(first)}
    if torch.float16 in kinds:
        why = "in float16 the ε of the optimizer is 0"
        raise FieldError("factory", "return a module of float32, float64 or bfloat16", "one of float16", why=why)
    try:
        logits = logits_of(first, inputs.to(device), n_classes)
    except FieldError as error:
        fitting = next((kind for kind in _KINDS if _takes(first, inputs[:2], kind, device)), None)
        if error.__cause__ is None or fitting in (None, inputs.dtype):
            raise
        raise FieldError(
            error.field, error.allowed, error.got, joined("; ", (error.why, f"it takes them as {fitting}"))
        ) from error
    if not torch.isfinite(logits).all():
        raise FieldError("factory", "return a module whose logits are finite before training", "values that are not")
    sums = logits.sum(1)
    if loss == "cross-entropy" and bool((logits >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), atol=1e-3):
        why = "the loss takes the softmax of what the module returns: leave it out there"
        raise FieldError("factory", "return a module that gives logits", "probabilities", why=why)
    for other in others:
        logits_of(other, inputs[:2].to(device), n_classes)  # lazy layers have parameters from here on
    sizes = {sum(one.numel() for one in trained_parameters(module)) for module in (first, *others)}
    if len(sizes) > 1:
        raise FieldError(
            "factory", "return modules of one size", f"modules of {' and '.join(map(str, sorted(sizes)))} parameters"
        )
    one, same = (new_module(factory, inputs, 0, n_classes, device=device) for _ in range(2))
    if not _alike(one, same):
        note = (
            "two calls of the factory with one seed give different weights, so that this study cannot be repeated: "
            "draw them from the generators of torch, NumPy or Python, which are seeded before each call"
        )
        return Factories(note=note, repeats=False)
    note = (
        "every seed begins with the same weights, so the interval lacks how runs differ by them: draw them from the "
        "generators of torch, NumPy or Python, which are seeded before each call"
    )
    return Factories(note=note if _alike(first, others[0]) else "", repeats=True)


def _alike(one: nn.Module, other: nn.Module) -> bool:
    """Whether two modules have the same trained parameters."""
    pairs = zip(trained_parameters(one), trained_parameters(other), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


#: Types that inputs may be wanted in.
_KINDS = (torch.float32, torch.float64, torch.int64)


def _kind(inputs: Tensor) -> str:
    shape = ", ".join(["n", *map(str, inputs.shape[1:])]) + ("," if inputs.ndim == 1 else "")
    return f"{str(inputs.dtype).removeprefix('torch.')} of shape ({shape})"


@torch.no_grad()
def _takes(module: nn.Module, some: Tensor, kind: torch.dtype, device: str) -> bool:
    """Whether a module takes inputs of another type."""
    try:
        module(some.to(device=device, dtype=kind))
    except Exception:  # whatever it raises, it does not
        return False
    return True


def as_examples(inputs: ArrayLike | Tensor, labels: ArrayLike | Tensor) -> tuple[Tensor, Tensor]:
    """Arrays, lists and tensors as tensors: inputs in torch's default precision, labels as long integers.

    Args:
        inputs: (n, …) examples; a tensor keeps its precision.
        labels: (n,) classes.

    Raises:
        ValueError: They are no numbers of one shape.
    """
    found: list[Tensor] = []
    for name, given in (("inputs", inputs), ("labels", labels)):
        if isinstance(given, Tensor):
            found.append(given.detach())
            continue
        wanted, got = "be a tensor or an array of numbers", type(given).__name__
        try:
            array = np.array(given)
        except (TypeError, ValueError) as error:
            raise FieldError(name, wanted, got, why=str(error).partition(". ")[0]) from error
        if array.dtype.kind == "O" and array.ndim:
            with contextlib.suppress(TypeError, ValueError):
                array = np.array(array.tolist())  # numbers that a table keeps as objects
        if array.dtype.kind not in "biufc":
            what = {"U": "text", "S": "text", "M": "dates"}.get(array.dtype.kind, "objects")
            raise FieldError(name, wanted, f"{got} of {what}")
        found.append(torch.as_tensor(array))
    examples, classes = found
    if examples.dtype == torch.float64 and not isinstance(inputs, Tensor):
        examples = examples.to(torch.get_default_dtype())  # arrays are double by default, modules are not
    integers = not classes.is_floating_point() and classes.dtype != torch.bool
    return examples, classes.long() if integers else classes


def trained_parameters(module: nn.Module) -> list[nn.Parameter]:
    """Parameters that the optimizer changes.

    Raises:
        ValueError: There are none.
    """
    found = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not found:
        raise FieldError("factory", "return a module with parameters to train", "one without")
    return found


@torch.no_grad()
def logits_of(module: nn.Module, inputs: Tensor, n_classes: int) -> Tensor:
    """Logits of all examples in double precision, in evaluation mode: (n, C).

    Raises:
        ValueError: The module does not return one row of C logits an example.
    """
    was_training = module.training
    module.eval()
    with somebodys(f"return a module that takes inputs {_kind(inputs)}"):
        rows = [module(chunk) for chunk in inputs.split(CHUNK)]
    module.train(was_training)
    for row, chunk in zip(rows, inputs.split(CHUNK), strict=True):
        if not isinstance(row, Tensor) or row.shape != (len(chunk), n_classes):
            got = tuple(row.shape) if isinstance(row, Tensor) else type(row).__name__
            wanted = f"return a module whose logits have shape (n, {n_classes})"
            raise FieldError("factory", wanted, got, why=_instead(row, len(chunk), n_classes))
    return torch.cat(rows).double()  # (n, C)


def _instead(given: object, n: int, n_classes: int) -> str:
    """What a module should return in the place of what it returns."""
    if not isinstance(given, Tensor):
        return "return the logits alone, such as the first part of a tuple or output.logits"
    if given.ndim == 3 and given.shape[0] == n and given.shape[2] == n_classes:
        return "return the logits of one position, such as logits[:, -1]"
    if n_classes == 2 and given.shape in ((n,), (n, 1)):
        return "two classes have two logits: a last layer with two outputs"
    if given.ndim == 2 and given.shape[0] == n and given.shape[1] > n_classes:
        return Advice(Setting("n_classes", given.shape[1]), " says that there are more classes than labels show")
    return ""


@torch.no_grad()
def effective_homogeneity(module: nn.Module, inputs: Tensor, labels: Tensor, n_classes: int) -> float:
    """How the margin grows when all trained parameters are scaled together.

    κ_eff = d ln m/d ln ‖θ‖ = [ln m(θe^h) − ln m(θe^(−h))]/(2h)

    with m the mean over examples of the correct minus the best wrong logit. It is exact where the logits are
    homogeneous; biases, normalization layers and skip connections make it depend on the size of θ. Batch
    normalization keeps its running statistics, so that its invariance is not seen.

    Args:
        module: Any module; left as it was.
        inputs: (n, …) examples.
        labels: (n,) classes.
        n_classes: C.

    Returns:
        κ_eff; NaN where the margin is not above 0.

    Source: lyu2019 (homogeneous networks).
    """
    parameters = trained_parameters(module)
    before = [parameter.detach().clone() for parameter in parameters]
    margins = []
    for sign in (1, -1):
        for parameter, value in zip(parameters, before, strict=True):
            parameter.copy_(value * math.exp(sign * SCALING))
        deficit, _ = deficits_and_losses(logits_of(module, inputs, n_classes).T, labels[None])  # (n,)
        margins.append(-float(deficit.mean()))
    for parameter, value in zip(parameters, before, strict=True):
        parameter.copy_(value)
    return math.log(margins[0] / margins[1]) / (2 * SCALING) if min(margins) > 0 else math.nan


def drawn(config: ModuleRunConfig, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Labels of all examples and a random order of them, both on the CPU, from the seed alone: (n,) each."""
    generator = torch.Generator().manual_seed(config.seed)
    order = torch.randperm(len(labels), generator=generator)  # (n,)
    if config.labels == "uniform":
        return torch.randint(config.n_classes, labels.shape, generator=generator), order
    if config.labels == "permuted":
        return labels.cpu().long()[torch.randperm(len(labels), generator=generator)], order
    return labels.cpu().long(), order


def with_noise(config: ModuleRunConfig, labels: Tensor) -> Tensor:
    """Labels of which a part is replaced by another class, evenly drawn: (n,)."""
    generator = torch.Generator().manual_seed(config.seed + NOISE_SEED)
    replaced = torch.rand(labels.shape, generator=generator) < config.label_noise
    shift = torch.randint(1, config.n_classes, labels.shape, generator=generator)
    return torch.where(replaced, (labels + shift) % config.n_classes, labels)


def optimizer_of(parameters: list[nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """The optimizer that a recipe names."""
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, lr=recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
    return torch.optim.AdamW(
        parameters,
        lr=recipe.learning_rate,
        betas=(BETA_1, recipe.beta2),
        eps=recipe.epsilon,
        weight_decay=recipe.weight_decay,
        # One call for all parameters: steps of small modules take a quarter less time. It takes no complex numbers.
        fused=all(one.is_floating_point() for one in parameters),
    )


def loss_of(logits: Tensor, labels: Tensor, recipe: Recipe) -> Tensor:
    """The loss that a recipe names."""
    # In float32 the gradient of a small cross-entropy is mostly the rounding of 1 − q.
    logits = logits.to(getattr(torch, recipe.loss_precision))  # (D, C)
    if recipe.loss == "mean-squared-error":
        return nn.functional.mse_loss(logits, nn.functional.one_hot(labels, logits.shape[1]).to(logits))
    return nn.functional.cross_entropy(logits, labels)


class Training:
    """One module, its examples and its optimizer, on the way."""

    def __init__(
        self, factory: Factory, inputs: Tensor, labels: Tensor, config: ModuleRunConfig, *, device: str = "cpu"
    ) -> None:
        given, order = drawn(config, labels)
        self.config = config
        self.module = new_module(factory, inputs, config.seed, config.n_classes, device=device)
        self.parameters = trained_parameters(self.module)
        self.optimizer = optimizer_of(self.parameters, config)
        train, test = order[: config.n_train], order[config.n_train :]
        self.seen = inputs[train].to(device), with_noise(config, given[train]).to(device)  # (D, …), (D,)
        self.unseen = inputs[test].to(device), given[test].to(device)  # (n − D, …), (n − D,)
        self.indices = batches(config)
        self.taken = 0
        self.module.train()

    def step(self) -> None:
        """One step of the optimizer."""
        self.taken += 1
        if self.taken <= self.config.warm_up:
            for group in self.optimizer.param_groups:
                group["lr"] = self.config.learning_rate * self.taken / self.config.warm_up
        (x, y), batch = self.seen, next(self.indices)
        self.optimizer.zero_grad()
        some, classes = (x, y) if batch is None else (x[batch], y[batch])
        with somebodys(f"return a module that can be trained on {len(classes)} examples at once"):
            loss_of(self.module(some), classes, self.config).backward()
        self.optimizer.step()

    def evaluated(self) -> list[float]:
        """All curve values but the step, in the order of ``MODULE_CURVES``."""
        return _evaluated(self.module, self.parameters, self.seen, self.unseen, self.config.n_classes)


def train_module(
    factory: Factory, inputs: Tensor, labels: Tensor, config: ModuleRunConfig, *, device: str = "cpu"
) -> ModuleRun:
    """Train one module by a recipe, and record its curves.

    The training sets of one seed are nested in D. A run whose loss is not finite ends there.

    Args:
        factory: Makes a new module from a seed; torch's generator is seeded for it.
        inputs: (n, …) examples.
        labels: (n,) real classes.
        config: What to run.
        device: Where to train.

    Raises:
        ValueError: Module, data and configuration do not fit together.

    Source: loshchilov2017.
    """
    check_data(inputs, labels, config.n_classes)
    if config.n_train > len(labels):
        raise FieldError("n_train", f"be at most {len(labels)}, the number of examples", config.n_train)
    training = Training(factory, inputs, labels, config, device=device)
    rows: list[list[float]] = []
    steps: list[int] = []
    enough_since = math.inf
    for target in config.evaluation_steps():
        # Dropout and the like draw from the seed and the step alone.
        with _seeded(config.seed + 1_000_003 * (target + 1)):
            for _ in range(target - (steps[-1] if steps else 0)):
                training.step()
        rows.append(training.evaluated())
        steps.append(target)
        enough_since = min(enough_since, target) if rows[-1][TEST_ACCURACY] >= config.enough else math.inf
        if not math.isfinite(rows[-1][0]) or target - enough_since >= config.steps * PERSISTENCE / HORIZON:
            break
    return ModuleRun(
        config=config,
        step=np.array(steps, dtype=np.float64),
        curves=np.array(rows),
        homogeneity=effective_homogeneity(training.module, *training.seen, config.n_classes),
        n_params=sum(parameter.numel() for parameter in training.parameters),
    )


def batches(config: ModuleRunConfig) -> Iterator[Tensor | None]:
    """Indices of every step's examples; None for all of them."""
    generator = torch.Generator().manual_seed(config.seed)
    while True:
        if not 0 < config.batch_size < config.n_train:
            yield None
        else:
            yield from torch.randperm(config.n_train, generator=generator).split(config.batch_size)


@torch.no_grad()
def _evaluated(
    module: nn.Module,
    parameters: list[nn.Parameter],
    seen: tuple[Tensor, Tensor],
    unseen: tuple[Tensor, Tensor],
    n_classes: int,
) -> list[float]:
    """All curve values but the step, in the order of ``MODULE_CURVES``."""
    deficit, loss = deficits_and_losses(logits_of(module, seen[0], n_classes).T, seen[1][None])  # (D,)
    values = [float(loss.mean()), float((deficit < 0).double().mean())]
    test = [math.nan] * 2 + [math.nan] * len(DEFICIT_QUANTILES)
    if len(unseen[1]):
        deficit, loss = deficits_and_losses(logits_of(module, unseen[0], n_classes).T, unseen[1][None])  # (n − D,)
        with np.errstate(invalid="ignore"):  # a run that diverged has infinite ones
            quantiles = np.quantile(deficit.cpu().numpy(), DEFICIT_QUANTILES)
        test = [float(loss.mean()), float((deficit < 0).double().mean()), *map(float, quantiles)]
    norm = float(sum(parameter.double().square().sum() for parameter in parameters))
    return [*values, *test[:2], norm, *test[2:]]
