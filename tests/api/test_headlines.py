"""What an answer says in a sentence is what its probabilities say, over a grid of problems."""

import re
from itertools import product
from typing import Any

import pytest

import dcrit
from dcrit.api.headlines import LIKELY, SURE, said_of, said_of_kinds
from dcrit.theory.checks import FieldError
from dcrit.theory.circuits.regimes import region_label
from dcrit.theory.predictions.regime import REGIMES
from dcrit.theory.written import probability

FAMILIES: tuple[dict[str, Any], ...] = ({}, {"activation": "relu"}, {"model": "transformer"})

PROBLEMS = [
    dcrit.Problem(modulus=modulus, width=width, **family)
    for family, modulus, width in product(FAMILIES, (23, 59), (8, 32, 256))
]

SAID = {
    "sure": lambda text, yes, no: text.startswith(f"{yes}: probability "),
    "likely": lambda text, yes, no: text.startswith(f"more likely than not, {yes}: probability "),
    "unlikely": lambda text, yes, no: text.startswith(f"more likely not: {yes} with probability "),
    "no": lambda text, yes, no: text.startswith(f"{no}: {yes} with probability "),
}


def kind_of(chance: float) -> str:
    """How sure a probability allows one to be."""
    if chance >= LIKELY:
        return "sure" if chance >= SURE else "likely"
    return "unlikely" if chance > 1 - SURE else "no"


def check_said(text: str, chance: float, yes: str, no: str) -> None:
    """One way of saying it fits, that of the probability, which is quoted."""
    assert [name for name, fits in SAID.items() if fits(text, yes, no)] == [kind_of(chance)], text
    assert f"probability {probability(chance)}" in text


@pytest.mark.parametrize("chance", [0.0, 0.004, 0.05, 0.1, 0.1001, 0.26, 0.4999, 0.5, 0.75, 0.8999, 0.9, 0.993, 1.0])
def test_no_sentence_is_surer_than_its_probability(chance: float) -> None:
    text = said_of(chance, "it dips", "it does not dip")
    check_said(text, chance, "it dips", "it does not dip")
    assert not re.search(r"probability (0|1|0\.00|1\.00)\b(?!\.)", text)


def test_of_several_kinds_only_one_that_stands_out_is_named() -> None:
    chances = {"a": 0.41, "b": 0.38, "unknown": 0.21}
    assert said_of_kinds(chances, "unknown") == "cannot tell: a has probability 0.41, b 0.38"
    assert said_of_kinds({"a": 0.6, "b": 0.4, "unknown": 0.0}, "unknown").startswith("more likely than not a: ")
    assert said_of_kinds({"a": 0.95, "b": 0.05, "unknown": 0.0}, "unknown") == "a: probability 0.95"
    assert said_of_kinds({"a": 0.0, "b": 0.0, "unknown": 1.0}, "unknown").startswith("cannot tell: nothing is known")


def asked(ask: Any, *args: Any, **options: Any) -> Any:
    """An answer, or None where the calibration refuses."""
    try:
        return ask(*args, **options)
    except FieldError as error:
        if error.field != "calibration":
            raise
        return None


@pytest.mark.slow
@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_headlines_say_what_the_probabilities_say(problem: dcrit.Problem) -> None:
    n_pairs = problem.n_pairs
    size = asked(dcrit.predict, problem)
    if size is None:
        return
    if size.critical_size is None:
        assert "=" not in size.headline.partition(":")[0]
    else:
        assert f"= {round(size.critical_size)} " in size.headline
        assert ("; the interval is widened, as " in size.headline) == size.extrapolated
        assert not size.extrapolated or size.outside[0] in size.headline.partition("; the interval")[2]
    for n_train in (n_pairs // 8, n_pairs // 3, 2 * n_pairs // 3):
        regime = asked(dcrit.regime, problem, n_train)
        chances = regime.to_dict()["probabilities"]
        best = max(chances, key=lambda name: chances[name])
        if best == REGIMES[-1] or chances[best] < LIKELY:
            assert regime.headline.startswith("cannot tell")
        else:
            start = f"{region_label(best)}: "
            start = start if chances[best] >= SURE else f"more likely than not {start}"
            assert regime.headline.startswith(start + f"probability {probability(chances[best])}")
        delay = asked(dcrit.delay, problem, n_train)
        if not delay.headline.startswith("cannot tell"):
            by = f"within {delay.found.horizon} steps"
            check_said(
                delay.headline,
                delay.found.probability_by_horizon,
                f"test accuracy passes 0.9 {by}",
                f"test accuracy stays below 0.9 {by}",
            )
    dip = asked(dcrit.double_descent, problem, n_pairs // 3, points=10)
    if dip is not None:
        grows = f"as the model grows over widths {dip.found.widths[0]} to {dip.found.widths[-1]}"
        no = f"no dip of test accuracy {grows}"
        check_said(dip.headline, dip.found.probability, f"test accuracy dips {grows}", no)
    diagram = asked(dcrit.phase_diagram, problem, points=10)
    if diagram is not None:
        assert (diagram.star["n_train"].value is None) == ("no star: " in diagram.headline)
    model = asked(dcrit.emergence, problem, n_pairs // 3, 20)
    if model is not None:
        assert (model.found.width.value is not None) == (" = " in model.headline)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, ""),
        ({"learning_rate": 2e-3}, "(η = 0.002)"),
        ({"weight_decay": 0.5}, "(λ = 0.5)"),
        ({"learning_rate": 2e-3, "weight_decay": 0.5}, "(η = 0.002, λ = 0.5)"),
    ],
    ids=str,
)
def test_headlines_and_titles_name_rates_that_are_not_the_defaults(fields: dict[str, float], said: str) -> None:
    problem = dcrit.Problem(model="transformer", width=32, **fields)  # type: ignore[arg-type]
    for answer in (
        dcrit.predict(problem),
        dcrit.regime(problem, 200),
        dcrit.delay(problem, 300),
        dcrit.double_descent(problem, 200, points=9),
        dcrit.phase_diagram(problem, points=9),
    ):
        assert answer.headline.count("η = ") == said.count("η")
        assert answer.headline.count("λ = ") == said.count("λ")
        assert said in answer.headline
        assert said.strip("()").replace(" = ", "=").replace(",", "") in answer.title
