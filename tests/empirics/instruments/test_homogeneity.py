import math
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from dcrit.empirics.instruments.homogeneity import (
    Degree,
    HomogeneityDesign,
    degrees,
    measure_degrees,
    measure_homogeneity,
)
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training.ensemble import Ensemble
from dcrit.theory.families.pair_mlp import HOMOGENEITY
from dcrit.theory.problems.problem import Problem
from tests.worlds.transformer_oracle import PlainTransformer, training_set

ACTIVATIONS = pytest.mark.parametrize("activation", ["relu", "square"])


def after(problem: Problem, n_steps: int) -> Ensemble:
    batch = Ensemble(
        [RunConfig(problem=problem, n_train=n, seed=n, steps=n_steps, precision="float64") for n in (17, 20)]
    )
    batch.advance(n_steps)
    return batch


@ACTIVATIONS
def test_pair_mlps_have_their_exact_degree(activation: str) -> None:
    kappa, slope = degrees(after(Problem(modulus=5, width=16, activation=activation), 300))
    assert kappa == pytest.approx(HOMOGENEITY[activation], rel=1e-6)
    # The soft margin itself grows more slowly than logits: that is why it is not what counts.
    assert (slope < kappa).all()


@pytest.mark.parametrize("depth", [1, 2])
@ACTIVATIONS
def test_the_degree_of_transformers_is_that_of_gradients(activation: str, depth: int) -> None:
    """κ = (θ·∂L/∂θ)/(z·∂L/∂z) with logits z, by autograd of the literal network."""
    problem = Problem(model="transformer", modulus=5, width=8, depth=depth, activation=activation, learning_rate=1e-2)
    batch = after(problem, 60)
    kappa, _ = degrees(batch)
    for got, theta, config in zip(kappa, batch.models.theta, batch.configs, strict=True):
        model = PlainTransformer(problem, theta)
        pairs, labels = training_set(config)
        logits = model(pairs)
        logits.retain_grad()
        cross_entropy(logits, labels).backward()
        assert logits.grad is not None
        by_parameters = (model.theta() * model.theta(gradient=True)).sum()
        by_logits = (logits.detach() * logits.grad).sum()
        assert got == pytest.approx((by_parameters / by_logits).item(), rel=1e-3)


def test_a_network_without_a_margin_has_no_degree() -> None:
    batch = after(Problem(modulus=5, width=4), 0)
    batch.models.theta.zero_()
    kappa, slope = degrees(batch)
    assert [math.isnan(value) for value in (*kappa, *slope)] == [True] * 4


@pytest.mark.usefixtures("three_threads")
def test_runs_are_measured_in_the_order_of_the_design() -> None:
    problem = Problem(modulus=5, width=16, activation="relu", learning_rate=0.1, weight_decay=2.0)
    design = HomogeneityDesign(problem=problem, seeds=2, first_seed=3)
    done: list[int] = []
    n_threads = torch.get_num_threads()
    found = measure_degrees(design, progress=done.append)
    assert torch.get_num_threads() == n_threads
    assert [one.config for one in found] == design.configs()
    assert [one.config.seed for one in found] == [3, 4] * 6
    assert [one.config.problem.task for one in found] == ["random"] * 6 + ["add"] * 6
    assert sum(done) == len(found)
    assert [math.isnan(one.test_accuracy) for one in found] == [one.config.n_train == 25 for one in found]
    measured = measure_homogeneity(found)
    assert measured.value == pytest.approx(2, rel=1e-6)
    assert measured.n_runs + measured.n_unconverged == len(found)


def test_the_median_of_networks_that_fit_their_training_set_counts() -> None:
    config = RunConfig(problem=Problem(modulus=5), n_train=20, seed=0)
    one = Degree(config=config, homogeneity=6.0, margin_slope=5.0, train_accuracy=1.0, test_accuracy=0.1)
    found = [
        one,
        replace(one, homogeneity=7.0),
        replace(one, homogeneity=9.0),
        replace(one, homogeneity=1.0, train_accuracy=0.9),
        replace(one, homogeneity=math.nan),
    ]
    measured = measure_homogeneity(found, level=0.5)
    assert (measured.value, measured.n_runs, measured.n_unconverged) == (7.0, 3, 2)
    assert measured.interval is not None
    assert (measured.interval.low, measured.interval.high) == (6.5, 8.0)
    nothing = measure_homogeneity(found[3:])
    assert nothing.value is None
    assert "no network fits" in nothing.reason


@pytest.mark.parametrize(("field", "value"), [("seeds", 0), ("first_seed", -1)])
def test_bad_designs_are_refused(field: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"^{field} must be"):
        HomogeneityDesign(problem=Problem(modulus=5), **{field: value})
