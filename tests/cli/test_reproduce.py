"""The gallery holds one validation whole, and the command that remakes it leaves none half done."""

import base64
import json
import re
import runpy
import shutil
from pathlib import Path
from typing import Any

import pytest

from dcrit.cli.report.document import write_report
from dcrit.cli.report.pages import markdown_page
from tests.worlds.report_documents import harmful_document, picture

ROOT = Path(__file__).parents[2]
GALLERY = ROOT / "figures" / "gallery"
REMAKE = runpy.run_path(str(ROOT / "cli" / "reproduce.py"))
REPORT: dict[str, Any] = json.loads((GALLERY / "report.json").read_text(encoding="utf-8"))
NAMES = [figure["name"] for figure in REPORT["figures"]]


def test_the_gallery_holds_the_pictures_of_its_report_and_no_others() -> None:
    assert NAMES
    reports = {"report.html", "report.json", "report.md"}
    assert {path.name for path in GALLERY.iterdir()} == reports | {f"{name}.png" for name in NAMES}


def test_its_report_is_the_committed_one_of_that_suite() -> None:
    committed = ROOT / "docs" / "results" / f"{REPORT['suite']}.json"
    assert json.loads(committed.read_text(encoding="utf-8")) == REPORT


def test_its_markdown_is_what_the_report_says() -> None:
    page = markdown_page(REPORT, {name: f"{name}.png" for name in NAMES})
    assert (GALLERY / "report.md").read_text(encoding="utf-8") == page


def test_its_page_holds_every_picture_and_every_claim() -> None:
    page = (GALLERY / "report.html").read_text(encoding="utf-8")
    images = re.findall(r'<img src="data:image/svg\+xml;base64,([^"]+)"', page)
    assert len(images) == len(NAMES)
    assert all(b"<svg" in base64.b64decode(image) for image in images)
    assert [claim["id"] for claim in REPORT["claims"]] == re.findall(r'<h2 id="([^"]+)">', page)[:-1]


@pytest.mark.parametrize("suffix", ["json", "md", "html"])
def test_no_path_of_a_machine_is_in_it(suffix: str) -> None:
    text = (GALLERY / f"report.{suffix}").read_text(encoding="utf-8")
    assert re.findall(r"(?<![\w/.:])/(?:tmp|home|root|work|Users|usr|mnt)/|file://|[A-Z]:\\\\", text) == []


@pytest.fixture
def validation(tmp_path: Path) -> Path:
    folder = tmp_path / "validation"
    (folder / "figures").mkdir(parents=True)
    document = harmful_document()
    write_report(document, folder, picture(folder / "figures", document))
    return folder


def test_a_gallery_is_replaced_whole(validation: Path, tmp_path: Path) -> None:
    gallery = tmp_path / "gallery"
    gallery.mkdir()
    (gallery / "of-another-run.png").write_bytes(b"")
    REMAKE["remake_gallery"](validation, gallery)
    assert {path.name for path in gallery.iterdir()} == {"capacity.png", "report.html", "report.json", "report.md"}
    assert "](capacity.png)" in (gallery / "report.md").read_text(encoding="utf-8")
    assert {path.name for path in tmp_path.iterdir()} == {"gallery", "validation"}


def test_a_picture_that_is_missing_leaves_the_gallery_as_it_was(validation: Path, tmp_path: Path) -> None:
    gallery = tmp_path / "gallery"
    shutil.copytree(GALLERY, gallery)
    before = {path.name: path.read_bytes() for path in gallery.iterdir()}
    (validation / "figures" / "capacity.png").unlink()
    with pytest.raises(FileNotFoundError, match="capacity"):
        REMAKE["remake_gallery"](validation, gallery)
    assert {path.name: path.read_bytes() for path in gallery.iterdir()} == before


def test_both_suites_have_a_table_and_the_quick_one_its_configurations() -> None:
    quick = json.loads((ROOT / "docs" / "results" / "quick.json").read_text(encoding="utf-8"))
    readme = f"before\n{REMAKE['BEGIN']}\nold\n{REMAKE['END']}\nafter"
    text = REMAKE["remade"](readme, {"quick": quick, "standard": quick | {"suite": "standard"}})
    assert text.startswith("before\n")
    assert text.endswith("\nafter")
    assert "old" not in text.splitlines()
    assert [text.count(f"`dcrit validate {suite}`: ") for suite in ("quick", "standard")] == [1, 1]
    assert text.count("| configuration |") == 1
