import pytest
from scipy.stats import t

from dcrit.empirics.claims.claim import Ruling
from dcrit.empirics.experiments.capacities import Capacities
from dcrit.empirics.measures.capacity import CapacityLine
from dcrit.theory.circuits.laws import CapacityLaw
from tests.worlds.evidence import judged

NAME = "capacity-linear"


def line(slope: float, error: float, bits: float = 2.0) -> CapacityLine:
    return CapacityLine(
        bits=bits,
        bits_error=0.03,
        n_sizes=5,
        n_runs=30,
        points=((100, 40.0, 38.0, 43.0),),
        law=CapacityLaw(bits=bits, slope=slope, slope_error=error),
    )


@pytest.mark.parametrize(
    ("slope", "error", "expected"),
    [
        (1.0, 0.02, "supported"),
        (0.92, 0.02, "supported"),
        (0.6, 0.02, "refuted"),
        (1.4, 0.02, "refuted"),
        (1.0, 0.1, "inconclusive"),
        (0.85, 0.02, "inconclusive"),
    ],
)
def test_linear_capacity(slope: float, error: float, expected: Ruling) -> None:
    found = judged(NAME, {"square": line(slope, error)})
    assert found.ruling() == expected
    assert (found.predicted, found.measured, found.n_runs) == (1.0, slope, 30)
    assert found.interval is not None
    half = float(t.ppf(0.95, 3)) * error
    assert (found.interval.low, found.interval.high) == pytest.approx((slope - half, slope + half))


@pytest.mark.parametrize(
    ("other", "expected"),
    [(line(1.0, 0.01), "supported"), (line(0.5, 0.01), "refuted"), ("too few overloaded", "inconclusive")],
)
def test_capacity_has_to_be_linear_for_every_activation(other: CapacityLine | str, expected: Ruling) -> None:
    found = judged(NAME, {"square": line(1.02, 0.01, bits=2.2), "relu": other})
    assert found.ruling() == expected
    assert "square 2.20" in found.reason


def test_no_capacity_is_inconclusive() -> None:
    nothing: list[Capacities] = [{}, {"square": "none", "relu": "none"}]
    for capacities in nothing:
        found = judged(NAME, capacities)
        assert (found.ruling(), found.measured, found.n_runs) == ("inconclusive", None, 0)
