"""A small report that needs no training: made records, a picture, and text that means harm."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dcrit.api.report.document import document_of
from dcrit.empirics.claims.claim import Condition, Record
from dcrit.empirics.claims.frames import AnyStream
from dcrit.empirics.claims.streams import Stream
from dcrit.empirics.claims.suites import Suite, judge
from dcrit.theory.problems.problem import Problem
from tests.worlds.miniature import accuracy, claim_of

#: Would be markup, a script, and the end of a table's cell, if it were not escaped.
HARM = (
    "<script>document.title='harmed'</script> <img src=x onerror=\"document.title='harmed'\"> | **bold** `code` & more"
)

#: The smallest PNG: one pixel.
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


def stream_of(n_train: int) -> Stream:
    """Fresh seeds of a small network."""
    return accuracy(Problem(modulus=7, width=4), n_train, blocks=6)


STREAMS = {name: stream_of(10 + k) for k, name in enumerate(("holds", "fails", "open", "untried"))}


def suite() -> Suite:
    """Four claims; what two of them are called means harm."""
    return Suite(
        name="quick",
        claims=tuple(
            claim_of(
                name,
                Condition(stream=stream, low=0.5, where=HARM if name == "open" else ""),
                statement=HARM if name == "open" else f"Statement of {name}.",
                source=("varma2023", "dcrit"),
            )
            for name, stream in STREAMS.items()
        ),
    )


def records() -> dict[AnyStream, Record]:
    """What fresh seeds gave: above, below, on both sides, nothing."""
    values = {"holds": [0.95] * 16, "fails": [0.04] * 15, "open": [0.9, 0.1, 0.8, 0.3]}
    seconds = {"holds": {"a": 2.0, "b": 3.0}, "fails": {"b": 3.0, "c": 4.0}}
    made: dict[AnyStream, Record] = {
        stream: Record(
            values=values.get(name, []), seeds=len(values.get(name, [])), seconds_by_run=seconds.get(name, {})
        )
        for name, stream in STREAMS.items()
    }
    made[STREAMS["fails"]].seeds += 1
    return made


def harmful_document() -> dict[str, Any]:
    """A report with one figure, whose caption, title and a claim's statement, reason and rows mean harm."""
    chosen = suite()
    document = document_of(chosen, judge(chosen, records()), [], seconds=1.5, n_stored=2, budget_minutes=30.0)
    figure = next(one for one in document["figures"] if one["name"] == "open")
    return document | {"figures": [figure | {"caption": f"Caption {HARM}", "title": f'Title " {HARM}'}]}


def picture(folder: Path, document: Mapping[str, Any]) -> dict[str, Path]:
    (figure,) = document["figures"]
    path = folder / f"{figure['name']}.png"
    path.write_bytes(PIXEL)
    return {figure["name"]: path}
