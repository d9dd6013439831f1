"""Stored runs of the first release are found, whatever was added to configurations and curves since."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest

from dcrit.empirics.runs import single
from dcrit.empirics.runs.addressed import canonical
from dcrit.empirics.runs.dimensions import DimensionConfig
from dcrit.empirics.runs.multitask import Component, MultitaskConfig, Phase
from dcrit.empirics.runs.single import CURVE_NAMES, Curves, FloatArray, RunConfig
from dcrit.empirics.store import kinds
from dcrit.empirics.store.batch_files import HEAD
from dcrit.empirics.store.kinds import DAMAGED, DimensionStore, MultitaskStore, Store
from dcrit.theory.problems.problem import Problem
from tests.worlds.stored import assert_same, configs, files, made, parquet, write_named

ROOT = Path(__file__).parents[3]
RELEASE_1 = ROOT / "tests" / "data" / "store-of-release-1"

MLP = Problem(task="add", modulus=5, width=4)
RELU = Problem(task="mul", modulus=5, activation="relu", width=3, weight_decay=0.5, learning_rate=0.02)
QUICK = Problem(task="add", modulus=5, width=4, learning_rate=0.5)
SHALLOW = Problem(task="sub", modulus=5, model="transformer", activation="relu", width=4, learning_rate=3e-3)
DEEP = Problem(task="add", modulus=5, model="transformer", activation="square", width=4, depth=2, learning_rate=3e-3)

#: What was run, by the address that it has for ever.
SINGLE = {
    "aa0fef2380f1bb95e6adc7a0cc0589de": RunConfig(problem=MLP, n_train=15, seed=0, steps=20),
    "bbca1b1445c0e5dc142fc5c47766a42d": RunConfig(problem=MLP, n_train=15, seed=1, steps=20),
    "7a8914c888126c0dfada0861f10cac32": RunConfig(
        problem=RELU, n_train=16, seed=7, steps=12, until="generalized", precision="float64"
    ),
    "4fe2639a900e83f06eaa7c14b5752cbe": RunConfig(problem=MLP, n_train=12, seed=0, steps=10, start="generalized"),
    "6dbe817e50d8047e01b3799268017409": RunConfig(problem=SHALLOW, n_train=15, seed=0, steps=10),
    "d2282fae507a967a8f14ae9f33767862": RunConfig(problem=DEEP, n_train=15, seed=0, steps=10),
}
MULTITASK = {
    "4c4c577b1954e885890e4cdb2e1191ae": MultitaskConfig(
        components=(Component(task="add", modulus=5, n_train=15), Component(task="random", modulus=5, n_train=10)),
        seed=0,
        width=4,
        phases=(Phase(tasks=(0,), steps=5), Phase(tasks=(0, 1), steps=5)),
    ),
    "497097da20bbc60c30d3e374c1bb89cc": MultitaskConfig(
        components=(
            Component(task="add", modulus=5, n_train=15),
            Component(task="mul", modulus=7, n_train=20, operands="own"),
        ),
        seed=3,
        blocks="split",
        heads="own",
        embedding="apart",
        activation="relu",
        width=4,
        phases=(Phase(tasks=(0, 1), steps=8),),
    ),
}
DIMENSION = {"8d1d0890f26e9948985265f8230f6201": DimensionConfig(run=RunConfig(problem=QUICK, n_train=15, seed=0))}
EXPECTED: dict[str, dict[str, Any]] = json.loads((RELEASE_1 / "expected.json").read_text())


def digest(values: np.ndarray) -> str:
    return hashlib.sha256(values.astype("<f8").tobytes()).hexdigest()[:32]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RELEASE_1, tmp_path / "runs"))


def check_single(store: Store, configs: dict[str, RunConfig]) -> None:
    """Every run is found under its address of then, with the very bytes of its curves."""
    assert store.missing(list(configs.values())) == []
    for address, config in configs.items():
        assert config.address == address
        run = store.get(config)
        assert run is not None
        assert (run.ending, run.seconds) == (EXPECTED[address]["ending"], EXPECTED[address]["seconds"])
        for name, expected in EXPECTED[address]["curves"].items():
            assert digest(getattr(run.curves, name)) == expected, name
    inventory = store.inventory()
    assert (inventory.n_runs, inventory.n_stale, inventory.damaged, inventory.others) == (len(configs), 0, (), ())


def check_multitask(store: MultitaskStore) -> None:
    assert store.missing(list(MULTITASK.values())) == []
    for address, config in MULTITASK.items():
        assert config.address == address
        run = store.get(config)
        assert run is not None
        assert (run.ending, run.seconds) == (EXPECTED[address]["ending"], EXPECTED[address]["seconds"])
        for name, expected in EXPECTED[address]["curves"].items():
            assert digest(getattr(run.curves, name)) == expected, name
    inventory = store.inventory()
    assert (inventory.n_runs, inventory.n_stale, inventory.damaged) == (len(MULTITASK), 0, ())


def check_dimensions(store: DimensionStore) -> None:
    for address, config in DIMENSION.items():
        assert config.address == address
        run = store.get(config)
        assert run is not None
        assert (run.ending, run.seconds) == (EXPECTED[address]["ending"], EXPECTED[address]["seconds"])
        for name, expected in EXPECTED[address]["values"].items():
            assert getattr(run.values, name) == expected
    inventory = store.inventory()
    assert (inventory.n_runs, inventory.n_stale, inventory.damaged) == (len(DIMENSION), 0, ())


def test_stored_runs_of_the_first_release_are_found(folder: Path) -> None:
    check_single(Store(folder), SINGLE)
    check_multitask(MultitaskStore(folder / "mixtures"))
    check_dimensions(DimensionStore(folder / "dimensions"))


def test_the_page_on_the_format_computes_an_address_as_the_code_does() -> None:
    page = (ROOT / "docs" / "reference" / "store-format.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```json\n(.*)\n```", page)
    (address,) = re.findall(r"^    ([0-9a-f]{32})$", page, flags=re.MULTILINE)
    (config,) = re.findall(r"`(RunConfig\(.*\))`", page)
    assert hashlib.sha256(text.encode()).hexdigest()[:32] == address
    assert eval(config, {"RunConfig": RunConfig, "Problem": Problem}) == SINGLE[address]  # The page is ours.
    assert canonical(SINGLE[address]) == text
    (path,) = (path for path in RELEASE_1.glob("*.parquet") if address in pl.read_parquet(path)["address"])
    table = pl.read_parquet(path)
    identity, checksum = path.stem.split("-")
    assert hashlib.sha256("".join(sorted(table["address"])).encode()).hexdigest()[:16] == identity
    assert hashlib.sha256(path.read_bytes()).hexdigest()[:32] == checksum
    assert table.row(by_predicate=pl.col("address") == address, named=True)["config"] == text
    for column in table.columns[:5]:
        assert f"| `{column}` |" in page


# -- fields that were added later ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class GrownProblem(Problem):
    """As the next release has it: two fields more, one with another default than what was used before."""

    beta1: float = 0.9
    dropout: float = 0.5

    ADDED_LATER: ClassVar[Mapping[str, str | int | float]] = {**Problem.ADDED_LATER, "beta1": 0.9, "dropout": 0.0}


@dataclass(frozen=True, kw_only=True)
class GrownConfig(RunConfig):
    """And one more in what is run."""

    batch_size: int = 0

    ADDED_LATER: ClassVar[Mapping[str, Any]] = {**RunConfig.ADDED_LATER, "batch_size": 0}


@dataclass(frozen=True, kw_only=True)
class GrownCurves(Curves):
    """And one more curve."""

    sharpness: FloatArray


class GrownStore(Store):
    curve_names = (*CURVE_NAMES, "sharpness")

    def config_from(self, fields: dict[str, Any]) -> RunConfig:
        return GrownConfig.from_dict(fields)


@pytest.fixture
def grown(monkeypatch: pytest.MonkeyPatch) -> Callable[[RunConfig], GrownConfig]:
    """The next release: what it makes of a configuration as it was written in this one, with what was used then."""
    monkeypatch.setattr(single, "Problem", GrownProblem)
    monkeypatch.setattr(kinds, "Curves", GrownCurves)

    def as_then(config: RunConfig) -> GrownConfig:
        problem = GrownProblem(**vars(config.problem), dropout=0.0)
        said: dict[str, Any] = {field.name: getattr(config, field.name) for field in fields(config)}
        said["problem"] = problem
        return GrownConfig(**said)

    return as_then


def test_they_are_found_after_fields_and_a_curve_were_added(
    folder: Path, grown: Callable[[RunConfig], GrownConfig]
) -> None:
    store = GrownStore(folder)
    check_single(store, {address: grown(config) for address, config in SINGLE.items()})
    for config in SINGLE.values():
        run = store.get(grown(config))
        assert run is not None
        assert isinstance(run.curves, GrownCurves)
        assert np.isnan(run.curves.sharpness).all()
        assert run.curves.sharpness.shape == run.curves.step.shape
    assert {run.config for run in store.runs()} == {
        replace(grown(config), steps=config.horizon) for config in SINGLE.values()
    }
    assert {heading.config.problem for heading in store.headings()} == {
        grown(config).problem for config in SINGLE.values()
    }
    assert (store.set_aside(), (folder / DAMAGED).exists()) == ((), False)


def test_a_field_is_addressed_where_it_is_not_what_was_used_before() -> None:
    (config,) = configs(1)
    assert canonical(config) == canonical(replace(config, problem=replace(config.problem, beta2=0.98, epsilon=1e-8)))
    for name, value in (("beta2", 0.999), ("epsilon", 1e-12)):
        other = replace(config, problem=replace(config.problem, **{name: value}))
        assert other.to_dict()["problem"] == config.to_dict()["problem"] | {name: value}
    then = GrownProblem(**vars(config.problem), dropout=0.0)
    assert replace(config, problem=then).address == config.address
    # A default that is not what was used before is another run, although nobody wrote it down.
    now = GrownProblem(**vars(config.problem))
    assert replace(config, problem=now).to_dict()["problem"] == config.to_dict()["problem"] | {"dropout": 0.5}
    others = {
        replace(config, problem=problem).address
        for problem in (then, now, replace(then, beta1=0.8), replace(then, beta1=0.8, dropout=0.1))
    }
    assert len(others) == 4
    assert GrownConfig(problem=then, n_train=20, seed=0, batch_size=8).to_dict()["batch_size"] == 8


def test_what_is_not_said_is_what_was_used_before() -> None:
    assert GrownProblem.from_dict(Problem().to_dict()) == GrownProblem(dropout=0.0)
    assert GrownProblem.from_dict(GrownProblem().to_dict()) == GrownProblem(dropout=0.5)


def test_several_tasks_and_dimensions_grow_likewise(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True, kw_only=True)
    class GrownComponent(Component):
        noise: float = 0.5
        ADDED_LATER: ClassVar[Mapping[str, Any]] = {"noise": 0.0}

    @dataclass(frozen=True, kw_only=True)
    class GrownPhase(Phase):
        decay: bool = False
        ADDED_LATER: ClassVar[Mapping[str, Any]] = {"decay": True}

    @dataclass(frozen=True, kw_only=True)
    class GrownMultitask(MultitaskConfig):
        beta1: float = 0.8
        ADDED_LATER: ClassVar[Mapping[str, Any]] = {**MultitaskConfig.ADDED_LATER, "beta1": 0.9}

    @dataclass(frozen=True, kw_only=True)
    class GrownDimension(DimensionConfig):
        probes: int = 30
        ADDED_LATER: ClassVar[Mapping[str, Any]] = {"probes": 10}

    for address, config in MULTITASK.items():
        components = tuple(GrownComponent(**vars(each), noise=0.0) for each in config.components)
        phases = tuple(GrownPhase(**vars(each), decay=True) for each in config.phases)
        said: dict[str, Any] = {field.name: getattr(config, field.name) for field in fields(config)}
        then = GrownMultitask(**said | {"components": components, "phases": phases}, beta1=0.9)
        assert then.address == address
        assert replace(then, beta1=0.8).address != address
        assert replace(then, phases=(replace(phases[0], decay=False), *phases[1:])).address != address
        with monkeypatch.context() as patched:
            patched.setattr("dcrit.empirics.runs.multitask.Component", GrownComponent)
            patched.setattr("dcrit.empirics.runs.multitask.Phase", GrownPhase)
            assert GrownMultitask.from_dict(config.to_dict()) == then
    for address, config in DIMENSION.items():
        then = GrownDimension(run=config.run, probes=10)
        assert then.address == address
        assert GrownDimension.from_dict(config.to_dict()) == replace(then, run=replace(config.run, steps=80))
        assert replace(then, probes=30).address != address

    class GrownMultitaskStore(MultitaskStore):
        curve_names = (*MultitaskStore.curve_names, "sharpness")

    @dataclass(frozen=True, kw_only=True)
    class GrownMultitaskCurves(kinds.MultitaskCurves):
        sharpness: FloatArray

    class GrownDimensionStore(DimensionStore):
        curve_names = (*DimensionStore.curve_names, "trace")

    @dataclass(frozen=True, kw_only=True)
    class GrownValues(kinds.DimensionValues):
        trace: float

    monkeypatch.setattr(kinds, "MultitaskCurves", GrownMultitaskCurves)
    monkeypatch.setattr(kinds, "DimensionValues", GrownValues)
    check_multitask(GrownMultitaskStore(folder / "mixtures"))
    check_dimensions(GrownDimensionStore(folder / "dimensions"))
    (dimension,) = GrownDimensionStore(folder / "dimensions").runs()
    assert np.isnan(getattr(dimension.values, "trace"))  # noqa: B009


# -- files of a later version --------------------------------------------------------------------------------------


def test_a_curve_that_a_file_lacks_is_nan_and_one_too_many_is_ignored(tmp_path: Path) -> None:
    store = Store(tmp_path)
    runs = [made(config) for config in configs(2)]
    store.add(runs)
    (path,) = files(store)
    frame = pl.read_parquet(path)
    path.unlink()
    more = frame.drop("max_norm").with_columns(
        sharpness=pl.Series([[1.0, None], []]), host=pl.lit("a"), gpu=pl.lit(None, pl.Int8)
    )
    write_named(store, parquet(more.select(reversed(more.columns))))
    opened = Store(tmp_path)
    for run in runs:
        nothing = np.full_like(run.curves.step, np.nan)
        assert_same(opened.get(run.config), replace(run, curves=replace(run.curves, max_norm=nothing)))
    inventory = opened.inventory()
    assert (inventory.n_runs, inventory.n_stale, inventory.damaged) == (2, 0, ())


def later(frame: pl.DataFrame, config: dict[str, Any], **columns: pl.Expr) -> bytes:
    """A file as a later version may write it, its addresses right."""
    text = json.dumps(config, sort_keys=True, separators=(",", ":"))
    address = hashlib.sha256(text.encode()).hexdigest()[:32]
    return parquet(frame.with_columns(address=pl.lit(address), config=pl.lit(text), **columns))


LATER: dict[str, Callable[[pl.DataFrame, dict[str, Any]], bytes]] = {
    "a field of the problem": lambda frame, config: later(
        frame, config | {"problem": config["problem"] | {"beta1": 0.8}}
    ),
    "a field of the run": lambda frame, config: later(frame, config | {"batch_size": 8}),
    "a task": lambda frame, config: later(frame, config | {"problem": config["problem"] | {"task": "gcd"}}),
    "a protocol": lambda frame, config: later(frame, config | {"protocol": 99}),
    "an ending": lambda frame, config: later(frame, config, ending=pl.lit("out of budget")),
    "a kind of run": lambda frame, config: later(
        frame.select(*HEAD), {"module": "resnet", "module_protocol": 1}, step=pl.lit("none")
    ),
}


@pytest.mark.parametrize("what", LATER)
def test_what_a_later_version_wrote_is_not_understood_and_left_alone(what: str, tmp_path: Path) -> None:
    (config,) = configs(1)
    store = Store(tmp_path)
    store.add([made(config)])
    (path,) = files(store)
    frame = pl.read_parquet(path)
    path.unlink()
    data = LATER[what](frame, config.to_dict())
    path = write_named(store, data)

    opened = Store(tmp_path)
    assert opened.missing([config]) == [config]
    assert opened.get(config) is None
    assert list(opened.runs()) == []
    assert opened.set_aside() == opened.damaged == opened.strange == ()
    inventory = opened.inventory()
    assert (inventory.n_runs, inventory.n_stale, inventory.damaged, inventory.others) == (0, 1, (), ())
    opened.add([made(config)])
    assert_same(Store(tmp_path).get(config), made(config))
    assert path.read_bytes() == data
    assert len(files(opened)) == 2
