"""Options that mean the same in every command, and how bad values become one clear sentence."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import typer

from dcrit.cli.terminal.sentences import BadField
from dcrit.theory.checks import FieldError, no_choice
from dcrit.theory.families.family import FAMILIES, activations
from dcrit.theory.problems.problem import MOST_POINTS, MOST_WIDTH, Problem
from dcrit.theory.problems.tasks import TASKS

if TYPE_CHECKING:
    from dcrit.empirics.experiments.laboratory import Machine

    class ModelChoice(StrEnum):
        """Model families."""

        mlp = "mlp"
        transformer = "transformer"

    class ActivationChoice(StrEnum):
        """Activations of the hidden layer."""

        relu = "relu"
        square = "square"
else:
    # Other packages add to both.
    ModelChoice = StrEnum("ModelChoice", {name: name for name in FAMILIES})
    ActivationChoice = StrEnum("ActivationChoice", {name: name for name in activations()})


#: Largest integer of any option: below it, every integer is a double.
LARGEST = 10**15


class ExecutorChoice(StrEnum):
    """What batches are trained by."""

    local = "local"
    ray = "ray"


def integer(text: str) -> int:
    """An integer from the command line.

    Raises:
        typer.BadParameter: It is none, or too large for any option; the message names the value.
    """
    try:
        value = int(str(text))
    except ValueError as error:
        one = "one integer, and no list of them" if "," in str(text) else "an integer"
        raise typer.BadParameter(f"must be {one}, got '{text}'") from error
    if abs(value) > LARGEST:
        raise typer.BadParameter(f"must be an integer between -{LARGEST} and {LARGEST}, got '{text}'")
    return value


def integer_to(most: int) -> Callable[[str], int]:
    """A parser of integers for options whose larger values would only fill the memory.

    Args:
        most: Largest value.
    """

    def parse(text: str) -> int:
        value = integer(text)
        if value > most:
            raise typer.BadParameter(f"must be an integer of at most {most}, got '{text}'")
        return value

    parse.__name__ = "integer"
    return parse


def integers(text: str) -> tuple[int, ...]:
    """One integer or several between commas, from the command line.

    Raises:
        typer.BadParameter: One of them is none, or too large for any option; the message names it.
    """
    parts = str(text).split(",")
    if len(parts) > MOST_VALUES:
        raise typer.BadParameter(f"must be at most {MOST_VALUES} integers, got {len(parts)}")
    return tuple(integer(one) for one in parts)


#: Most values of one list.
MOST_VALUES = 10_000

#: What the help shows in the place of such values.
INTEGERS = "INTEGER,…"


def decimal(text: str) -> float:
    """A number from the command line.

    Raises:
        typer.BadParameter: It is none; the message names the value.
    """
    try:
        return float(str(text))
    except ValueError as error:
        raise typer.BadParameter(f"must be a number, got '{text}'") from error


Kind = TypeVar("Kind", bound=StrEnum)


def choice(kind: type[Kind]) -> Callable[[str], Kind]:
    """A parser of one of some words.

    Args:
        kind: The words.
    """

    def parse(text: str) -> Kind:
        try:
            return kind(str(text))
        except ValueError as error:
            raise typer.BadParameter(no_choice("", str(text), kind).demand) from error

    parse.__name__ = kind.__name__
    return parse


def words(kind: type[StrEnum]) -> str:
    """What the help shows in the place of a value."""
    return "|".join(kind)


def one_of(kind: type[StrEnum], text: str, *names: str, panel: str | None = None) -> Any:
    """An option that takes one of some words, which shells complete.

    Args:
        kind: The words.
        text: For the help.
        *names: Of the option, where it has a short one.
        panel: Of the help; None for that of all other options.
    """
    return typer.Option(
        *names,
        parser=choice(kind),
        metavar=words(kind),
        autocompletion=lambda: list(kind),
        help=text,
        rich_help_panel=panel,
    )


def number_of(text: str, *names: str, panel: str | None = None) -> Any:
    """An option that takes a number.

    Args:
        text: For the help.
        *names: Of the option, where it has a short one.
        panel: Of the help; None for that of all other options.
    """
    return typer.Option(*names, parser=decimal, metavar="NUMBER", help=text, rich_help_panel=panel)


def integer_of(text: str, *names: str, panel: str | None = None) -> Any:
    """An option that takes an integer.

    Args:
        text: For the help.
        *names: Of the option, where it has a short one.
        panel: Of the help; None for that of all other options.
    """
    return typer.Option(*names, parser=integer, metavar="INTEGER", help=text, rich_help_panel=panel)


def integers_of(text: str, *names: str, panel: str | None = None) -> Any:
    """An option that takes integers, one after the other and as lists.

    Args:
        text: For the help.
        *names: Of the option, where it has a short one.
        panel: Of the help; None for that of all other options.
    """
    return typer.Option(*names, parser=integers, metavar=INTEGERS, help=text, rich_help_panel=panel)


def claim_ids() -> list[str]:
    """Ids of all claims, for shells that complete them."""
    from dcrit.empirics.claims.suites import SUITE_NAMES, suite_of

    return sorted({claim.id for name in SUITE_NAMES for claim in suite_of(name).claims})


def figure_names() -> list[str]:
    """Names of all comparison figures, for shells that complete them."""
    from dcrit.figures import FIGURES

    return list(FIGURES)


Task = Annotated[
    str,
    typer.Option(
        "--task",
        "-t",
        autocompletion=lambda: list(TASKS),
        help=f"What is learned: {', '.join(TASKS)}, or a polynomial such as x^3+x*y^2+y.",
        rich_help_panel="Problem",
    ),
]
Modulus = Annotated[
    int,
    integer_of(
        "p, modulus of the arithmetic; things that symmetric-group permutes, bits of sparse-parity.",
        "--modulus",
        "-p",
        panel="Problem",
    ),
]
Model = Annotated[
    ModelChoice,
    one_of(
        ModelChoice,
        "Model family. mlp: the pair-MLP, W·σ(U[a] + V[b]), one hidden layer without biases. transformer: 4 heads, "
        "learned positions, a ReLU layer of 4·width hidden units, no LayerNorm, no biases, answer read at the last "
        "token of a, b, =.",
        "--model",
        "-m",
        panel="Problem",
    ),
]
Activation = Annotated[
    ActivationChoice | None,
    one_of(
        ActivationChoice,
        "σ of the hidden layer; default: the model's own, square for mlp and relu for transformer.",
        "--activation",
        "-a",
        panel="Problem",
    ),
]
Width = Annotated[
    int, integer_of("H, hidden units of the pair-MLP, or d_model of the transformer.", "--width", "-w", panel="Problem")
]
Depth = Annotated[int, integer_of("Layers of the transformer; 1 for the pair-MLP.", "--depth", "-d", panel="Problem")]
WeightDecay = Annotated[float, number_of("λ, decoupled weight decay of AdamW.", panel="Problem")]
LearningRate = Annotated[
    float | None,
    number_of(
        "η, step size of AdamW; default: the model's own, 1e-2 for mlp and 3e-3 for transformer.", panel="Problem"
    ),
]
Beta2 = Annotated[
    float, number_of("β₂ of AdamW, the part of the mean squared gradient that a step keeps.", panel="Problem")
]
Epsilon = Annotated[float, number_of("ε of AdamW, added to the root of the mean squared gradient.", panel="Problem")]
NTrain = Annotated[int, integer_of("D, training-set size, in examples.", "--n-train", "-n")]
Json = Annotated[
    bool, typer.Option("--json", "-j", help="Print one JSON document on stdout.", rich_help_panel="Output")
]
StoreFolder = Annotated[
    Path,
    typer.Option("--store", "-S", help="Folder in which runs are kept; what is there is not trained again."),
]
OverTheory = Annotated[
    Path | None,
    typer.Option(
        "--store",
        "-S",
        help="Folder of your own runs: those that were trained as the prediction assumes, at any width, are laid over "
        "the theory in table and picture. 'dcrit train' makes them.",
    ),
]
Workers = Annotated[
    int,
    typer.Option(
        parser=integer_to(1024),
        metavar="INTEGER",
        help="Processes that train; 0 for one per core.",
        rich_help_panel="Machine",
    ),
]
Executor = Annotated[
    ExecutorChoice,
    one_of(
        ExecutorChoice,
        "local: processes of this machine. ray: a Ray cluster, started here if no --address is given.",
        panel="Machine",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT|auto",
        help="Running Ray cluster that this machine is a node of; goes with --executor ray.",
        rich_help_panel="Machine",
    ),
]
Sizes = Annotated[list[int], integers_of("D, training-set size, in examples; one or several.", "--n-train", "-n")]
Moduli = Annotated[
    list[int] | None,
    integers_of(
        f"p, modulus of the arithmetic, one or several; things that symmetric-group permutes, bits of "
        f"sparse-parity. Default: {Problem.modulus}.",
        "--modulus",
        "-p",
        panel="Problem",
    ),
]
Widths = Annotated[
    list[int] | None,
    integers_of(
        f"H, hidden units of the pair-MLP, or d_model of the transformer; one or several. Default: {Problem.width}.",
        "--width",
        "-w",
        panel="Problem",
    ),
]
Seeds = Annotated[
    int,
    typer.Option(
        "--seeds",
        "-s",
        parser=integer_to(10_000),
        metavar="INTEGER",
        help="Runs per training-set size, each with a seed of its own.",
    ),
]
Seed = Annotated[int, integer_of("First seed; the others count up from it. Another one makes fresh runs.", "--seed")]
Accuracy = Annotated[float, number_of("Test accuracy to reach.", "--accuracy")]
Level = Annotated[float, number_of("Probability content of the intervals.")]

Horizon = Annotated[
    int | None,
    integer_of(
        "T, steps of training that the answer speaks of; default: 40/(ηλ). Another one needs a law with a clock, "
        "which the tasks that ship have.",
        "--horizon",
        "--steps",
        "-T",
    ),
]

Steps = Annotated[int, integer_of("T, the horizon: steps of training; 0 for 40/(ηλ).", "--steps", "--horizon", "-T")]

DEFAULT_STORE = Path("dcrit-runs")

Making = TypeVar("Making", bound=Callable[..., Any])
Command = TypeVar("Command", bound=Callable[..., None])


@contextlib.contextmanager
def bad_input() -> Iterator[None]:
    """Turn a ``FieldError`` of the library into exit 2; a ``ValueError`` without a field is our fault and passes."""
    try:
        yield
    except FieldError as error:
        raise BadField(error) from error


def machine_from(workers: Workers = 0, executor: Executor = ExecutorChoice.local, address: Address = None) -> Any:
    """The machine that the shared options describe, a ``Machine``: its module is loaded when it is used.

    Raises:
        typer.BadParameter: They do not go together (exit 2).
    """
    from dcrit.empirics.experiments.laboratory import Machine

    with bad_input():
        return Machine(workers=workers, executor=executor.value, address=address)


def problem_from(
    task: Task = "add",
    modulus: Modulus = Problem.modulus,
    model: Model = ModelChoice.mlp,
    activation: Activation = None,
    width: Width = Problem.width,
    depth: Depth = Problem.depth,
    weight_decay: WeightDecay = Problem.weight_decay,
    learning_rate: LearningRate = None,
    beta2: Beta2 = Problem.beta2,
    epsilon: Epsilon = Problem.epsilon,
) -> Problem:
    """The problem that the shared options describe; what is not given follows the model.

    Raises:
        typer.BadParameter: A value is outside its range (exit 2).
    """
    given: dict[str, Any] = {} if activation is None else {"activation": activation.value}
    given |= {} if learning_rate is None else {"learning_rate": learning_rate}
    with bad_input():
        return Problem(
            task=task,
            modulus=modulus,
            model=model.value,
            width=width,
            depth=depth,
            weight_decay=weight_decay,
            beta2=beta2,
            epsilon=epsilon,
            **given,
        )


@dataclass(frozen=True, kw_only=True)
class SeveralAsked:
    """One problem, or several that differ in modulus or width.

    Attributes:
        problem: The first of them.
        lists: ``moduli`` and ``widths`` where there are several, by the names of the library.
    """

    problem: Problem
    lists: Mapping[str, list[int]]

    @property
    def lists_fields(self) -> list[str]:
        """Fields of the problem that several values stand for."""
        return [{"moduli": "modulus", "widths": "width"}[name] for name in self.lists]


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Parameters with their annotations as objects, not as the strings that postponed evaluation leaves."""
    return list(inspect.signature(function, eval_str=True).parameters.values())


