"""Steps and horizon are two names for one length, in every function and every command that takes the first."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

import dcrit
from dcrit.api.horizons import steps_of
from dcrit.cli.app import app
from dcrit.theory.checks import FieldError

FAST = dcrit.Problem(modulus=7, width=8, learning_rate=0.1, weight_decay=4.0)


def functions() -> dict[str, Callable[..., Any]]:
    found = {name: getattr(dcrit, name) for name in dcrit.__all__}
    return {name: one for name, one in found.items() if inspect.isfunction(one)}


def test_what_takes_steps_takes_a_horizon() -> None:
    parameters = {name: inspect.signature(one).parameters for name, one in functions().items()}
    steps = {name for name, found in parameters.items() if "steps" in found}
    assert steps >= {"train", "simulate", "plan_phase_diagram"}
    assert all("horizon" in parameters[name] for name in steps)


def options_of(command: Any, path: str = "") -> dict[str, set[str]]:
    """Options of every command, by its path."""
    if isinstance(command, TyperGroup):
        context = typer.Context(command)
        inner = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
        return {key: value for name, one in inner for key, value in options_of(one, f"{path} {name}").items()}
    return {path: {name for parameter in command.params for name in parameter.opts}}


def test_every_command_takes_both_names_or_none() -> None:
    both = {"--steps", "--horizon", "-T"}
    found = {path: names & both for path, names in options_of(typer.main.get_command(app)).items()}
    assert {path for path, names in found.items() if names} >= {" train", " predict regime", " measure critical-size"}
    assert {path: names for path, names in found.items() if names not in (set(), both)} == {}


@pytest.mark.parametrize(("steps", "horizon", "length"), [(0, None, 0), (70, None, 70), (0, 70, 70)])
def test_the_one_that_is_given_counts(steps: int, horizon: int | None, length: int) -> None:
    assert steps_of(steps, horizon) == length


@pytest.mark.parametrize(
    ("steps", "horizon", "sentence"),
    [
        (70, 70, "horizon must be left out beside steps=70, which means the same, got 70"),
        (0, 0, "horizon must be an integer of at least 1, got 0"),
        (0, -5, "horizon must be an integer of at least 1, got -5"),
    ],
)
def test_both_together_and_what_is_no_length_are_refused(steps: int, horizon: int, sentence: str) -> None:
    asked: list[Callable[[], object]] = [
        lambda: steps_of(steps, horizon),
        lambda: dcrit.train(FAST, 20, steps=steps, horizon=horizon),
        lambda: dcrit.simulate(dcrit.Problem(), 300, steps=steps, horizon=horizon),
        lambda: dcrit.plan_phase_diagram(FAST, steps=steps, horizon=horizon, rate=1e9),
    ]
    for ask in asked:
        with pytest.raises(FieldError) as refused:
            ask()
        assert str(refused.value) == sentence


@pytest.mark.slow
def test_both_names_mean_the_same_runs(tmp_path: Path) -> None:
    first = dcrit.train(FAST, 20, seeds=1, steps=40, store=tmp_path, workers=1)
    second = dcrit.train(FAST, 20, seeds=1, horizon=40, store=tmp_path, workers=1)
    assert [one.config for one in first.runs] == [one.config for one in second.runs]
    curves = [dcrit.simulate(dcrit.Problem(), 300, steps=700), dcrit.simulate(dcrit.Problem(), 300, horizon=700)]
    assert curves[0].to_dict() == curves[1].to_dict()
    assert curves[0].to_dict()["horizon"] == 700


@pytest.mark.slow
def test_a_study_takes_either_and_not_both() -> None:
    torch = pytest.importorskip("torch")
    inputs, labels = torch.zeros(8, 2), torch.arange(8) % 2
    factory = lambda seed: torch.nn.Linear(2, 2)  # noqa: E731
    with pytest.raises(FieldError, match="horizon must be left out beside steps=9"):
        dcrit.study(factory, inputs, labels, steps=9, horizon=9)
