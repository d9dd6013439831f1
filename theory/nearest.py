"""Which of some names a word that is none of them may stand for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

#: What the field calls by other words: the names here, of which a place has one or several, or none.
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    # Options and arguments.
    **dict.fromkeys(("lr", "eta", "step-size"), ("learning-rate",)),
    **dict.fromkeys(("wd", "lambda", "lam", "l2", "regularization"), ("weight-decay",)),
    **dict.fromkeys(("beta-2", "betas"), ("beta2",)),
    **dict.fromkeys(("eps",), ("epsilon",)),
    **dict.fromkeys(
        ("epochs", "n-epochs", "num-epochs", "max-epochs", "iterations", "iters", "n-steps", "num-steps", "max-steps"),
        ("horizon", "steps"),
    ),
    "steps": ("horizon",),
    "t": ("horizon", "steps"),
    "horizon": ("steps",),
    **dict.fromkeys(
        ("hidden", "hidden-size", "hidden-dim", "hidden-units", "n-hidden", "d-model", "d-hidden", "d-mlp", "h"),
        ("width", "widths"),
    ),
    **dict.fromkeys(("p", "mod", "prime"), ("modulus", "moduli")),
    **dict.fromkeys(("arch", "architecture", "network", "family"), ("model",)),
    **dict.fromkeys(
        ("frac", "fraction", "frac-train", "train-frac", "train-fraction", "data-fraction", "train-size"),
        ("n-train", "sizes"),
    ),
    "d": ("n-train", "sizes", "width"),
    **dict.fromkeys(("n-examples", "n-samples", "num-samples", "samples", "dataset-size"), ("n-train", "sizes")),
    **dict.fromkeys(("layers", "n-layers", "num-layers"), ("depth",)),
    **dict.fromkeys(("op", "operation", "dataset", "rule"), ("task",)),
    **dict.fromkeys(("act", "act-fn", "nonlinearity"), ("activation",)),
    **dict.fromkeys(("n-seeds", "num-seeds", "n-runs", "repeats"), ("seeds",)),
    **dict.fromkeys(("random-seed", "rng"), ("seed", "first-seed")),
    **dict.fromkeys(("jobs", "n-jobs", "cores", "num-workers", "processes"), ("workers",)),
    **dict.fromkeys(("gpu", "accelerator"), ("device", "cuda")),
    **dict.fromkeys(("dir", "folder", "cache", "runs-dir"), ("store",)),
    **dict.fromkeys(("save", "save-to", "file", "plot"), ("out",)),
    **dict.fromkeys(("confidence", "alpha"), ("level",)),
    # Values.
    **dict.fromkeys(("plus", "+"), ("add",)),
    **dict.fromkeys(("minus", "-"), ("sub",)),
    **dict.fromkeys(("times", "product", "*"), ("mul",)),
    "/": ("div",),
    **dict.fromkeys(("gpt", "attention"), ("transformer",)),
    "quadratic": ("square",),
    "mse": ("mean-squared-error",),
    "ce": ("cross-entropy",),
}

#: Longest part of a word that is compared [characters], and shortest beginning that says something.
_LONGEST, _BEGINNING = 100, 3

#: Least likeness of a near name, and what a common beginning or part adds to it.
_ALIKE, _COMMON = 0.6, 0.3


def nearest(word: str, names: Iterable[str], most: int = 2) -> list[str]:
    """The names that a word may stand for, the likeliest first; none where none is near.

    Names that are the field's usual other words for it come alone. Else they are names of which one begins as the
    other, which have the word as a part, or which are spelt much alike. Capitals, and hyphens or underscores, make no
    difference.

    Args:
        word: What was written.
        names: What could have been.
        most: How many are given at most, where they are no synonyms.
    """
    by_key = {_key(name): name for name in names}
    key = _key(word[:_LONGEST])
    if key in by_key:
        return [by_key[key]]
    if meant := [by_key[name] for name in SYNONYMS.get(key, ()) if name in by_key]:
        return meant
    likeness = {name: difflib.SequenceMatcher(None, name, key).ratio() for name in by_key}
    common = {name for name in by_key if _begins(name, key) or _begins(key, name) or key in name.split("-")}
    near = [name for name in by_key if name in common or likeness[name] >= _ALIKE]
    near.sort(key=lambda name: -likeness[name] - (_COMMON if name in common else 0))
    return [by_key[name] for name in near[:most]]


def question(word: str, names: Iterable[str]) -> str:
    """``Did you mean A or B?``, of the names that a word may stand for; empty where none is near.

    Args:
        word: What was written.
        names: What could have been.
    """
    near = nearest(word, names)
    return f"Did you mean {' or '.join(near)}?" if near else ""


def _key(name: str) -> str:
    return name.lstrip("-").replace("_", "-").lower() or name


def _begins(name: str, start: str) -> bool:
    return len(start) >= _BEGINNING and name.startswith(start)
