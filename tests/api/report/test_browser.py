"""The report in a real browser: it opens from disk, asks nobody for anything, and runs nothing that was put into it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome

from dcrit.api.report.document import write_report
from dcrit.api.report.pictures import save_drawing
from dcrit.empirics.claims.suites import judge
from dcrit.figures.measured.verdict import draw
from tests.worlds.browser import chrome, requests
from tests.worlds.report_documents import HARM, harmful_document, picture, records, suite

pytestmark = pytest.mark.browser


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What a page did when it was opened.

    Attributes:
        console: Errors and warnings.
        requests: Addresses asked for, those inside the page left out.
        facts: What a script reads off the document.
    """

    console: list[str]
    requests: list[str]
    facts: dict[str, Any]


FACTS = """return {
    title: document.title,
    text: document.body.innerText,
    scripts: document.scripts.length,
    widths: [...document.images].map(image => image.naturalWidth),
    verdicts: [...document.querySelectorAll('#verdicts tbody tr')].map(row => row.querySelector('.ruling').innerText),
    colours: [...document.querySelectorAll('#verdicts .verdict')].map(word => getComputedStyle(word).backgroundColor),
    lost: [...document.querySelectorAll('a[href^="#"]')].filter(
        link => !document.getElementById(link.hash.slice(1))).length,
    scrolls: document.documentElement.scrollWidth > innerWidth,
}"""


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    with chrome(tmp_path / "profile") as found:
        yield found


def opened(browser: Chrome, page: Path) -> Opened:
    browser.get(page.as_uri())
    facts = browser.execute_script(FACTS)
    return Opened(
        console=[entry["message"] for entry in browser.get_log("browser")],
        requests=requests(browser, page),
        facts=facts,
    )


def test_the_report_opens_whole_and_runs_nothing(browser: Chrome, tmp_path: Path) -> None:
    document = harmful_document()
    drawing = draw(judge(suite(), records())[2].finding.rows())
    drawn = next(path for path in save_drawing("open", drawing, tmp_path) if path.suffix == ".svg")
    page = write_report(document, tmp_path, {"open": drawn})["html"]
    drawn.unlink()
    found = opened(browser, page)
    assert found.console == []
    assert found.requests == [page.as_uri()]
    assert found.facts["scripts"] == 0
    assert found.facts["title"] == "dcrit: suite quick"
    assert len(found.facts["widths"]) == 1
    assert min(found.facts["widths"]) > 100
    # In the statement, twice, in the reason, as a cell, and in the caption.
    assert found.facts["text"].count(HARM) == 5
    assert found.facts["verdicts"] == ["✓ supported †", "✗ refuted †", "? inconclusive", "? inconclusive"]
    assert len(set(found.facts["colours"])) == 3
    assert found.facts["lost"] == 0
    assert not found.facts["scrolls"]


LAYOUT = """const place = element => element.getBoundingClientRect();
const row = document.querySelector('#verdicts tbody tr'), image = document.images[0];
return {
    scrolls: document.documentElement.scrollWidth > innerWidth,
    cells: [...row.cells].sort((a, b) => place(a).top - place(b).top || place(a).left - place(b).left)
        .map(cell => cell.className || cell.dataset.label || 'claim'),
    image: place(image).width / place(image.parentElement.parentElement).width,
    paper: getComputedStyle(document.body).backgroundColor,
    nav: place(document.querySelector('nav')).top,
    links: [...document.querySelectorAll('nav a')].map(link => place(link)).map(one => [one.left, one.right]),
    json: [...document.querySelectorAll('details')].map(
        one => [one.id, JSON.parse(one.querySelector('pre').textContent)]),
}"""


@pytest.mark.parametrize("width", [375, 1280])
def test_the_layout_follows_the_screen(browser: Chrome, tmp_path: Path, width: int) -> None:
    document = harmful_document()
    page = write_report(document, tmp_path, picture(tmp_path, document))["html"]
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    browser.get(page.as_uri())
    seen = browser.execute_script(LAYOUT)
    assert not seen["scrolls"]
    assert len(seen["links"]) == 4
    assert all(0 <= left < right <= width for left, right in seen["links"])  # no word is cut
    assert seen["image"] == pytest.approx(1.0, abs=0.01)
    if width < 600:
        assert seen["cells"][:3] == ["claim", "ruling", "measured"]
    else:
        assert seen["cells"][:5] == ["claim", "measured", "90 % confidence sequence", "limit", "ruling"]
    # Each claim has its JSON beside it, under an address that stays.
    assert seen["json"] == [[f"{claim['id']}-json", claim] for claim in document["claims"]]


def test_a_dark_screen_gets_a_dark_page_and_links_lead_back(browser: Chrome, tmp_path: Path) -> None:
    document = harmful_document()
    page = write_report(document, tmp_path, picture(tmp_path, document))["html"]
    papers = []
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        browser.get(f"{page.as_uri()}#open")
        seen = browser.execute_script(LAYOUT)
        papers.append(seen["paper"])
        assert seen["nav"] == pytest.approx(0, abs=1)  # stays in sight
    assert papers == ["rgb(255, 255, 255)", "rgb(22, 24, 27)"]
    links = browser.execute_script("return [...document.querySelectorAll('#claims a')].map(link => link.hash)")
    assert links.count("#verdicts") == len(document["claims"])


def test_a_png_inside_the_page_is_drawn(browser: Chrome, tmp_path: Path) -> None:
    document = harmful_document()
    page = write_report(document, tmp_path, picture(tmp_path, document))["html"]
    found = opened(browser, page)
    assert (found.console, found.facts["widths"]) == ([], [1])


def test_a_page_that_does_what_the_report_must_not_is_noticed(browser: Chrome, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        "<title>bad</title><body><img src='data:image/png;base64,AAAA'><a href='#nowhere'>x</a>"
        f"<img src='{(tmp_path / 'none.png').as_uri()}'>{HARM}",
        encoding="utf-8",
    )
    found = opened(browser, page)
    assert found.facts["title"] == "harmed"
    assert found.facts["scripts"] == 1
    assert min(found.facts["widths"]) == 0
    assert (tmp_path / "none.png").as_uri() in found.requests
    assert found.console
    assert found.facts["lost"] == 1
    assert HARM not in found.facts["text"]
