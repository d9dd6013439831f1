"""What facts to memorize do to the critical size: every rule tried, against the measured sizes there are.

No rule has a constant fitted to runs with facts.
"""

from __future__ import annotations

import itertools
import math
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dcrit.empirics.ablations import transformer_facts
from dcrit.empirics.ablations.committed import read
from dcrit.empirics.ablations.facts_series import SERIES_FILE
from dcrit.theory.calibrations.calibration import calibration_for, shipped_calibrations
from dcrit.theory.circuits.constants import competition_from
from dcrit.theory.circuits.crossing import Crossing
from dcrit.theory.circuits.facts import emergent_critical_size
from dcrit.theory.circuits.mixture import Competition
from dcrit.theory.problems.problem import Problem, task_label

#: Among the committed results: the sizes that the rule was chosen on, and the page.
CHOSEN_ON, PAGE = "emergence-preliminary.json", "emergence.md"

#: Critical size beside so many facts.
Rule = Callable[[Competition, float], float]

SHARES = np.linspace(0.0, 1.0, 2001)[1:-1]
SIZES = np.geomspace(10.0, 3000.0, 200)[:, None]

#: Margin a fact needs while the generalizing circuit has margin w on the task.
MARGINS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "1": np.ones_like,
    "√(1+w²)": lambda w: np.sqrt(1 + w * w),
    "1+w": lambda w: 1 + w,
}
#: How sets with other margins are priced together: examples counted by margin^(1/β), or margins sliced in layers.
PRICES = ("count", "layers")
#: Deficit on unseen inputs in proportion to: margin on the task; whole cost, per D; whole cost, per D + D_r.
DEFICITS = ("task", "cost", "cost, all")

KEPT = ("count", "√(1+w²)", "cost")


def mixture(price: str, margin: str, deficit: str) -> Rule:
    """A rule by brute force: the cheapest of many shares at each of many sizes."""

    def rule(competition: Competition, facts: float) -> float:
        beta, b = competition.memorizing.exponent, competition.mixing
        a, w, m = b / (b - 1), SHARES, MARGINS[margin](SHARES)
        if price == "count":
            memorized = (facts * m ** (1 / beta) + SIZES * (1 - w) ** (1 / beta)) ** beta
        else:  # 1 − w on everything, and what is left of m on the facts alone
            memorized = (1 - w) * (facts + SIZES) ** beta + (m - 1 + w) * facts**beta
        cost = (w / competition.generalizing.full_data) ** a + (memorized / competition.memorizing.amplitude) ** a
        best = cost.argmin(1)[:, None]
        share = w[best]
        base = SIZES + facts if deficit == "cost, all" else SIZES
        said = 1 - share if deficit == "task" else np.take_along_axis(memorized, best, 1) / base**beta
        median = np.exp(competition.deficits.log_median(np.log(base)))
        surplus = (share - median * said)[:, 0]
        below = np.flatnonzero(surplus < 0)
        last = int(below[-1])
        if last == len(SIZES) - 1:
            return math.inf
        x = np.log(SIZES[last : last + 2, 0])
        return math.exp(x[0] - surplus[last] * (x[1] - x[0]) / (surplus[last + 1] - surplus[last]))

    return rule


def additive(power: Callable[[Competition], float]) -> Rule:
    """(D_r + D)^s − D_r^s = D_crit(0)^s."""

    def rule(competition: Competition, facts: float) -> float:
        alone, s = competition.size_at_accuracy(0.5), power(competition)
        assert isinstance(alone, Crossing)
        return (facts**s + alone.n_train**s) ** (1 / s) - facts

    return rule


def solver(competition: Competition, facts: float) -> float:
    """The package's own, with pairs enough that none are missing."""
    outcome = emergent_critical_size(competition, facts)
    return outcome.n_train if isinstance(outcome, Crossing) else math.inf


def ratios(rule: Rule, competition: Competition, facts: list[float], scale: float) -> list[float]:
    """D_crit(D_r)/D_crit(0), with D_r multiplied by a scale."""
    alone = rule(competition, 0.0)
    return [rule(competition, each * scale) / alone for each in facts]


def error(predicted: list[float], measured: list[float]) -> float:
    """Mean |ln ratio|."""
    return float(np.mean(np.abs(np.log(np.array(predicted) / np.array(measured)))))


