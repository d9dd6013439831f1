"""The Python interface: what it answers, that it agrees with the command line, and what it loads."""

import inspect
import json
import math
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import numpy as np
import polars as pl
import pytest
import torch
import typer
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import nn
from typer.testing import CliRunner

import dcrit
from dcrit.api.answers import Answer, Statement
from dcrit.api.training import MachineOptions
from dcrit.cli.app import app
from dcrit.empirics.claims import suites
from dcrit.empirics.claims.claim import Condition
from dcrit.empirics.curves.curve_files import FIELDS
from dcrit.empirics.experiments.laboratory import Machine
from dcrit.empirics.measures import calibrate as calibrating
from dcrit.empirics.measures import calibrate_law
from dcrit.empirics.measures.calibrate import CalibrationDesign
from dcrit.empirics.study.design import StudyDesign
from dcrit.theory.calibrations.calibration import calibration_of
from dcrit.theory.checks import FieldError
from dcrit.theory.written import finite
from tests.worlds.miniature import accuracy, claim_of
from tests.worlds.theory import EXACT

TINY = dcrit.Problem(modulus=7, width=16, learning_rate=0.1)


@pytest.fixture(autouse=True)
def no_windows() -> None:
    mpl.use("agg")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def runs(store: Path) -> dcrit.Runs:
    return dcrit.train(TINY, np.array([10, 30]), seeds=np.arange(2), store=store, workers=1)


@pytest.fixture(scope="module")
def measured(store: Path) -> dcrit.Measurement:
    return dcrit.measure(TINY, store=store, workers=1, tolerance=0.3)


def loaded_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.processes
def test_a_prediction_loads_neither_torch_nor_matplotlib() -> None:
    code = (
        "import dcrit\n"
        "assert dcrit.predict(dcrit.Problem(modulus=31)).to_dict()\n"
        "assert dcrit.phase_diagram(dcrit.Problem(), points=9).to_dict()\n"
        "assert dcrit.simulate(dcrit.Problem(), 300).to_dict()\n"
        "assert dcrit.double_descent(dcrit.Problem(), 200, points=9).to_dict()\n"
        "asked = (dcrit.regime, dcrit.delay, lambda problem, n_train: dcrit.emergence(problem, n_train, 40))\n"
        "assert all(ask(dcrit.Problem(), 300).to_dict() for ask in asked)"
    )
    assert not {"torch", "matplotlib", "polars"} & loaded_by(code)


@pytest.mark.processes
def test_importing_the_package_loads_nothing_of_it() -> None:
    assert not {name for name in loaded_by("import dcrit") if name.startswith(("dcrit.", "numpy", "scipy"))}


def test_every_name_is_there_and_no_other() -> None:
    assert set(dcrit.__all__) <= set(dir(dcrit))
    assert all(getattr(dcrit, name) is not None for name in dcrit.__all__)
    with pytest.raises(AttributeError, match="no attribute 'predictt'"):
        dcrit.predictt  # type: ignore[attr-defined]  # noqa: B018


def shown(answer: Answer) -> None:
    """What every answer can do."""
    assert json.loads(json.dumps(answer.to_dict(), allow_nan=False))
    table = answer.to_polars()
    assert isinstance(table, pl.DataFrame)
    assert table.height > 0
    assert "<table" in answer._repr_html_()
    ax = Figure(figsize=(5, 3)).subplots()
    assert answer.plot(ax) is ax
    assert ax.get_xlabel()
    new = answer.plot()
    assert isinstance(new, Axes)
    assert new is not ax
    new.figure.draw_without_rendering()  # type: ignore[union-attr]
    pyplot.close("all")


def test_a_prediction_is_that_of_the_command() -> None:
    problem = dcrit.Problem(task="add", modulus=31, width=48)
    found = dcrit.predict(problem)
    assert found.critical_size is not None
    assert found.interval is not None
    assert found.interval.low < found.critical_size < found.interval.high
    assert found.at_rest is not None
    assert found.horizon is None or found.horizon > 0
    shown(found)
    words = ["predict", "critical-size", "--modulus", "31", "--width", "48", "--json"]
    said = json.loads(CliRunner().invoke(app, words).stdout)
    assert said["track_record"].keys() >= {"n_inside", "n_configurations"}
    assert said == found.to_dict()


