"""What all tests share: a fixed seed for Hypothesis, groups that run one after the other, and marks that are kept."""

import functools
import os
import sys
from collections.abc import Generator, Iterator
from multiprocessing.process import BaseProcess

import pytest
import typer.testing
from hypothesis import settings
from typer.main import get_command

# As worker processes have it: the number of threads changes rounding, and threads that wait for each other take the
# time of other tests. Libraries read it when they are loaded.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

# Wall time and earlier failures must not decide a test.
settings.register_profile("dcrit", derandomize=True, deadline=None, database=None)
settings.load_profile("dcrit")

#: Marks of tests that start processes.
STARTING = ("builds", "ray", "kills", "processes", "browser")

#: Marks of tests that take long, longest first. Files with them begin first, so that none is left for the end.
LONG = (*STARTING, "slow")

#: What the test that runs at the moment has started, by the names of Python's audit events.
started: list[str] = []


def listen(event: str, arguments: tuple[object, ...]) -> None:
    if event == "subprocess.Popen":
        started.append(f"{event} {arguments[0]!r}")


sys.addaudithook(listen)


@pytest.fixture(scope="session", autouse=True)
def workers_are_told() -> Iterator[None]:
    """Python tells nobody of a process that multiprocessing starts."""
    begin = BaseProcess.start

    def start(self: BaseProcess) -> None:
        started.append(f"multiprocessing {self.name}")
        begin(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseProcess, "start", start)
        yield


@pytest.fixture(autouse=True)
def no_figure_is_left_open() -> Iterator[None]:
    """Pictures of one test are none of the next: pyplot keeps them for the whole process."""
    yield
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close("all")


@pytest.fixture(scope="session", autouse=True)
def one_tree_of_commands() -> Iterator[None]:
    """Commands are built from their functions once: at every call, that takes longer than most calls."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.testing, "_get_command", functools.cache(get_command))
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    started.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A test that starts processes says so by its mark, or ``make test-fast`` would take it for a quick one."""
    outcome = yield
    if started and not any(item.get_closest_marker(name) for name in STARTING):
        pytest.fail(f"a test without one of the marks {', '.join(STARTING)} started {started[0]}")
    return outcome


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a file share their fixtures in one worker; clusters, and tests that measure memory, go one by one."""

    def rank(item: pytest.Item) -> int:
        return next((k for k, name in enumerate(LONG) if item.get_closest_marker(name)), len(LONG))

    first: dict[object, int] = {}
    for item in items:
        if item.get_closest_marker("ray"):
            item.add_marker(pytest.mark.xdist_group("ray"))
        elif not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
        first[item.path] = min(rank(item), first.get(item.path, len(LONG)))
    items.sort(key=lambda item: first[item.path])


@pytest.fixture
def three_threads() -> Iterator[None]:
    """For tests of what sets the number of threads to one and puts it back."""
    import torch  # tests of the theory run without  # noqa: PLC0415

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)
