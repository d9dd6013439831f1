"""The site builds without a warning, has every page, every command and every public name, and needs no network."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from typer.core import TyperGroup

import dcrit
from dcrit.cli.app import app
from tests.worlds.browser import chrome, requests

pytestmark = [pytest.mark.processes, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]

#: What browsers load of their own accord: scripts, styles, pictures, fonts, frames.
LOADED = re.compile(r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?([^"'\s>]+)|<link\b([^>]*)>""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as ``make docs`` does."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    return folder


def commands(command: Any, name: str) -> list[str]:
    """A command and all below it, by the words that call them."""
    below = command.commands.items() if isinstance(command, TyperGroup) else ()
    return [name, *(one for word, child in below for one in commands(child, f"{name} {word}"))]


def test_every_page_of_the_repository_is_on_the_site(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    built = {path.relative_to(site) for path in site.rglob("*.html")}
    assert len(pages) > 15
    outside = {"index.html", "changelog.html", "notebook.html", "figures/gallery/report.html"}
    assert pages | {Path(name) for name in outside} <= built


def test_the_explorer_comes_with_the_site(site: Path) -> None:
    page = (site / "how-to" / "explore.html").read_text(encoding="utf-8")
    assert re.search(r'href="?\.\./explorer\.html', page)
    assert "dcrit explore" in (site / "explorer.html").read_text(encoding="utf-8")


def test_the_notebook_was_run_and_shows_its_pictures_and_tables(site: Path) -> None:
    page = (site / "notebook.html").read_text(encoding="utf-8")
    pictures = re.findall(r'<img alt="png" src="(notebook/[\w.]+\.png)"', page)
    assert len(pictures) == 4
    assert all((site / picture).stat().st_size > 5_000 for picture in pictures)
    assert [kind for kind in ("memorization", "semi-grokking", "grokking") if f"{kind}" not in page] == []
    predicted, measured = (float(re.findall(rf"{word}: (\d+) examples", page)[0]) for word in ("predicted", "measured"))
    assert abs(predicted / measured - 1) < 0.3
    assert len(re.findall(r"measured: \d+ examples", page)) == 2
    # Neither errors nor progress.
    assert [word for word in ("Traceback", "stored before", "on this machine") if word in page] == []


def test_pages_load_nothing_from_the_network(site: Path) -> None:
    loaded: set[str] = set()
    for page in site.rglob("*.html"):
        for source, link in LOADED.findall(page.read_text(encoding="utf-8")):
            words = re.findall(r"""(?:href|rel)=["']?([^"'>]+)""", link)
            loaded |= {source} if source else set() if "canonical" in words else set(words)
    for style in site.rglob("*.css"):
        loaded |= set(re.findall(r"url\(([^)]+)\)", style.read_text(encoding="utf-8")))
    assert any(address.endswith("iframe-worker.js") for address in loaded)
    assert [address for address in loaded if re.match(r"""["']?(?:https?:)?//""", address)] == []


def test_the_reference_has_every_command(site: Path) -> None:
    page = (site / "reference" / "command-line.html").read_text(encoding="utf-8")
    expected = commands(typer.main.get_command(app), "dcrit")
    assert len(expected) > 20
    assert [one for one in expected if f'id="{one.replace(" ", "-")}"' not in page] == []


def test_the_reference_has_every_public_name(site: Path) -> None:
    page = (site / "reference" / "python.html").read_text(encoding="utf-8")
    headings = set(re.findall(r'<h3 id="dcrit\.[\w.]+?\.(\w+)"', page))
    assert set(dcrit.__all__) - {"__version__"} <= headings
    assert ":func:" not in page


@pytest.mark.browser
def test_the_site_is_searched_where_it_lies_without_a_network(site: Path, tmp_path: Path) -> None:
    page = site / "index.html"
    with chrome(tmp_path / "profile") as browser:
        browser.get(page.as_uri())
        browser.execute_script("document.querySelector('[data-md-toggle=search]').click()")
        browser.find_element(By.CSS_SELECTOR, "input.md-search__input").send_keys("ungrokking")
        found = WebDriverWait(browser, 120).until(
            lambda browser: browser.find_elements(By.CSS_SELECTOR, ".md-search-result__link")
        )
        assert any("glossary.html" in str(link.get_attribute("href")) for link in found)
        assert [entry["message"] for entry in browser.get_log("browser")] == []
        asked = requests(browser, page)
        assert asked
        assert [address for address in asked if not address.startswith("file:")] == []
        widths = browser.execute_script("return [...document.querySelectorAll('article img')].map(i => i.naturalWidth)")
        assert len(widths) == 2
        assert all(widths)
