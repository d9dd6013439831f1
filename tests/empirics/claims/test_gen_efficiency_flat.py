import pytest

from dcrit.empirics.claims.claim import Ruling
from tests.worlds.evidence import BOTH, RELU, entry, judged, power_law

NAME = "gen-efficiency-flat"


@pytest.mark.parametrize(
    ("slope", "noise", "expected"),
    [
        (0.0, 0.01, "supported"),
        (-0.06, 0.005, "supported"),
        (-0.3, 0.01, "refuted"),
        (0.3, 0.01, "refuted"),
        (0.14, 0.04, "inconclusive"),
    ],
)
def test_flat_generalizing_efficiency(slope: float, noise: float, expected: Ruling) -> None:
    entries = [
        entry(problem, generalizing=power_law(slope, noise=noise, seed=k)) for k, problem in enumerate((*BOTH, *BOTH))
    ]
    found = judged(NAME, entries)
    assert found.ruling() == expected
    assert found.predicted == 0.0
    assert found.measured == pytest.approx(slope, abs=3 * noise)
    assert (found.n_runs, found.n_unconverged) == (60, 0)
    # One problem alone does not speak for networks.
    alone = judged(NAME, [entries[0], entry(RELU)])
    assert (alone.ruling(), alone.p_value, alone.n_runs) == ("inconclusive", None, 15)
    assert alone.reason.startswith("1 of 2 problems")


def test_flatness_is_judged_by_the_mean_over_problems_and_their_scatter() -> None:
    rising, falling = (entry(generalizing=power_law(slope, noise=0.003)) for slope in (0.2, -0.2))
    torn = judged(NAME, [rising, falling])
    assert torn.measured == pytest.approx(0.0, abs=0.01)
    # Each is certain and neither is flat: two such problems do not tell what the mean over problems is.
    assert torn.ruling() == "inconclusive"
    assert judged(NAME, [rising, rising]).ruling() == "refuted"
    mild = [entry(generalizing=power_law(slope, noise=0.003)) for slope in (0.03, -0.03, 0.02, -0.02)]
    assert judged(NAME, mild).ruling() == "supported"


def test_flatness_rests_on_converged_runs_that_generalize_fully() -> None:
    good = power_law(0.0)
    memorized = power_law(-2.0, test_accuracy=0.9)
    unconverged = power_law(-2.0, converged=False)
    mixed = [entry(problem, generalizing=[*good, *memorized, *unconverged]) for problem in BOTH]
    found = judged(NAME, mixed)
    assert found.ruling() == "supported"
    assert (found.n_runs, found.n_unconverged) == (30, 30)
    none = judged(NAME, [entry(problem, generalizing=memorized) for problem in BOTH])
    assert (none.ruling(), none.measured, none.interval, none.n_runs) == ("inconclusive", None, None, 0)


def test_one_run_at_each_of_two_sizes_is_judged_as_well() -> None:
    few = [one for one in power_law(0.0, sizes=(580, 860)) if one.config.seed == 0]
    found = judged(NAME, [entry(generalizing=few), entry(RELU)])
    assert (found.ruling(), found.n_runs) == ("inconclusive", 2)
