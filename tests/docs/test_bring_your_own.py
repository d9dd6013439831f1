"""The example of docs/how-to/bring-your-own.md is complete, and what the page says about it holds."""

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dcrit.empirics.measures.efficiency import LawsFit
from dcrit.empirics.study.study import StudyResult
from dcrit.theory.circuits.crossing import Crossing

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "how-to" / "bring-your-own.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    """Names that the example defines."""
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        printed: list[object] = []
        patch.setattr("rich.print", printed.append)
        exec(compile(code, "docs/how-to/bring-your-own.md", "exec"), names)  # The page is ours.
    assert len(printed) == 2
    return names


@pytest.fixture
def result(example: dict[str, Any]) -> StudyResult:
    return example["result"]


@pytest.mark.slow
def test_the_example_measures_what_the_page_says(result: StudyResult) -> None:
    assert result.homogeneity.value == pytest.approx(2.0, abs=0.01)
    assert result.memorizing_exponent.value == pytest.approx(-0.87, abs=0.15)
    assert result.generalizing_exponent.interval is not None
    assert result.generalizing_exponent.interval.high < 0
    assert result.capacity.value == pytest.approx(340, rel=0.25)
    assert isinstance(result.fit, LawsFit)
    assert result.n_params == 64 * 32 + 32 * 10
    assert result.half_accuracy == pytest.approx(0.551, abs=1e-3)


@pytest.mark.slow
def test_the_example_predicts_and_measures_a_transition(result: StudyResult) -> None:
    assert result.predicted.value is not None
    assert result.measured.value is not None
    assert result.measured.interval is not None
    assert result.measured.interval.low <= result.measured.value <= result.measured.interval.high
    assert 8 < result.measured.value < 20
    # As the page says: too high, because e_gen falls with D here.
    assert 0.1 < math.log(result.predicted.value / result.measured.value) < 0.9


@pytest.mark.slow
@pytest.mark.parametrize(("drift", "size"), [(0.2, 16), (0.3, 12)])
def test_an_efficiency_that_falls_would_lower_the_prediction(drift: float, size: float, result: StudyResult) -> None:
    assert isinstance(result.fit, LawsFit)
    flat = result.fit.competition.generalizing
    falling = replace(flat, full_data=flat.full_data * (45 / flat.n_pairs) ** drift, drift=drift)
    found = replace(result.fit.competition, generalizing=falling).size_at_accuracy(result.half_accuracy)
    assert isinstance(found, Crossing)
    assert found.n_train == pytest.approx(size, rel=0.25)
