"""An option that takes one value refuses a second, in every command there is."""

import pytest
from typer.testing import CliRunner

from dcrit.cli.app import app
from tests.worlds.option_words import commands, is_flag, is_option, parameters


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_a_second_value_is_refused_with_both(path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    for one in parameters(path):
        if not is_option(one) or is_flag(one) or one.multiple:
            continue
        name = one.opts[0]
        result = CliRunner().invoke(app, [*path, name, "32", f"{name}=64"])
        assert result.exit_code == 2, (name, result.output)
        assert result.stdout == ""
        assert f"{name} must be given once, got '32' and '64'" in result.stderr


def test_what_takes_several_values_and_flags_may_be_repeated() -> None:
    several = CliRunner().invoke(app, ["train", "--n-train", "0", "--n-train", "5"])
    assert "must be given once" not in several.stderr
    assert "at least 1" in several.stderr
    assert CliRunner().invoke(app, ["figure", "--list", "--list", "--json"]).exit_code == 0