@pytest.mark.slow
def test_a_phase_diagram_is_drawn_without_runs_of_another_problem(runs: dcrit.Runs) -> None:
    found = dcrit.phase_diagram(dcrit.Problem(modulus=23), points=30)
    shown(found)
    assert found.star["n_train"].quantity == "star_n_train"
    words = ["predict", "phase-diagram", "--modulus", "23", "--points", "30", "--json"]
    said = json.loads(CliRunner().invoke(app, words).stdout)
    assert said.pop("out") is None
    assert said == json.loads(json.dumps(found.to_dict()))
    assert said["problem"] == dcrit.Problem(modulus=23).to_dict()
    # These runs are of another problem.
    ax = found.plot(Figure().subplots(), runs=runs)
    assert not any(label.endswith(", measured") for label in ax.get_legend_handles_labels()[1])
    n_runs = len(runs.runs)
    told = f"no runs lie over the prediction, {n_runs} were left out: {n_runs} of another problem"
    assert told in " ".join(ax.get_title().split())


SIZE = dcrit.Problem(modulus=23)


@pytest.mark.parametrize(
    ("words", "ask"),
    [
        (["predict", "critical-size", "--horizon", "2000"], lambda: dcrit.predict(SIZE, horizon=2000)),
        (["predict", "regime", "--n-train", "250"], lambda: dcrit.regime(SIZE, 250)),
        (
            ["predict", "delay", "--n-train", "300", "--accuracy", "0.5"],
            lambda: dcrit.delay(SIZE, 300, accuracy=0.5),
        ),
        (
            ["predict", "phase-diagram", "--points", "9", "--horizon", "2000"],
            lambda: dcrit.phase_diagram(SIZE, points=9, horizon=2000),
        ),
        (
            ["predict", "double-descent", "--n-train", "200", "--points", "20", "--sharp-capacity"],
            lambda: dcrit.double_descent(SIZE, 200, points=20, sharp_capacity=True),
        ),
        (
            ["predict", "emergence", "--n-train", "300", "--n-facts", "40"],
            lambda: dcrit.emergence(SIZE, np.int64(300), np.int64(40)),  # type: ignore[arg-type]
        ),
        (
            ["simulate", "--n-train", "300", "--steps", "900", "--circuits", "additive", "--hysteresis"],
            lambda: dcrit.simulate(SIZE, 300, steps=900, circuits="additive", hysteresis=True),
        ),
    ],
    ids=lambda one: one[-1 if one[0] == "simulate" else 1] if isinstance(one, list) else "",
)
@pytest.mark.slow
def test_a_prediction_says_what_its_command_says(words: list[str], ask: Callable[[], Answer]) -> None:
    found = ask()
    shown(found)
    command = said(*words)
    assert command.pop("out", None) is None
    assert command == plain(found)


def test_what_is_asked_of_training_curves_is_checked() -> None:
    transformer = dcrit.Problem(model="transformer", width=24)
    bare = replace(calibration_of(transformer, None), thresholds=None)
    with pytest.raises(FieldError, match="model must be 'mlp' for training curves without a clock"):
        dcrit.simulate(transformer, 100, circuits="additive")
    for ask in (dcrit.delay, dcrit.simulate):
        with pytest.raises(FieldError, match="model must be 'mlp' for training curves without a clock"):
            ask(transformer, 100, calibration=bare)
        with pytest.raises(FieldError, match="accuracy must be between 0 and 1"):
            ask(SIZE, 100, accuracy=1.5)
    with pytest.raises(FieldError, match="circuits must be one of shared, additive"):
        dcrit.simulate(SIZE, 100, circuits="none")  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize(
    "problem", [dcrit.Problem(modulus=31, width=128), dcrit.Problem(modulus=43, width=32, model="transformer")], ids=str
)
def test_every_answer_quotes_the_same_numbers(problem: dcrit.Problem) -> None:
    prediction = dcrit.predict(problem, horizon=5000)
    assert prediction.critical_size is not None
    text = prediction.explain()
    assert f"D_crit(5000) = {prediction.critical_size:.4g} examples" in text
    assert f"\n= {prediction.critical_size:.4g} examples, for " in text
    assert f"D_rest = {prediction.at_rest:.4g} examples" in text
    law = prediction.calibration.thresholds
    assert law is not None
    assert f"r = {law.clocks(problem).half.rate:.4g} per step" in text
    n_train = round(1.15 * prediction.critical_size)
    curves = dcrit.simulate(problem, n_train, steps=5000, accuracy=0.5)
    asked = dcrit.delay(problem, n_train, horizon=5000, accuracy=0.5)
    assert curves.milestones.generalized == pytest.approx(asked.estimates["generalize_steps"].value, rel=0.03)
    assert curves.estimates["critical_size"].value == prediction.critical_size
    symmetric = asked.estimates.get("symmetric")
    assert (symmetric is not None) == ("P(symmetric) = Φ" in text) == (problem.model == "transformer")
    if symmetric is not None and law.branches is not None:
        chance = law.branches.probability(problem.n_symbols, problem.width, n_train)
        assert symmetric.value == pytest.approx(float(chance))


