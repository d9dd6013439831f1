import pytest

from dcrit.api.report.bibliography import OURS, reference, references, short


def test_a_reference_in_words_with_its_link() -> None:
    found = reference("zhu2024")
    assert found.text == (
        "Zhu et al. (2024). Critical Data Size of Language Models from a Grokking Perspective. "
        "arXiv preprint arXiv:2401.10463."
    )
    assert found.link == "https://arxiv.org/abs/2401.10463"


def test_two_authors_a_journal_and_latex_braces() -> None:
    assert reference("jacobson1996").text == (
        "Jacobson and Matthews (1996). Generating uniformly distributed random Latin squares. "
        "Journal of Combinatorial Designs 4, 405–437."
    )
    assert reference("golub2010").text.startswith("Golub and Meurant (2010). ")


def test_short_names_are_authors_and_year() -> None:
    assert [short(key) for key in ("zhu2024", "jacobson1996", "golub2010", OURS)] == [
        "Zhu et al. 2024",
        "Jacobson and Matthews 1996",
        "Golub and Meurant 2010",
        "this project",
    ]
    assert all(found.short.endswith(key.rstrip("abc")[-4:]) for key, found in references().items())


def test_a_question_keeps_its_mark() -> None:
    assert "How much do language models memorize? arXiv" in reference("morris2025").text


def test_no_reference_keeps_latex() -> None:
    assert len(references()) > 10
    assert [key for key, found in references().items() if set(found.text) & set("{}\\")] == []


def test_our_own_claims_cite_nothing() -> None:
    assert (reference(OURS).text, reference(OURS).link) == ("This project.", "")


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValueError, match=r"source must be one of .*varma2023.*, got 'nobody1900'"):
        reference("nobody1900")