def _passing_on(other: Callable[..., Any]) -> Callable[[Making], Making]:
    """A function that takes all options of another one: its own in place of theirs, the rest to be passed on.

    Args:
        other: Has the options, in the order of the help.
    """

    def with_options(function: Making) -> Making:
        own = {one.name: one for one in _parameters(function)}
        options = [own.get(one.name, one) for one in _parameters(other)]
        keywords = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in options]
        function.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
        return function

    return with_options


@_passing_on(problem_from)
def problems_from(*, modulus: Moduli = None, width: Widths = None, **others: Any) -> SeveralAsked:
    """The problems that the shared options describe, where modulus and width may be several.

    Raises:
        typer.BadParameter: A value is outside its range (exit 2).
    """
    problem = problem_from(
        modulus=modulus[0] if modulus else Problem.modulus, width=width[0] if width else Problem.width, **others
    )
    given = {"moduli": modulus, "widths": width}
    return SeveralAsked(
        problem=problem, lists={name: list(many) for name, many in given.items() if many and len(many) > 1}
    )


def one_or_several(values: list[int]) -> int | list[int]:
    """A single value as itself, several as a list: the library answers a list with a table."""
    return values[0] if len(values) == 1 else values


def _in_one(value: Any) -> Any:
    """Values that were given one after the other and as lists, as one list."""
    if not isinstance(value, list) or not any(isinstance(one, tuple) for one in value):
        return value
    return [part for one in value for part in (one if isinstance(one, tuple) else (one,))]


