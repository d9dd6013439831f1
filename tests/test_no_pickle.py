"""Nothing that is read can run: no module unpickles, evaluates text, or loads objects."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    path
    for folder in ("theory", "empirics", "figures", "cli", "dcrit", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)

#: Modules that make objects, or code, of bytes.
FORBIDDEN = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "shelve",
    "marshal",
    "yaml",
    "imp",
    "code",
}

#: Built-in functions that run text.
RUNNING = {"eval", "exec", "compile", "__import__"}


def name_of(node: ast.expr) -> str:
    """A dotted name, as far as it is one."""
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def is_true(call: ast.Call, keyword: str) -> bool:
    return any(
        one.arg == keyword and isinstance(one.value, ast.Constant) and one.value.value is True for one in call.keywords
    )


def faults(source: str) -> list[str]:
    """What in a module could make the machine do what a file says."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [one.name for one in node.names if one.name.split(".")[0] in FORBIDDEN]
        elif isinstance(node, ast.ImportFrom):
            found += [node.module or ""] if (node.module or "").split(".")[0] in FORBIDDEN else []
        elif isinstance(node, ast.Call):
            name = name_of(node.func)
            last = name.rpartition(".")[2]
            found += [name] if name in RUNNING else []
            found += [name] if name in ("torch.load", "torch.jit.load") and not is_true(node, "weights_only") else []
            found += [name] if last in ("load", "read_pickle", "loads") and is_true(node, "allow_pickle") else []
            found += [name] if last in ("read_pickle", "from_pickle", "deserialize") else []
            found += [name] if last in ("run", "Popen", "call", "check_output") and is_true(node, "shell") else []
            found += [name] if name in ("os.system", "os.popen") else []
    return found


@pytest.mark.slow
def test_no_module_runs_what_it_reads() -> None:
    assert len(MODULES) > 100
    found = {path: faults(path.read_text(encoding="utf-8")) for path in MODULES}
    assert {str(path.relative_to(ROOT)): names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("import pickle", "pickle"),
        ("from yaml import load", "yaml"),
        ("torch.load(path)", "torch.load"),
        ("torch.load(path, weights_only=False)", "torch.load"),
        ("np.load(path, allow_pickle=True)", "np.load"),
        ("eval(text)", "eval"),
        ("os.system(text)", "os.system"),
        ("subprocess.run(text, shell=True)", "subprocess.run"),
    ],
)
def test_the_search_finds_what_it_looks_for(source: str, fault: str) -> None:
    assert faults(source) == [fault]


def test_the_search_lets_data_pass() -> None:
    assert faults("torch.load(path, weights_only=True); json.loads(text); np.load(path); re.compile(text)") == []
