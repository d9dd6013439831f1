"""The plan that docs/how-to/scale.md shows is what the command says."""

import re
import shlex
from pathlib import Path

import pytest

from dcrit.cli.app import app
from tests.worlds.command_line import invoking

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "scale.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_plan_is_what_the_command_says() -> None:
    (shell,) = re.findall(r"^```console\n\$ dcrit (.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    command, _, expected = shell.replace("\\\n", " ").partition("\n")
    printed = invoking(app, columns=80)(*shlex.split(command)).stdout
    assert printed.partition("All numbers are upper bounds")[0] == expected
