"""Named entries of one kind: the package's own, and those that other packages add without touching its files."""

from __future__ import annotations

import importlib
import logging
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from multiprocessing import parent_process
from typing import Any, Generic, TypeVar

from dcrit.theory.checks import FieldError, no_choice

Entry = TypeVar("Entry")

#: Says on standard error which plug-in was left out, unless a program configures logging otherwise.
LOG = logging.getLogger("dcrit")


class Registry(Mapping[str, Entry], Generic[Entry]):
    """Entries by their names.

    The package's own come first. Then come those of installed packages that declare an entry point of the group; they
    are read once, when somebody first asks. A plug-in that cannot be loaded is left out with one sentence on standard
    error. :meth:`add` is the door for all of them, and for a program that adds an entry of its own.

    Args:
        field: What names an entry in a configuration, as messages call it.
        kind: Class of the entries.
        group: Of entry points, each of which names one entry, such as ``my_package.tasks:TASK``.
        own: Makes the package's own entries, when somebody first asks.
        name: Entry to its name.
        order: Entry to what entries are sorted by; None to keep the order in which they were added.
        derive: Name to an entry that is not listed because its name describes it, such as a formula, or to None; its
            own name may be another one. It raises ``ValueError`` where the name is nearly one.
    """

    def __init__(
        self,
        field: str,
        kind: type[Any],
        *,
        group: str,
        own: Callable[[], Iterable[Entry]],
        name: Callable[[Entry], str],
        order: Callable[[Entry], Any] | None = None,
        derive: Callable[[str], Entry | None] = lambda _: None,
    ) -> None:
        self.field, self.kind, self.group = field, kind, group
        self._own, self._name, self._order, self._derive = own, name, order, derive
        self._entries: dict[str, Entry] = {}
        self._is_read = False

    def add(self, entry: Entry) -> None:
        """Take in one more entry, for this process.

        Raises:
            ValueError: It is of another class, or its name is taken.
        """
        self._read()
        self._put(entry)

    def remove(self, name: str) -> None:
        """Forget an entry.

        Raises:
            ValueError: None has that name.
        """
        self.find(name)
        del self._entries[name]

    def find(self, name: object) -> Entry:
        """The entry of that name.

        Raises:
            ValueError: None has it; the message lists all names and the nearest one.
        """
        self._read()
        if isinstance(name, str) and name in self._entries:
            return self._entries[name]
        if isinstance(name, str) and (derived := self._derive(name)) is not None:
            return derived
        raise no_choice(self.field, name, self._entries)

    def __getitem__(self, name: str) -> Entry:
        """The entry of that name."""
        self._read()
        if name in self._entries or (derived := self._derive(name)) is None:
            return self._entries[name]
        return derived

    def __contains__(self, name: object) -> bool:
        """Whether an entry is listed under that name."""
        self._read()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        """Names in order."""
        self._read()
        return iter(self._entries)

    def __len__(self) -> int:
        """Number of entries."""
        self._read()
        return len(self._entries)

    def _read(self) -> None:
        if self._is_read:
            return
        self._is_read = True
        for entry in self._own():
            self._put(entry)
        for point in sorted(entry_points(group=self.group), key=lambda point: (_package(point), point.name)):
            self._plug_in(point)

    def _plug_in(self, point: EntryPoint) -> None:
        try:
            self._put(point.load())
        # Whatever another package does while it is imported must not end a command that may not even need it.
        except (Exception, SystemExit) as error:
            if parent_process() is not None:
                return  # a worker: the process that started it has said so
            LOG.warning(
                "dcrit: plug-in '%s' of package %s is left out, entry point %s of group %s gave %s: %s",
                point.name,
                _package(point),
                point.value,
                self.group,
                type(error).__name__,
                " ".join(str(error).split()),
            )

    def _put(self, entry: Entry) -> None:
        if not isinstance(entry, self.kind):
            raise FieldError(self.field, f"be a {self.kind.__name__}", type(entry).__name__)
        name = self._name(entry)
        if name in self._entries:
            raise FieldError(self.field, "have a name of its own", f"'{name}', which is taken")
        self._entries[name] = entry
        if self._order is not None:
            self._entries = dict(sorted(self._entries.items(), key=lambda pair: self._order(pair[1])))  # type: ignore[misc]


def _package(point: EntryPoint) -> str:
    return "?" if point.dist is None else point.dist.name


def discovered(package: str, attribute: str) -> list[Any]:
    """What the modules of a folder define under one name, in the order of their file names.

    Args:
        package: Dotted name of the folder; each of its modules is imported.
        attribute: The name; modules without it hold something else.
    """
    folder = importlib.import_module(package)
    modules = [
        importlib.import_module(f"{package}.{found.name}")
        for found in sorted(pkgutil.iter_modules(folder.__path__), key=lambda found: found.name)
    ]
    return [getattr(module, attribute) for module in modules if hasattr(module, attribute)]
