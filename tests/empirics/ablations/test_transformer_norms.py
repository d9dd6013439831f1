import math

import numpy as np
import pytest

from dcrit.empirics.ablations.committed import Row
from dcrit.empirics.ablations.transformer_norms import BEGIN, END, norm_law, page_with_norms, table_rows

TOP, MEMORY, RULE = (25.0, 0.5, 0.12), (26.0, 0.55), (50.0, 0.6)
NOISE = 0.05


def runs(seed: int) -> list[Row]:
    """Runs that memorize first; half of them generalize, some of those before they had memorized."""
    rng = np.random.default_rng(seed)
    found: list[Row] = []
    for modulus in (23, 29, 37, 47):
        for width in (16, 32, 64):
            for k in range(8):
                n_train = round((2.2 + 0.2 * k) * modulus**1.5)
                largest = TOP[0] * n_train ** TOP[1] * width ** TOP[2]
                generalizes = k >= 4
                end = RULE[0] * modulus ** RULE[1] if generalizes else MEMORY[0] * n_train ** MEMORY[1]
                found.append(
                    {
                        "task": "add",
                        "modulus": modulus,
                        "width": width,
                        "steps": 13_333,
                        "n_train": n_train,
                        "test_accuracy": 1.0 if generalizes else 0.1,
                        "ending": "decided" if generalizes else "horizon",
                        "time_beyond_mirrors": (3000.0 if k < 7 else 200.0) if generalizes else None,
                        "norm_largest": largest * math.exp(NOISE * rng.standard_normal()) * (0.6 if k == 7 else 1.0),
                        "norm_at_end": end * math.exp(NOISE * rng.standard_normal()),
                    }
                )
    return found


def test_constants_that_made_the_norms_are_found_again() -> None:
    law = norm_law(runs(0))
    assert law.largest(800, 32) == pytest.approx(TOP[0] * 800 ** TOP[1] * 32 ** TOP[2], rel=0.05)
    assert law.in_memory(800) == pytest.approx(MEMORY[0] * 800 ** MEMORY[1], rel=0.05)
    assert law.in_rule(113) == pytest.approx(RULE[0] * 113 ** RULE[1], rel=0.1)
    for scatter in (law.scatter_top, law.scatter_memory, law.scatter_rule):
        assert scatter == pytest.approx(NOISE, rel=0.3)


def test_the_table_counts_runs_that_memorized_first() -> None:
    law, others = norm_law(runs(0)), runs(1)
    rows = table_rows(law, others)
    assert len(rows) == 4 * 3 * 2
    for row in rows:
        assert row["n_runs"] == (3 if row["generalizes"] else 4)
        assert row["predicted"] == pytest.approx(row["measured"], rel=0.15)
    inside = sum(row["inside"] for row in rows)
    assert 0.8 < inside / (12 * 7) < 0.98
    page = page_with_norms(f"a\n{BEGIN}\ngone\n{END}\nz\n", law, others)
    assert page.startswith(f"a\n{BEGIN}\n| p |")
    assert page.endswith(f"\n{END}\nz\n")
    assert "gone" not in page
    assert page.count("\n| ") == 2 + len(rows) - 1
