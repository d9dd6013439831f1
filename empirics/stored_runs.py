"""Runs of a store as a sequence that reads them when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, Self, TypeVar, overload

from dcrit.empirics.parquet_store import Addressed, Finished, ParquetStore

AnyConfig = TypeVar("AnyConfig", bound=Addressed)
AnyRun = TypeVar("AnyRun", bound=Finished)


class StoreReadError(RuntimeError):
    """A stored run is no longer there."""


class StoredRuns(Sequence[AnyRun], Generic[AnyConfig, AnyRun]):
    """Stored runs in the order of their configurations, read file by file; memory does not grow with their number.

    A file is decoded once while runs of it follow each other closely, in terms of the store's cache, and
    again where they do not.

    Args:
        store: Where the runs are.
        configs: What was run; may repeat itself.
    """

    def __init__(self, store: ParquetStore[AnyConfig, AnyRun], configs: Sequence[AnyConfig]) -> None:
        self._store, self._configs = store, tuple(configs)

    def __len__(self) -> int:
        return len(self._configs)

    @overload
    def __getitem__(self, index: int, /) -> AnyRun: ...

    @overload
    def __getitem__(self, index: slice, /) -> Self: ...

    def __getitem__(self, index: int | slice, /) -> AnyRun | Self:
        """A run, or a sequence of some of them.

        Raises:
            IndexError: There is no such run.
            StoreReadError: Its file was removed, or damaged, after it was found.
        """
        if isinstance(index, slice):
            return type(self)(self._store, self._configs[index])
        return self._run(self._configs[index])

    def __iter__(self) -> Iterator[AnyRun]:
        """All runs in order.

        Raises:
            StoreReadError: The file of one was removed, or damaged, after it was found.
        """
        return map(self._run, self._configs)

    def _run(self, config: AnyConfig) -> AnyRun:
        run = self._store.get(config)
        if run is None:
            raise StoreReadError(
                f"run {config.address} is no longer in {self._store.folder}: its file was removed or damaged after "
                "it was found. Repeat the command to make the run again"
            )
        return run
