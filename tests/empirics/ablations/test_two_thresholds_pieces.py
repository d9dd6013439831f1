from pathlib import Path

import pytest

from dcrit.empirics.ablations.committed import read
from dcrit.empirics.ablations.two_thresholds_fit import least_squares_fits, runs_of
from dcrit.empirics.ablations.two_thresholds_pieces import BEGIN, END, PIECES, PIECES_FILE, Piece, page_with_pieces
from dcrit.empirics.measures.threshold_fit import EXPONENT, Q, clock_of

RESULTS = Path(__file__).parents[3] / "docs" / "results"
CONSTANTS = {"prefactor": 1.0, "load": 0.5, "rate": 1e-3, "bend": 1.2, "rest": 6.0}


def test_a_variant_moves_the_constant_it_names_alone() -> None:
    (law, *_) = PIECES
    assert law == Piece(name="the law")
    own = clock_of(CONSTANTS, 31, 31)
    assert own.kinetic == pytest.approx(1.5 * 31**1.5)
    assert clock_of({**CONSTANTS, EXPONENT: 2.0}, 31, 31).kinetic == pytest.approx(1.5 * 31**2)
    assert clock_of({**CONSTANTS, Q: 8.0}, 31, 31).sharpness == 8.0
    assert clock_of(CONSTANTS, 31, 31, rest_loaded=False).rest == pytest.approx(6 * 31)


@pytest.mark.slow
def test_the_law_without_a_change_is_the_law() -> None:
    runs = runs_of(RESULTS)
    fits = PIECES[0].fits(runs)
    assert {key: fit.constants for key, fit in fits.items()} == {
        key: fit.constants for key, fit in least_squares_fits(runs).items()
    }


@pytest.mark.slow
def test_a_piece_that_is_taken_away_leaves_its_constant_where_it_is_held() -> None:
    runs = runs_of(RESULTS)
    (still,) = [piece for piece in PIECES if "rate" in piece.fixed]
    for fit in still.fits(runs).values():
        sizes = fit.clock(31, 64).critical_size([1000.0, 20000.0])
        assert sizes[0] == pytest.approx(sizes[1], rel=1e-4)


def test_committed_rows_are_of_these_pieces_and_stand_in_the_page() -> None:
    rows = read(RESULTS / "two-thresholds" / PIECES_FILE)
    assert [row["piece"] for row in rows] == [piece.name for piece in PIECES]
    page = (RESULTS / "two-thresholds.md").read_text(encoding="utf-8")
    assert page_with_pieces(page, rows) == page
    assert page.count(BEGIN) == page.count(END) == 1


def test_a_variant_refuses_a_constant_that_is_not_finite() -> None:
    with pytest.raises(ValueError, match="load"):
        Piece(name="none", fixed={"load": float("nan")})
