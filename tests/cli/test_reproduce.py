"""The gallery holds one validation whole, and the command that remakes it leaves none half done."""

import base64
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from dcrit.api.report.document import write_report
from dcrit.api.report.pages import markdown_page
from dcrit.api.report.tables import RELIANCE, VERDICTS, tables
from dcrit.cli.app import app
from dcrit.cli.reproduce import app as reproduce_app
from dcrit.cli.reproduce import remake_gallery
from dcrit.empirics.ablations.committed import with_block
from tests.worlds.report_documents import harmful_document, picture

ROOT = Path(__file__).parents[2]
GALLERY = ROOT / "figures" / "gallery"
REPORT: dict[str, Any] = json.loads((GALLERY / "report.json").read_text(encoding="utf-8"))
NAMES = [figure["name"] for figure in REPORT["figures"]]


def test_the_gallery_holds_the_pictures_of_its_report_and_no_others() -> None:
    assert NAMES
    reports = {"report.html", "report.json", "report.md"}
    assert {path.name for path in GALLERY.iterdir()} == reports | {f"{name}.png" for name in NAMES}


def test_its_report_is_the_committed_one_of_that_suite() -> None:
    committed = ROOT / "docs" / "results" / f"{REPORT['suite']}.json"
    assert json.loads(committed.read_text(encoding="utf-8")) == REPORT


def test_its_page_holds_every_picture_and_every_claim() -> None:
    page = (GALLERY / "report.html").read_text(encoding="utf-8")
    images = re.findall(r'<img src="data:image/svg\+xml;base64,([^"]+)"', page)
    assert len(images) == len(NAMES)
    assert all(b"<svg" in base64.b64decode(image) for image in images)
    assert [claim["id"] for claim in REPORT["claims"]] == re.findall(r'<h2 id="([^"]+)">', page)[:-1]


def test_its_markdown_is_what_the_report_says() -> None:
    page = markdown_page(REPORT, {name: f"{name}.png" for name in NAMES})
    assert (GALLERY / "report.md").read_text(encoding="utf-8") == page


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
    for name in ("of-another-run", "capacity"):
        (gallery / f"{name}.png").write_bytes(b"")
    remake_gallery(validation, gallery)
    assert {path.name for path in gallery.iterdir()} == {"open.png", "report.html", "report.json", "report.md"}
    assert "](open.png)" in (gallery / "report.md").read_text(encoding="utf-8")
    assert {path.name for path in tmp_path.iterdir()} == {"gallery", "validation"}


def test_a_picture_that_is_missing_leaves_the_gallery_as_it_was(validation: Path, tmp_path: Path) -> None:
    gallery = tmp_path / "gallery"
    shutil.copytree(GALLERY, gallery)
    before = {path.name: path.read_bytes() for path in gallery.iterdir()}
    (validation / "figures" / "open.png").unlink()
    with pytest.raises(FileNotFoundError, match="open"):
        remake_gallery(validation, gallery)
    assert {path.name: path.read_bytes() for path in gallery.iterdir()} == before


def test_both_suites_have_a_table_and_the_quick_one_its_configurations() -> None:
    quick = json.loads((ROOT / "docs" / "results" / "quick.json").read_text(encoding="utf-8"))
    page = f"before\n{VERDICTS[0]}\nold\n{VERDICTS[1]}\nafter"
    predictors = json.loads((ROOT / "docs" / "results" / "ablation.json").read_text(encoding="utf-8"))
    text = with_block(page, VERDICTS, tables({"quick": quick, "standard": quick | {"suite": "standard"}}, predictors))
    assert text.startswith("before\n")
    assert text.endswith("\nafter")
    assert "old" not in text.splitlines()
    assert [text.count(f"`dcrit validate {suite}`: ") for suite in ("quick", "standard")] == [1, 1]
    assert text.count("| beside a predicted size |") == 1


NAMES_OF_COMMANDS = tuple(command.name or "" for command in reproduce_app.registered_commands)