def row(*cells: object) -> str:
    """A line of a table."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def text(*parts: str) -> str:
    """A paragraph, or an item of a list where it begins with a star."""
    whole = " ".join(parts)
    indent = "  " if whole.startswith("* ") else ""
    # A line must not begin with a sign that Markdown reads as a list or a quotation, and code stays on its line.
    for pattern in (r"`[^`]+`", r" [+>=] "):
        whole = re.sub(pattern, lambda found: found.group().replace(" ", "\N{NO-BREAK SPACE}"), whole)
    lines = textwrap.fill(whole, 118, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return lines.replace("\N{NO-BREAK SPACE}", " ")


def laws(problem: Problem) -> tuple[str, Competition]:
    """Name of the calibration that speaks for a problem, and the laws it gives."""
    chosen = calibration_for(problem, shipped_calibrations())
    assert chosen is not None
    return chosen.name, competition_from(chosen.constants(problem), problem.n_pairs)


def rules(problem: Problem) -> dict[tuple[str, str, str], Rule]:
    """All rules, by how sets are priced, what margin a fact needs, and what the deficit is in proportion to."""
    return {
        ("additive in norm²", "", ""): additive(lambda c: 2 * c.memorizing.exponent / problem.homogeneity),
        ("additive in norm^κ", "", ""): additive(lambda c: c.memorizing.exponent),
        ("a-combined, winner alone", "", ""): additive(lambda c: c.memorizing.exponent * c.mixing / (c.mixing - 1)),
    } | {key: mixture(*key) for key in itertools.product(PRICES, MARGINS, DEFICITS)}


def comparison(
    problem: Problem, alone: float, facts: list[float], sizes: list[float]
) -> tuple[list[str], float, float]:
    """All rules beside measured sizes as a table, and the errors of the kept rule, scaled and unscaled.

    Args:
        problem: What was measured.
        alone: Measured D_crit(0) [examples].
        facts: D_r of the sizes that have a value [examples].
        sizes: D_crit there [examples].
    """
    _, competition = laws(problem)
    predicted_alone = competition.size_at_accuracy(0.5)
    assert isinstance(predicted_alone, Crossing)
    scale, measured = predicted_alone.n_train / alone, [size / alone for size in sizes]
    lines = [
        row("price of sets", "margin of a fact", "deficit", *(f"D_r = {each:.0f}" for each in facts))
        + " mean abs ln error | unscaled |",
        row(*["---"] * (len(facts) + 5)),
        row("measured", "", "", *(f"{each:.2f}" for each in measured), "", ""),
    ]
    kept = (math.nan, math.nan)
    for key, rule in rules(problem).items():
        scaled, plain = (ratios(rule, competition, facts, s) for s in (scale, 1.0))
        errors = error(scaled, measured), error(plain, measured)
        kept = errors if key == KEPT else kept
        mark = "**" if key == KEPT else ""
        names = [f"{mark}{name}{mark}" if name else "" for name in key]
        lines.append(row(*names, *(f"{each:.2f}" for each in scaled), *(f"{each:.3f}" for each in errors)))
    return lines, *kept


class Measured:
    """The measured series by name.

    Args:
        document: The series by name, as :func:`dcrit.empirics.ablations.facts_series.measured_series` makes them.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self.points = {
            name: {point["n_facts"]: point for point in series["points"]} for name, series in document.items()
        }
        self.problems = {name: Problem(**series["problem"]) for name, series in document.items()}
        self.meanings = {name: series["meaning"] for name, series in document.items()}
        self.names_alone = {name: series["alone"] for name, series in document.items()}

    def size(self, name: str, n_facts: int) -> float | None:
        """D_crit(D_r) [examples]; None where there is none."""
        return self.points[name][n_facts]["critical_size"]["value"]

    def alone(self, name: str) -> float:
        """D_crit(0) that a series is compared with [examples]."""
        size = self.size(self.names_alone[name], 0)
        assert size is not None
        return size

    def ratio(self, name: str, n_facts: int) -> str:
        """D_crit(D_r)/D_crit(0), or what it is above."""
        size = self.size(name, n_facts)
        if size is not None:
            return f"{size / self.alone(name):.2f}"
        return f"over {max(n for n, _ in self.points[name][n_facts]['runs']) / self.alone(name):.2f}"

    def known(self, name: str) -> tuple[list[float], list[float]]:
        """D_r above 0 and D_crit there, where there is one."""
        found = [(n, self.size(name, n)) for n in self.points[name] if n]
        return [float(n) for n, size in found if size is not None], [size for _, size in found if size is not None]

    def table(self) -> list[str]:
        """Every measured size."""
        lines = [
            row("series", "D_r", "D_crit(D_r)", "90 % interval", "ratio to D_crit(0)", "runs"),
            row(*["---"] * 6),
        ]
        for name, points in self.points.items():
            for n_facts, point in points.items():
                largest = max(n for n, _ in point["runs"])
                found = point["critical_size"]
                size, ends = found["value"], found["interval"]
                shown = f"over {largest}" if size is None else f"{size:.0f}"
                span = "" if size is None else f"{ends['low']:.0f} – {ends['high']:.0f}"
                lines.append(row(name, n_facts, shown, span, self.ratio(name, n_facts), found["n_runs"]))
        return lines


