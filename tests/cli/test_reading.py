"""What every command prints for people, on a screen of eighty columns: whole numbers, whole words, nothing internal."""

import itertools
import re
from pathlib import Path

import pytest

from dcrit.cli.app import app
from tests.worlds.command_line import document_of, invoking
from tests.worlds.option_words import commands, parameters

COLUMNS = 80

invoke = invoking(app, columns=COLUMNS)
wide = invoking(app, columns=400)

#: Questions that train nothing.
QUESTIONS = [
    ["predict", "critical-size"],
    ["predict", "critical-size", "--model", "transformer"],
    ["predict", "critical-size", "-t", "square-of-sum", "-p", "113", "-w", "2048"],
    ["predict", "critical-size", "--level", "0.3"],
    ["predict", "regime", "-n", "160"],
    ["predict", "delay", "-n", "400"],
    ["predict", "delay", "-m", "transformer", "-w", "32", "-p", "31", "-n", "500"],
    ["predict", "double-descent", "-n", "400", "--points", "20"],
    ["predict", "emergence", "-n", "300", "--n-facts", "40"],
    ["predict", "phase-diagram", "--points", "20"],
    ["simulate", "-n", "300", "--hysteresis"],
    ["figure", "--list"],
    ["plan", "quick", "--rate", "1e9", "--device", "cpu"],
    ["plan", "phase-diagram", "--points", "4", "--rate", "1e9", "--device", "cpu"],
]

BORDERS = re.compile("[┏┓┗┛┃┡┩╇┳┻━│└┘┴├┤┼─╭╮╰╯]")


def words_of(text: str) -> set[str]:
    """Words and numbers of a text, borders of tables left out."""
    return set(BORDERS.sub(" ", text).split())


def check(text: str) -> None:
    for line in text.splitlines():
        assert len(line) <= COLUMNS or line.startswith("  dcrit "), line
    assert not re.search(r"\b(True|False|None|nan)\b", text), text
    assert not re.search(r"\d\.\d{7,}", text), text
    # Symbols such as D_crit have one letter before the stroke, and what is quoted is a name of the reader's own.
    own = re.sub(r"'[^']*'|dcrit [^\n]*", "", text)
    assert not re.findall(r"\b[a-z]{2,}_[a-z_]+\b", own), text


@pytest.mark.parametrize("words", QUESTIONS, ids=" ".join)
def test_answers_fit_eighty_columns_and_break_no_number(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcrit.api.predictions.SIZES", 5)
    narrow = invoke(*words)
    assert narrow.exit_code == 0, narrow.output
    check(narrow.stdout)
    # A number that is broken over two lines is on neither screen the same.
    numbers = {word for word in words_of(narrow.stdout) if word[0].isdigit()}
    assert numbers <= words_of(wide(*words).stdout)


@pytest.mark.parametrize("path", [(), ("predict",), ("runs",), ("reproduce",), *commands()], ids=" ".join)
def test_helps_fit_eighty_columns_and_paragraphs_run_on(path: tuple[str, ...]) -> None:
    text = invoke(*path, "--help").stdout
    assert max(map(len, text.splitlines())) <= COLUMNS
    assert "<" not in text
    paragraphs = text[: text.index("╭")].split(" \n")
    for paragraph in paragraphs:
        lines = [line.strip() for line in paragraph.splitlines() if line.strip()]
        # A line ends where the next word would not have fitted.
        for line, after in itertools.pairwise(lines):
            assert len(line) + 1 + len(after.split()[0]) > COLUMNS - 2 or line.endswith((".", "]...")), (line, after)


def test_every_option_says_what_it_is() -> None:
    for path in commands():
        for one in parameters(path):
            assert one.help, (path, one.name)
            assert one.help.rstrip().endswith((".", ")")), (path, one.name, one.help)


@pytest.mark.parametrize("notation", ["markdown", "latex"])
def test_tables_have_other_notations(notation: str) -> None:
    text = invoke("predict", "critical-size", "--format", notation).stdout
    rows = {"markdown": "| training-set size D | value |", "latex": r"training-set size D & value &"}
    assert rows[notation] in text
    assert ("\\begin{tabular}" in text) == (notation == "latex")
    assert BORDERS.search(text) is None
    numbers = re.findall(r"\b\d+\b", text)
    size = document_of(invoke("predict", "critical-size", "--format", "json"))["critical_size"]["value"]
    assert f"{size:.0f}" in numbers


def test_one_document_by_two_names_and_no_contradiction() -> None:
    words = ["predict", "regime", "-n", "300"]
    assert invoke(*words, "-f", "json").stdout == invoke(*words, "-j").stdout == invoke(*words, "--json").stdout
    refused = invoke(*words, "--json", "--format", "latex")
    assert refused.exit_code == 2
    assert "--format must be json or left out beside --json, got 'latex'" in " ".join(refused.stderr.split())


@pytest.mark.parametrize(
    ("long", "short"), [("--task", "-t"), ("--modulus", "-p"), ("--width", "-w"), ("--model", "-m")]
)
def test_short_names_are_those_of_long_ones_everywhere(long: str, short: str) -> None:
    found = [one for path in commands() for one in parameters(path) if long in one.opts]
    assert found
    for one in found:
        assert short in one.opts


def test_a_short_name_means_one_thing() -> None:
    meanings: dict[str, set[str]] = {}
    for path in commands():
        for one in parameters(path):
            for name in one.opts:
                if name.startswith("-") and not name.startswith("--"):
                    meanings.setdefault(name, set()).add(max(one.opts, key=len))
    assert meanings.pop("-T") == {"--horizon"}
    assert all(len(each) == 1 for each in meanings.values()), meanings


def test_options_may_stand_in_a_file(alone: Path) -> None:
    (alone / "mine.txt").write_text("--modulus 31  # the prime\n--width=48 --level 0.5\n", encoding="utf-8")
    found = document_of(invoke("predict", "critical-size", "@mine.txt", "--json"))
    assert (found["problem"]["modulus"], found["problem"]["width"]) == (31, 48)
    assert found["critical_size"]["level"] == 0.5
    over = document_of(invoke("predict", "critical-size", "@mine.txt", "-p", "23", "--json"))
    assert (over["problem"]["modulus"], over["problem"]["width"]) == (23, 48)
    refused = invoke("predict", "critical-size", "@none.txt")
    assert refused.exit_code == 2
    assert "must be a file of options behind @, got '@none.txt': no such file" in " ".join(
        BORDERS.sub(" ", refused.stderr).split()
    )
    assert "@" in invoke("--help").stdout
