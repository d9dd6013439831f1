"""A small report that needs no training: made evidence, made judges, a picture, and text that means harm."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dcrit.api.report.document import document_of
from dcrit.empirics.claims.claim import Claim, Finding
from dcrit.empirics.claims.suites import Result, Suite, judge
from dcrit.empirics.experiments.capacities import EXPERIMENT as CAPACITIES
from dcrit.empirics.experiments.experiment import Experiment, SuiteName
from dcrit.empirics.experiments.laboratory import Account
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training.budget import LeftOut
from dcrit.empirics.training.work import Stage
from dcrit.theory.estimates import Interval
from dcrit.theory.problems.problem import Problem

#: Would be markup, a script, and the end of a table's cell, if it were not escaped.
HARM = (
    "<script>document.title='harmed'</script> <img src=x onerror=\"document.title='harmed'\"> | **bold** `code` & more"
)

#: The smallest PNG: one pixel.
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


def stages_of(flops: int) -> list[Stage]:
    """As many counted operations, a multiple of 6e9: those of a step of a wide network."""
    if not flops:
        return []
    problem = Problem(modulus=10, width=10**6)
    return [Stage(known=[RunConfig(problem=problem, n_train=100, seed=0, steps=flops // (6 * 10**9))])]


def experiment_of(name: str, flops: int = 0) -> Experiment[str, str]:
    designs: dict[SuiteName, str] = {"quick": name, "paper": name}
    return Experiment(name=name, designs=designs, measure=lambda design, _: design, stages=lambda _: stages_of(flops))


def claim_of(
    name: str, experiment: Experiment[Any, Any], p: tuple[float | None, float | None], reason: str
) -> Claim[Any]:
    finding = Finding(
        predicted=1.0,
        measured=1.23,
        interval=Interval(low=1.1, high=1.3),
        n_runs=12,
        n_unconverged=1,
        reason=reason,
        p_inside=p[0],
        p_outside=p[1],
        rows=[{"problem": reason, "slope": 0.5}, {"problem": "second", reason: 2.0, "slope": None}],
    )
    return Claim(
        id=name,
        statement=f"Statement of {name}.",
        source=("varma2023", "dcrit"),
        criterion=f"Criterion of {name}.",
        experiment=experiment,
        judge=lambda _: finding,
    )


def suite() -> Suite:
    one, two = experiment_of("one"), experiment_of("two", 30 * 10**15)
    return Suite(
        name="quick",
        claims=(
            claim_of("holds", one, (1e-6, 1.0), "small deviation"),
            claim_of("fails", one, (1.0, 1e-6), "large deviation"),
            claim_of("open", CAPACITIES, (0.4, 0.6), HARM),
            claim_of("skipped", two, (1e-6, 1.0), "never judged"),
        ),
    )


def results() -> dict[str, Result]:
    runs = {"a": 2.0, "b": 3.0}
    return {
        "one": Result(evidence="made", account=Account(seconds_by_run=runs)),
        CAPACITIES.name: Result(evidence={}, account=Account(seconds_by_run={"b": 3.0, "c": 4.0})),
        "two": Result(evidence=LeftOut(flops=3.1e16, seconds=144000.0, remaining=1800.0), account=Account()),
    }


def harmful_document() -> dict[str, Any]:
    """A report with one figure, whose caption, title and a claim's reason and rows mean harm."""
    chosen, made = suite(), results()
    document = document_of(chosen, made, judge(chosen, made), [], seconds=1.5, budget_minutes=30.0)
    (figure,) = document["figures"]
    return document | {"figures": [figure | {"caption": f"Caption {HARM}", "title": f'Title " {HARM}'}]}


def picture(folder: Path, document: Mapping[str, Any]) -> dict[str, Path]:
    (figure,) = document["figures"]
    path = folder / f"{figure['name']}.png"
    path.write_bytes(PIXEL)
    return {figure["name"]: path}