@dataclass(frozen=True, kw_only=True)
class Group:
    """Options that are declared once, by the signature of what makes one value of them.

    Attributes:
        make: Takes the options, gives the value.
        without: Options of it that a command has no use for.
        defaults: Where a command needs another default than all others.
    """

    make: Callable[..., Any]
    without: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def parameters(self) -> list[inspect.Parameter]:
        """The options, as parameters of a command."""
        kept = [one for one in _parameters(self.make) if one.name not in self.without]
        return [
            one.replace(kind=inspect.Parameter.KEYWORD_ONLY, default=self.defaults.get(one.name, one.default))
            for one in kept
        ]


#: A problem, from its options.
ProblemOptions = Annotated[Problem, Group(make=problem_from)]

#: One problem or several, from its options.
SeveralProblems = Annotated[SeveralAsked, Group(make=problems_from)]

#: The same for questions over all widths.
AnyWidth = Annotated[Problem, Group(make=problem_from, without=("width",))]

#: Where to train.
MachineOptions = Annotated["Machine", Group(make=machine_from)]


def grouped(command: Command) -> Command:
    """A command whose parameters that stand for a group of options take these options in their place.

    Args:
        command: Its parameters are keywords.
    """
    parameters: list[inspect.Parameter] = []
    groups: dict[str, tuple[Group, list[str]]] = {}
    for one in _parameters(command):
        group = next((each for each in getattr(one.annotation, "__metadata__", ()) if isinstance(each, Group)), None)
        if group is None:
            parameters.append(one)
            continue
        options = group.parameters()
        groups[one.name] = group, [option.name for option in options]
        parameters += options

    @functools.wraps(command)
    def run(**given: Any) -> None:
        given = {name: _in_one(value) for name, value in given.items()}
        made = {
            name: group.make(**{option: given.pop(option) for option in options})
            for name, (group, options) in groups.items()
        }
        command(**made, **given)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    del run.__wrapped__  # type: ignore[attr-defined]
    return cast("Command", run)


Points = Annotated[
    int,
    typer.Option(
        parser=integer_to(MOST_POINTS),
        metavar="INTEGER",
        help=f"Training-set sizes, and at most as many whole widths; at most {MOST_POINTS}.",
    ),
]


MinWidth = Annotated[
    int | None,
    typer.Option(
        parser=integer_to(MOST_WIDTH),
        metavar="INTEGER",
        help="First width; default: half the calibration's first.",
    ),
]


MaxWidth = Annotated[
    int | None,
    typer.Option(parser=integer_to(MOST_WIDTH), metavar="INTEGER", help="Last width; default: the calibration's last."),
]
