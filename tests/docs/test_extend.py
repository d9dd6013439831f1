"""What docs/how-to/extend.md adds from outside is trained, counted, named, judged and measured as what ships is."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode
from typer.testing import CliRunner

from dcrit.cli.app import app
from dcrit.empirics.claims.protocol import CLAIMS
from dcrit.empirics.instruments.circuits import cyclic_group
from dcrit.empirics.instruments.homogeneity import degrees
from dcrit.empirics.runs.norms import NORMS, outcome_in_norm, recorded_norms
from dcrit.empirics.runs.single import RunConfig
from dcrit.empirics.training.ensemble import Ensemble, train
from dcrit.empirics.training.work import Stage, work_of
from dcrit.figures.drawing import style
from dcrit.theory.calibrations.calibration import calibration_for, shipped_calibrations
from dcrit.theory.families.family import FAMILIES
from dcrit.theory.predictions.critical_size import predict_critical_size
from dcrit.theory.problems.problem import Problem, label
from dcrit.theory.problems.tasks import TASKS
from dcrit.theory.registry import Registry

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "extend.md"
FILES = dict(re.findall(r"^`([\w./-]+)`\n\n```\w+\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE))
REGISTRIES: tuple[Registry[Any], ...] = (TASKS, FAMILIES, NORMS, CLAIMS)

#: A network of the family of the page: it takes 160 steps, 4 of its time constants.
ABS = {"modulus": 7, "width": 16, "model": "abs-mlp", "learning_rate": 0.05, "weight_decay": 0.5}
FAST = ["--modulus", "7", "--width", "16", "--learning-rate", "0.1", "--weight-decay", "2", "--workers", "1", "--json"]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds the package of the page."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "my_dcrit").mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def added(package: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The entries of the page, by the script of the page; gone afterwards."""
    before = {registry.group: set(registry) for registry in REGISTRIES}
    monkeypatch.syspath_prepend(package)
    try:
        exec(compile(FILES["try_it.py"], "try_it.py", "exec"), {})  # The page is ours.
        yield
    finally:
        for registry in REGISTRIES:
            for name in set(registry) - before[registry.group]:
                registry.remove(name)
        for name in [name for name in sys.modules if name.startswith("my_dcrit")]:
            del sys.modules[name]
    assert {registry.group: set(registry) for registry in REGISTRIES} == before


