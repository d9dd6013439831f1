import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from dcrit.empirics.ablations import at_rest
from dcrit.empirics.ablations.committed import Row, read
from dcrit.empirics.ablations.two_thresholds import rows_text
from dcrit.empirics.ablations.two_thresholds_fit import FOLDER
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.theory.checks import FieldError
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import run_of

RESULTS = Path(__file__).parents[3] / "docs" / "results"


def folder(tmp_path: Path, rows: Sequence[Row]) -> Path:
    results = tmp_path / "docs" / "results"
    (results / FOLDER).mkdir(parents=True)
    (results / FOLDER / at_rest.KNOWN).write_bytes((RESULTS / FOLDER / at_rest.KNOWN).read_bytes())
    (results / FOLDER / at_rest.FILE).write_text(rows_text(rows), encoding="utf-8")
    page = tmp_path / "docs" / "results" / "two-thresholds.md"
    page.write_text(f"before\n{at_rest.BEGIN}\n{at_rest.END}\nafter\n", encoding="utf-8")
    return results


@pytest.fixture
def one(monkeypatch: pytest.MonkeyPatch) -> Row:
    """A single question, predicted."""
    problem = Problem(modulus=59, width=128)
    monkeypatch.setattr(at_rest, "problems", lambda: [problem])
    return at_rest.estimated(at_rest.predicted_row(problem))


class World:
    """A laboratory that trains nothing: accuracy falls through one half at a size; some networks never generalized."""

    def __init__(self, factor: float, *, lost: bool = False) -> None:
        self.factor, self.lost, self.asked = factor, lost, list[RunConfig]()

    def runs(self, configs: Sequence[RunConfig], /, *, stage: str) -> list[Run]:
        assert stage.startswith("at rest: ")
        self.asked += configs
        return [self.run(one) for one in configs]

    def run(self, config: RunConfig) -> Run:
        middle = self.factor * at_rest.predicted_row(config.problem)["predicted"]
        final = 1 / (1 + (middle / config.n_train) ** 6)
        accuracy = np.full(len(config.evaluation_steps()), final)
        accuracy[0] = 0.3 if self.lost and config.seed == 0 else 1.0
        return run_of(config, test_accuracy=accuracy)


@pytest.mark.slow
@pytest.mark.parametrize("factor", [1.0, 1.15])
def test_what_is_predicted_is_measured(one: Row, tmp_path: Path, factor: float) -> None:
    first = one
    assert first["measured"] is None
    results, world = folder(tmp_path, [first]), World(factor)
    at_rest.measure(results, world)  # type: ignore[arg-type]
    (found,) = read(results / FOLDER / at_rest.FILE)
    assert (found["predicted"], found["predicted_interval"]) == (first["predicted"], first["predicted_interval"])
    assert found["measured"] == pytest.approx(factor * first["predicted"], rel=0.03)
    assert found["error"] == pytest.approx(-math.log(factor), abs=0.03)
    assert found["inside"] == (factor == 1.0)
    assert {config.start for config in world.asked} == {"generalized"}
    assert len(world.asked) == found["n_runs"] == len(at_rest.SIZES) * at_rest.SEEDS["mlp"]
    asked = len(world.asked)
    at_rest.measure(results, world)  # type: ignore[arg-type]
    assert len(world.asked) == asked  # nothing is measured twice
    for path, text in at_rest.at_rest(results).items():
        if path.suffix == ".md":
            assert f"{found['error']:+.3f}" in text
            assert text.count("| known before | 8 |") == 1
            assert text.startswith("before\n")
            assert text.endswith("\nafter\n")
        else:
            assert json.loads(text) == read(path)


@pytest.mark.slow
def test_a_transition_beyond_the_sizes_is_looked_for_once_more(one: Row, tmp_path: Path) -> None:
    for factor, more, known in ((1.6, at_rest.ABOVE, True), (9.0, at_rest.ABOVE, False), (0.6, at_rest.BELOW, True)):
        world = World(factor)
        results = folder(tmp_path / str(factor), [one])
        at_rest.measure(results, world)  # type: ignore[arg-type]
        (found,) = read(results / FOLDER / at_rest.FILE)
        assert round(more * one["predicted"]) in {run["n_train"] for run in found["runs"]}
        assert (found["measured"] is not None) == known


@pytest.mark.slow
def test_networks_that_had_not_generalized_are_left_out_and_counted(one: Row, tmp_path: Path) -> None:
    results = folder(tmp_path, [one])
    at_rest.measure(results, World(1.0, lost=True))  # type: ignore[arg-type]
    (found,) = read(results / FOLDER / at_rest.FILE)
    assert found["n_lost"] == len(at_rest.SIZES)
    assert found["measured"] == pytest.approx(one["predicted"], rel=0.05)


def test_nothing_is_measured_that_was_not_predicted(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match="store must be left out until"):
        at_rest.measure(tmp_path, World(1.0))  # type: ignore[arg-type]
    with pytest.raises(FieldError, match="be one whose size at rest the law speaks of"):
        at_rest.predicted_row(Problem(task="random", modulus=59))


def test_known_sizes_are_of_other_networks_than_those_that_are_asked() -> None:
    known = at_rest.known_rows(RESULTS)
    assert not {json.dumps(row["problem"]) for row in known} & {json.dumps(p.to_dict()) for p in at_rest.problems()}
    for row in known:
        assert row["error"] == pytest.approx(math.log(row["predicted"] / row["measured"]), abs=1e-3)
        assert row["inside"] == (row["predicted_interval"][0] <= row["measured"] <= row["predicted_interval"][1])
    assert {row["problem"]["model"] for row in known} == {"mlp", "transformer"}


def test_the_committed_rows_are_of_networks_that_no_constant_is_from() -> None:
    rows = read(RESULTS / FOLDER / at_rest.FILE)
    assert [Problem.from_dict(row["problem"]) for row in rows] == at_rest.problems()
    asked = {(one.modulus, one.width) for one in at_rest.problems() if one.model == "transformer"}
    assert not asked & {(23, 32), (29, 32), (43, 32)}
    for row in rows:
        assert at_rest.estimated(row) == row


def test_the_steeper_line_finds_the_constants_that_made_its_sizes() -> None:
    made = [(s, d, 3.0 * s * (1 + 0.6 * s / d)) for s in (23, 31, 37, 43) for d in (16, 32)]
    (told,) = at_rest.steeper_line(made, [(79, 24)])
    assert told["steeper"] == pytest.approx(3.0 * 79 * (1 + 0.6 * 79 / 24), rel=1e-3)
    noise = np.random.default_rng(0).normal(0, 0.1, len(made))
    off = [(s, d, size * math.exp(e)) for (s, d, size), e in zip(made, noise, strict=True)]
    (told,) = at_rest.steeper_line(off, [(79, 24)])
    low, high = told["steeper_interval"]
    assert low < 3.0 * 79 * (1 + 0.6 * 79 / 24) < high
    assert high / low > math.exp(2 * 1.9 * 0.05)


def test_the_steeper_line_speaks_of_what_is_not_measured_yet_and_keeps_what_it_said() -> None:
    rows = at_rest.rows(RESULTS)
    far = [row for row in rows if "steeper" in row]
    assert [(row["problem"]["modulus"], row["problem"]["width"]) for row in far] == [
        (p, d) for p, d in at_rest.TRANSFORMERS if p > at_rest.NEAR
    ]
    assert at_rest.rows(RESULTS) == read(RESULTS / FOLDER / at_rest.FILE) or any(not row["runs"] for row in rows)
