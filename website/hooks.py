"""What MkDocs does here beyond its plugins.

Pages link to each other, to pictures and to source files as they lie in the repository, so that a code host shows them
as they are. The site has the same files under the same names, but for the folder ``docs/``, whose pages stand at its
top. Pages outside that folder, files that pages link to, and the reference of the command line and of the Python
interface are added here.
"""

from __future__ import annotations

import posixpath
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import jupytext
import typer
from mkdocs.structure.files import File, Files, InclusionLevel
from nbclient import NotebookClient
from nbconvert import MarkdownExporter
from traitlets.config import Config
from typer.cli import get_docs_for_click

import dcrit
from dcrit.cli.app import app

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]

#: Pages that lie outside of docs/.
OUTSIDE = ("README.md", "CHANGELOG.md", "figures/gallery/report.md")

#: Links and pictures of Markdown: what stands before the address, the address, and an anchor.
LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(?=\))")

#: Where a page wants the command line's reference, and that of Python.
COMMANDS, NAMES = "<!-- reference: command line -->", "<!-- reference: python -->"

#: The page to play with, which is made when the site is built, and where another page links to it.
EXPLORER, EXPLORER_LINK = "explorer.html", "<!-- explorer: on the site a link -->"

#: What each module of the Python interface is about.
SUBJECTS = {
    "theory.problems": "Problems and examples",
    "api.predictions": "Predict",
    "api.double_descent": "Predict",
    "api.training": "Train",
    "api.measurements": "Measure",
    "api.instruments": "Look inside networks",
    "api.own": "Your own networks and curves",
    "api.stores": "Stored runs",
    "api.suites": "Claims, plans and figures",
    "api.explorer": "Explore",
    "api.answers": "What all answers share",
}


#: The notebook, which is kept as text, and the page that it becomes.
NOTEBOOK, NOTEBOOK_PAGE = "docs/notebook.py", "notebook.md"

#: What pages have another name for on the site.
RENAMED = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", NOTEBOOK: NOTEBOOK_PAGE}


def uri_of(path: str) -> str:
    """Where a file of the repository stands on the site."""
    return RENAMED.get(path) or path.removeprefix("docs/")


def linked(markdown: str, source: str) -> Iterator[str]:
    """Files of the repository that a page links to, by their paths in it."""
    for _, target, _ in LINK.findall(markdown):
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if ":" not in target and (ROOT / path).is_file():
            yield path


def source_of(file: File) -> str | None:
    """The path of a page in the repository; None of a page that was made here."""
    return None if file.abs_src_path is None else Path(file.abs_src_path).relative_to(ROOT).as_posix()


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add pages and files outside of docs/."""
    for path in OUTSIDE:
        files.append(File.generated(config, uri_of(path), abs_src_path=str(ROOT / path)))
    script = "assets/iframe-worker.js"
    files.append(File.generated(config, script, abs_src_path=str(ROOT / "website" / "iframe-worker.js")))
    for file in executed(config):
        files.append(file)
    files.append(explorer(config))
    for page in list(files.documentation_pages()):
        source = source_of(page)
        for path in linked(page.content_string, source) if source else ():
            uri = uri_of(path)
            if files.get_file_from_path(uri) is None:
                level = InclusionLevel.NOT_IN_NAV if path.endswith(".md") else InclusionLevel.INCLUDED
                files.append(File.generated(config, uri, abs_src_path=str(ROOT / path), inclusion=level))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the repository into links between files of the site."""
    source = source_of(page.file)
    if source is None:
        return markdown
    there = posixpath.relpath(EXPLORER, posixpath.dirname(page.file.src_uri) or ".")
    markdown = markdown.replace(EXPLORER_LINK, f"**[Open it here]({there})**, as it comes with these pages.")
    for marker, reference in ((COMMANDS, command_line), (NAMES, python_names)):
        if marker in markdown:
            markdown = markdown.replace(marker, reference())
    known = set(linked(markdown, source))

    def moved(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link[2]))
        if path not in known:
            return link[0]
        return f"{link[1]}{posixpath.relpath(uri_of(path), posixpath.dirname(page.file.src_uri) or '.')}{link[3] or ''}"

    return LINK.sub(moved, markdown)


def explorer(config: MkDocsConfig) -> File:
    """The page that ``dcrit explore`` writes, beside the others."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / EXPLORER
        dcrit.explore(path)
        return File.generated(config, EXPLORER, content=path.read_bytes())


def executed(config: MkDocsConfig) -> Iterator[File]:
    """The notebook as a page with its outputs, and its pictures. It is run here, from first to last cell."""
    notebook = jupytext.read(ROOT / NOTEBOOK)
    if config.extra["execute_notebook"]:
        with tempfile.TemporaryDirectory() as folder:
            # Through files, which nobody else can read, and not through ports, which everybody on this machine can.
            kernel = {"transport": "ipc", "connection_file": str(Path(folder) / "kernel.json")}
            NotebookClient(
                notebook,
                config=Config({"KernelManager": kernel}),
                kernel_name="python3",
                startup_timeout=600,
                resources={"metadata": {"path": folder}},
            ).execute()
    for cell in notebook.cells:
        cell["outputs"] = [one for one in cell.get("outputs", []) if not _is_progress(one)]
    page, resources = MarkdownExporter().from_notebook_node(
        notebook, {"output_files_dir": "notebook", "unique_key": "notebook"}
    )
    yield File.generated(config, NOTEBOOK_PAGE, content=page)
    for name, content in resources["outputs"].items():
        yield File.generated(config, name, content=content)


def _is_progress(output: dict[str, Any]) -> bool:
    """Whether an output is for those who wait: standard error, and text that is neither printed nor a result."""
    kind = output["output_type"]
    return output.get("name") == "stderr" or (kind == "display_data" and "image/png" not in output["data"])


def command_line() -> str:
    """Every command with its arguments, options and defaults, as Markdown."""
    command = typer.main.get_command(app)
    with typer.Context(command, info_name="dcrit") as context:
        text = get_docs_for_click(obj=command, ctx=cast(Any, context), indent=1, name="dcrit")
    # Lists of commands are cut short, and every command has its heading.
    return re.sub(r"^\*\*Commands\*\*:\n\n(?:\* .*\n)+", "", text, flags=re.MULTILINE)


def python_names() -> str:
    """Every public name of the package under its subject, for mkdocstrings."""
    found: dict[str, list[str]] = {subject: [] for subject in SUBJECTS.values()}
    for name in dcrit.__all__:
        if name == "__version__":
            continue
        module = getattr(dcrit, name).__module__
        subject = next(SUBJECTS[start] for start in SUBJECTS if module.startswith(f"dcrit.{start}"))
        found[subject].append(f"{module}.{name}")
    # Where to train is an argument of all that train.
    found["Train"].append("dcrit.api.training.MachineOptions")
    found["What all answers share"] += [f"dcrit.api.answers.{name}" for name in ("Answer", "Sized")]
    return "\n\n".join(
        "\n\n".join([f"## {subject}", *(f"::: {path}" for path in sorted(paths, key=_functions_first))])
        for subject, paths in found.items()
    )


def _functions_first(path: str) -> tuple[bool, str]:
    name = path.rpartition(".")[2]
    return name[0].isupper(), name


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Name functions that docstrings refer to as code, without the word that tells editors what they are."""
    return re.sub(r":(?:func|class|meth|attr):(<code>)~?", r"\1", html)
