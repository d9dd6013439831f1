from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcrit.theory.calibrations.omission import Cause, Omission
from dcrit.theory.circuits.laws import CapacityLaw
from dcrit.theory.circuits.regimes import DYNAMICS, dynamics_codes
from dcrit.theory.predictions.regime import REGIMES, FitRange, fit_range, predict_regime
from dcrit.theory.problems.problem import Problem
from tests.worlds.theory import EXACT, NOISY

CALIBRATION = NOISY.calibrate(np.random.default_rng(0))
UNFIT = replace(
    CALIBRATION,
    omitted=(
        *(
            Omission(n_symbols=23, width=width, cause=cause, reason="not measured")
            for width, cause in ((8, Cause.FEW_GENERALIZING), (12, Cause.NOT_LEARNED), (14, Cause.FEW_MEMORIZING))
        ),
        Omission(cause=Cause.NO_SYMMETRY, reason="not measured"),
    ),
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.integers(1, 529), st.sampled_from([8, 12, 13, 16, 48, 128, 200]))
def test_probabilities_sum_to_one(n_train: int, width: int) -> None:
    found = predict_regime(Problem(width=width), UNFIT, n_train=n_train, n_draws=30)
    assert sum(found.probabilities) == pytest.approx(1)
    assert min(found.probabilities) >= 0
    assert found.extrapolated == (width not in {16, 48, 128})
    assert found.probabilities[REGIMES.index("does not fit")] == (
        1 if width <= 12 else pytest.approx(np.log(16 / 13) / np.log(16 / 12)) if width == 13 else 0
    )


@pytest.mark.parametrize("n_train", [5, 100, 150, 200, 400, 529])
def test_without_scatter_the_regime_is_that_of_the_best_sizes(n_train: int) -> None:
    calibration = replace(EXACT.calibrate(np.random.default_rng(2)), capacity=CapacityLaw(bits=0.5))
    found = predict_regime(Problem(), calibration, n_train=n_train, n_draws=20)
    sizes = found.sizes
    ends = [np.inf if size.value is None else size.value for size in (sizes.capacity, sizes.onset, sizes.completion)]
    assert found.most_likely == DYNAMICS[int(dynamics_codes(n_train, *ends))]
    assert max(found.probabilities) == pytest.approx(1)


def test_fit_range_reads_what_was_omitted() -> None:
    assert fit_range(Problem(), UNFIT) == FitRange(unfit=12, fitted=16)
    assert fit_range(Problem(), CALIBRATION) is None
    assert fit_range(Problem(modulus=11), UNFIT) is None
    assert predict_regime(Problem(width=9), UNFIT, n_train=50, n_draws=20).most_likely == REGIMES[4] == "does not fit"


@pytest.mark.parametrize(("name", "bad"), [("n_train", 0), ("n_train", 530), ("level", 1.0), ("n_draws", 0)])
def test_bad_numbers_are_refused(name: str, bad: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be"):
        predict_regime(Problem(), CALIBRATION, **{"n_train": 50, name: bad})  # type: ignore[arg-type]