def reproduce(*words: object) -> Result:
    return CliRunner().invoke(app, ["reproduce", *map(str, words)], env={"COLUMNS": "500"})


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What commands read and write of a clone."""
    folder = tmp_path / "clone"
    shutil.copytree(ROOT / "docs" / "results", folder / "docs" / "results")
    shutil.copytree(GALLERY, folder / "figures" / "gallery")
    for name in ("README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.mark.parametrize("name", NAMES_OF_COMMANDS)
def test_every_name_says_what_it_takes_and_whether_it_trains(name: str) -> None:
    said = reproduce(name, "--help").output
    assert re.search(r"(Seconds|[Mm]inutes?|hours?)", said)
    assert re.search(r"[Tt]rains", said)


@pytest.mark.slow
def test_names_are_listed_and_no_other_is_taken() -> None:
    assert [name for name in NAMES_OF_COMMANDS if name not in reproduce("--help").output] == []
    refused = reproduce("everything")
    assert refused.exit_code == 2
    said = re.sub(r"[│\s]+", " ", refused.stderr)  # the list is longer than a line of the box
    assert f"NAME must be one of {', '.join(NAMES_OF_COMMANDS)}, literature, huang-1, " in said
    assert "got 'everything'" in said


@pytest.mark.parametrize("name", NAMES_OF_COMMANDS)
def test_outside_of_a_clone_one_sentence_says_what_to_do(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = reproduce(name, *(["x"] if name in ("gallery", "settled") else []))
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert (
        "--clone must be the top folder of a clone of the repository, which has docs/results, got ." in refused.stderr
    )
    assert "clone the repository and call this there" in refused.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "end"), [("README.md", RELIANCE[1]), ("docs/results/verdicts.md", VERDICTS[1])], ids=["README", "verdicts"]
)
def test_tables_are_checked_and_mended(clone: Path, name: str, end: str) -> None:
    assert reproduce("readme", "--check", "--clone", clone).exit_code == 0
    page = clone / name
    before = page.read_text(encoding="utf-8")
    page.write_text(before.replace(end, f"| more |\n{end}"), encoding="utf-8")
    found = reproduce("readme", "--check", "--json", "--clone", clone)
    assert found.exit_code == 1
    pages = [str(clone / "docs" / "results" / "verdicts.md"), str(clone / "README.md")]
    assert json.loads(found.stdout) == {"files": pages, "differing": [str(page)], "written": False}
    assert reproduce("readme", "--clone", clone).exit_code == 0
    assert page.read_text(encoding="utf-8") == before


def test_a_validation_is_committed_with_its_tables(clone: Path, validation: Path) -> None:
    quick = json.loads((ROOT / "docs" / "results" / "quick.json").read_text(encoding="utf-8"))
    (validation / "report.json").write_text(json.dumps(quick | {"runs": 12345}), encoding="utf-8")
    assert reproduce("readme", validation, "--clone", clone).exit_code == 0
    results = clone / "docs" / "results"
    assert json.loads((results / "quick.json").read_text(encoding="utf-8"))["runs"] == 12345
    assert "`dcrit validate quick`: 12345 runs" in (results / "verdicts.md").read_text(encoding="utf-8")
    older = {name: value for name, value in quick.items() if name != "extendable_claims"}
    (validation / "report.json").write_text(json.dumps(older), encoding="utf-8")
    refused = reproduce("readme", validation, "--clone", clone)
    assert refused.exit_code == 2
    assert "VALIDATION must be written by this version of 'dcrit validate'" in refused.stderr
    (validation / "report.json").write_text("{}", encoding="utf-8")
    refused = reproduce("readme", validation, "--clone", clone)
    assert refused.exit_code == 2
    assert "VALIDATION must be a folder that 'dcrit validate' wrote its report to" in refused.stderr


@pytest.mark.slow
def test_the_page_on_facts_is_the_committed_one(clone: Path) -> None:
    done = reproduce("facts", "--check", "--clone", clone)
    assert (done.exit_code, done.stdout) == (0, "")
    refused = reproduce("facts", "--series", "nonsense", "--clone", clone)
    assert "--series must be one of shared, relu, pretrained, split, own operands, apart, apart, split, got" in (
        refused.stderr
    )


def test_predicted_transformers_stay_once_they_were_measured(clone: Path) -> None:
    results = clone / "docs" / "results"
    refused = reproduce("transformers", "--clone", clone)
    assert refused.exit_code == 2
    assert "--store must be given where" in refused.stderr
    assert (results / "transformer-sizes-predicted.json").read_bytes() == (
        ROOT / "docs" / "results" / "transformer-sizes-predicted.json"
    ).read_bytes()


@pytest.mark.slow
def test_held_out_sizes_that_are_known_are_left_as_they_are(clone: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in (clone / "docs").rglob("*") if path.is_file()}
    done = reproduce("held-out", "--clone", clone, "--store", tmp_path / "runs", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (len(found["files"]), found["differing"]) == (3, [])
    assert {path: path.read_bytes() for path in (clone / "docs").rglob("*") if path.is_file()} == before
    assert not list((tmp_path / "runs").iterdir())
