"""Predictions say how far off others from the same constants were, and between what values these were measured."""

import json

import pytest

from dcrit.cli.app import app
from dcrit.theory.calibrations.calibration import calibration_of
from dcrit.theory.calibrations.thresholds import thresholds_of
from dcrit.theory.calibrations.track_record import track_record
from dcrit.theory.problems.problem import Problem
from tests.worlds.command_line import invoking

COMMANDS = {"regime": ["predict", "regime", "--n-train", "500"], "critical-size": ["predict", "critical-size"]}
ASKED = ["--modulus", "31", "--width", "32"]


def shown(*words: str) -> str:
    result = invoking(app)(*words)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_the_records_of_d_crit_and_of_the_edges_stand_below(command: str) -> None:
    record = track_record(calibration_of(Problem(modulus=31, width=32), None))
    assert record is not None
    assert record.edges is not None
    told = " ".join(shown(*COMMANDS[command], *ASKED).split())
    assert record.at_rest is not None
    sizes = {"D_crit": record, "the edges of semi-grokking": record.edges, "D_rest": record.at_rest}
    for name, one in sizes.items():
        assert f"track record of {name}, for " in told
        assert f"{one.n_inside} of {one.n_configurations} inside the 90 % interval" in told
    assert json.loads(shown(*COMMANDS[command], *ASKED, "--json"))["track_record"] == record.to_dict()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_limit_of_symbols_per_unit_of_width_stands_beside_the_others(command: str) -> None:
    told = " ".join(shown(*COMMANDS[command], *ASKED).split())
    limit = thresholds_of(Problem(modulus=31, width=32)).largest_load
    assert f"up to {limit:.3g} symbols per unit of width" in told
    narrow = " ".join(shown(*COMMANDS[command], "--modulus", "47", "--width", "12").split())
    assert f"times the largest calibrated for the law of sizes, {limit:.4g}" in narrow


def test_a_regime_at_an_edge_is_more_likely_than_not_at_most() -> None:
    assert shown(*COMMANDS["regime"], *ASKED).startswith("more likely than not semi-grokking: probability 0.5")
