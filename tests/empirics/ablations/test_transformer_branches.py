import math
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import norm

from dcrit.empirics.ablations import transformer_branches as branches
from dcrit.empirics.ablations.committed import Row, read, text_of
from dcrit.empirics.ablations.two_thresholds_fit import FOLDER
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.theory.circuits.branches import BranchLaw
from dcrit.theory.circuits.symmetry import mirrored_fraction
from tests.worlds.runs import run_of

RESULTS = Path(__file__).parents[3] / "docs" / "results"
PREFACTOR, LOAD, SPREAD, SCATTER = 2.1, 0.2, 0.12, 0.05


def cells(seed: int, seeds: int = 8, networks: Sequence[tuple[int, int]] = ()) -> list[Row]:
    """Seeds that take the symmetric branch as a law says, each network a little off."""
    rng = np.random.default_rng(seed)
    found: list[Row] = []
    for modulus, width in networks or [(p, d) for p in (29, 31, 37, 41, 43, 47) for d in (16, 24, 32, 64)]:
        half = PREFACTOR * modulus**1.5 * (1 + LOAD * modulus / width) * math.exp(SCATTER * rng.standard_normal())
        for factor in (0.8, 0.95, 1.1, 1.3):
            own = half * np.exp(SPREAD * rng.standard_normal(seeds))
            right = np.where(factor * half > own, 0.9, 0.1).tolist()
            found.append({"modulus": modulus, "width": width, "n_train": factor * half, "right": right})
    return found


def test_the_likelihood_integrates_over_networks() -> None:
    mine = cells(3, 2, [(31, 24), (37, 16)])
    x = np.log([PREFACTOR, LOAD, SPREAD, SCATTER])
    expected = 0.0
    offs = np.linspace(-8, 8, 4001)
    for network in {(cell["modulus"], cell["width"]) for cell in mine}:
        product = norm.pdf(offs)
        for cell in mine:
            if (cell["modulus"], cell["width"]) == network:
                half = PREFACTOR * network[0] ** 1.5 * (1 + LOAD * network[0] / network[1])
                chance = norm.cdf((math.log(cell["n_train"] / half) - SCATTER * offs) / SPREAD)
                for one in cell["right"]:
                    product = product * (chance if one >= 0.5 else 1 - chance)
        expected += math.log(np.trapezoid(product, offs))
    assert branches.branch_likelihood(x, mine) == pytest.approx(expected, abs=1e-3)


@pytest.mark.slow
def test_constants_that_made_the_branches_are_found_again() -> None:
    found = branches.branch_law(cells(11), [], {})
    for modulus, width in ((53, 32), (71, 48)):
        truth = PREFACTOR * modulus**1.5 * (1 + LOAD * modulus / width)
        assert abs(math.log(found.size(modulus, width) / truth)) < min(0.1, 3 * found.deviation(modulus, width))
    assert found.spread == pytest.approx(SPREAD, rel=0.25)
    assert SCATTER < found.scatter < 0.15


def test_half_of_a_network_is_between_its_branches() -> None:
    rows = [
        {"n_train": size, "right": [0.9] * symmetric + [0.1] * (8 - symmetric)}
        for size, symmetric in ((800, 1), (1000, 4), (1250, 7))
    ]
    size, error = branches.half_size(rows, SPREAD) or (0.0, 0.0)
    assert size == pytest.approx(1000, rel=0.03)
    assert 0.02 < error < 0.08
    assert branches.half_size(rows[:0], SPREAD) is None
    assert branches.half_size([{"n_train": 900, "right": [0.9, 0.8]}], SPREAD) is None


def test_no_asked_network_has_a_modulus_of_the_calibration() -> None:
    assert not {p for p, _ in branches.ASKED} & {*(p for p, _ in branches.NETWORKS), 23, 29, 41, 43, 47}


class World:
    """A laboratory that trains nothing: half of the mirror images come out right at every size."""

    def __init__(self) -> None:
        self.asked: list[RunConfig] = []

    def runs(self, configs: Sequence[RunConfig], /, *, stage: str) -> list[Run]:
        assert stage.startswith("branches: ")
        self.asked += configs
        return [
            run_of(one, test_accuracy=0.6 * float(mirrored_fraction(one.n_train, one.problem.modulus)))
            for one in configs
        ]


def test_what_is_asked_is_predicted_before_it_is_measured(tmp_path: Path) -> None:
    results = tmp_path / "docs" / "results"
    (results / FOLDER).mkdir(parents=True)
    page = tmp_path / "docs" / "results" / "two-thresholds.md"
    page.write_text(f"before\n{branches.BEGIN}\n{branches.END}\nafter\n", encoding="utf-8")
    path, world = results / FOLDER / branches.FILE, World()
    branches.calibrate(results, world)  # type: ignore[arg-type]
    assert {(one.problem.modulus, one.problem.width) for one in world.asked} == set(branches.NETWORKS)
    assert {one.horizon for one in world.asked} == {branches.EARLY}
    branches.measure(results, world)  # type: ignore[arg-type]
    n_calibration = len(world.asked)
    assert read(path)["asked"] == []
    law = BranchLaw(
        prefactor=2.0,
        load=0.2,
        spread=0.1,
        ahead=0.0,
        behind=0.0,
        scatter=0.05,
        covariance=((0.001, 0.0, 0.0), (0.0, 0.001, 0.0), (0.0, 0.0, 0.001)),
    )
    for file, text in branches.branches(results, law).items():
        file.write_text(text, encoding="utf-8")
    first = read(path)["asked"]
    assert [(row["modulus"], row["width"]) for row in first] == list(branches.ASKED)
    assert "not measured" in page.read_text(encoding="utf-8")
    branches.calibrate(results, world)  # type: ignore[arg-type]
    branches.measure(results, world)  # type: ignore[arg-type]
    assert len(world.asked) - n_calibration == len(branches.ASKED) * 3 * branches.ASKED_SEEDS
    # Another law changes no prediction that was made.
    moved = SimpleNamespace(spread=0.1, probability=law.probability)
    (again,) = [text for file, text in branches.branches(results, moved).items() if file == path]  # type: ignore[arg-type]
    path.write_text(again, encoding="utf-8")
    for row, before in zip(read(path)["asked"], first, strict=True):
        assert row["predicted"] == before["predicted"]
        assert row["measured"] is None  # all seeds were symmetric
        assert [len(cell["right"]) for cell in row["cells"]] == [branches.ASKED_SEEDS] * 3
    assert text_of(read(path)) == path.read_text(encoding="utf-8")
