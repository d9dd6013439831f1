"""The report of a validation: one document, and the three files that hold it."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dcrit.api.report.bibliography import reference
from dcrit.api.report.headline import CAPTIONS, headline_of, pictures
from dcrit.api.report.pages import html_page, markdown_page
from dcrit.api.report.pictures import drawable
from dcrit.empirics.claims.claim import Verdict, verdict_json
from dcrit.empirics.claims.comparison import Comparison, compare
from dcrit.empirics.claims.suites import Suite
from dcrit.theory.calibrations.calibration import Calibration
from dcrit.theory.literature.published import published_numbers
from dcrit.theory.written import finite


def document_of(
    suite: Suite,
    verdicts: Sequence[Verdict],
    calibrations: Sequence[Calibration],
    *,
    seconds: float,
    n_stored: int = 0,
    budget_minutes: float | None = None,
) -> dict[str, Any]:
    """Everything that the report says, as JSON values.

    Args:
        suite: What was judged.
        verdicts: On its claims.
        calibrations: For the predictions beside published numbers.
        seconds: That the validation took; runs that were stored before took none of them [s].
        n_stored: How many of the runs were stored before.
        budget_minutes: Time that the runs were given [minutes]; None for as long as they took.
    """
    # Claims may share runs, which then count once.
    seconds_by_run = {run: taken for one in verdicts for run, taken in one.finding.seconds_by_run.items()}
    return finite(
        {
            "suite": suite.name,
            "scheme": SCHEME,
            "version": version("dcrit"),
            "seconds": seconds,
            "budget_minutes": budget_minutes,
            "open_claims": sum(one.finding.wants_more for one in verdicts),
            "extendable_claims": sum(one.finding.takes_more for one in verdicts),
            "runs": len(seconds_by_run),
            "stored_runs": n_stored,
            "training_seconds": sum(seconds_by_run.values()),
            "headline": headline_of(verdicts, len(seconds_by_run)),
            "claims": [_claim(suite, verdict) for verdict in verdicts],
            "figures": [
                *(
                    {"name": name, "title": name.replace("-", " "), "caption": CAPTIONS[name]}
                    for name in pictures(verdicts, calibrations)
                ),
                *(
                    {
                        "name": one.claim.id,
                        "title": f"{one.claim.id}: estimates beside limits that were set before",
                        "caption": CAPTION,
                    }
                    for one in drawable(verdicts)
                ),
            ],
            "published": [_published(one) for one in compare(published_numbers(), calibrations)],
        }
    )


#: How verdicts of a document come about.
SCHEME = "e-values"

#: Under each picture.
CAPTION = (
    "Dots: means over fresh seeds. Bars: 90 % confidence sequences, valid however often one looks. "
    "Grey: where the claim says that they lie."
)


def _claim(suite: Suite, verdict: Verdict) -> dict[str, Any]:
    return verdict_json(verdict) | {
        "sources": [_source(key) for key in verdict.claim.source],
        "command": f"dcrit validate {suite.name} --claim {verdict.claim.id}",
    }


def _source(key: str) -> dict[str, str]:
    found = reference(key)
    return {"key": found.key, "text": found.text, "link": found.link}


def _published(one: Comparison) -> dict[str, Any]:
    number = one.published
    return {
        "id": number.id,
        "source": _source(number.source),
        "quantity": number.quantity,
        "statement": number.statement,
        "published": {"low": number.low, "high": number.high},
        "unit": number.unit,
        "problem": None if number.problem is None else number.problem.to_dict(),
        "n_train": number.n_train,
        "predicted": one.predicted,
        "interval": None if one.interval is None else one.interval.to_dict(),
        "extrapolated": one.extrapolated,
        "note": one.note,
    }


def write_report(document: Mapping[str, Any], folder: Path, pictures: Mapping[str, Path]) -> dict[str, Path]:
    """Write the report as JSON, Markdown and one HTML page that needs nothing else; each whole or not at all.

    Args:
        document: See :func:`document_of`.
        folder: Where to.
        pictures: PNG or SVG of every figure in the document, by its name.

    Returns:
        The files by their suffix.
    """
    texts = {
        "json": json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        "md": markdown_page(document, {name: _relative(path, folder) for name, path in pictures.items()}),
        "html": html_page(document, pictures),
    }
    # Under a name that nobody can have put a link at before.
    asides = {suffix: folder / f".{uuid.uuid4().hex}.report.{suffix}" for suffix in texts}
    try:
        for suffix, text in texts.items():
            asides[suffix].write_text(text, encoding="utf-8")
        # Nothing that was there is touched before all of the new is written.
        paths = {suffix: folder / f"report.{suffix}" for suffix in texts}
        for suffix, path in paths.items():
            os.replace(asides[suffix], path)
    finally:
        for aside in asides.values():
            aside.unlink(missing_ok=True)
    return paths


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()