def page(chosen_on: dict[str, Any], document: dict[str, Any]) -> str:
    """The page."""
    found = Measured(document)
    problem = found.problems["shared"]
    _, competition = laws(problem)
    alone = competition.size_at_accuracy(0.5)
    assert isinstance(alone, Crossing)
    a, beta = competition.mixing / (competition.mixing - 1), competition.memorizing.exponent
    lines = [
        "# Facts to memorize raise the critical size",
        "",
        text(
            "A network learns a task and also memorizes D_r *facts*: random labels of random pairs. Then the task",
            "needs more examples: D_crit(D_r) is above D_crit(0). `dcrit reproduce facts` compares rules for that rise",
            "with measured sizes.",
        ),
        "",
        text(
            "**How far to trust it.** No rule has a constant fitted to runs with facts. But the kept rule (bold) was",
            f"chosen among {len(rules(problem))} with the sizes of a preliminary experiment in view.",
        ),
        "",
        text(
            f"All runs: {task_label(problem.task, problem.modulus)}, width {problem.width}, AdamW, learning rate",
            f"{problem.learning_rate:g}, weight decay {problem.weight_decay:g}, {round(40 * problem.time_constant)}",
            "steps.",
        ),
        "",
        "## What was measured",
        "",
        text(
            "*One block* is h = σ(U[a] + V[b] + T[t]) with a token T for each task t. *A block for each* task has rows",
            "U and V of its own, and no T. A size `over` a number is above the largest tried.",
        ),
        "",
        row("series", "networks"),
        row("---", "---"),
        *(row(key, found.meanings[key]) for key in document),
        "",
        *found.table(),
        "",
        "## Reading",
        "",
        "READING",
        "",
        "## Rules",
        "",
        text(
            "A rule says how sets of examples are priced together, which margin a fact needs where the generalizing",
            "circuit has margin w, and what the deficit on unseen pairs is in proportion to. Numbers are ratios",
            f"D_crit(D_r)/D_crit(0), for β = {beta:.3f} and a = {a:.2f}. D_r is scaled by predicted",
            f"({alone.n_train:.0f}) over measured D_crit(0); *unscaled* is the error without that.",
        ),
    ]
    (preliminary,) = chosen_on["series"]
    lines += [
        "",
        "### The preliminary experiment, on which the rule was chosen",
        "",
        text(preliminary["conditions"]),
        "",
    ]
    compared = comparison(
        Problem(**chosen_on["problem"]),
        float(preliminary["critical_size_alone"]),
        [float(each) for each in preliminary["n_facts"]],
        [float(each) for each in preliminary["critical_size"]],
    )
    lines += compared[0]
    errors = {}
    for key in ("shared", "relu", "own operands"):
        if key in document:
            table, *errors[key] = comparison(found.problems[key], found.alone(key), *found.known(key))
            lines += ["", f"### {key}: {found.meanings[key]}", "", *table]
    lines += ["", "### One constant instead", "", *interference(found)]
    place = lines.index("READING")
    lines[place : place + 1] = reading(found, errors, alone.n_train)
    return "\n".join(lines) + "\n"


def interference(found: Measured) -> list[str]:
    """By how much facts disturb in every series, by the law of sizes from scratch, as a table."""
    lines = [row("series", "a by D_r"), row("---", "---")]
    for name in found.points:
        numbers, sizes = found.known(name)
        alone = found.alone(name)
        each = [f"{(size**2 / alone - size) / n:.2f} at {n:.0f}" for n, size in zip(numbers, sizes, strict=True)]
        lines.append(row(name, ", ".join(each)))
    return [
        text(
            "Or facts make examples count for less: D_eff = D²/(D + a·D_r)",
            "(`theory/circuits/facts_from_scratch.py`). Measured sizes give",
        ),
        "",
        *lines,
    ]


def reading(found: Measured, errors: dict[str, list[float]], alone: float) -> list[str]:
    """What the numbers say, with the numbers in it."""
    scaled, unscaled = errors["shared"]
    lines = [
        "* For `square`, costs that add in norm² are far too high, most of all for few facts.",
        text(
            f"* The kept rule has a mean error of {scaled:.3f} in ln on `shared` (unscaled {unscaled:.3f}).",
        ),
        text(
            "* Why it may hold: the generalizing circuit answers facts on the same pairs as well, which memory has to",
            "outvote (√(1+w²)), and memorized facts disturb unseen pairs (`cost`).",
        ),
    ]
    if "split" in found.points:
        lines += [
            text(
                "* **The token T alone raises D_crit(0)** from",
                f"{found.alone('split'):.0f} (predicted {alone:.0f}) to {found.alone('shared'):.0f}. Calibrations are",
                "made without T, so only ratios are tested here.",
            ),
        ]
    if "own operands" in errors:
        lines.append(
            f"* On `own operands` the kept rule, which is for shared ones, is off by {errors['own operands'][0]:.2f}."
        )
    if "relu" in found.points:
        lines.append(f"* On `relu` its mean error is {errors['relu'][0]:.3f}.")
    return [*lines, "* Other widths and moduli are open, and a calibration with T."]


def facts_page(results: Path) -> dict[Path, str]:
    """The page, by its file.

    Args:
        results: Folder of the committed results.
    """
    pair_mlps = page(read(results / CHOSEN_ON), read(results / SERIES_FILE))
    more = ["", *transformer_facts.section(results), ""] if transformer_facts.is_predicted(results) else []
    return {results / PAGE: pair_mlps + "\n".join(more)}
