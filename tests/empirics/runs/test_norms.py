import math
from dataclasses import replace

import numpy as np
import pytest

from dcrit.empirics.measures.capacity import in_bits
from dcrit.empirics.runs.norms import NORMS, outcome_in_norm, recorded_norms, settled_norm
from dcrit.empirics.runs.outcomes import outcome_of
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training.ensemble import Ensemble, train
from dcrit.theory.estimates import Estimate, Interval
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import run_of

PROBLEM = Problem(modulus=5, width=4)
CONFIG = RunConfig(problem=PROBLEM, n_train=20, seed=0)


def standing(activation: str) -> RunConfig:
    return replace(CONFIG, problem=replace(PROBLEM, activation=activation))


@pytest.mark.parametrize(("activation", "kappa"), [("relu", 2), ("square", 3)])
def test_efficiency_is_margin_per_norm_to_the_homogeneity(activation: str, kappa: int) -> None:
    run = run_of(standing(activation), train_loss=0.01, squared_norm=36.0, neuron_norm=4.0, max_norm=2.0)
    plain = outcome_of(run)
    assert replace(outcome_in_norm(run, NORMS["l2"]), efficiency=plain.efficiency) == plain
    assert outcome_in_norm(run, NORMS["l2"]).efficiency == pytest.approx(plain.margin / 6**kappa)
    assert outcome_in_norm(run, NORMS["linf"]).efficiency == pytest.approx(plain.margin / 2**kappa)
    natural = 4.0 if activation == "square" else 6.0
    assert outcome_in_norm(run, NORMS["l2,kappa"]).efficiency == pytest.approx(plain.margin / natural**kappa)


def test_where_the_homogeneity_is_measured_its_norm_is_not_recorded() -> None:
    assert recorded_norms(PROBLEM) == list(NORMS.values())
    transformer = Problem(modulus=5, width=4, model="transformer", activation="relu")
    assert [norm.name for norm in recorded_norms(transformer)] == ["l2", "linf"]


def test_norms_are_medians_over_the_last_tenth() -> None:
    step = np.array(CONFIG.evaluation_steps())
    curve = np.where(step >= 3600, 4.0, 100.0)
    curve[-1] = 50.0
    run = run_of(CONFIG, squared_norm=curve, neuron_norm=curve, max_norm=curve)
    assert [settled_norm(run, norm) for norm in NORMS.values()] == [2.0, 4.0, 4.0]
    assert math.isnan(settled_norm(replace(run, ending="diverged"), NORMS["linf"]))


@pytest.mark.parametrize("activation", ["relu", "square"])
def test_norms_of_a_trained_network_are_those_of_its_parameters(activation: str) -> None:
    config = replace(standing(activation), steps=1, precision="float64")
    (run,) = train([config])
    ensemble = Ensemble([config])
    ensemble.advance(1)
    units = ensemble.models.theta[0].T.numpy()
    kappa = config.problem.homogeneity
    # The run has two evaluations, and the last tenth only the last.
    literal = {
        "l2": np.sqrt(sum(w * w for unit in units for w in unit)),
        "l2,kappa": sum(np.sqrt(sum(w * w for w in unit)) ** kappa for unit in units) ** (1 / kappa),
        "linf": max(abs(w) for unit in units for w in unit),
    }
    for name, norm in NORMS.items():
        assert settled_norm(run, norm) == pytest.approx(literal[name], rel=1e-9)


def test_bits_per_parameter_scale_the_estimate_and_its_interval() -> None:
    problem = Problem(task="random", modulus=16, width=2)
    found = Estimate(quantity="capacity", value=48.0, interval=Interval(low=24.0, high=96.0), unit="examples", n_runs=6)
    # log2(16)/(3·16·2) = 1/24.
    bits = in_bits(found, problem)
    assert (bits.quantity, bits.value, bits.unit, bits.n_runs) == ("bits_per_parameter", 2.0, "bits/parameter", 6)
    assert bits.interval == Interval(low=1.0, high=4.0)
    none = in_bits(replace(found, value=None, interval=None, reason="not overloaded"), problem)
    assert (none.value, none.interval, none.reason) == (None, None, "not overloaded")
