"""Unknown arguments of the public interface are answered with what to pass instead."""

import inspect
import pickle
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import dcrit
from dcrit.theory.arguments import hinting
from dcrit.theory.checks import FieldError

PROBLEM = dcrit.Problem()

FUNCTIONS = [name for name in dcrit.__all__ if inspect.isfunction(getattr(dcrit, name))]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda: dcrit.predict(task="add"),  # type: ignore[call-overload]
            "dcrit.predict() has no argument task: the problem has it, "
            "so pass dcrit.predict(dcrit.Problem(task='add')).",
        ),
        (
            lambda: dcrit.train(lr=1e-3),  # type: ignore[call-arg]
            "dcrit.train() has no argument lr: the problem has it, "
            "so pass dcrit.train(dcrit.Problem(learning_rate=0.001), ...).",
        ),
        (
            lambda: dcrit.phase_diagram(p=59, hidden=32, points=9),  # type: ignore[call-arg]
            "dcrit.phase_diagram() has no argument p, hidden: the problem has it, "
            "so pass dcrit.phase_diagram(dcrit.Problem(modulus=59, width=32), ...).",
        ),
        (lambda: dcrit.predict(PROBLEM, p=[31, 59]), "dcrit.predict() has no argument p. Did you mean moduli?"),  # type: ignore[call-overload]
        (lambda: dcrit.predict(PROBLEM, width=[3, 4]), "dcrit.predict() has no argument width. Did you mean widths?"),  # type: ignore[call-overload]
        (lambda: dcrit.measure(PROBLEM, epochs=9), "dcrit.measure() has no argument epochs. Did you mean horizon?"),  # type: ignore[call-overload]
        (lambda: dcrit.train(PROBLEM, 9, wokers=2), "dcrit.train() has no argument wokers. Did you mean workers?"),  # type: ignore[call-arg]
        (
            lambda: dcrit.study(None, [1], [0], lr=1, epochs=2),  # type: ignore[arg-type]
            "dcrit.study() has no argument lr. Did you mean learning_rate? "
            "dcrit.study() has no argument epochs. Did you mean horizon or steps?",
        ),
        (lambda: dcrit.Problem(lr=1e-3), "dcrit.Problem() has no argument lr. Did you mean learning_rate?"),  # type: ignore[call-arg]
        (lambda: replace(PROBLEM, wd=1.0), "dcrit.Problem() has no argument wd. Did you mean weight_decay?"),  # type: ignore[call-arg]
        (
            lambda: dcrit.regime(PROBLEM, 9, colour=1),  # type: ignore[call-overload]
            "dcrit.regime() has no argument colour. "
            "It takes problem, n_train, moduli, widths, horizon, level, calibration.",
        ),
        (
            lambda: dcrit.phase_diagram(PROBLEM, 9, 3),  # type: ignore[misc]
            "dcrit.phase_diagram() got 3 arguments without a name and takes 1; by name it takes "
            "points=, min_width=, max_width=, horizon=, level=, calibration=, store=",
        ),
        (lambda: dcrit.Problem("add"), "dcrit.Problem() takes none without a name; by name it takes task=, modulus="),  # type: ignore[misc]
    ],
)
def test_what_to_pass_instead_is_told(call: Callable[[], Any], says: str) -> None:
    with pytest.raises(TypeError, match=rf"^{re.escape(says)}"):
        call()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_function_answers_an_unknown_argument_by_its_public_name(name: str) -> None:
    with pytest.raises(TypeError, match=rf"^dcrit\.{name}\(\) has no argument qqq\."):
        getattr(dcrit, name)(qqq=1)


@pytest.mark.parametrize("got", ["add", {"task": "add"}, dcrit.Problem, None])
def test_what_is_no_problem_is_told_how_one_is_made(got: object) -> None:
    with pytest.raises(FieldError, match=r"^problem must be a dcrit\.Problem, got .*: for example dcrit\.predict\(dcr"):
        dcrit.predict(got)  # type: ignore[call-overload]
    with pytest.raises(FieldError, match=r"^problem must be a dcrit\.Problem"):
        dcrit.measure(problem=got)  # type: ignore[call-overload]


def test_signature_and_documentation_stay() -> None:
    assert list(inspect.signature(dcrit.predict).parameters)[:2] == ["problem", "moduli"]
    assert inspect.signature(dcrit.Problem).parameters["modulus"].default == 23
    assert (dcrit.predict.__doc__ or "").startswith("Predict the training-set size")
    assert pickle.loads(pickle.dumps(dcrit.predict)) is dcrit.predict


def test_names_taken_by_two_asterisks_are_asked_for_only_when_needed() -> None:
    asked: list[int] = []

    def more() -> list[str]:
        asked.append(1)
        return ["b"]

    @hinting(more=more)
    def public(a: int, **others: int) -> int:
        return a + others.get("b", 0)

    assert public(1) == public(a=1) == 1
    assert not asked
    assert public(1, b=2) == 3
    with pytest.raises(TypeError, match=r"^dcrit\.public\(\) has no argument bb\. Did you mean b\?$|It takes a, b\.$"):
        public(1, bb=2)
