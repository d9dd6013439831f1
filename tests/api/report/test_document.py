"""The report as files, without a browser."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from dcrit.api.report import document as report
from dcrit.api.report.document import write_report
from dcrit.api.report.pages import html_page, markdown_page
from dcrit.cli.terminal.pictures import save
from tests.worlds.report_documents import HARM, harmful_document, picture


class Page(HTMLParser):
    """Tags and text of a page, as a browser would take them apart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    document = harmful_document()
    return write_report(document, tmp_path, picture(tmp_path, document))


def test_every_file_is_written_and_nothing_else(files: dict[str, Path], tmp_path: Path) -> None:
    assert sorted(files) == ["html", "json", "md"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "open.png",
        "report.html",
        "report.json",
        "report.md",
    ]


def test_json_holds_the_document(files: dict[str, Path]) -> None:
    document = json.loads(files["json"].read_text(encoding="utf-8"))
    assert [(claim["id"], claim["verdict"]) for claim in document["claims"]] == [
        ("holds", "supported"),
        ("fails", "refuted"),
        ("open", "inconclusive"),
        ("untried", "inconclusive"),
    ]
    assert document["claims"][2]["rows"][0]["where"] == HARM
    assert document["claims"][0]["command"] == "dcrit validate quick --claim holds"
    # Run b belongs to two claims.
    assert (document["runs"], document["training_seconds"]) == (3, 9.0)


def test_a_claim_without_a_run_says_so(files: dict[str, Path]) -> None:
    document = json.loads(files["json"].read_text(encoding="utf-8"))
    claim = document["claims"][3]
    assert (claim["measured"], claim["n_runs"], claim["e_holds"], claim["e_fails"]) == (None, 0, 1.0, 1.0)
    assert claim["reason"] == "no run was made yet"
    assert document["budget_minutes"] == 30.0
    for suffix in ("html", "md"):
        assert "no run was made yet" in files[suffix].read_text(encoding="utf-8")


def test_the_page_needs_nothing_else(files: dict[str, Path]) -> None:
    page = Page(files["html"].read_text(encoding="utf-8"))
    assert {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "embed", "base", "form"} == set()
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == 1
    assert str(images[0]["src"]).startswith("data:image/png;base64,")
    assert [name for _, attributes in page.tags for name in attributes if name.startswith("on")] == []
    assert "url(" not in files["html"].read_text(encoding="utf-8")


def test_the_page_says_everything_about_a_claim(files: dict[str, Path]) -> None:
    page = Page(files["html"].read_text(encoding="utf-8"))
    for words in (
        "Statement of holds.",
        "A criterion.",
        "Varma et al. (2023). Explaining grokking through circuit efficiency. arXiv preprint arXiv:2309.02390.",
        "This project.",
        "test accuracy: 0.95 (0.718 – 0.962), limit above 0.5",
        "e that it holds",
        "2, 5 s of training on one core; 0 seeds did not tell",
        "2, 7 s of training on one core; 1 seeds did not tell",
        "directional e-BH",
        "dcrit validate quick --claim holds",
        "✓ supported †",
        "✗ refuted †",
        "? inconclusive",
        "3 runs, 2 of them made by earlier calls, took 9 s of training on one core. The last call had a time budget of "
        "30 minutes, which ended it while 2 of 4 claims wanted more of the seeds that were declared; 2 of 4 claims can "
        "be given more than these. dcrit validate quick --budget MINUTES makes fresh runs for so many minutes and adds "
        "them to those that are stored.",
        "Caption <script>",
    ):
        assert words in page.text, words
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert "https://arxiv.org/abs/2309.02390" in links
    targets = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {str(link)[1:] for link in links if str(link).startswith("#")} <= targets
    # The number comes before the verdict, and the claim in plain words beside its name.
    table = page.text[page.text.index("e that it fails") :]
    assert re.search(r"holdsStatement of holds\.0\.950\.718 – 0\.962above 0\.5✓ supported †", table)
    assert "1 are supported, 1 refuted and 2 not decided" in page.text


