"""Links of all pages lead somewhere, paths named in prose exist, and docs/ holds prose, a notebook and results."""

import re
from collections.abc import Iterator
from pathlib import Path

from dcrit.theory.circuits.regimes import DYNAMICS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "figures" / "gallery" / "report.md",
]
FOLDERS = ("theory", "empirics", "figures", "cli", "tests", "benchmarks", "docs", "dcrit")


def prose(page: Path) -> str:
    """A page without its listings, in which brackets are code."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Names of a page's headings as code hosts make them: lower case, signs dropped, spaces to hyphens."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> Iterator[str]:
    """Links of a page that lead nowhere."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        leads_to = page.parent / path if path else page
        if not leads_to.exists() or (anchor and anchor not in anchors(leads_to)):
            yield target


def missing(page: Path) -> Iterator[str]:
    """Files of this repository that a page names as code and that are not there."""
    for name in re.findall(r"`((?:" + "|".join(FOLDERS) + r")/[\w/.-]+\.\w+)`", prose(page)):
        if not (ROOT / name).exists():
            yield name


def test_links_lead_somewhere() -> None:
    assert sum(len(re.findall(r"\]\(", prose(page))) for page in PAGES) > 100
    assert [(page.name, target) for page in PAGES for target in broken(page)] == []


def test_files_that_pages_name_exist() -> None:
    assert [(page.name, name) for page in PAGES for name in missing(page)] == []


def test_docs_hold_prose_a_notebook_and_results_only() -> None:
    notebook = ROOT / "docs" / "notebook.py"
    others = [path for path in (ROOT / "docs").rglob("*") if path.is_file() and path.suffix != ".md"]
    others.remove(notebook)
    assert [path for path in others if not path.is_relative_to(ROOT / "docs" / "results")] == []
    assert {path.suffix for path in others} <= {".json", ".parquet"}


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    named = re.findall(r": ([\w/-]+\.md)$", navigation, re.MULTILINE)
    made = {"index.md", "changelog.md", "notebook.md", "figures/gallery/report.md"}
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert len(named) == len(set(named))
    assert set(named) == pages | made


def test_the_glossary_is_in_order_and_has_the_words_of_the_field() -> None:
    page = (ROOT / "docs" / "reference" / "glossary.md").read_text(encoding="utf-8")
    words = re.findall(r"^### (.+)$", page.partition("\n## Symbols\n")[0], re.MULTILINE)
    assert words == sorted(words, key=lambda word: word.lower().replace("-", ""))
    needed = (
        "pair-MLP margin efficiency circuit horizon star cell capacity clock facts grokking semi-grokking ungrokking"
    )
    singles = {part.strip() for word in words for part in word.split(",")}
    assert {*needed.split(), "at rest", "from scratch", "D_crit", "D_mem", "D_rest", *DYNAMICS} <= singles