@pytest.mark.slow
def test_another_start_sets_the_clock_aside() -> None:
    passages = [dcrit.simulate(SIZE, 300, start_ratio=ratio).milestones.generalized for ratio in (0.1, 0.1001)]
    assert None not in passages
    assert passages[0] != pytest.approx(passages[1], rel=0.1)


def test_curves_are_not_made_up_where_the_clock_says_nothing() -> None:
    found = dcrit.simulate(dcrit.Problem(model="transformer", modulus=29, width=32, beta2=0.99), 500).to_dict()
    assert found["curves"]["steps"] == []
    assert found["reason"].startswith("cannot tell: AdamW's β₂ is 0.99")


def test_probabilities_of_regimes_sum_to_one() -> None:
    found = dcrit.regime(dcrit.Problem(modulus=23), 300)
    assert sum(one.value or 0.0 for one in found.estimates.values()) == pytest.approx(1)
    assert found.headline.startswith(found.found.most_likely)


@pytest.mark.slow
def test_capacity_and_efficiency_are_measured(store: Path) -> None:
    narrow = dcrit.Problem(task="random", modulus=7, width=1, learning_rate=0.1)
    found = dcrit.capacity(narrow, seeds=2, store=store, workers=1)
    shown(found)
    words = ["--task", "random", "--modulus", "7", "--width", "1", "--learning-rate", "0.1", "--store", str(store)]
    assert said("measure", "capacity", *words, "--seeds", "2") == plain(found)
    assert set(found.estimates) == {"capacity", "bits_per_parameter"}
    efficient = dcrit.efficiency(TINY, seeds=1, store=store, workers=1)
    shown(efficient)
    words = ["--seeds", "1", "--store", str(store)]
    assert said("measure", "efficiency", *TINY_WORDS, *words) == plain(efficient)


@pytest.mark.slow
def test_runs_are_those_of_the_command(runs: dcrit.Runs, store: Path) -> None:
    assert [(run.config.n_train, run.config.seed) for run in runs.runs] == [(10, 0), (10, 1), (30, 0), (30, 1)]
    shown(runs)
    assert runs.curves().height == sum(len(run.curves.step) for run in runs.runs)
    words = [
        "train",
        "--modulus",
        "7",
        "--width",
        "16",
        "--learning-rate",
        "0.1",
        "--n-train",
        "10",
        "--n-train",
        "30",
        "--seeds",
        "2",
        "--json",
        "--store",
    ]
    said = json.loads(CliRunner().invoke(app, [*words, str(store)]).stdout)
    mine = plain(runs)
    assert {name: value for name, value in said.items() if name != "peak_memory_bytes"} == {
        name: value for name, value in mine.items() if name != "peak_memory_bytes"
    }


def test_seeds_may_be_named(store: Path) -> None:
    (run,) = dcrit.train(TINY, 10, seeds=[1], store=store, workers=1).runs
    assert (run.config.n_train, run.config.seed) == (10, 1)


@pytest.mark.slow
def test_a_measurement_stands_beside_its_prediction(measured: dcrit.Measurement) -> None:
    shown(measured)
    assert measured.critical_size is not None
    assert measured.interval is not None
    assert measured.critical_size in measured.interval
    assert measured.horizon == 400
    assert measured.prediction is not None
    assert measured.predicted == measured.prediction.size
    assert {"problem", "critical_size", "predicted", "start", "sizes"} <= set(measured.to_dict())


