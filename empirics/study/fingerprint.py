"""What tells one module or data set from another: short hashes by which finished runs are found again."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

import torch
from torch import Tensor, nn

from dcrit.empirics.study.module_runs import logits_of

#: Examples on which a new module is tried, and binary digits of its logits that count: devices round differently.
TRIED, DIGITS = 8, 8


#: Where an object lies in memory, as its representation says.
_PLACE = re.compile(r" at 0x[0-9a-f]+")


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """What a new module is.

    Attributes:
        structure: Hash of its layers, and of the code of its classes.
        weights: Hash of its first parameters and buffers, and of its logits of a few examples.
    """

    structure: str
    weights: str


def fingerprint_of(module: nn.Module, inputs: Tensor, n_classes: int, device: str) -> Fingerprint:
    """What a new module is, before its first step.

    Code that ``forward`` calls outside of the module's classes shows in the logits. What such code does in training
    alone does not show.

    Args:
        module: It, with all its parameters.
        inputs: (n, …) all examples.
        n_classes: C.
        device: Where it lies.
    """
    structure, weights = hashlib.sha256(_PLACE.sub("", repr(module)).encode()), hashlib.sha256()
    for kind in sorted({type(one) for one in module.modules()}, key=lambda one: (one.__module__, one.__qualname__)):
        if not kind.__module__.startswith("torch."):
            structure.update(repr(_code_of(kind)).encode())
    for name, value in [*module.named_parameters(), *module.named_buffers()]:
        head = name, str(value.dtype), tuple(value.shape), value.requires_grad
        structure.update(repr(head).encode())
        weights.update(_bytes(value))
    logits = logits_of(module, inputs[:TRIED].to(device), n_classes).cpu()  # (TRIED, C)
    mantissa, exponent = torch.frexp(logits / logits.abs().max().clamp(min=1e-30))
    weights.update(_bytes(torch.ldexp((mantissa * 2**DIGITS).round(), exponent)))
    return Fingerprint(structure=_short(structure), weights=_short(weights))


def data_hash(inputs: Tensor, labels: Tensor) -> str:
    """Hash of all examples and their labels: types, shapes and values."""
    found = hashlib.sha256()
    for values in (inputs, labels):
        found.update(repr((str(values.dtype), tuple(values.shape))).encode())
        found.update(_bytes(values))
    return _short(found)


def _short(found: Any) -> str:
    return found.hexdigest()[:32]


def _bytes(values: Tensor) -> bytes:
    return values.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().tobytes()


def _code_of(kind: type) -> list[tuple[str, Any]]:
    """What the functions of a class do, those that it inherits as well, up to torch's own."""
    return [
        (f"{base.__qualname__}.{name}", _plain(member.__code__))
        for base in kind.__mro__
        if not base.__module__.startswith("torch.") and base is not object
        for name, member in sorted(vars(base).items())
        if isinstance(member, FunctionType)
    ]


def _plain(value: Any) -> Any:
    """Code as values that are written alike in every process."""
    if isinstance(value, CodeType):
        return value.co_code.hex(), value.co_names, [_plain(one) for one in value.co_consts]
    if isinstance(value, frozenset):
        return sorted(map(repr, value))
    return _PLACE.sub("", repr(value))
