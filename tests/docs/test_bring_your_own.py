"""The examples of docs/how-to/bring-your-own.md are complete, and what the page says about them holds."""

import contextlib
import io
import math
import re
from pathlib import Path
from typing import Any

import pytest

import dcrit
from dcrit.empirics.measures.efficiency import LawsFit
from dcrit.empirics.study.design import StudyDesign
from dcrit.empirics.study.study import StudyResult

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "how-to" / "bring-your-own.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Names that the examples define, one after the other."""
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("alone"))
        printed: list[object] = []
        patch.setattr("rich.print", printed.append)
        with contextlib.redirect_stdout(io.StringIO()) as said:
            for code in re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE):
                exec(compile(code, "docs/how-to/bring-your-own.md", "exec"), names)  # The page is ours.
    assert len(printed) == 2
    names["said"] = said.getvalue()
    return names


@pytest.fixture
def result(example: dict[str, Any]) -> StudyResult:
    return example["result"]


@pytest.mark.slow
def test_the_first_example_is_predicted_and_measured_alike(example: dict[str, Any]) -> None:
    found: dcrit.Study = example["found"]
    assert found.result.agrees, found.result.comparison
    assert found.horizon == 1334
    assert found.result.half_accuracy == pytest.approx(9 / 17, abs=0.001)
    assert found.result.homogeneity.value == pytest.approx(3.0, abs=0.05)  # biases are small here


@pytest.mark.slow
def test_the_page_shows_what_the_first_example_prints(example: dict[str, Any]) -> None:
    """Other processors round differently: words are the same, and sizes within 15 %."""
    (shown,) = re.findall(r"^```text\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    number = r"\d+(?:\.\d+)?"
    assert re.sub(number, "#", example["said"]) == re.sub(number, "#", shown)
    told, made = ([float(one) for one in re.findall(number, text)] for text in (shown, example["said"]))
    assert made == pytest.approx(told, rel=0.15)


@pytest.mark.slow
def test_a_study_that_takes_too_long_says_what_to_change(example: dict[str, Any]) -> None:
    assert re.match(r"budget_minutes must be at least \d+ for at most 34 runs, .* got 15: change ", example["refusal"])


@pytest.mark.slow
def test_another_recipe_is_measured_alone(example: dict[str, Any]) -> None:
    found: StudyResult = example["measured"].result
    assert found.predicted.reason == "not asked for: predict=False"
    assert {role for role, _ in found.runs} == {"probing", "transition"}
    assert (found.design.optimizer, found.design.loss, found.design.horizon) == ("sgd", "mean-squared-error", 300)


@pytest.mark.slow
def test_embeddings_take_pairs_of_symbols(example: dict[str, Any]) -> None:
    symbols, sums = example["inputs"], example["labels"]
    assert (symbols.shape, sums.shape, symbols.dtype.kind, sums.dtype.kind) == ((289, 2), (289,), "i", "i")
    assert (symbols.sum(1) % 17 == sums).all()
    assert (symbols.min(), symbols.max()) == (0, 16)


@pytest.mark.slow
def test_tasks_have_the_shapes_that_the_page_says(example: dict[str, Any]) -> None:
    assert example["inputs_of_group"].shape == (14400, 2)
    assert example["inputs_of_formula"].shape == (9409, 2)
    assert example["longer_signs"].shape == (2000, 20)


@pytest.mark.slow
def test_digits_measure_what_the_page_says(result: StudyResult) -> None:
    assert result.homogeneity.value == pytest.approx(2.0, abs=0.01)
    assert result.memorizing_exponent.value == pytest.approx(-0.8, abs=0.2)
    assert result.generalizing_exponent.interval is not None
    assert result.generalizing_exponent.interval.high < 0
    assert result.capacity.value == pytest.approx(340, rel=0.25)
    assert isinstance(result.fit, LawsFit)
    assert result.n_params == 64 * 32 + 32 * 10
    assert result.half_accuracy == pytest.approx(0.551, abs=1e-3)


@pytest.mark.slow
def test_digits_are_predicted_too_high_and_it_is_said_where_it_is_clear(result: StudyResult) -> None:
    assert result.predicted.value is not None
    assert result.measured.value is not None
    assert 8 < result.measured.value < 20
    assert result.ratio is not None
    assert 0.1 < math.log(result.ratio) < 0.9
    clear = result.generalizing_exponent.interval is not None and result.generalizing_exponent.interval.high < -0.2
    assert ("may be too high" in result.predicted.reason) == clear
    assert ("DISAGREE" in result.comparison) == (not result.agrees)


def test_the_page_tells_every_default() -> None:
    rows = dict(re.findall(r"^\| (`.*?) \| (.*?) \|", PAGE.partition("## Choose how")[2], re.M))
    defaults = {
        name: default.strip("` ")
        for names, values in rows.items()
        for name, default in zip(re.findall(r"`(\w+)`", names), values.split(","), strict=False)
    }
    design = StudyDesign(n_classes=2)
    for name, told in defaults.items():
        value = getattr(design, name)
        if told not in ("measured", "chosen"):
            assert value == told if isinstance(value, str) else value == float(told), name
    assert len(defaults) >= 16