@pytest.mark.slow
def test_what_is_stored_is_not_trained_again(measured: dcrit.Measurement, store: Path) -> None:
    before = sorted(store.rglob("*.parquet"))
    again = dcrit.measure(TINY, store=store, workers=1, tolerance=0.3)
    assert again.measured == measured.measured
    assert sorted(store.rglob("*.parquet")) == before


TINY_WORDS = ["--modulus", "7", "--width", "16", "--learning-rate", "0.1"]


def said(*words: str) -> Any:
    """The JSON document that a command prints."""
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def plain(answer: Statement | Mapping[str, Any]) -> Any:
    """What an answer says, as it reads in JSON."""
    return json.loads(json.dumps(finite(answer.to_dict() if isinstance(answer, Statement) else answer)))


@pytest.mark.slow
def test_a_size_from_both_sides_is_that_of_the_command(store: Path) -> None:
    found = dcrit.measure(TINY, start="both", horizon=200, tolerance=0.3, store=store, workers=1)
    words = ["--start", "both", "--horizon", "200", "--tolerance", "0.3", "--store", str(store), "--workers", "1"]
    assert said("measure", "critical-size", *TINY_WORDS, *words) == plain(found)
    assert list(found.estimates) == ["critical_size", "ungrokking_size", "hysteresis"]
    assert found.horizon == 200
    assert {one.config.horizon for one in found.outcomes} == {200}
    shown(found)
    alone = dcrit.measure(TINY, start="generalized", horizon=200, tolerance=0.3, store=store, workers=1)
    assert list(alone.estimates) == ["ungrokking_size"]
    assert alone.hysteresis is None
    assert alone.predicted == alone.prediction.sizes.at_rest if alone.prediction else alone.predicted is None
    shown(alone)


@pytest.mark.slow
def test_a_size_by_the_clock_has_the_same_answer(tmp_path: Path) -> None:
    found = dcrit.measure(TINY, method="clock", horizon=1000, store=tmp_path, workers=1)
    assert found.details()["method"] == "clock"
    assert not found.outcomes
    assert found.horizon == 1000
    shown(found)
    with pytest.raises(FieldError, match="method must be posterior where start is generalized, got clock"):
        dcrit.measure(TINY, method="clock", start="generalized")


def test_a_horizon_that_cannot_be_is_named() -> None:
    for horizon in (0, 10**9):
        with pytest.raises(FieldError, match=r"horizon must be an integer of at (least 1|most)"):
            dcrit.measure(TINY, horizon=horizon)
    with pytest.raises(FieldError, match="start must be one of scratch, generalized, both"):
        dcrit.measure(TINY, start="above")  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "ask"),
    [
        (["homogeneity", "--model", "mlp", "--seeds", "1"], lambda: dcrit.homogeneity(TINY, seeds=1)),
        (["circuits", "--n-train", "40", "--seeds", "2"], lambda: dcrit.circuits(TINY, 40, seeds=2)),
        (
            ["effective-dimension", "--n-train", "30", "--seeds", "2", "--matrix", "hessian"],
            lambda: dcrit.effective_dimension(TINY, 30, seeds=2, matrix="hessian"),
        ),
    ],
    ids=lambda one: one[0] if isinstance(one, list) else "",
)
def test_an_instrument_says_what_its_command_says(words: list[str], ask: Callable[[], dcrit.Finding]) -> None:
    found = ask()
    assert said("measure", *words, *TINY_WORDS) == plain(found)
    assert found.to_polars().height > 1
    shown(found)


def parity() -> tuple[np.ndarray, np.ndarray]:
    bits = (np.arange(64)[:, None] >> np.arange(6)) & 1
    return 2.0 * bits - 1.0, bits[:, 0] ^ bits[:, 1]


def factory(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 24, bias=False), nn.ReLU(), nn.Linear(24, 2, bias=False))


@pytest.mark.slow
def test_a_study_takes_arrays_as_it_takes_tensors() -> None:
    inputs, labels = parity()
    choices: dict[str, Any] = {"sizes": (16, 32), "generalizing_sizes": (48,), "memorizing_sizes": (8, 16)}
    choices |= {"overloading_sizes": (64,), "seeds": 1, "steps": 60, "learning_rate": 0.05, "device": "cpu"}
    found = dcrit.study(factory, inputs, labels, **choices)
    same = dcrit.study(factory, torch.tensor(inputs, dtype=torch.float32), torch.tensor(labels), **choices)
    assert found.to_dict() == same.to_dict()
    shown(found)
    with pytest.raises(ValueError, match="design must be left out beside seeds"):
        dcrit.study(factory, inputs, labels, found.result.design, seeds=2)