def document(*words: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


# --- a task ---


@pytest.mark.slow
@pytest.mark.usefixtures("added")
def test_the_task_trains_and_its_critical_size_is_measured(tmp_path: Path) -> None:
    words = ["--modulus", "13", "--width", "32", "--learning-rate", "0.05", "--weight-decay", "2", "--max-runs", "12"]
    where = ["--workers", "1", "--json", "--store", str(tmp_path)]
    found = document("measure", "critical-size", "--task", "add-one", *words, *where)
    size = found["critical_size"]
    assert (found["problem"]["task"], size["horizon"]) == ("add-one", 400)
    # Addition has 97.5 (94.2 to 101.0) there.
    assert 88 < size["value"] < 108
    assert size["interval"]["low"] <= size["value"] <= size["interval"]["high"]


@pytest.mark.usefixtures("added")
def test_the_task_is_predicted_as_the_one_that_it_is_the_same_as() -> None:
    same = [Problem(task=task, modulus=31) for task in ("add", "add-one")]
    calibration = calibration_for(same[1], shipped_calibrations())
    assert calibration is not None
    assert "add-one" not in calibration.tasks
    first, second = (predict_critical_size(problem, calibration) for problem in same)
    assert first.critical_size == second.critical_size


@pytest.mark.usefixtures("added")
def test_the_task_is_addition_by_the_names_it_gives() -> None:
    group, labels = cyclic_group(Problem(task="add-one", modulus=6)), TASKS["add-one"].labels(6)
    for i in range(6):
        for j in range(6):
            assert labels[group.first[i], group.second[j]] == group.result[(i + j) % 6] == (i + j + 1) % 6


# --- a model family ---


@pytest.mark.slow
@pytest.mark.usefixtures("added")
def test_networks_of_the_family_train_in_an_ensemble() -> None:
    problem = Problem(**ABS)  # type: ignore[arg-type]
    assert (problem.activation, problem.n_params) == ("abs", 3 * 7 * 16)
    configs = [RunConfig(problem=problem, n_train=28, seed=seed, precision="float64") for seed in range(2)]
    ensemble = Ensemble(configs)
    before = ensemble.models.theta.clone()
    first, second, unembed = before[1].split([7, 7, 7])
    symbols = torch.cartesian_prod(torch.arange(7), torch.arange(7))
    logits = (first[symbols[:, 0]] + second[symbols[:, 1]]).abs() @ unembed.T
    torch.testing.assert_close(ensemble.models.logits_of_all_pairs()[1].T, logits, rtol=1e-12, atol=1e-12)
    theta = before[1].clone().requires_grad_()
    used = ensemble.data["is_train"][1]
    loss = cross_entropy(
        ensemble.architecture.pair_logits(problem, theta, symbols)[used], ensemble.data["all_labels"][1][used]
    )
    loss.backward()
    ensemble.step.gradient(ensemble.models, ensemble.grad)
    torch.testing.assert_close(ensemble.grad[1], theta.grad, rtol=1e-10, atol=1e-12)
    runs = train(configs)
    for run in runs:
        assert run.curves.train_accuracy[-1] == 1.0
        assert run.curves.train_loss[-1] < 0.1 * run.curves.train_loss[0]


@pytest.mark.slow
@pytest.mark.usefixtures("added")
def test_operations_of_the_family_are_counted() -> None:
    problem = Problem(**ABS)  # type: ignore[arg-type]
    configs = [RunConfig(problem=problem, n_train=28, seed=seed) for seed in range(3)]
    ensemble = Ensemble(configs)
    with FlopCounterMode(display=False) as counter:
        ensemble.advance(2)
    assert counter.get_total_flops() == 2 * 3 * problem.step_flops(28)
    work = work_of([Stage(known=configs)])
    assert work.flops == 3 * configs[0].horizon * problem.step_flops(28)
    assert work.n_ensembles == 1


@pytest.mark.usefixtures("added")
def test_logits_of_the_family_are_homogeneous_as_its_facts_say() -> None:
    problem = Problem(**ABS)  # type: ignore[arg-type]
    ensemble = Ensemble([RunConfig(problem=problem, n_train=28, seed=0, precision="float64")])
    ensemble.advance(100)
    assert degrees(ensemble)[0].tolist() == [pytest.approx(problem.homogeneity, rel=1e-6)]
    assert problem.homogeneity == 2


@pytest.mark.usefixtures("added")
def test_the_family_has_a_name_and_a_look_of_its_own() -> None:
    problem = Problem(**ABS)  # type: ignore[arg-type]
    assert problem.variant == "abs abs-mlp"
    assert "abs" in label(problem)
    assert "H=16" in label(problem)
    variants = [family.variant(kind) for family in FAMILIES.values() for kind in family.activations]
    looks = [(style.colour_of(one), style.marker_of(one)) for one in variants]
    assert len(set(looks)) == len(variants) == 5


@pytest.mark.usefixtures("added")
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"activation": "relu"}, "^activation must be one of abs, got 'relu'$"),
        ({"depth": 2}, "^depth must be 1 for model 'abs-mlp', got 2$"),
        (
            {"model": "abs-mlpp"},
            "^model must be one of mlp, transformer, abs-mlp, got 'abs-mlpp'; the nearest is 'abs-",
        ),
    ],
)
def test_what_the_family_does_not_have_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Problem(**(ABS | fields))


# --- a norm ---


@pytest.mark.usefixtures("added")
def test_the_norm_gives_an_efficiency() -> None:
    problem = Problem(modulus=7, width=16, learning_rate=0.1, weight_decay=4.0)
    (run,) = train([RunConfig(problem=problem, n_train=30, seed=0)])
    by_name = {norm.name: outcome_in_norm(run, norm) for norm in recorded_norms(problem)}
    outcome = by_name["l2·linf"]
    # κ = 3, and the norm is of degree 2: the geometric mean of both norms, cubed.
    expected = math.sqrt(by_name["l2"].efficiency * by_name["linf"].efficiency)
    assert outcome.efficiency == pytest.approx(expected, rel=1e-9)
    assert replace(outcome, efficiency=0.0) == replace(by_name["l2"], efficiency=0.0)


@pytest.mark.slow
@pytest.mark.usefixtures("added")
def test_the_norm_stands_beside_the_others(tmp_path: Path) -> None:
    found = document("measure", "efficiency", *FAST, "--seeds", "1", "--store", str(tmp_path))
    assert list(found["norms"]) == ["l2", "l2,kappa", "linf", "l2·linf"]


# --- a claim ---


