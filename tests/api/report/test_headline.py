"""What a report leads with, against made records of drawn problems."""

import math
import re

import pytest
from matplotlib import pyplot as plt

from dcrit.api.report.headline import PREDICTED, THRESHOLDS, headline_of, pictures
from dcrit.empirics.ablations.over_modulus import SERIES
from dcrit.empirics.claims.claim import Claim, Condition, Part, Record, Verdict
from dcrit.empirics.claims.frames import Drawn, Frame
from dcrit.empirics.claims.suites import Suite, judge
from dcrit.theory.calibrations.calibration import shipped_calibrations
from dcrit.theory.problems.problem import Problem, label
from tests.worlds.report_documents import records as plain_records
from tests.worlds.report_documents import suite as plain_suite

OFF = (0.05, -0.1, 0.2)
FRAME = Frame(
    clip=0.3,
    drawn=tuple(Drawn(problem=Problem(modulus=p, width=64), predicted=6.0 * p, steps=2000) for p in (23, 31, 53)),
)


def verdicts(*, measured: bool = True) -> list[Verdict]:
    """A claim on three drawn problems, of which the last one lies outside its interval."""
    rows = [
        {
            "problem": label(one.problem),
            "group": "add square mlp",
            "predicted": one.predicted,
            "measured": one.predicted / math.exp(off) if measured else None,
            "ln(predicted/measured)": off if measured else None,
            "z": off / math.hypot(0.0608, 0.0304) if measured else None,
        }
        | {f"predicted {end}": one.predicted * math.exp(sign * 0.1) for end, sign in (("low", -1), ("high", 1))}
        | {
            f"measured {end}": one.predicted / math.exp(off) * math.exp(sign * 0.05)
            for end, sign in (("low", -1), ("high", 1))
        }
        for one, off in zip(FRAME.drawn, OFF, strict=True)
    ]
    record = Record(values=[min(off**2 / 0.09, 1.0) for off in OFF], seeds=3, details=rows)  # type: ignore[arg-type]
    part = Part(name="drawn", conditions=(Condition(stream=FRAME, high=0.25),))
    claim = Claim(id="drawn", statement="S.", source=("dcrit",), criterion="C.", parts=(part,))
    return judge(Suite(name="standard", claims=(claim,)), {FRAME: record} if measured else {})


def test_drawn_problems_lead_with_how_far_off_they_are() -> None:
    (sentence,) = headline_of(verdicts(), 24)["results"]
    assert sentence.startswith("3 pair-MLPs at moduli 23 to 53 were drawn")
    rms = math.sqrt(sum(off**2 for off in OFF) / 3)
    assert f"off by {math.expm1(rms):.0%} (root mean square) and by 22% at worst; 2 of 3" in sentence


def test_numbers_of_a_frame_are_shown_as_errors_and_not_as_their_squares() -> None:
    (verdict,) = verdicts()
    (row,) = verdict.finding.rows()
    assert row["measured"] == pytest.approx(math.sqrt(sum(off**2 for off in OFF) / 3))
    assert (row["claimed"], row["claimed high"]) == ("below 0.15", pytest.approx(0.15))
    assert "root mean square" in str(row["quantity"])
    assert re.match(r"drawn: root mean square .* limit below 0\.15; ", verdict.reason)


def test_both_pictures_show_every_measured_problem() -> None:
    made = pictures(verdicts(), shipped_calibrations())
    assert list(made) == [PREDICTED, THRESHOLDS]
    sizes, ranks = made[PREDICTED]().axes
    (bars,) = sizes.containers
    assert len(bars.lines[0].get_xdata()) == 3  # type: ignore[attr-defined]
    assert sum(bar.get_height() for bar in ranks.patches) == 3  # type: ignore[attr-defined]
    panels = made[THRESHOLDS]().axes
    assert len(panels) == len(SERIES)
    square = panels[0].containers[0].lines[0].get_xdata()  # type: ignore[attr-defined]
    assert list(square) == [23, 31, 53]
    plt.close("all")


def test_without_drawn_problems_there_is_no_picture_of_them() -> None:
    chosen = plain_suite()
    judged = judge(chosen, plain_records())
    assert pictures(judged, []) == pictures(verdicts(measured=False), []) == {}
    found = headline_of(judged, 3)
    assert found["results"] == []
    assert found["counts"] == {"supported": 1, "refuted": 1, "inconclusive": 2}
    assert "4 claims about that" in found["tested"]
    assert "3 fresh training runs" in found["tested"]
