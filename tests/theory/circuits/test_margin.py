import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcrit.theory.circuits.margin import (
    cost,
    efficiency,
    log_efficiency_per_squared_norm,
    loss_from_margin,
    margin_from_loss,
)

classes = st.integers(2, 500)
positive = st.floats(1e-3, 1e3)
degrees = st.sampled_from([1.5, 2.0, 3.0])


@given(st.floats(1e-6, 100.0), classes)
def test_loss_survives_the_way_through_the_margin(loss: float, n_classes: int) -> None:
    assert loss_from_margin(margin_from_loss(loss, n_classes), n_classes) == pytest.approx(loss, rel=1e-9)


@given(st.floats(-20.0, 25.0), classes)
def test_margin_survives_the_way_through_the_loss(margin: float, n_classes: int) -> None:
    assert margin_from_loss(loss_from_margin(margin, n_classes), n_classes) == pytest.approx(margin, abs=1e-9)


@given(st.floats(-20.0, 20.0), st.integers(2, 50))
def test_loss_is_the_cross_entropy_of_a_softmax_against_equal_rivals(margin: float, n_classes: int) -> None:
    logits = [margin] + [0.0] * (n_classes - 1)
    share = math.exp(logits[0]) / sum(math.exp(logit) for logit in logits)
    assert loss_from_margin(margin, n_classes) == pytest.approx(-math.log(share), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("n_classes", [2, 23, 113])
def test_margin_of_landmark_losses(n_classes: int) -> None:
    margins = margin_from_loss([math.log(n_classes), 0.0, 1000.0], n_classes)
    assert margins[0] == pytest.approx(0.0, abs=1e-12)
    assert margins[1] == math.inf
    assert margins[2] == pytest.approx(math.log(n_classes - 1) - 1000.0, rel=1e-12)


@given(positive, positive, degrees)
def test_cost_inverts_efficiency(margin: float, squared_norm: float, degree: float) -> None:
    bought = efficiency(margin, squared_norm, degree)
    assert cost(margin, bought, degree) == pytest.approx(squared_norm, rel=1e-9)


@given(positive, positive, degrees, st.floats(0.1, 10.0))
def test_scaling_all_parameters_leaves_efficiency_alone(q: float, margin: float, degree: float, scale: float) -> None:
    scaled = efficiency(margin * scale**degree, q * scale**2, degree)
    assert scaled == pytest.approx(float(efficiency(margin, q, degree)), rel=1e-9)


@given(positive, positive, degrees, st.floats(1.01, 10.0))
def test_cost_rises_with_margin_and_falls_with_efficiency(
    margin: float, gain: float, degree: float, factor: float
) -> None:
    assert cost(margin * factor, gain, degree) > cost(margin, gain, degree)
    assert cost(margin, gain * factor, degree) < cost(margin, gain, degree)


@given(positive, positive, positive, degrees)
def test_equal_costs_mean_equal_efficiencies_at_every_margin(a: float, b: float, margin: float, degree: float) -> None:
    ratio = cost(margin, a, degree) / cost(margin, b, degree)
    assert ratio == pytest.approx((b / a) ** (2 / degree), rel=1e-9)


def test_shapes_follow_the_arguments() -> None:
    losses = np.full((2, 3), 0.5)
    assert margin_from_loss(losses, 5).shape == loss_from_margin(losses, 5).shape == (2, 3)
    assert efficiency(losses, 2.0, 3).shape == cost(losses, 2.0, 3).shape == (2, 3)


@given(st.lists(positive, min_size=1, max_size=20), positive, st.sampled_from([2.0, 3.0]))
def test_efficiency_per_squared_norm_is_exact_for_equal_units_and_a_bound_for_others(
    units: list[float], margin: float, degree: float
) -> None:
    norms = np.array(units)
    total = float(np.sum(norms**2))
    log_e = np.log(efficiency(margin, math.sqrt(total) * np.sum(norms**degree) ** (1 / degree), degree))
    found = float(log_efficiency_per_squared_norm(log_e, len(norms), degree))
    literal = math.log(margin / total ** (degree / 2))
    assert found <= literal + 1e-9
    if degree == 2 or np.ptp(norms) == 0:
        assert found == pytest.approx(literal, abs=1e-9)
