"""Command lines that nobody would type, drawn from the command tree itself: what is added there is fuzzed, too."""

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from typer.main import get_command

from dcrit.cli.app import app

#: The whole tree, built once.
ROOT: Any = get_command(app)

NUMBERS = [
    *("", "0", "-0", "-0.0", "-1", "1", "2", "3", "5", "7", "17", "31", "64", "100", "1000", "1000000", "1000000007"),
    *("10000000000", "9" * 20, "9" * 300, "9" * 4000, "9" * 5000, "-" + "9" * 40),
    *(
        "0.5",
        "0.999",
        "1e-3",
        "1e-12",
        "1e-30",
        "1e-200",
        "1e-308",
        "5e-324",
        "1e30",
        "1e100",
        "1e200",
        "1e308",
        "-1e308",
    ),
    *("nan", "-nan", "inf", "-inf", "1e400", "0x10", "1_000", "1e3", "1k", "12px", "5%", " 7 ", "７", "٣", "½"),
    *("true", "False", "None", "32,64", "1,,2", ",", "5,x"),
]
WORDS = [
    *("a", "add", "mul", "random", "symmetric-group", "sparse-parity", "relu", "square", "transformer", "mlp", "gelu"),
    *("quick", "standard", "paper", "both", "cuda", "auto", "cpu", "lanczos", "rounds", "local", "ray"),
    *("dynamics", "efficiencies", "four-dynamics", "dcrit-predicted"),
    *("../x", "../../x.json", "..", ".", "./", "~", "/dev/null", "/dev/null/x", "/dev/zero", "/proc/none", "//"),
    *("file", "file/x", "empty", "loop", "loop/x", "pipe", "new", "new/deep", "new/c.json", "new/x.csv", "ok.csv"),
    *("x.png", "new/x.png", "file/x.png", "x.svg", "x.pdf", "x.csv", "x.parquet", "calibration.json"),
    *("a b", "é", "\u202ereversed", "\x1b[31mred", "\x07", "a\nb", "a\r\nb", "\x7f\x9b31m", "\udcff", "😀"),
    *("[red]", "[/]", "[bold", "%s%n", "{}", "{0}", "$(x)", "`x`", "|", "*", "?", "'", '"', "\\", "<script>"),
    *("-", "--", "--x", "-h", "--json", "x" * 300, "x" * 5000, "y " * 3000, "a/" * 3000),
]

#: Values that are meant, for parameters whose names say what they take.
MEANT = {
    "n_train": ["100", "10"],
    "n_facts": ["10"],
    "suite": ["quick", "paper"],
    "name": ["dynamics", "efficiencies"],
    "file": ["ok.csv"],
    "out": ["o.csv", "o.png", "o.json"],
    "store": ["empty", "st"],
    "modulus": ["31", "5"],
    "width": ["64", "8"],
    "calibration": ["calibration.json"],
}


def commands(command: Any = ROOT, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Paths of all commands that do something."""
    if not hasattr(command, "commands"):
        yield path
        return
    for name, inner in command.commands.items():
        yield from commands(inner, (*path, name))


def command_at(path: tuple[str, ...]) -> Any:
    """The command at a path."""
    command = ROOT
    for name in path:
        command = command.commands[name]
    return command


def parameters(path: tuple[str, ...]) -> list[Any]:
    """Options and arguments of a command; asking for help and for a shell's completion is not input."""
    return [one for one in command_at(path).params if one.name not in ("help", "install_completion", "show_completion")]


def is_option(parameter: Any) -> bool:
    """Whether it is told by a name."""
    return bool(parameter.param_type_name == "option")


def is_flag(parameter: Any) -> bool:
    """Whether it takes no value."""
    return is_option(parameter) and bool(parameter.is_flag)


def junk_for(parameter: Any) -> st.SearchStrategy[str]:
    """Values for one parameter: those of its own kind that are odd, and those of any other kind."""
    text = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=12)
    numeric = getattr(parameter, "metavar", None) in ("INTEGER", "INTEGER,…", "NUMBER", "MINUTES")
    number = st.sampled_from(NUMBERS) | st.integers().map(str) | st.floats().map(str)
    own = number if numeric else st.sampled_from(WORDS)
    meant = MEANT.get(parameter.name, [])
    return own | own | own | (st.sampled_from(meant) if meant else own) | st.sampled_from(WORDS + NUMBERS) | text


@st.composite
def command_lines(draw: st.DrawFn, path: tuple[str, ...]) -> list[str]:
    """A call of a command: junk for some parameters, what is required for the others, options in any order."""
    known = parameters(path)
    spoilt = draw(st.lists(st.integers(0, max(0, len(known) - 1)), min_size=1, max_size=3, unique=True))
    calls: list[list[str]] = []
    for place, parameter in enumerate(known):
        if place in spoilt:
            values = [draw(junk_for(parameter))]
            if getattr(parameter, "multiple", False) and draw(st.booleans()):
                values.append(draw(junk_for(parameter)))
        elif parameter.required:
            values = [draw(st.sampled_from(MEANT.get(parameter.name, ["1"])))]
        else:
            continue
        if is_flag(parameter):
            calls.append([parameter.opts[0]])
        elif not is_option(parameter):
            calls.append(values)
        elif draw(st.booleans()):
            calls += [[parameter.opts[0], value] for value in values]
        else:
            calls += [[f"{parameter.opts[0]}={value}"] for value in values]
    return [*path, *(word for call in draw(st.permutations(calls)) for word in call)]
