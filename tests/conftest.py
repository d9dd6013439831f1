from collections.abc import Iterator

import pytest
from hypothesis import settings

# Wall time and earlier failures must not decide a test.
settings.register_profile("dcrit", derandomize=True, deadline=None, database=None)
settings.load_profile("dcrit")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As worker processes have it: the number of threads changes rounding."""
    import torch  # tests of the theory run without  # noqa: PLC0415

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