@pytest.mark.slow
@pytest.mark.usefixtures("added")
def test_the_claim_is_judged_and_stands_in_the_report(tmp_path: Path) -> None:
    words = ("validate", "quick", "--claim", "abs-memorizes", "--workers", "1", "--json", "--out", str(tmp_path))
    (claim,) = document(*words)["claims"]
    assert claim["id"] == "abs-memorizes"
    assert (claim["verdict"], claim["measured"], claim["n_runs"]) == ("supported", 1.0, 12)
    # One more claim belongs to the suite.
    assert claim["e_needed"] == pytest.approx(sum("quick" in one.suites for one in CLAIMS.values()) / 0.05)
    assert "Networks with absolute values memorize" in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert list(CLAIMS)[-1] == "abs-memorizes"


# --- the door ---


@pytest.mark.usefixtures("added")
@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.field)
def test_a_name_is_taken_once_and_a_kind_is_kept(registry: Registry[Any]) -> None:
    last = list(registry)[-1]
    with pytest.raises(
        ValueError, match=f"^{registry.field} must have a name of its own, got '{last}', which is taken$"
    ):
        registry.add(registry[last])
    with pytest.raises(ValueError, match=rf"^{registry.field} must be a {registry.kind.__name__}, got str$"):
        registry.add("words")
    with pytest.raises(ValueError, match=f"^{registry.field} must be one of .*, got 'nothing-like-it'"):
        registry.remove("nothing-like-it")


@pytest.fixture
def installed(package: Path, tmp_path: Path) -> Path:
    """A folder of installed packages: that of the page, and one whose plug-ins are broken."""
    for name in ("my_dcrit",):
        (tmp_path / name).symlink_to(package / name)
    text = FILES["pyproject.toml"]
    groups = re.findall(r'^\[project\.entry-points\."([\w.]+)"\]\n(.*?)(?:\n\n|\Z)', text, re.DOTALL | re.MULTILINE)
    assert [group for group, _ in groups] == ["dcrit.tasks", "dcrit.families", "dcrit.claims", "dcrit.norms"]
    declared = {
        "my-dcrit": "\n".join(f"[{group}]\n{lines.replace(chr(34), '')}" for group, lines in groups),
        "no-good": "[dcrit.tasks]\nlost = nowhere:TASK\nother = my_dcrit.norms:NORM\ntaken = my_dcrit.tasks:TASK\n",
    }
    for name, points in declared.items():
        about = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
        (about / "entry_points.txt").write_text(points, encoding="utf-8")
    return tmp_path


def run(installed: Path, *words: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.path.insert(0, {str(installed)!r}); from dcrit.cli.app import main; main()"
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, cwd=installed, capture_output=True, text=True, timeout=300, check=False, env=None)


@pytest.mark.processes
def test_installed_packages_are_found_and_broken_ones_are_told_of(installed: Path) -> None:
    done = run(installed, "train", "--help")
    assert done.returncode == 0
    assert "add-one" in " ".join(done.stdout.split())
    warnings = done.stderr.splitlines()
    assert [re.findall(r"^dcrit: plug-in '(\w+)' of package no-good is left out", one) for one in warnings] == [
        ["lost"],
        ["other"],
        ["taken"],
    ]
    assert "entry point nowhere:TASK of group dcrit.tasks gave ModuleNotFoundError: No module named" in warnings[0]
    assert "task must be a Task, got Norm" in warnings[1]
    assert "task must have a name of its own, got 'add-one', which is taken" in warnings[2]


@pytest.mark.processes
def test_an_installed_family_is_trained_from_the_command_line(installed: Path) -> None:
    words = ["--model", "abs-mlp", "--activation", "abs", "--modulus", "5", "--width", "4", "--steps", "30", "--json"]
    done = run(installed, "train", *words, "--n-train", "10", "--workers", "1", "--store", "runs")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["problem"]["model"], len(found["runs"])) == ("abs-mlp", 3)
    refused = run(installed, "train", *words[2:], "--model", "cnn", "--n-train", "10")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "mlp, transformer, abs-mlp, got" in " ".join(refused.stderr.replace("│", " ").split())


@pytest.mark.processes
def test_worker_processes_know_what_is_installed(installed: Path) -> None:
    """Twelve networks of the family are trained in two processes that import everything anew, and the claim judged."""
    done = run(installed, "validate", "quick", "--claim", "abs-memorizes", "--workers", "2", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["claims"][0]["verdict"] == "supported"
    assert done.stderr.count("left out") == 3


def test_the_page_shows_every_file_that_it_names() -> None:
    modules = [name for name in FILES if name.startswith("my_dcrit/")]
    assert len(modules) == 5
    for name in FILES["pyproject.toml"].split('"'):
        if name.startswith("my_dcrit."):
            assert name.partition(":")[0].replace(".", "/") + ".py" in modules
