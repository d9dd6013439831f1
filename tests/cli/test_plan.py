"""What the plan command prints and refuses; nothing here is timed but where it is said."""

import json
import re

import pytest

from dcrit.cli.app import app
from dcrit.empirics.claims.suites import suite_of
from dcrit.empirics.training import speed
from dcrit.empirics.training.budget import Speed
from tests.worlds.command_line import document_of, invoking

RATE = ("--rate", "1e10")


invoke = invoking(app, "plan", columns=200)


def planned(*words: str) -> dict:
    return document_of(invoke(*words, "--json"))


@pytest.mark.slow
@pytest.mark.parametrize("suite", ["quick", "standard", "paper"])
def test_a_suite_is_the_sum_of_its_claims(suite: str) -> None:
    found = planned(suite, *RATE, "--device", "cpu")
    assert [one["name"] for one in found["experiments"]] == [one.id for one in suite_of(suite).claims]  # type: ignore[arg-type]
    for key in ("n_runs", "n_ensembles", "flops", "cost", "bytes_stored", "seconds"):
        assert found["total"][key] == pytest.approx(sum(one[key] for one in found["experiments"]))
    assert found["total"]["seconds"] == pytest.approx(found["total"]["cost"] / 1e10)
    assert (found["rate"], found["rate_measured"], found["device"]) == (1e10, False, "cpu")


def test_more_workers_end_sooner_but_not_before_the_longest_ensembles() -> None:
    found = planned("quick", *RATE, "--workers", "1", "--workers", "8", "--workers", "1000000")
    seconds = [one["seconds"] for one in found["wall"]]
    assert [one["workers"] for one in found["wall"]] == [1, 8, 1000000]
    assert seconds[0] == pytest.approx(found["total"]["seconds"])
    assert seconds == sorted(seconds, reverse=True)
    assert seconds[2] == pytest.approx(found["total"]["longest"] / 1e10, rel=1e-3)


def test_workers_are_those_here_and_some_powers_unless_told() -> None:
    found = planned("quick", *RATE)
    assert [one["workers"] for one in found["wall"]] == sorted({1, 8, 64, 512, found["workers_here"]})


def test_a_claim_needs_its_runs_alone() -> None:
    found = planned("standard", *RATE, "--claim", "capacity-linear", "--claim", "delay-law")
    assert [one["name"] for one in found["experiments"]] == ["capacity-linear", "delay-law"]


def test_a_gpu_that_is_not_here_is_planned_with_a_given_rate() -> None:
    found = planned("quick", *RATE, "--device", "cuda")
    assert found["total"]["cost"] == found["total"]["flops"]
    assert found["total"]["bytes_of_worker"] == found["total"]["bytes_held"]
    assert found["workers_here"] == 1


def test_without_a_rate_this_machine_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def measure_speed(device: str, workers: int) -> Speed:
        asked.append((device, workers))
        return Speed(device=device, rate=2e10)

    monkeypatch.setattr(speed, "measure_speed", measure_speed)
    done = invoke("quick", "--device", "cpu", "--json")
    found = json.loads(done.stdout)
    assert asked == [("cpu", found["workers_here"])]
    assert (found["rate"], found["rate_measured"]) == (2e10, True)
    assert done.stderr.startswith("measuring how fast ")


def test_people_see_tables_with_the_bound_named() -> None:
    done = invoke("quick", *RATE)
    assert done.exit_code == 0
    for words in ("suite quick: at most", "core time", "in all", "memory of a worker", "workers busy", "as given"):
        assert words in done.stdout
    assert "All numbers are upper bounds" in done.stdout
    assert re.search(r"ungrokking .* \d\.\de\d\d ", done.stdout)
    assert "GPU time" in invoke("quick", *RATE, "--device", "cuda").stdout


def test_a_phase_diagram_is_widths_times_sizes_times_seeds() -> None:
    words = ("phase-diagram", *RATE, "--points", "4", "--min-width", "2", "--max-width", "16", "--seeds", "2")
    found = planned(*words, "--min-n-train", "50", "--max-n-train", "400")
    assert found["plan"] == "phase diagram of add p=23 square mlp"
    assert found["total"]["n_runs"] == 4 * 4 * 2
    assert planned(*words, "--steps", "4")["total"]["flops"] == pytest.approx(
        planned(*words, "--steps", "8")["total"]["flops"] / 2
    )
    assert "in all" not in invoke(*words).stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("quick", "--rate", "0"), "--rate must be a finite number above 0, got 0.0"),
        (("quick", "--rate", "nan"), "--rate must be a finite number above 0, got nan"),
        (("quick", "--rate", "fast"), "must be a number, got 'fast'"),
        (("quick", *RATE, "--workers", "0"), "--workers must be an integer of at least 1, got 0"),
        (("quick", *RATE, "--claim", "delay-law"), "--claim must be one of"),
        (("quick", *RATE, "--device", "tpu"), "must be one of auto, cpu, cuda, got 'tpu'"),
        (("phase-diagram", *RATE, "--points", "1"), "--points must be an integer of at least 2, got 1"),
        (("phase-diagram", *RATE, "--points", "9999"), "'--points': must be an integer of at most 500, got '9999'"),
        (("phase-diagram", *RATE, "--max-width", "3"), "--max-width must be an integer of at least 5, got 3"),
        (("phase-diagram", *RATE, "--max-n-train", "529"), "--max-n-train must leave pairs to test on, got 529 of 529"),
        (("phase-diagram", *RATE, "--min-n-train", "0"), "--min-n-train must be an integer of at least 1, got 0"),
        (("phase-diagram", *RATE, "--seeds", "1"), "--seeds must be an integer of at least 2, got 1"),
        (
            ("phase-diagram", *RATE, "--model", "transformer", "--max-width", "30"),
            "--max-width must be a multiple of the transformer's 4 heads, got 30",
        ),
    ],
)
def test_bad_input_is_one_sentence(words: tuple[str, ...], says: str) -> None:
    done = invoke(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert says in " ".join(done.stderr.replace("│", " ").split())
