"""The constant of facts beside transformers is recovered from made-up times, and what is committed is what it says."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcrit.empirics.ablations import transformer_facts as facts
from dcrit.empirics.ablations.transformer_facts import fitted, law_of_transformers, measured_width, task
from dcrit.theory.calibrations.facts import FactsConstants, facts_constants
from dcrit.theory.problems.problem import Problem

RESULTS = Path(__file__).parents[3] / "docs" / "results"


def made_up(interference: float, scatter: float = 0.02) -> list[dict[str, Any]]:
    """Times by the law, of networks that need 5 % more or less than it says."""
    rng, law, rows = np.random.default_rng(1), law_of_transformers(), list[dict[str, Any]]()
    for modulus, width, off in ((29, 16, 0.05), (41, 16, -0.05)):
        clocks = law.clocks(Problem(model="transformer", modulus=modulus, width=width))
        for n_train in (700, 820) if modulus == 29 else (1200, 1500):
            for n_facts in (0, 300, 600):
                for _ in range(4):
                    memory = replace(clocks.memory, n_facts=n_facts, interference=interference)
                    size = float(memory.effective(n_train)) * math.exp(-off + scatter * rng.standard_normal())
                    time = float(clocks.half.time(size))
                    late = time > 2000
                    rows.append(
                        {"modulus": modulus, "width": width, "n_train": n_train, "n_facts": n_facts, "steps": 2000}
                        | {"time_beyond_mirrors": None if late else time}
                    )
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("interference", [0.2, 0.8])
def test_the_constant_of_made_up_times_is_found(interference: float) -> None:
    found = fitted(made_up(interference))
    assert abs(math.log(found.value / interference)) < 2 * found.log_error
    assert found.log_error < 0.5
    assert set(found.offsets) == {(29, 16), (41, 16)}


def width_rows(means: dict[int, float]) -> list[dict[str, Any]]:
    return [
        {"part": "width", "n_facts": 300, "width": width, "test_accuracy": mean + off, "facts_accuracy": 0.9}
        for width, mean in means.items()
        for off in (-0.1, 0.0, 0.1)
    ]


def test_the_smallest_width_is_interpolated_between_means() -> None:
    found = measured_width(300, width_rows({4: 0.1, 8: 0.3, 12: 0.7, 16: 0.8}))
    assert found is not None
    assert found["measured"] == pytest.approx(math.sqrt(8 * 12), abs=0.06)
    low, high = found["measured_interval"]
    assert 8 < low <= found["measured"] <= high < 12
    assert measured_width(0, width_rows({4: 0.1})) is None
    for means in ({4: 0.1, 8: 0.2}, {4: 0.8, 8: 0.9}):
        beyond = measured_width(300, width_rows(means))
        assert beyond is not None
        assert beyond["measured"] is None


def test_the_constant_that_ships_is_that_of_predictions_or_of_a_later_law_of_sizes_alone() -> None:
    told = json.loads((RESULTS / facts.PREDICTED).read_text(encoding="utf-8"))
    before, now = FactsConstants.from_dict(told["constants"]), facts_constants(task(31, 24))
    assert now is not None
    assert abs(math.log(now.interference / before.interference)) < before.log_error / 2
    assert (now.n_runs, now.width, now.n_symbols) == (before.n_runs, before.width, before.n_symbols)


def test_no_question_has_a_modulus_of_the_calibration() -> None:
    asked = {modulus for modulus, *_ in facts.SIZES} | {facts.WIDTHS[0]}
    rows = [row for row in facts.runs_of(RESULTS) if row["part"] == "calibration"]
    assert not asked & {row["modulus"] for row in rows}
    assert len(rows) == len(facts.calibration_configs())
    assert [row["address"] for row in rows] == [config.address for config in facts.calibration_configs()]


def test_the_page_shows_every_question() -> None:
    page = (RESULTS / "emergence.md").read_text(encoding="utf-8")
    for line in facts.section(RESULTS):
        assert line in page.splitlines()
    sizes, widths = facts.scored(RESULTS)
    assert len(sizes) == sum(len(numbers) for *_, numbers in facts.SIZES)
    assert len(widths) == len(facts.WIDTHS[2])
