"""Laws for property tests."""

import math

from hypothesis import strategies as st

from dcrit.theory.circuits.laws import GeneralizingLaw, MemorizingLaw
from dcrit.theory.circuits.mixture import Competition, DeficitLaw

exponents = st.floats(0.2, 3.0)
amplitudes = st.floats(-5.0, 5.0).map(math.exp)
NO_DRIFT = st.just(0.0)
numbers_of_pairs = st.integers(100, 10_000).map(float)


@st.composite
def crossing_laws(
    draw: st.DrawFn, *, drift: st.SearchStrategy[float] = NO_DRIFT
) -> tuple[MemorizingLaw, GeneralizingLaw]:
    """Unsaturated laws that cross between 2 examples and half of all pairs."""
    n_pairs = draw(numbers_of_pairs)
    memorizing = MemorizingLaw(amplitude=draw(amplitudes), exponent=draw(exponents))
    slope = draw(drift) * memorizing.exponent
    log_size = draw(st.floats(math.log(2.0), math.log(n_pairs / 2)))
    log_efficiency = math.log(memorizing.amplitude) - memorizing.exponent * log_size
    full_data = math.exp(log_efficiency + slope * (log_size - math.log(n_pairs)))
    return memorizing, GeneralizingLaw(full_data=full_data, n_pairs=n_pairs, drift=slope)


@st.composite
def competitions(draw: st.DrawFn) -> Competition:
    memorizing, generalizing = draw(crossing_laws(drift=st.floats(-0.3, 0.5)))
    deficits = DeficitLaw(
        median=draw(st.floats(0.05, 2.0)),
        median_exponent=draw(st.floats(-0.3, 0.05)),
        spread=draw(st.floats(0.05, 1.0)),
        spread_exponent=draw(st.floats(-0.3, 0.05)),
    )
    return Competition(
        memorizing=memorizing, generalizing=generalizing, deficits=deficits, mixing=draw(st.floats(1.1, 12.0))
    )
