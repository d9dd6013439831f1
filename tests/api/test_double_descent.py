"""Runs over the predicted accuracy of each model size: in the answer, its table, its picture and its documents."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

import dcrit
from dcrit.api.training import Runs
from dcrit.cli.app import app
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.empirics.store.kinds import Store
from dcrit.theory.checks import FieldError
from tests.worlds.command_line import document_of, invoking
from tests.worlds.runs import run_of

PROBLEM = dcrit.Problem(model="transformer", modulus=23)
N_TRAIN, STEPS = 200, 600
WORDS = ["predict", "double-descent", "-m", "transformer", "-p", "23", "-n", str(N_TRAIN), "-T", str(STEPS)]

#: Final test accuracy of each seed, by width.
REACHED = {8: (0.1, 0.3), 16: (0.05,), 48: (0.9, 0.95, 1.0)}

invoke = invoking(app, columns=80)

pytestmark = pytest.mark.slow


def run(width: int, seed: int, accuracy: float, n_train: int = N_TRAIN, steps: int = STEPS) -> Run:
    config = RunConfig(problem=replace(PROBLEM, width=width), n_train=n_train, seed=seed, steps=steps)
    return run_of(config, test_accuracy=accuracy, train_accuracy=1.0)


FITTING = [run(width, seed, value) for width, some in REACHED.items() for seed, value in enumerate(some)]
OTHERS = [run(8, 0, 0.5, n_train=150), run(8, 1, 0.5, n_train=150), run(16, 0, 0.5, steps=900)]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    Store(tmp_path / "runs").add([*FITTING, *OTHERS])
    return tmp_path / "runs"


def runs_of(some: Sequence[Run]) -> Runs:
    return Runs(problem=PROBLEM, runs=some, summaries=(), cost={})


def test_each_width_has_what_is_predicted_and_what_its_seeds_reach(store: Path) -> None:
    found = dcrit.double_descent(PROBLEM, N_TRAIN, horizon=STEPS, store=store)
    assert found.runs is not None
    assert {one.width: one.accuracies for one in found.runs.measured} == REACHED
    curve = found.found
    for one, expected in zip(found.runs.measured, found.runs.predicted, strict=True):
        assert expected.value == pytest.approx(float(curve.accuracy[list(curve.widths).index(one.width)]))
    document = document_of(invoke(*WORDS, "-S", str(store), "--json"))
    assert document.pop("out") is None
    assert document == found.to_dict()
    assert [(one["width"], one["n_seeds"]) for one in document["runs"]["widths"]] == [(8, 2), (16, 1), (48, 3)]
    assert [len(one["test_losses"]) for one in document["runs"]["widths"]] == [2, 1, 3]
    assert document["runs"]["left_out"] == [
        {"why": "with another training-set size", "n_runs": 2, "values": [150]},
        {"why": "with another horizon", "n_runs": 1, "values": [900]},
    ]


def test_a_table_and_the_picture_say_how_many_runs_there_are_and_why_others_are_not(
    store: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "descent.svg"
    done = invoke(*WORDS, "-S", str(store), "-o", str(picture))
    assert done.exit_code == 0, done.output
    text = " ".join(done.stdout.split())
    told = "6 runs lie over the prediction, 3 were left out: 2 with another training-set size (150), 1 with another"
    assert told in text
    rows = [line.split("│") for line in done.stdout.splitlines() if line.startswith(("│ 8 ", "│ 16 ", "│ 48 "))]
    assert [(row[1].strip(), row[4].strip(), row[6].strip()) for row in rows] == [
        ("8", "0.2", "2"),
        ("16", "0.05", "1"),
        ("48", "0.95", "3"),
    ]
    assert picture.stat().st_size > 1000
    assert "dcrit predict phase-diagram -p 23 -m transformer -T 600" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("given", ["store", "runs"])
def test_every_seed_is_a_point_and_every_width_a_mean_with_its_interval(store: Path, given: str) -> None:
    asked = dcrit.double_descent(PROBLEM, N_TRAIN, horizon=STEPS, store=store if given == "store" else None)
    ax = asked.plot(Figure().subplots(), runs=None if given == "store" else runs_of([*FITTING, *OTHERS]))
    labels = ax.get_legend_handles_labels()[1]
    assert "one run, final" in labels
    assert "measured mean of a width, 90% interval" in labels
    points = next(line for line in ax.lines if line.get_label() == "one run, final")
    assert sorted(np.asarray(points.get_ydata(), dtype=float)) == sorted(
        value for some in REACHED.values() for value in some
    )
    (bars,) = ax.containers
    segments = bars.lines[2][0].get_segments()  # type: ignore[attr-defined]
    assert [bool(np.ptp(one[:, 1]) > 0) for one in segments] == [True, False, True]
    assert "6 runs lie over the prediction, 3 were left out" in " ".join(ax.get_title().split())


def test_where_no_run_fits_it_is_said_why_and_how_to_make_some(store: Path) -> None:
    words = [*WORDS[:6], "-n", "180", *WORDS[8:]]
    done = invoke(*words, "-S", str(store))
    text = " ".join(done.stdout.split())
    assert "No run in" in text
    assert "9 with another training-set size (150, 200)" in text
    train, lay = done.stdout.splitlines()[-2:]
    assert train.startswith("  dcrit train -p 23 -m transformer -w 4,8,12,16,24,32,48 -n 180 -s 5 ")
    assert lay.startswith("  dcrit predict double-descent -p 23 -m transformer -n 180 -T 600 ")
    assert all(str(store) in command for command in (train, lay))
    ax = dcrit.double_descent(PROBLEM, 180, horizon=STEPS, store=store).plot(Figure().subplots())
    assert "one run, final" not in ax.get_legend_handles_labels()[1]
    assert "no runs lie over the prediction" in " ".join(ax.get_title().split())


def test_a_folder_that_is_not_there_is_refused_and_none_is_no_runs(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match="store must be a folder that holds runs"):
        dcrit.double_descent(PROBLEM, N_TRAIN, store=tmp_path / "none")
    assert dcrit.double_descent(PROBLEM, N_TRAIN, points=9).to_dict()["runs"] is None


@pytest.fixture
def dipped(tmp_path: Path) -> Path:
    """Three seeds at each of four widths, whose means dip by 0.3."""
    reached = {8: 0.4, 16: 0.1, 24: 0.1, 48: 0.9}
    found = [run(width, k, mean + 0.01 * k) for width, mean in reached.items() for k in range(3)]
    Store(tmp_path / "dipped").add(found)
    return tmp_path / "dipped"


def test_runs_that_dip_say_so_with_place_depth_and_seeds_beside_what_is_predicted(dipped: Path, tmp_path: Path) -> None:
    found = dcrit.double_descent(PROBLEM, N_TRAIN, horizon=STEPS, store=dipped)
    assert found.runs is not None
    told = found.to_dict()["runs"]
    assert (told["dip"]["ruling"], told["dip"]["width"]["value"]) == ("dip", 16)
    assert told["dip"]["depth"]["value"] == pytest.approx(0.3)
    assert told["dip"]["seeds"] == [3, 3]
    likely = told["predicted_dip"]["probability"] >= 0.5
    depth = found.runs.expected
    assert depth is not None
    assert list(depth.widths) == [8, 16, 24, 48]
    low, high = depth.depth.interval.low, depth.depth.interval.high  # type: ignore[union-attr]
    assert told["agrees"] == (likely and low <= told["dip"]["depth"]["interval"]["high"] and high >= 0.28)
    assert "The runs show a dip at width 16, its depth is 0.3 (" in told["verdict"]
    assert [one["width"] for one in told["dip"]["course"]] == [8, 16, 48]
    done = invoke(*WORDS, "-S", str(dipped), "-o", str(tmp_path / "dip.png"))
    assert told["verdict"] in " ".join(done.stdout.split())
    assert told["verdict"] in " ".join(found.plot(Figure().subplots()).get_title().split())
    (text,) = [one.get_text() for one in found.figure().texts]
    assert told["verdict"] in " ".join(text.split())


@pytest.mark.parametrize(("lowest", "agrees"), [(12, True), (32, False)])
def test_where_both_dip_the_place_is_compared_as_well(lowest: int, agrees: bool) -> None:
    problem = dcrit.Problem(model="transformer", modulus=37)
    reached = {4: 0.4, 12: 0.2, 16: 0.2, 32: 0.2, 48: 0.4} | {lowest: 0.05}
    runs = [
        run_of(
            RunConfig(problem=replace(problem, width=width), n_train=495, seed=seed, steps=5000),
            test_accuracy=value + 0.01 * seed,
            train_accuracy=1.0,
        )
        for width, value in reached.items()
        for seed in range(3)
    ]
    laid = dcrit.double_descent(problem, 495, horizon=5000).lay(runs)
    assert laid.expected is not None
    place = laid.expected.width.interval
    assert place is not None
    assert (laid.agrees_on_place, lowest in place) == (agrees, agrees)
    assert "The prediction agrees on the dip" in laid.verdict
    (on, but) = re.findall(r"agrees (on the dip[^:]*?)(, but not on [^:]*)?: for these widths", laid.verdict)[0]
    assert ("its place" in on, "its place" in but) == (agrees, not agrees)
    assert ("its depth" in on, "its depth" in but) == (laid.agrees, not laid.agrees)
    assert ", and is at width " in laid.verdict
    assert laid.to_dict()["agrees_on_place"] == agrees
    assert (" A weak test: its intervals" in laid.verdict) == (bool(laid.agrees) and laid.mean_span > 0.3)
    assert laid.gist.startswith(f"dip at width {lowest}, 0.")
    assert " deep. The prediction agrees on the dip" in laid.gist
    assert (". A weak test: intervals of" in laid.gist) == (bool(laid.agrees) and laid.mean_span > 0.3)
    assert 0 < laid.mean_span < 1


def test_where_no_dip_is_likely_no_place_is_compared() -> None:
    problem = dcrit.Problem(model="transformer", modulus=37)
    reached = {4: 0.4, 12: 0.05, 48: 0.4}
    runs = [
        run_of(
            RunConfig(problem=replace(problem, width=width), n_train=495, seed=seed, steps=5000),
            test_accuracy=value + 0.01 * seed,
            train_accuracy=1.0,
        )
        for width, value in reached.items()
        for seed in range(3)
    ]
    laid = dcrit.double_descent(problem, 495, horizon=5000).lay(runs)
    assert laid.expected is not None
    assert laid.expected.width.interval is not None
    unlikely = replace(laid, expected=replace(laid.expected, probability=0.4))
    assert (laid.both_dip, unlikely.both_dip) == (True, False)
    assert unlikely.agrees is False
    assert unlikely.agrees_on_place is None
    assert ", and is at width " in laid.verdict
    assert ", and is at width " not in unlikely.verdict
    assert unlikely.gist.startswith("dip, not predicted")


def test_few_seeds_cannot_tell_and_no_runs_say_nothing(store: Path) -> None:
    found = dcrit.double_descent(PROBLEM, N_TRAIN, horizon=STEPS, store=store)
    assert found.runs is not None
    assert found.runs.agrees is None
    assert found.runs.verdict.startswith("Cannot tell whether the runs show a dip: 1 of 3 widths have 3 seeds or more")
    assert "(1 to 3 seeds a width; widths 8, 16, with fewer than 3, are left out)" in found.runs.verdict
    assert found.runs.verdict.endswith(" So the prediction is not compared with them.")
    none = dcrit.double_descent(PROBLEM, 180, horizon=STEPS, store=store).to_dict()["runs"]
    assert (none["dip"], none["agrees"], none["verdict"], none["gist"]) == (None, None, "", "")
    assert found.runs.gist.startswith("cannot tell whether the runs show a dip: 1 of 3 widths")


def test_a_picture_says_how_probable_and_how_deep_the_predicted_dip_is() -> None:
    dip = dcrit.double_descent(dcrit.Problem(model="transformer", modulus=31), 360, horizon=5000)
    said = " ".join(dip.plot(Figure().subplots()).get_title().split())
    assert f"dip of 0.1 at least: probability {dip.found.probability:.2f}, predicted depth " in said
    assert f"predicted depth {dip.found.depth.value:.3g} (" in said
    flat = dcrit.double_descent(dcrit.Problem(modulus=31), 360)
    said = " ".join(flat.plot(Figure().subplots()).get_title().split())
    assert "dip of 0.1 at least: probability below 0.01, predicted depth 0 (" in said


@pytest.fixture(scope="module")
def chances() -> dict[tuple[int, ...], tuple[str, str]]:
    """Headline and verdict where runs have some widths, by these."""
    problem = dcrit.Problem(model="transformer", modulus=31)
    asked = dcrit.double_descent(problem, 360, horizon=5000)
    told: dict[tuple[int, ...], tuple[str, str]] = {}
    for widths in ((4, 8, 12, 16, 24, 32, 48), (4, 8, 12, 16, 24)):
        configs = [
            RunConfig(problem=replace(problem, width=width), n_train=360, seed=seed, steps=5000)
            for width in widths
            for seed in range(3)
        ]
        told[widths] = (asked.headline, asked.lay([run_of(one, test_accuracy=0.2) for one in configs]).verdict)
    return told


def test_a_headline_and_a_verdict_of_the_same_widths_have_one_probability(
    chances: dict[tuple[int, ...], tuple[str, str]],
) -> None:
    headline, verdict = chances[4, 8, 12, 16, 24, 32, 48]
    (chance,) = re.findall(r"over widths 4 to 48: probability (0\.\d\d)", headline)
    assert f"for these widths a dip has probability {chance}." in verdict
    assert "Over widths" not in verdict


def test_where_runs_have_fewer_widths_a_sentence_says_why_a_dip_is_less_probable(
    chances: dict[tuple[int, ...], tuple[str, str]],
) -> None:
    headline, verdict = chances[4, 8, 12, 16, 24]
    (chance,) = re.findall(r"over widths 4 to 48: probability (0\.\d\d)", headline)
    (here,) = re.findall(r"for these widths a dip has probability (0\.\d\d)", verdict)
    assert float(here) < float(chance)
    why = f" Over widths 4 to 48 it has {chance}: a dip counts only where some width shows its fall and a larger one"
    assert why in verdict


def test_the_loss_of_runs_is_drawn_and_none_is_predicted(store: Path) -> None:
    found = dcrit.double_descent(PROBLEM, N_TRAIN, horizon=STEPS, store=store)
    accuracy, loss = found.figure().axes
    points = next(line for line in loss.lines if line.get_label() == "one run, final")
    assert len(np.asarray(points.get_ydata())) == sum(map(len, REACHED.values()))
    assert loss.get_ylabel() == "test loss [nats]"
    assert not any("expected" in label for label in loss.get_legend_handles_labels()[1])
    assert accuracy.get_xlim() == loss.get_xlim()
    assert not any("loss" in name for name in found.to_dict())
    assert len(dcrit.double_descent(PROBLEM, 180, horizon=STEPS, store=store).figure().axes) == 1
