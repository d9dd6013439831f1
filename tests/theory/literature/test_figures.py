"""The list of published figures that have a counterpart here."""

import re
from importlib.resources import files

import pytest

from dcrit.theory.literature.figures import literature_figures, read_figures

FILE = """
[problems]
small = { modulus = 7, width = 8 }
other = { like = "small", weight_decay = 2.0 }
[[figures]]
name = "one-1"
source = "one"
shows = "S."
expected = "E."
panels = [
  { kind = "over-size", series = [{ problem = "other", width = 4, label = "l" }], sizes = [10, 20], seeds = 2 },
  { kind = "plane", problem = "small", widths = [2, 4], sizes = [10, 20] },
]
"""


def test_every_figure_of_the_three_papers_names_its_source_and_says_what_to_see() -> None:
    figures = literature_figures()
    bibliography = (files("dcrit.theory.literature") / "references.bib").read_text(encoding="utf-8")
    assert {one.source for one in figures} == {"huang2024", "varma2023", "nanda2023"}
    for one in figures:
        assert re.fullmatch(r"[a-z]+-\d[a-z]?", one.name)
        assert one.source.startswith(one.name.split("-")[0])
        assert f"{{{one.source}," in bibliography
        assert one.shows.endswith(".")
        assert one.expected.endswith(".")


def test_a_file_becomes_figures() -> None:
    (figure,) = read_figures(FILE)
    over, plane = figure.panels
    assert (over.series[0].problem.width, over.series[0].problem.weight_decay, over.sizes) == (4, 2.0, (10, 20))
    assert (plane.series[0].problem.width, plane.widths) == (8, (2, 4))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"over-size"', '"pie"', "^figure one-1: kind must be one of accuracy, .*, got 'pie'$"),
        (", sizes = [10, 20], seeds", ", seeds", "^figure one-1: sizes must be given for a panel of kind over-size"),
        ('"over-size"', '"over-width"', "^figure one-1: widths must be given for a panel of kind over-width"),
        ('shows = "S."', 'shows = ""', "^figure one-1: shows must be words, got ''$"),
        ("widths = [2, 4], ", "", "^figure one-1: widths must be given for a panel of kind plane"),
        ('problem = "small"', 'problem = "big"', "^figure one-1: 'big'$"),
        ("[10, 20], seeds", "[10, 99], seeds", "^figure one-1: n_train must be "),
        ("seeds = 2", "sedes = 2", "^figure one-1: .*sedes"),
    ],
)
def test_what_means_nothing_is_refused_by_the_figure(old: str, new: str, message: str) -> None:
    assert old in FILE
    with pytest.raises(ValueError, match=message):
        read_figures(FILE.replace(old, new, 1))


def test_names_are_given_once() -> None:
    with pytest.raises(ValueError, match=r"^name must be given once, got 'one-1'$"):
        read_figures(FILE + FILE[FILE.index("[[figures]]") :])
