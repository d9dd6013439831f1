import math

import numpy as np
import pytest

from dcrit.empirics.measures.symmetry import FRACTIONS, SymmetryDesign, fit_symmetry, mirrored_accuracy
from dcrit.empirics.runs.outcomes import Outcome
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.circuits.symmetry import SymmetryLaw, features, mirrored_fraction
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import outcome

FAMILY = Problem(model="transformer", activation="relu", learning_rate=3e-3)
TRUTH = SymmetryLaw(
    coefficients=(-0.65, -0.2, -0.15, -0.1), width=0.1, covariance=((0.0, 0.0, 0.0, 0.0),) * 4, scatter=0.0
)


def runs(scatter: float, seed: int = 0) -> list[Outcome]:
    """Outcomes of the design's runs, as the law would have them in cells that lie off it by a normal deviate."""
    rng, found = np.random.default_rng(seed), []
    for modulus in (13, 17, 23, 29):
        for width in (8, 16, 24, 48):
            problem = Problem(model="transformer", activation="relu", modulus=modulus, width=width, learning_rate=3e-3)
            shift = math.exp(scatter * rng.standard_normal())
            for config in SymmetryDesign(problem=problem).configs():
                right = float(TRUTH.mirrored_accuracy(config.n_train * shift, modulus, width))
                accuracy = right * float(mirrored_fraction(config.n_train, modulus))
                found.append(outcome(config, test_accuracy=accuracy))
    return found


def test_runs_are_short_and_on_labels_that_are_commutative_but_random() -> None:
    design = SymmetryDesign(problem=Problem(model="transformer", activation="relu", modulus=23, learning_rate=3e-3))
    configs = design.configs()
    assert {config.problem.task for config in configs} == {"random-symmetric-latin"}
    assert all(config.problem.definition.rule is None for config in configs)
    assert {config.horizon for config in configs} == {2000}
    assert len({config.address for config in configs}) == len(FRACTIONS) * design.seeds


@pytest.mark.slow
def test_the_law_behind_the_runs_is_recovered() -> None:
    law = fit_symmetry(runs(0.0))
    assert isinstance(law, SymmetryLaw)
    assert law.coefficients == pytest.approx(TRUTH.coefficients, abs=0.01)
    assert law.width == pytest.approx(TRUTH.width, rel=0.1)
    assert law.scatter < 0.01


@pytest.mark.slow
def test_scatter_between_cells_is_told_and_covered() -> None:
    errors, told = [], []
    for seed in range(12):
        law = fit_symmetry(runs(0.08, seed))
        assert isinstance(law, SymmetryLaw)
        told.append(law.scatter)
        x = features(37, 32)
        error = math.log(law.size(37, 32) / TRUTH.size(37, 32))
        errors.append(error / math.sqrt(x @ np.array(law.covariance) @ x))
    assert 0.05 < float(np.median(told)) < 0.1
    assert 0.5 < float(np.std(errors)) < 2.0


def test_mirror_images_are_right_at_most_all() -> None:
    config = RunConfig(problem=Problem(task="random-symmetric-latin", modulus=13), n_train=84, seed=0)
    part = float(mirrored_fraction(84, 13))
    assert mirrored_accuracy(outcome(config, test_accuracy=part / 2)) == pytest.approx(0.5)
    assert mirrored_accuracy(outcome(config, test_accuracy=0.9)) == 1.0


def test_too_few_cells_give_a_reason() -> None:
    few = [o for o in runs(0.0) if o.config.problem.width == 16]
    assert fit_symmetry(few) == (
        "symmetric labels were memorized at 4 of the cells only, 5 over two moduli and three widths needed"
    )


@pytest.mark.slow
def test_runs_that_did_not_fit_are_left_out() -> None:
    lost = [outcome(o.config, train_accuracy=0.5, test_accuracy=1.0) for o in runs(0.0)]
    assert fit_symmetry([*runs(0.0), *lost]) == fit_symmetry(runs(0.0))


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_runs_on_one_side_alone_give_a_reason(accuracy: float) -> None:
    same = [outcome(o.config, test_accuracy=accuracy) for o in runs(0.0)]
    assert str(fit_symmetry(same)).startswith("no size was found from which symmetric labels are memorized")
