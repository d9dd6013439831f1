"""What each piece of the law of two thresholds and a clock is worth: without it, or with another in its place.

Every variant is fitted to the same calibration runs as the law, and scored on the same measured sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from dcrit.empirics.ablations.committed import Row, with_block
from dcrit.empirics.ablations.two_thresholds_fit import ACTIVATIONS, least_squares_fits
from dcrit.empirics.measures.threshold_fit import EXPONENT, LEAST_BEND, Fit, Q
from dcrit.theory.checks import check_finite

#: Ends of the table in docs/results/two-thresholds.md, and the file of its rows.
BEGIN, END = "<!-- begin: pieces, remade by dcrit reproduce two-thresholds -->", "<!-- end: pieces -->"
PIECES_FILE = "pieces.json"

#: A clock so fast, and a size at rest so small, that they play no part.
AT_ONCE, NONE = 1e9, 1e-6


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One variant of the law.

    Attributes:
        name: In the table.
        fixed: Constants that are held, by name.
        rest_loaded: Whether a narrow network raises D_rest as it does D_kin.
        with_rest: Whether sizes at rest enter the fit.

    Raises:
        ValueError: A constant is not finite.
    """

    name: str
    fixed: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    rest_loaded: bool = True
    with_rest: bool = True

    def __post_init__(self) -> None:
        for name, value in self.fixed.items():
            check_finite(name, value)

    def fits(self, runs: Sequence[Row]) -> dict[tuple[str, str], Fit]:
        """Its fit of every activation and task."""
        return least_squares_fits(runs, fixed=self.fixed, rest_loaded=self.rest_loaded, with_rest=self.with_rest)


#: The law, and one change at a time.
PIECES = (
    Piece(name="the law"),
    Piece(name="no clock: one size at every horizon", fixed={"rate": AT_ONCE}),
    Piece(name="no size at rest", fixed={"rest": NONE}, with_rest=False),
    Piece(name="no width: k1 = 0", fixed={"load": 0.0}),
    Piece(name="width in D_kin alone", rest_loaded=False),
    Piece(name="exponent 1 for 3/2", fixed={EXPONENT: 1.0}),
    Piece(name="exponent 4/3 for 3/2", fixed={EXPONENT: 4 / 3}),
    Piece(name="exponent 5/3 for 3/2", fixed={EXPONENT: 5 / 3}),
    Piece(name="exponent 2 for 3/2", fixed={EXPONENT: 2.0}),
    Piece(name="m = 0: 1/t = r·ln x", fixed={"bend": LEAST_BEND}),
    Piece(name="m = 1", fixed={"bend": 1.0}),
    Piece(name="m = 2", fixed={"bend": 2.0}),
    Piece(name="q = 1: both sizes add", fixed={Q: 1.0}),
    Piece(name="q = 2", fixed={Q: 2.0}),
    Piece(name="q = 5", fixed={Q: 5.0}),
    Piece(name="q = 8", fixed={Q: 8.0}),
)


def piece_rows(runs: Sequence[Row], score: Callable[[Mapping[tuple[str, str], Fit], bool], Row]) -> list[Row]:
    """How far each variant leaves calibration runs, and how far off it is on measured sizes.

    Args:
        runs: All runs.
        score: Median and worst error of fits on measured sizes, of the far field or of the near one.
    """
    rows: list[Row] = []
    for piece in PIECES:
        fits = piece.fits(runs)
        row: Row = {"piece": piece.name}
        row |= {f"residual_{activation}": round(fits[activation, "add"].scatter, 3) for activation in ACTIVATIONS}
        for name, far in (("near", False), ("far", True)):
            found = score(fits, far)
            row |= {f"{name}_{key}": found[key] for key in ("configurations", "median", "worst")}
        rows.append(row)
    return rows


def page_with_pieces(page: str, rows: Sequence[Row]) -> str:
    """The page with its table of pieces replaced.

    Args:
        page: Its text.
        rows: Of :func:`piece_rows`.
    """
    first = rows[0]
    lines = [
        "| variant | residual, `square` | residual, `relu` | near: median | worst | far: median | worst |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['piece']} | {row['residual_square']:.3f} | {row['residual_relu']:.3f} | {row['near_median']:.3f} "
        f"| {row['near_worst']:.3f} | {row['far_median']:.3f} | {row['far_worst']:.3f} |"
        for row in rows
    ]
    lines += [
        "",
        f"{len(rows)} variants over {first['near_configurations']} configurations of the near field and "
        f"{first['far_configurations']} of the far field, each fitted to the same calibration runs.",
    ]
    return with_block(page, (BEGIN, END), "\n".join(lines))
