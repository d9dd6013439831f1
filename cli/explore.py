"""``dcrit explore``: one HTML file in which the predictions can be played with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import print_json, say
from dcrit.cli.terminal.session import session


def explore(
    out: Annotated[Path, typer.Option("--out", "-o", help="HTML file to write.")] = Path("explorer.html"),
    store: Annotated[Path | None, typer.Option("--store", "-S", help="Folder of runs to lay over the theory.")] = None,
    as_json: options.Json = False,
) -> None:
    """Write one HTML file to play with: sizes, phase diagram and curves of any problem. Ten seconds; trains nothing.

    It opens by double-click and asks for nothing from the network. Measured sizes that ship, and runs of --store, are
    shown on hover with the command that repeats each. The question is in the page's address, which can be shared.
    """
    from dcrit.api.explorer.page import check_explorer, write_explorer

    with session():
        library = check_explorer(out, store)
        if not as_json:
            say("computing what the theory says …")
        found = write_explorer(out, store, library)
    if as_json:
        print_json(found.to_dict())
    else:
        say(f"{found.file}: {found.n_bytes / 1e6:.1f} MB, {found.n_sizes} measured sizes, {found.n_runs} runs")
        if found.n_more:
            say(f"{found.n_more} more runs are in {found.store} and not in the page")
