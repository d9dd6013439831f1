import numpy as np
import pytest

import dcrit
from dcrit.theory.problems.tasks import TASKS


def test_pairs_are_all_pairs_with_their_labels() -> None:
    inputs, labels = dcrit.pairs("symmetric-group", 4)
    assert inputs.shape == (24 * 24, 2)
    table = TASKS["symmetric-group"].labels(4)
    assert np.array_equal(labels, table[inputs[:, 0], inputs[:, 1]])
    assert len(np.unique(inputs, axis=0)) == 24 * 24


def test_random_labels_are_drawn_by_their_seed() -> None:
    first, again, other = (dcrit.pairs("random", 7, seed=seed)[1] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(("n", "k", "count"), [(20, 3, 2000), (4, 4, 16), (60, 2, 50)])
def test_sparse_parity_is_the_product_of_the_first_signs(n: int, k: int, count: int) -> None:
    inputs, labels = dcrit.sparse_parity(n, k, count)
    assert inputs.shape == (count, n)
    assert set(np.unique(inputs)) == {-1.0, 1.0}
    assert len(np.unique(inputs, axis=0)) == count
    assert labels.tolist() == [int(np.prod(row[:k]) < 0) for row in inputs]
    assert not np.array_equal(dcrit.sparse_parity(n, k, count, seed=1)[0], inputs)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((4, 5, 3), "n_relevant must be an integer of at most 4"),
        ((4, 0, 3), "n_relevant must be an integer of at least 1"),
        ((4, 2, 17), "n_examples must be at most 16, the number of words of 4 bits, got 17"),
        ((61, 2, 3), "n_bits must be an integer of at most 60"),
    ],
)
def test_words_that_there_are_not_are_refused(given: tuple[int, int, int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        dcrit.sparse_parity(*given)


def test_pairs_of_unknown_tasks_are_refused() -> None:
    with pytest.raises(ValueError, match="modulus must be prime for task 'mul'"):
        dcrit.pairs("mul", 8)
