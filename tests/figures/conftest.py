from collections.abc import Callable

import pytest
from matplotlib.figure import Figure

from dcrit.figures import FIGURES
from tests.worlds.figures import EMPTY, Evidence, complete_evidence, gappy_evidence


@pytest.fixture(scope="session")
def evidence() -> Evidence:
    return complete_evidence()


@pytest.fixture(scope="session")
def evidences(evidence: Evidence) -> dict[str, Evidence]:
    return {"complete": evidence, "gappy": gappy_evidence(evidence), "empty": EMPTY}


@pytest.fixture(scope="session")
def drawn(evidences: dict[str, Evidence]) -> Callable[[str, str], Figure]:
    """A figure of an evidence, laid out; drawn once."""
    done: dict[tuple[str, str], Figure] = {}

    def draw(name: str, kind: str) -> Figure:
        if (name, kind) not in done:
            figure = FIGURES[name].draw(evidences[kind][FIGURES[name].experiment.name])
            figure.draw_without_rendering()
            done[name, kind] = figure
        return done[name, kind]

    return draw
