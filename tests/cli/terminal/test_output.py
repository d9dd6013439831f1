"""Tables that are wider than the screen: every part of them says which row is which."""

import re

import pytest

from dcrit.cli.terminal.output import table


def parts_of(text: str) -> list[list[list[str]]]:
    """Rows of cells of every grid that was printed, names of columns first."""
    grids: list[list[list[str]]] = []
    for line in text.splitlines():
        if line.startswith("┏"):
            grids.append([])
        if line.startswith(("┃", "│")):
            grids[-1].append([cell.strip() for cell in re.split("[┃│]", line)[1:-1]])
    return grids


def printed(
    columns: list[str], rows: list[list[object]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[list[list[str]]]:
    monkeypatch.setenv("COLUMNS", "40")
    table("runs", columns, rows)
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 40
    return parts_of(text)


def test_a_continued_table_repeats_what_tells_its_rows_apart(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = ["D", "seed", "dynamics", "passed", "converged"]
    rows: list[list[object]] = [[100 * size, seed, "memorized", 1234, seed == 1] for size in (1, 2) for seed in (0, 1)]
    first, *others = printed(columns, rows, monkeypatch, capsys)
    assert others
    for grid in (first, *others):
        assert grid[0][:2] == ["D", "seed"]
        assert [row[:2] for row in grid[1:]] == [["100", "0"], ["100", "1"], ["200", "0"], ["200", "1"]]
    assert [row[-1] for row in others[-1]] == ["converged", "no", "yes", "no", "yes"]
    assert sum(len(grid[0]) - 2 for grid in (first, *others)) == 3


def test_one_column_is_repeated_where_it_tells_rows_apart_or_nothing_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = ["quantity", "reading", "constants", "outcomes"]
    for names in (["size", "depth"], ["size", "size"]):
        grids = printed(columns, [[name, "unmoved", "unmoved", "unmoved"] for name in names], monkeypatch, capsys)
        assert len(grids) > 1
        assert all(grid[0][0] == "quantity" and grid[0][1] != "quantity" for grid in grids)
        assert sum(len(grid[0]) - 1 for grid in grids) == 3


def test_columns_that_fill_the_screen_alone_are_not_repeated_together(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = ["abcdefghij", "bcdefghijk", "cdefghijkl", "defghijklm"]
    grids = printed(columns, [["a", "b", "c", 1], ["a", "b", "c", 2]], monkeypatch, capsys)
    assert [name for grid in grids for name in grid[0]].count("defghijklm") == 1
