import numpy as np
import pytest

from dcrit.empirics.claims.claim import Ruling
from tests.worlds.evidence import entry, judged, power_law

NAME = "mem-efficiency-falls"


@pytest.mark.parametrize(
    ("slope", "noise", "bend", "expected"),
    [
        (-0.7, 0.02, 0.0, "supported"),
        (-0.1, 0.01, 0.0, "refuted"),
        (0.4, 0.01, 0.0, "refuted"),
        (-0.17, 0.06, 0.0, "inconclusive"),
        # It falls, but scattered or bent too far from a power law.
        (-0.7, 0.15, 0.0, "inconclusive"),
        (-1.0, 0.01, -0.6, "inconclusive"),
    ],
)
def test_falling_memorizing_efficiency(slope: float, noise: float, bend: float, expected: Ruling) -> None:
    runs = power_law(slope, noise=noise, bend=bend, sizes=(115, 173, 250, 365, 519, 721))
    found = judged(NAME, [entry(memorizing=runs)])
    assert found.ruling() == expected
    assert found.measured == pytest.approx(slope, abs=0.02 + noise)
    assert found.n_runs == 18


@pytest.mark.parametrize(
    ("slopes", "expected"),
    [
        ((-0.7, -0.6), "supported"),
        ((-0.7, -0.1), "refuted"),
        ((-0.7, None), "inconclusive"),
        ((-0.1, None), "refuted"),
        ((), "inconclusive"),
    ],
)
def test_memorizing_has_to_fall_in_every_problem(slopes: tuple[float | None, ...], expected: Ruling) -> None:
    entries = [
        entry(memorizing=power_law(-0.7, sizes=(200, 400)) if slope is None else power_law(slope)) for slope in slopes
    ]
    found = judged(NAME, entries)
    assert found.ruling() == expected
    known = [slope for slope in slopes if slope is not None]
    assert found.measured == (pytest.approx(np.mean(known), abs=0.05) if known else None)


def test_overloaded_runs_do_not_speak_of_memorizing_efficiency() -> None:
    overloaded = power_law(-5.0, train_accuracy=0.8)
    found = judged(NAME, [entry(memorizing=[*power_law(-0.7), *overloaded])])
    assert (found.ruling(), found.n_runs) == ("supported", 15)
    assert found.rows[0]["over capacity"] == 15
