"""What columns of training logs are called, and which of them holds what."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal, get_args

from dcrit.theory.advice import Setting
from dcrit.theory.checks import FieldError

#: Curves that a file may hold, beside the step.
Quantity = Literal["train_accuracy", "test_accuracy", "train_loss", "test_loss", "squared_norm", "norm"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)

#: Fields that options and arguments may name a column for; an error is 1 − accuracy.
FIELDS = ("step", *QUANTITIES, "train_error", "test_error")


class Field(Setting):
    """One of these that a sentence names: a key of ``columns`` in Python, and an option of its own of a command."""

    def __str__(self) -> str:
        return self.name


class ColumnOf(Field):
    """The same where a column should be named for it: it reads ``columns={'test_accuracy': …}``."""

    def __str__(self) -> str:
        return f"columns={{{self.name!r}: …}}"


_SET = "(set|data|dataset|split)?"
_INSIDE, _OUTSIDE = "(id|iid|indist|indistribution)", "(ood|outofdist|outofdistribution)"
_TRAIN = f"({_INSIDE}?(train|training)|(train|training){_INSIDE}|tr|trn|insample){_SET}"
_TEST = f"(test|testing|te|tst|heldout|holdout|unseen|outofsample|generali[sz]ation){_SET}"
_VALIDATION = f"(va|val|vali|valid|validation|dev|eval|evaluation){_SET}"

_ACCURACY = (
    "(categorical|sparsecategorical|binary|multiclass|token|classification|batch)?"
    "(acc|accs|accuracy|accuracies|top1|acc1|accuracy1|acctop1|top1acc|top1accuracy|accuracytop1|prec1|exactmatch)"
)
_LOSS = "(batch)?(loss|losses|nll|ce|xent|crossentropy|crossentropyloss|celoss|nllloss|xentloss|logloss)"
_ERROR = "(err|errs|error|errors|errorrate|err1|error1|top1err|top1error|top1errorrate|misclassification|zerooneloss)"

_BEFORE = "(metrics?|logs?|history|hist|final|running|mean|avg|average|epochs?|perf|performance|scalars?|curves?)*"
_AFTER = (
    "(epochs?|mean|avg|average|pct|perc|percent|fraction|frac|ratio|history|hist|list|curve|curves|values?|last|final"
    "|clean)*"
)


def _either_way(part: str, metric: str, after: str = _AFTER) -> str:
    return f"{_BEFORE}(eval)?({part}(epochs?|mean|avg|average)?{metric}|{metric}(on|in|of|for)?{part}){after}"


def _on_train(metric: str, word: str) -> tuple[tuple[str, str], ...]:
    return (
        (_either_way(f"full{_TRAIN}", metric), f"train {word}"),
        (_either_way(_TRAIN, metric), f"train {word}"),
        (_either_way(_TRAIN, metric, "step"), f"train {word}"),
        (f"{_BEFORE}{metric}{_AFTER}", word),
    )


def _on_test(metric: str, word: str) -> tuple[tuple[str, str], ...]:
    return (
        (_either_way(_TEST, metric), f"test {word}"),
        (_either_way(f"{_INSIDE}({_TEST}|{_VALIDATION})?", metric), f"test {word} inside the distribution"),
        (_either_way(_VALIDATION, metric), f"validation {word}"),
        (_either_way(f"{_OUTSIDE}({_TEST}|{_VALIDATION})?", metric), f"test {word} outside the distribution"),
        (_either_way(f"({_TEST}|{_VALIDATION})", metric, "step"), f"test {word}"),
    )


#: For every quantity, names in order of preference and what they are called in messages. A name is compared in
#: lower case and without anything but letters and digits. Two columns under one preference are ambiguous.
_NAMES: dict[str, tuple[tuple[str, str], ...]] = {
    "step": (
        ("steps?(iterations?|iters?|number|count|index)?", "step"),
        (
            "(n|num)?(global|optimizer|optim|opt|train|training|trainer|total|gradient|grad|current|update|log)+steps?"
            "|stepnumber",
            "step",
        ),
        ("(n|num|global|total|training|train)?(iterations?|iters?|its?|updates?)(number|num)?", "iteration"),
        ("(n|num|training|train|trainer|current)?(epochs?|ep)(number|num|index)?", "epoch"),
        ("(n|num|global)?(batch|batches|minibatch|minibatches)(index|idx)?", "batch"),
        (
            "(n|num|total|train|training)?(tokens?|samples|examples|images|sequences)(seen|processed|consumed)",
            "examples",
        ),
        ("(n|num|total)?tokens", "tokens"),
        ("t|x|xaxis", "step"),
        ("i|n|k|index|idx|unnamed0|", "row"),
    ),
    "train_accuracy": _on_train(_ACCURACY, "accuracy"),
    "test_accuracy": _on_test(_ACCURACY, "accuracy"),
    "train_loss": _on_train(_LOSS, "loss"),
    "test_loss": _on_test(_LOSS, "loss"),
    "train_error": _on_train(_ERROR, "error"),
    "test_error": _on_test(_ERROR, "error"),
    "squared_norm": (
        (
            "(squared(weight|weights|param|params|parameter|l2)?norm|(weight|weights|param|params|parameter)?normsquared"
            "|l2squared|squaredl2|(weight|param|params)?normsq|sqnorm)",
            "squared norm",
        ),
    ),
    "norm": (("((weights?|params?|parameters?|model|total|l2)*norm|l2|norml2|(weights?|params?)l2)", "norm"),),
    "run": (
        (
            "(run(id|name|index|number)?|address|id|(experiment|exp|trial|model)(id|name|number)|experiment|trial"
            "|replicate|repeat|rep|fold)",
            "run",
        ),
        ("(random|rng)?seed(number|id)?", "seed"),
        ("name", "run"),
    ),
}

#: Columns that name a set and no metric hold accuracies where their values may be some.
_LONE_SETS = {
    "train_accuracy": ((_BEFORE + _TRAIN, "train"),),
    "test_accuracy": (
        (_BEFORE + _TEST, "test"),
        (f"{_BEFORE}{_INSIDE}({_TEST}|{_VALIDATION})?", "test inside the distribution"),
        (_BEFORE + _VALIDATION, "validation"),
        (f"{_BEFORE}{_OUTSIDE}({_TEST}|{_VALIDATION})?", "test outside the distribution"),
    ),
}


#: Lines that are printed call the same names again and again.
remembered = lru_cache(maxsize=10_000)


@remembered
def plain(name: str) -> str:
    """A column's name as names are compared; a second column of one name is told from the first by polars' ending."""
    name = re.sub(r"_duplicated_\d+$", "", name).replace("%", "percent")
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def listed(names: Sequence[str], most: int = 30) -> str:
    """Names in quotation marks, the first ones of many."""
    shown = ", ".join(map(repr, names[:most]))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def meanings(field: str) -> str:
    """What is looked for where a field is needed."""
    return ", ".join(dict.fromkeys(meant for _, meant in _NAMES[field] if meant != "row"))


@remembered
def set_of(name: str) -> str:
    """The part of the data that a word such as ``val`` or ``train_set`` names: a key for columns; empty if none."""
    # Trackers write {'subset': 'train'}.
    word = plain(re.sub(r"\W*(subset|split|set|phase|mode)\W+", "", name) if "{" in name else name)
    for key, patterns in (
        ("train", (_TRAIN, f"full{_TRAIN}")),
        ("test", (_TEST,)),
        ("id_test", (f"{_INSIDE}({_TEST}|{_VALIDATION})?",)),
        ("ood_test", (f"{_OUTSIDE}({_TEST}|{_VALIDATION})?",)),
        ("validation", (_VALIDATION,)),
    ):
        if any(re.fullmatch(pattern, word) for pattern in patterns):
            return key
    return ""


@remembered
def names_steps(name: str) -> bool:
    """Whether a name says steps, of a set as well: ``val_epochs``."""
    words = re.split(r"[^A-Za-z]+", name)
    return is_step(name) or any(set_of(one) and is_step("".join(words[k + 1 :])) for k, one in enumerate(words))


def metric_of(name: str) -> str:
    """``accuracy``, ``loss`` or ``error`` for a name that is that and names no set; empty for others."""
    word = plain(name)
    for key, metric in (("accuracy", _ACCURACY), ("loss", _LOSS), ("error", _ERROR)):
        if re.fullmatch(_BEFORE + metric + _AFTER, word):
            return key
    return ""


def is_field(field: str, name: str) -> bool:
    """Whether a name may stand for a field."""
    return any(re.fullmatch(pattern, plain(name)) for pattern, _ in _NAMES[field])


@remembered
def is_step(name: str) -> bool:
    """Whether a name says step, iteration, epoch or batch in so many words."""
    return any(re.fullmatch(pattern, plain(name)) for pattern, _ in _NAMES["step"][:5])


@remembered
def is_known(name: str) -> bool:
    """Whether a name may stand for any curve."""
    return bool(set_of(name)) or any(is_field(field, name) for field in _NAMES if field not in ("step", "run"))


def match(
    field: str, names: Sequence[str], same: Callable[[str, str], bool], *, lone_sets: bool = False
) -> tuple[str, str, tuple[str, ...]] | None:
    """The column for a field, what its name means, and columns of a lower preference that are left.

    Args:
        field: What is looked for.
        names: Columns.
        same: Whether two columns hold the same, so that it does not matter which is taken.
        lone_sets: Names that name a set alone count instead of those of the field.

    Raises:
        ValueError: Two columns that differ fit equally well.
    """
    ranks = _LONE_SETS.get(field, ()) if lone_sets else _NAMES[field]
    found: tuple[str, str] | None = None
    left: list[str] = []
    for pattern, meant in ranks:
        fitting = [name for name in names if re.fullmatch(pattern, plain(name))]
        if found is not None:
            left += [name for name in fitting if name not in (found[0], *left)]
            continue
        # The package's own name for a field is never ambiguous.
        fitting = [name for name in fitting if name == field] or fitting
        if len(fitting) > 1 and not all(same(fitting[0], other) for other in fitting[1:]):
            raise FieldError(field, "be one column", listed(fitting), why="name the one to use")
        if fitting:
            found = fitting[0], meant
    return None if found is None else (*found, tuple(left))
