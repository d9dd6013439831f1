"""The files of a store that were read last, decoded, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Generic, TypeVar

AnyRun = TypeVar("AnyRun")


class RunCache(Generic[AnyRun]):
    """Runs of the files used last; the file used longest ago goes first, and one always stays.

    Args:
        n_bytes: How much all of them may take [bytes].
    """

    def __init__(self, n_bytes: int) -> None:
        self._most = n_bytes
        self._files: OrderedDict[Path, tuple[dict[str, AnyRun], int]] = OrderedDict()
        self._n_bytes = 0

    def get(self, path: Path) -> dict[str, AnyRun] | None:
        """Runs of a file by address; None where it is not kept."""
        if path not in self._files:
            return None
        self._files.move_to_end(path)
        return self._files[path][0]

    def add(self, path: Path, runs: dict[str, AnyRun], n_bytes: int) -> None:
        """Keep the runs of a file, and drop others until there is room for them.

        Args:
            path: The file.
            runs: Its runs by address.
            n_bytes: How much they take [bytes].
        """
        _, before = self._files.pop(path, (None, 0))
        self._files[path] = runs, n_bytes
        self._n_bytes += n_bytes - before
        while self._n_bytes > self._most and len(self._files) > 1:
            _, (_, dropped) = self._files.popitem(last=False)
            self._n_bytes -= dropped