CURVES = {
    "step": list(range(0, 2000, 10)),
    "train_acc": [min(1.0, 0.05 * k) for k in range(200)],
    "test_acc": [0.05 if k < 120 else 1.0 for k in range(200)],
}


class Frame:
    """As much of a pandas frame as is asked for: columns of arrays, and an index with a name."""

    def __init__(self, columns: dict[str, Any], name: str, index: Any) -> None:
        self.columns, self.data = list(columns), columns
        self.index = SimpleNamespace(name=name, to_numpy=lambda: index)

    def __getitem__(self, name: str) -> Any:
        return SimpleNamespace(to_numpy=lambda: self.data[name])


def test_curves_of_a_file_and_of_a_table_get_one_verdict(tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    pl.DataFrame(CURVES).write_csv(path)
    found = [dcrit.classify(source) for source in (path, str(path), pl.DataFrame(CURVES), CURVES)]
    assert [one.dynamics for one in found] == [["grokking"]] * 4
    assert len({json.dumps(one.to_dict()["runs"]) for one in found}) == 1
    arrays = {name: np.array(values) for name, values in CURVES.items()}
    records = [dict(zip(CURVES, row, strict=True)) for row in zip(*CURVES.values(), strict=True)]
    history = {"args": {"lr": 0.1}, "history": CURVES}
    pandas = Frame(
        {name: np.array(CURVES[name]) for name in ("train_acc", "test_acc")}, "step", np.array(CURVES["step"])
    )
    others = [dcrit.classify(source) for source in (arrays, records, history, pandas)]
    assert [one.runs for one in others] == [found[0].runs] * 4
    assert dcrit.classify([path, path.rename(tmp_path / "b.csv")][1:]).files == (tmp_path / "b.csv",)
    with pytest.raises(ValueError, match=r"source must be files, a table, .* or a list of records, got int"):
        dcrit.classify(3)
    with pytest.raises(ValueError, match="ceiling must be above chance"):
        dcrit.classify(CURVES, n_classes=2, ceiling=0.5)
    shown(found[0])


@pytest.mark.slow
def test_a_validation_gives_rulings_figures_and_a_report(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = claim_of("cheap", Condition(stream=accuracy(TINY, 3, blocks=8), high=0.9))
    monkeypatch.setattr(suites, "suite_of", lambda name: suites.Suite(name=name, claims=(claim,)))
    found = dcrit.validate("quick", store=store, workers=1)
    shown(found)
    assert list(found.rulings.values()) == ["supported"]
    assert found.figure("cheap").axes[0].get_xlabel() == "test accuracy"
    files = found.write(tmp_path / "report")
    assert json.loads(files["json"].read_text(encoding="utf-8")) == plain(found.report())
    assert files["html"].is_file()
    with pytest.raises(ValueError, match="claim must be one of cheap, got 'delays'"):
        found.figure("delays")


def test_wrong_values_are_named() -> None:
    with pytest.raises(ValueError, match="suite must be one of"):
        dcrit.validate("huge")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="task must have a rule"):
        dcrit.predict(dcrit.Problem(task="random"))
    with pytest.raises(ValueError, match="n_train must be at most 49"):
        dcrit.train(TINY, 50)
    assert math.isfinite(dcrit.predict(dcrit.Problem(modulus=31), level=0.5).critical_size or math.nan)


def commands(typer_app: typer.Typer, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Callable[..., Any]]:
    """What every command of the tree calls, by its words."""
    found: dict[tuple[str, ...], Callable[..., Any]] = {}
    for one in typer_app.registered_commands:
        assert one.callback is not None
        found[(*path, one.name or one.callback.__name__)] = one.callback
    for group in typer_app.registered_groups:
        assert group.typer_instance is not None
        found |= commands(group.typer_instance, (*path, str(group.name)))
    return found


def function_of(path: tuple[str, ...]) -> str:
    """Name in the interface of what a command does."""
    *groups, leaf = (word.replace("-", "_") for word in path)
    if leaf == "critical_size":
        return groups[0]
    if groups == ["runs"]:
        return f"{leaf}_runs"
    if groups == ["plan"]:
        return "plan" if leaf in suites.SUITE_NAMES else f"plan_{leaf}"
    return leaf


#: Commands that make the repository's own pages again: they are no question to the package.
COMMITTED = "reproduce"

#: Options that say how a command prints, and those that the interface has as a function of its own.
PRINTING = {"as_json", "notation", "quiet", "explain", "list_figures_only"}

#: Options that may be given several times, and the argument that holds all of them.
PLURALS = {"claim": "claims", "modulus": "moduli", "width": "widths"}

TREE = {path: callback for path, callback in commands(app).items() if path[0] != COMMITTED}


def options_of(callback: Callable[..., Any], function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Options of a command by the name of the argument that they are, without those of problem and machine."""
    arguments = inspect.signature(function).parameters
    several = {name: many for name, many in PLURALS.items() if many in arguments}
    shared = {one.name for one in fields(dcrit.Problem)} - set(several) if "problem" in arguments else set[str]()
    given = inspect.signature(callback).parameters.items()
    options = {name: one for name, one in given if one.annotation not in (typer.Context, "typer.Context")}
    return {several.get(name, name): one for name, one in options.items() if name not in shared | PRINTING}


@pytest.mark.parametrize("path", TREE, ids=" ".join)
def test_every_command_has_its_function_with_the_same_arguments(path: tuple[str, ...]) -> None:
    function = getattr(dcrit, function_of(path))
    arguments = dict(inspect.signature(function).parameters)
    options = options_of(TREE[path], function)
    takes_machine = "machine" in arguments
    if takes_machine:
        assert set(inspect.signature(Machine).parameters) == MachineOptions.__optional_keys__
    allowed = set(arguments) | (MachineOptions.__optional_keys__ if takes_machine else set())
    if path == ("classify",):
        arguments["source"] = arguments["file"] = arguments["columns"]
        allowed |= {"file", *FIELDS}
    if path == ("study",):
        # The file defines what the function takes, and the choices are those of a design.
        # In Python a study is kept where a folder is given, and by the command always.
        arguments = {**inspect.signature(StudyDesign).parameters, "file": arguments["factory"]}
        allowed = {*arguments, "store"}
    if "out" not in arguments:
        options.pop("out", None)  # A picture: ``plot`` draws it.
    assert set(options) <= allowed
    for name, option in options.items():
        default = getattr(option.default, "value", option.default)
        if default not in (None, inspect.Parameter.empty) and name in arguments and name != "out":
            assert default == arguments[name].default, name


def test_the_tree_has_commands_of_every_kind() -> None:
    assert {path[0] for path in TREE} >= {"predict", "measure", "plan", "runs", "simulate", "calibrate", "figure"}


def test_a_store_is_looked_into_as_by_its_commands(runs: dcrit.Runs, store: Path, tmp_path: Path) -> None:
    assert len(runs.runs) == 4
    words = ["--store", str(store)]
    held = dcrit.list_runs(store)
    assert said("runs", "list", *words) == plain(held)
    assert held.n_runs() == held.to_polars()["runs"].sum() >= 4
    assert "<table" in held._repr_html_()
    sound = dcrit.verify_runs(store)
    assert said("runs", "verify", *words) == plain(sound)
    assert (sound.damaged, sound.to_polars().height) == ({}, 0)
    out = tmp_path / "curves.parquet"
    written = dcrit.export_runs(out, store=store)
    assert said("runs", "export", "--out", str(out), *words) == plain(written)
    assert pl.read_parquet(out).height >= runs.curves().height
    assert written.to_polars().height == 1
    with pytest.raises(FieldError, match="store must be a folder that holds runs"):
        dcrit.list_runs(tmp_path / "none")
    with pytest.raises(FieldError, match="out must be a file"):
        dcrit.export_runs(store=store)


def test_plans_are_those_of_the_commands() -> None:
    words = ["--rate", "1e9", "--workers", "3", "--device", "cpu"]
    told: dict[str, Any] = {"rate": 1e9, "workers": [3], "device": "cpu"}
    whole = dcrit.plan("quick", claims=["ungrokking"], **told)
    assert said("plan", "quick", "--claim", "ungrokking", *words) == plain(whole)
    assert whole.to_polars().height == len(whole.works) == 1
    assert list(whole.walls) == [3]
    plane = dcrit.plan_phase_diagram(SIZE, points=4, max_width=16, **told)
    assert said("plan", "phase-diagram", "--points", "4", "--max-width", "16", *words) == plain(plane)
    with pytest.raises(FieldError, match="suite must be one of quick, standard, paper"):
        dcrit.plan("huge")  # type: ignore[arg-type]


def test_figures_are_listed_and_lack_of_runs_is_said(tmp_path: Path) -> None:
    listed = dcrit.list_figures()
    assert said("figure", "--list") == plain(listed)
    assert listed.to_polars()["name"].to_list() == [one["name"] for one in listed.figures]
    with pytest.raises(FieldError, match="name must be one of critical-sizes, "):
        dcrit.figure("none")
    with pytest.raises(FieldError, match=r"suite must be one of .* for figure capacity"):
        dcrit.figure("capacity", suite="paper-again")  # type: ignore[arg-type]
    with pytest.raises(
        FieldError,
        match=r"store must be a folder with the runs .*: 'dcrit figure .* --train' makes them",
    ):
        dcrit.figure("capacity", store=tmp_path)


def test_the_law_alone_is_measured_beside_the_circuits_that_ship(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = calibration_of(SIZE, None)
    law = shipped.thresholds
    assert law is not None
    larger = replace(law, law=law.law.moved("prefactor", 0.2))
    monkeypatch.setattr(calibrate_law, "measure_law", lambda *_: larger)
    out, store = tmp_path / "mine.json", tmp_path / "runs"
    found = dcrit.calibrate(SIZE, only="law", out=out, store=store, workers=1)
    assert found.calibration == replace(shipped, thresholds=larger)
    printed = said("calibrate", "--only", "law", "--store", str(store), "--out", str(out))
    assert printed == plain(found)
    assert printed["law"]["constants"]["prefactor"] == pytest.approx(larger.law.thresholds.prefactor)
    far = replace(SIZE, modulus=113, width=128)
    own, theirs = (dcrit.predict(far, horizon=4000, calibration=one).critical_size for one in (out, None))
    assert own is not None
    assert theirs is not None
    assert math.log(own / theirs) == pytest.approx(0.18, abs=0.02)
    with pytest.raises(FieldError, match="task must have a rule"):
        dcrit.calibrate(replace(SIZE, task="random"), only="law", store=store)
    with pytest.raises(FieldError, match="only must be one of circuits, law"):
        dcrit.calibrate(SIZE, only="both", store=store)  # type: ignore[arg-type]


def test_runs_that_make_no_law_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ValueError("nothing generalized")

    monkeypatch.setattr(calibrate_law, "measure_law", fails)
    with pytest.raises(RuntimeError, match="the runs do not make a law: nothing generalized; only='circuits' leaves"):
        dcrit.calibrate(SIZE, only="law", store=tmp_path / "runs", out=tmp_path / "mine.json")
    assert not (tmp_path / "mine.json").exists()


def test_a_calibration_is_that_of_the_command_and_predicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = EXACT.calibrate(np.random.default_rng(0))
    asked: list[CalibrationDesign] = []
    monkeypatch.setattr(calibrating, "calibrate", lambda design, _: asked.append(design) or known)
    out, store = tmp_path / "new" / "mine.json", tmp_path / "runs"
    moduli, widths = (11, 13), (12, 16, 20, 24, 32, 40, 48)
    found = dcrit.calibrate(
        SIZE, moduli=np.array(moduli), widths=widths, seeds=1, only="circuits", out=out, store=store, workers=1
    )
    assert found.to_polars().height == len(known.cells) == found.to_dict()["cells"]
    assert "<table" in found._repr_html_()
    words = [f"--modulus={p}" for p in moduli] + [f"--width={h}" for h in widths]
    assert said(
        "calibrate", *words, "--seeds", "1", "--only", "circuits", "--store", str(store), "--out", str(out)
    ) == plain(found)
    assert len(asked) == 2
    assert asked[0] == asked[1]
    assert (asked[0].moduli, asked[0].widths) == (moduli, widths)
    by_file, by_value = (dcrit.predict(SIZE, calibration=one) for one in (out, found.calibration))
    assert by_file.critical_size == pytest.approx(by_value.critical_size, rel=1e-5)  # a file rounds constants
    with pytest.raises(FieldError, match="out must be a file that can be written"):
        dcrit.calibrate(SIZE, out=tmp_path)