def test_markdown_keeps_foreign_text_as_text(files: dict[str, Path]) -> None:
    text = files["md"].read_text(encoding="utf-8")
    assert "<" not in text
    assert r"\*\*bold\*\* \`code\` &amp; more" in text
    tables = re.findall(r"^\|.*$", text, re.MULTILINE)
    cells = {len(re.findall(r"(?<!\\)\|", line)) for line in tables if "script" in line}
    assert cells == {9, 11}  # eight cells in the table of verdicts, ten in that of conditions
    assert "](open.png)" in text
    assert "](https://arxiv.org/abs/2309.02390)" in text


def test_markdown_refuses_an_address_that_would_end_early() -> None:
    document = harmful_document()
    with pytest.raises(ValueError, match="link must be an address"):
        markdown_page(document, {"open": "a b).png"})


def spoilt(value: Any, kept: frozenset[str]) -> Any:
    """A document whose every text means harm, but those under some keys, by which the page is laid out."""
    if isinstance(value, dict):
        return {key: inner if key in kept else spoilt(inner, kept) for key, inner in value.items()}
    if isinstance(value, list):
        return [spoilt(inner, kept) for inner in value]
    return f"{HARM} \" x=' --> ]]> {{{{ 7*7 }}}} \u202e" if isinstance(value, str) else value


def test_every_text_of_a_document_is_escaped(tmp_path: Path) -> None:
    kept = frozenset({"name", "verdict", "link"})
    document = spoilt(harmful_document(), kept | {"id"})
    page = Page(html_page(document, picture(tmp_path, document)))
    assert {tag for tag, _ in page.tags} & {"script", "iframe", "object", "embed", "base", "form"} == set()
    assert [name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "x"] == []
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 1
    assert "{{ 7*7 }}" in page.text
    # Markdown's links to claims hold their ids, and others than words are refused.
    document = spoilt(harmful_document(), kept)
    with pytest.raises(ValueError, match="link must be an address"):
        markdown_page(document, {"open": "open.png"})
    document = spoilt(harmful_document(), kept | {"id"})
    files = write_report(document, tmp_path, picture(tmp_path, document))
    assert "<" not in files["md"].read_text(encoding="utf-8")
    assert json.loads(files["json"].read_text(encoding="utf-8")) == document


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "//example.org", "file:///etc/passwd"])
def test_links_lead_to_pages_and_nowhere_else(link: str, tmp_path: Path) -> None:
    document = harmful_document()
    document["claims"][0]["sources"][0]["link"] = link
    with pytest.raises(ValueError, match="link must"):
        html_page(document, picture(tmp_path, document))


def test_a_link_in_the_folder_is_replaced_and_not_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "report"
    outside.write_text("mine", encoding="utf-8")
    folder.mkdir()
    for name in ("report.html", "report.json", ".report.html.writing"):
        (folder / name).symlink_to(outside)
    document = harmful_document()
    write_report(document, folder, picture(tmp_path, document))
    assert outside.read_text(encoding="utf-8") == "mine"
    assert not (folder / "report.html").is_symlink()


def test_pictures_replace_a_link_and_do_not_follow_it(tmp_path: Path) -> None:
    outside, drawn = tmp_path / "outside", tmp_path / "drawn.png"
    outside.write_text("mine", encoding="utf-8")
    drawn.symlink_to(outside)
    save(Figure(), drawn)
    assert outside.read_text(encoding="utf-8") == "mine"
    assert drawn.read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drawn.png", "outside"]


def test_a_failure_leaves_what_was_there(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write = Path.write_text

    def full(path: Path, text: str, encoding: str) -> int:
        if "html" in path.name:
            raise OSError("no space left on device")
        return write(path, text, encoding=encoding)

    monkeypatch.setattr(Path, "write_text", full)
    document = harmful_document() | {"suite": "standard"}
    with pytest.raises(OSError, match="no space"):
        write_report(document, tmp_path, {"open": tmp_path / "open.png"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_page_that_cannot_be_made_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = harmful_document()
    made = picture(tmp_path, document)

    def fail(*_: object) -> str:
        raise RuntimeError("template")

    monkeypatch.setattr(report, "html_page", fail)
    with pytest.raises(RuntimeError, match="template"):
        write_report(document, tmp_path, made)
    assert [path.name for path in tmp_path.iterdir()] == ["open.png"]
