"""S5, 14,400 pairs of permutations, and a quadratic network; another group finds 20 to 25 % of all pairs.

Their network has 256 hidden units, cross-entropy and AdamW with weight decay 1, and counts accuracy 0.85; 0 of 5 seeds
generalize at 20 % of the pairs and 5 of 5 at 25 %. Their learning rate and horizon are not stated; here η = 1e-2 and
1000 steps, ten time constants 1/(ηλ).
"""

from gallery import main
from quadratic_mse import Quadratic

import dcrit


def study(small: bool) -> dcrit.Study:
    things, width = (3, 16) if small else (5, 256)
    inputs, labels = dcrit.pairs("symmetric-group", things)
    return dcrit.study(
        lambda seed: Quadratic(int(labels.max()) + 1, width),
        inputs,
        labels,
        predict=False,
        steps=40 if small else 1000,
        max_runs=2 if small else 6,
        budget_minutes=120,
    )


if __name__ == "__main__":
    main("symmetric_group", study, published=(0.2 * 120**2, 0.25 * 120**2))
