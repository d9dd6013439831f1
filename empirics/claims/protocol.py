"""The protocol: what each claim declares before any of its runs, one committed file a claim.

A file says the sentence, its source, and parts. A part holds conditions, each on the runs of fresh seeds:

    [problems.wide]                      # named problems; `like` takes over the fields of another
    modulus = 31
    width = 128

    [[parts]]
    name = "generalizes"
    conditions = [{ problem = "wide", n_train = 400, above = 0.5, seeds = 24 }]
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any

from dcrit.empirics.claims.claim import Claim, Condition, Part
from dcrit.empirics.claims.frames import AnyStream, Drawn, Frame
from dcrit.empirics.claims.streams import MEASURES, AnyArm, Arm, DimensionArm, SeveralTasksArm, Stream
from dcrit.empirics.experiments.facts import FactsSeries
from dcrit.empirics.experiments.second_tasks import second_task
from dcrit.empirics.runs.multitask import beside_facts
from dcrit.theory.checks import FieldError, no_choice
from dcrit.theory.problems.problem import Problem
from dcrit.theory.registry import Registry

#: Keys of a file, of a part, and of a condition; of the latter those that say what is run.
CLAIM_KEYS = ("id", "order", "statement", "source", "criterion", "problems", "frames", "parts")
PART_KEYS = ("name", "joined", "suites", "conditions")
RUN_KEYS = ("problem", "n_train", "steps", "until", "start", "dimension", "facts", "split", "pretraining", "after")
CONDITION_KEYS = (*RUN_KEYS, "measure", "frame", "above", "below", "seeds", "where")


def declared() -> list[Claim]:
    """Every claim that is declared in this package."""
    folder = files("dcrit.empirics.claims").joinpath("declared")
    return [claim_from(one.read_text(encoding="utf-8")) for one in folder.iterdir() if one.name.endswith(".toml")]


#: Every claim by its id, in the order of the verdict table.
CLAIMS: Registry[Claim] = Registry(
    "claim", Claim, group="dcrit.claims", own=declared, name=lambda claim: claim.id, order=lambda claim: claim.order
)


def claim_from(text: str) -> Claim:
    """A claim from the text of its file.

    Raises:
        ValueError: It is no TOML, has a key that means nothing, lacks one, or a value is out of range.
    """
    said = tomllib.loads(text)
    _check_keys("claim", said, CLAIM_KEYS, needed=("id", "statement", "source", "criterion", "parts"))
    problems = _problems(said.get("problems", {}))
    frames = {name: _frame(one) for name, one in said.get("frames", {}).items()}
    return Claim(
        id=said["id"],
        order=said.get("order", math.inf),
        statement=said["statement"],
        source=tuple(said["source"]),
        criterion=said["criterion"],
        parts=tuple(_part(one, problems, frames) for one in said["parts"]),
    )


def _check_keys(what: str, said: Mapping[str, Any], allowed: Sequence[str], *, needed: Sequence[str] = ()) -> None:
    for key in said:
        if key not in allowed:
            raise no_choice(f"key of a {what}", key, allowed)
    for key in needed:
        if key not in said:
            raise FieldError(f"{what} {said.get('id', said.get('name', ''))}".strip(), f"have the key {key}", "none")


def _problems(said: Mapping[str, Mapping[str, Any]]) -> dict[str, Problem]:
    problems: dict[str, Problem] = {}
    for name, fields in said.items():
        own = {key: value for key, value in fields.items() if key != "like"}
        if "like" in fields:
            problems[name] = replace(_named(problems, "like", fields["like"]), **own)
        else:
            problems[name] = Problem(**own)
    return problems


def _named(known: Mapping[str, Any], key: str, name: str) -> Any:
    if name not in known:
        raise no_choice(key, name, known)
    return known[name]


def _frame(said: Mapping[str, Any]) -> Frame:
    _check_keys("frame", said, ("clip", "drawn"), needed=("clip", "drawn"))
    drawn = [dict(one) for one in said["drawn"]]
    return Frame(
        clip=said["clip"],
        drawn=tuple(
            Drawn(predicted=one.pop("predicted"), steps=one.pop("steps", 0), problem=Problem(**one)) for one in drawn
        ),
    )


def _part(said: Mapping[str, Any], problems: Mapping[str, Problem], frames: Mapping[str, Frame]) -> Part:
    _check_keys("part", said, PART_KEYS, needed=("name", "conditions"))
    more = {key: said[key] for key in ("joined",) if key in said}
    if "suites" in said:
        more["suites"] = tuple(said["suites"])
    conditions = tuple(_condition(one, problems, frames) for one in said["conditions"])
    return Part(name=said["name"], conditions=conditions, **more)


def _condition(said: Mapping[str, Any], problems: Mapping[str, Problem], frames: Mapping[str, Frame]) -> Condition:
    _check_keys("condition", said, CONDITION_KEYS)
    stream: AnyStream
    if "frame" in said:
        stream = _named(frames, "frame", said["frame"])
    else:
        _check_keys("condition", said, CONDITION_KEYS, needed=("problem", "n_train", "seeds"))
        measure = said.get("measure", "accuracy")
        arms = _arms({key: said[key] for key in RUN_KEYS if key in said}, problems)
        span = _named(MEASURES, "measure", measure).span
        block = Stream.block_of(span)
        if said["seeds"] % block:
            raise FieldError("seeds", f"be a multiple of {block}", said["seeds"])
        stream = Stream(measure=measure, arms=arms, blocks=said["seeds"] // block)
    return Condition(
        stream=stream,
        low=float(said.get("above", -math.inf)),
        high=float(said.get("below", math.inf)),
        where=said.get("where", ""),
    )


def _arms(said: Mapping[str, Any], problems: Mapping[str, Problem]) -> tuple[AnyArm, ...]:
    """One arm for each value of the keys that have several; the others are the same in all."""
    n_arms = max([1, *(len(value) for value in said.values() if isinstance(value, list))])
    arms: list[AnyArm] = []
    for k in range(n_arms):
        own: dict[str, Any] = {}
        for key, value in said.items():
            if isinstance(value, list) and len(value) != n_arms:
                raise FieldError(key, f"have {n_arms} values beside the others", len(value))
            own[key] = value[k] if isinstance(value, list) else value
        arms.append(_arm(_named(problems, "problem", own.pop("problem")), own))
    return tuple(arms)


def _arm(problem: Problem, said: Mapping[str, Any]) -> AnyArm:
    several = {"facts", "split", "pretraining", "after"}
    if not several & set(said):
        arm = Arm(problem=problem, **{key: value for key, value in said.items() if key != "dimension"})
        return DimensionArm(arm=arm) if said.get("dimension") else arm
    _check_keys("network of several tasks", said, ("n_train", "steps", *sorted(several)))
    if "after" in said:
        _check_keys("network after another task", said, ("n_train", "after"))
        # The network has both tasks' tokens also where it is fresh, named by an empty word before the task.
        fresh, first = said["after"].startswith("not "), said["after"].removeprefix("not ")
        config = second_task(problem, first, is_pretrained=not fresh)
    else:
        series = FactsSeries(problem=problem, n_facts=(), blocks="split" if said.get("split") else "shared")
        config = beside_facts(
            series.network,
            n_train=1,
            n_facts=said.get("facts", 0),
            blocks=series.blocks,
            pretraining=said.get("pretraining", 0),
            horizon=said.get("steps"),
        )
    return SeveralTasksArm(problem=problem, n_train=said["n_train"], config_of_first=config)
