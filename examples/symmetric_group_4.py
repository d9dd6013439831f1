"""S4, 576 pairs of permutations, and a quadratic network; small enough to predict the critical size as well."""

from gallery import main
from quadratic_mse import Quadratic

import dcrit


def study(small: bool) -> dcrit.Study:
    things, width = (3, 16) if small else (4, 64)
    inputs, labels = dcrit.pairs("symmetric-group", things)
    return dcrit.study(
        lambda seed: Quadratic(int(labels.max()) + 1, width),
        inputs,
        labels,
        learning_rate=2e-2,
        steps=40 if small else 1000,
        max_runs=2 if small else 10,
        budget_minutes=120,
    )


if __name__ == "__main__":
    main("symmetric_group_4", study)
