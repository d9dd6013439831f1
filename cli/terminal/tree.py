"""Commands in their place in the tree: a module holds one, under its own name."""

from __future__ import annotations

from types import ModuleType

import typer


def add_commands(app: typer.Typer, *modules: ModuleType) -> None:
    """Add the command of each module, which has the module's name, with hyphens for underscores.

    Args:
        app: The branch.
        *modules: In the order in which ``--help`` lists them.
    """
    for module in modules:
        name = module.__name__.rpartition(".")[2]
        app.command(name.replace("_", "-"))(getattr(module, name))
