"""What a study advises where it cannot predict: what helps, and nothing that cannot."""

from types import SimpleNamespace
from typing import Any

import pytest

from dcrit.empirics.study.advice import advice_on, advice_to_predict
from dcrit.empirics.study.cost import Cost
from dcrit.empirics.study.design import StudyDesign
from dcrit.empirics.study.early import Fault
from dcrit.theory.calibrations.omission import Cause

PRICE = Cost(runs=9, steps=900, seconds=50.0)
DESIGN = StudyDesign(n_classes=13, seeds=2)


def outcome(n_train: int) -> Any:
    """A run that converged and fits."""
    return SimpleNamespace(config=SimpleNamespace(n_train=n_train), converged=True, train_accuracy=1.0)


def advised(sizes: tuple[int, ...], past: tuple[int, ...], *, n_examples: int, cause: Cause | None) -> list[str]:
    """Advice for runs on real labels of some sizes, and those of them that count."""
    by_role: dict[Any, list[Any]] = {"generalizing": list(map(outcome, sizes)), "memorizing": [outcome(40)]}
    return advice_to_predict(
        *(by_role, DESIGN, cause, lambda _: PRICE),
        past=list(map(outcome, past)),
        n_examples=n_examples,
    )


def test_where_no_larger_sizes_are_left_more_examples_are_advised_alone() -> None:
    cause = Cause.MIXING_UNKNOWN
    (said,) = advised((136, 152, 160), (152, 160), n_examples=169, cause=cause)
    assert said == "sizes from 152 on lie above the transition, and there are 169 examples in all: more are needed"
    (none,) = advised((136, 152, 160), (), n_examples=169, cause=cause)
    assert none.startswith("sizes from 160 on lie above the transition")
    # What random labels leave open has another reason.
    (seeds,) = advised((152, 160), (152, 160), n_examples=169, cause=Cause.NO_FALL)
    assert "try seeds=4" in seeds


def test_where_larger_sizes_are_left_seeds_and_sizes_are_advised() -> None:
    seeds, sizes = advised((136, 200), (200,), n_examples=400, cause=Cause.MIXING_UNKNOWN)
    assert seeds.startswith("efficiencies differ too much between runs, try seeds=4 (about 50 s")
    assert sizes == "1 run on real labels is not past the transition, try generalizing_sizes= from 200"
    (two,) = advised((136, 150, 200), (200,), n_examples=400, cause=None)
    assert two.startswith("2 runs on real labels are not past the transition")
    assert advised((200, 300), (200, 300), n_examples=400, cause=None) == []


@pytest.mark.parametrize(
    ("rising", "said"),
    [
        (True, "give more examples, or try steps=5336 (about 50 s on this machine)"),
        (False, "test accuracy rises no more, and there are 512 examples in all: more are needed"),
    ],
)
def test_more_steps_are_advised_only_where_accuracy_still_rises(rising: bool, said: str) -> None:
    design = StudyDesign(n_classes=8, steps=1334, generalizing_sizes=(486,))
    fault = Fault(cause="below", said="", rising=rising)
    assert advice_on("generalizing", fault, design, lambda _: PRICE, 512) == [said]
    smaller = StudyDesign(n_classes=8, generalizing_sizes=(200,))
    assert advice_on("generalizing", fault, smaller, lambda _: PRICE, 512) == ["try larger generalizing_sizes="]


def test_where_runs_are_left_out_for_another_reason_larger_sizes_are_advised_in_any_range() -> None:
    (said,) = advised((136, 152, 160), (152, 160), n_examples=169, cause=None)
    assert said == "1 run on real labels is not past the transition, try generalizing_sizes= from 160"
