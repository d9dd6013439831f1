"""Where the parameters of networks with several tasks lie, and which may be trained in one batch; without torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcrit.empirics.models.padding import padded_rows
from dcrit.empirics.runs.multitask import MultitaskConfig
from dcrit.theory.families.transformer import EXPANSION, N_TOKENS


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Which rows of a member's parameters, all of H columns, belong to one task.

    Attributes:
        first: First row of its U.
        second: First row of its V.
        token: Row of T[t]; None where blocks are split.
        block: H rows of its A; None where the embedding is merged.
        head: Its W.
        n_symbols: S.
    """

    first: int
    second: int
    token: int | None
    block: slice | None
    head: slice
    n_symbols: int

    def mask(self, n_rows: int) -> NDArray[np.bool_]:
        """Which of all rows the task uses: (n_rows,)."""
        used = np.zeros(n_rows, dtype=np.bool_)
        for start in (self.first, self.second):
            used[start : start + self.n_symbols] = True
        if self.token is not None:
            used[self.token] = True
        if self.block is not None:
            used[self.block] = True
        used[self.head] = True
        return used


@dataclass(frozen=True, kw_only=True)
class TransformerRows:
    """Which rows of a member's parameters, all of d columns, make the one-layer transformer of one task.

    Attributes:
        parts: Where they lie, in the order of a transformer's own: symbols, ``=``, positions and attention, the
            feed-forward block, the unembedding.
    """

    parts: tuple[slice, ...]

    @property
    def head(self) -> slice:
        """The unembedding."""
        return self.parts[-1]

    @property
    def indices(self) -> NDArray[np.int64]:
        """Rows one by one: (N/d,)."""
        return np.concatenate([np.arange(part.start, part.stop) for part in self.parts])

    def mask(self, n_rows: int) -> NDArray[np.bool_]:
        """Which of all rows the task uses: (n_rows,)."""
        used = np.zeros(n_rows, dtype=np.bool_)
        used[self.indices] = True
        return used


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where in a member's parameters (n_rows, H) everything lies: U, V, T, A and W, in that order.

    Of transformers: symbols, the token ``=`` of every task, positions, attention, feed-forward blocks, unembeddings.

    Attributes:
        tasks: Rows of every task.
        n_rows: Of a member; N = n_rows·H.
        n_embedding: Rows of U, V and T together; of a transformer's tokens.
        n_blocks: Matrices A; a transformer's feed-forward blocks.
    """

    tasks: tuple[Rows, ...] | tuple[TransformerRows, ...]
    n_rows: int
    n_embedding: int
    n_blocks: int

    @classmethod
    def of(cls, config: MultitaskConfig) -> Layout:
        """The layout of a configuration."""
        if config.is_transformer:
            return cls._of_transformer(config)
        n_tasks, width = len(config.components), config.width
        problems = [config.problem(k) for k in range(n_tasks)]
        merged, split = config.embedding == "merged", config.blocks == "split"
        starts, n_symbols, shared = list[int](), 0, None
        for problem, component in zip(problems, config.components, strict=True):
            own = component.operands == "own" or (merged and split)
            if own or shared is None:
                start, n_symbols = n_symbols, n_symbols + problem.n_symbols
                shared = shared if own else start
            else:
                start = shared
            starts.append(start)
        n_embedding = 2 * n_symbols + (0 if split else n_tasks)
        n_blocks = 0 if merged else n_tasks if split else 1
        row = n_embedding + n_blocks * width
        tasks = []
        for k, problem in enumerate(problems):
            block = n_embedding + (k if split else 0) * width
            head = slice(row, row + problem.n_classes)
            row += problem.n_classes if config.heads == "own" or k == n_tasks - 1 else 0
            tasks.append(
                Rows(
                    first=starts[k],
                    second=n_symbols + starts[k],
                    token=None if split else 2 * n_symbols + k,
                    block=None if merged else slice(block, block + width),
                    head=head,
                    n_symbols=problem.n_symbols,
                )
            )
        return cls(tasks=tuple(tasks), n_rows=row, n_embedding=n_embedding, n_blocks=n_blocks)

    @classmethod
    def _of_transformer(cls, config: MultitaskConfig) -> Layout:
        n_tasks, width = len(config.components), config.width
        problems = [config.problem(k) for k in range(n_tasks)]
        symbols, row, shared = list[slice](), 0, None
        for problem, component in zip(problems, config.components, strict=True):
            if component.operands == "shared" and shared is not None:
                symbols.append(shared)
                continue
            symbols.append(slice(row, row + problem.n_symbols))
            row += problem.n_symbols
            shared = shared if component.operands == "own" else symbols[-1]
        equals, n_embedding = row, row + n_tasks
        # Positions and the matrices of attention follow, which all tasks share.
        block = n_embedding + N_TOKENS + 4 * width
        n_blocks, block_rows = n_tasks if config.blocks == "split" else 1, 2 * EXPANSION * width
        row = block + n_blocks * block_rows
        tasks: list[TransformerRows] = []
        for k, problem in enumerate(problems):
            own = block + (k * block_rows if config.blocks == "split" else 0)
            parts = (
                symbols[k],
                slice(equals + k, equals + k + 1),
                slice(n_embedding, block),
                slice(own, own + block_rows),
                slice(row, row + problem.n_classes),
            )
            tasks.append(TransformerRows(parts=parts))
            row += problem.n_classes if config.heads == "own" or k == n_tasks - 1 else 0
        return cls(tasks=tuple(tasks), n_rows=row, n_embedding=n_embedding, n_blocks=n_blocks)


def multitask_key(config: MultitaskConfig) -> tuple[object, ...]:
    """What members of one batch have in common."""
    shapes = [
        (config.problem(k).n_symbols, config.problem(k).n_classes, component.operands, padded_rows(component.n_train))
        for k, component in enumerate(config.components)
    ]
    optimizer = (*config.problem(0).optimizer.values(), config.precision)
    sharing = (config.blocks, config.heads, config.embedding)
    return (tuple(shapes), sharing, config.phases, config.model, config.activation, config.width, optimizer)
