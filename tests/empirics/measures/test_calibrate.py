import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from dcrit.empirics.measures.calibrate import (
    LARGEST_MODULUS,
    MODULI,
    NARROW_WIDTHS,
    WIDTHS,
    CalibrationDesign,
    calibrate,
)
from dcrit.empirics.measures.capacity import CapacityDesign, CapacityLine
from dcrit.empirics.measures.symmetry import CONTROL
from dcrit.empirics.runs.outcomes import Outcome, outcome_of
from dcrit.empirics.runs.single import Run, RunConfig
from dcrit.theory.calibrations.calibration import Calibration
from dcrit.theory.calibrations.omission import Cause, Omission
from dcrit.theory.circuits.constants import CONSTANTS, constants_of
from dcrit.theory.circuits.symmetry import mirrored_fraction
from dcrit.theory.predictions.critical_size import predict_critical_size
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import BITS, World, competition_of, half_accuracy_size, outcome

FAMILY = Problem()

#: Enough cells for the laws through them, and no more.
SMALL = CalibrationDesign(problem=FAMILY, moduli=(13, 17, 23, 29), widths=(24, 32, 48, 96), seeds=2)


def test_what_ships_is_measured_below_the_moduli_it_is_tested_on() -> None:
    design = CalibrationDesign(problem=FAMILY)
    assert (design.moduli, design.widths) == (MODULI, WIDTHS)
    assert max(problem.modulus for problem in design.problems()) <= LARGEST_MODULUS == 29
    assert max(problem.modulus for problem in design.capacity_problems()) <= LARGEST_MODULUS


def test_cells_are_all_moduli_by_all_widths() -> None:
    family = Problem(task="mul", activation="relu", weight_decay=0.5)
    design = CalibrationDesign(problem=family, moduli=(13, 17, 19), widths=(8, 16, 32, 48, 64))
    assert [(p.modulus, p.width) for p in design.problems()] == [(p, h) for p in design.moduli for h in design.widths]
    assert {replace(p, modulus=family.modulus, width=family.width) for p in design.problems()} == {family}
    assert [p.width for p in design.capacity_problems()] == [4, 6, 8, 12, 16, 24, 32]


def test_transformers_are_calibrated_at_widths_their_heads_divide() -> None:
    family = Problem(model="transformer", activation="relu", learning_rate=3e-3)
    design = CalibrationDesign(problem=family, widths=(16, 24, 32, 64))
    assert {p.model for p in (*design.problems(), *design.capacity_problems())} == {"transformer"}
    assert len({p.width for p in design.capacity_problems()}) >= 3


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("moduli", (), "modulus must be given at least 2 different values, got none"),
        ("moduli", (13, 13), "modulus must be given at least 2 different values, got 13, 13"),
        ("widths", (16, 32), "width must be given at least 3 different values, got 16, 32"),
        ("moduli", (13, 17), "modulus must make at least 13 cells together with width, got 2 moduli by 4 widths"),
        ("widths", (0, 16, 32, 64), "width must be an integer of at least 1, got 0"),
        ("moduli", (2, 13, 17, 23), "modulus must be an integer of at least 3, got 2"),
        ("seeds", 0, "seeds must be an integer of at least 1, got 0"),
    ],
)
def test_a_design_that_can_give_no_calibration_is_refused(field: str, value: object, says: str) -> None:
    with pytest.raises(ValueError, match=f"^{says}$"):
        replace(SMALL, **{field: value})


def test_a_composite_modulus_is_refused_where_it_makes_no_group() -> None:
    with pytest.raises(ValueError, match="prime"):
        CalibrationDesign(problem=Problem(task="mul"), moduli=(13, 15, 17))


def test_symmetry_is_measured_of_transformers_on_commutative_tasks_alone() -> None:
    family = Problem(model="transformer", activation="relu", learning_rate=3e-3)
    design = CalibrationDesign(problem=family, moduli=(13, 17), widths=(16, 20, 24, 32, 40, 48, 64))
    assert {p.modulus for p in design.symmetry_problems()} == {13, 17, LARGEST_MODULUS}
    assert {p.width for p in design.symmetry_problems()} == {*design.widths, *NARROW_WIDTHS}
    for other in (FAMILY, replace(family, task="sub"), replace(family, task="mul")):
        assert replace(design, problem=other).symmetry_problems() == []


@pytest.fixture(scope="module")
def measured() -> tuple[Calibration, World, list[Omission]]:
    world, notes = World(), []
    return calibrate(SMALL, world, note=notes.append), world, notes


class Commuting(World):
    """Networks that memorize symmetric labels as unordered pairs from half of all pairs on."""

    def run(self, config: RunConfig) -> Run:
        made = super().run(config)
        if config.problem.task != CONTROL:
            return made
        part = mirrored_fraction(config.n_train, config.problem.n_symbols)
        fraction = config.n_train / config.problem.n_pairs
        accuracy = float(part / (1 + (0.5 / fraction) ** 10))
        return replace(made, curves=replace(made.curves, test_accuracy=np.full_like(made.curves.step, accuracy)))


@pytest.mark.slow
def test_a_transformer_is_given_the_size_from_which_on_pairs_are_unordered() -> None:
    family = Problem(model="transformer", activation="relu", learning_rate=3e-3)
    design = CalibrationDesign(problem=family, moduli=(13, 17, 19, 23), widths=(24, 32, 48, 96), seeds=2)
    law = calibrate(design, Commuting(bits=1.0)).symmetry
    assert law is not None
    assert law.size(37, 40) == pytest.approx(0.5 * 37**2, rel=0.02)
    assert law.width == pytest.approx(0.1, rel=0.2)
    assert law.scatter < 0.01


@pytest.mark.slow
def test_a_transformer_that_never_sees_pairs_as_unordered_is_calibrated_without() -> None:
    family = Problem(model="transformer", activation="relu", learning_rate=3e-3)
    design = CalibrationDesign(problem=family, moduli=(13, 17, 19, 23), widths=(24, 32, 48, 96), seeds=2)
    notes: list[Omission] = []
    calibration = calibrate(design, World(bits=1.0), note=notes.append)
    assert calibration.symmetry is None
    assert list(calibration.omitted) == notes
    assert (notes[-1].cause, notes[-1].width) == (Cause.NO_SYMMETRY, None)
    assert str(notes[-1]).startswith("no size was found from which symmetric labels are memorized as unordered pairs")


@pytest.mark.slow
def test_no_run_near_a_transition_is_asked_for(measured: tuple[Calibration, World, list[Omission]]) -> None:
    _, world, _ = measured
    random = [config for config in world.asked if config.problem.task == "random"]
    real = [config for config in world.asked if config.problem.task != "random"]
    assert len(random) + len(real) == len(world.asked)
    assert random
    assert {config.problem.task for config in real} == {"add"}
    # Half a pair is rounding.
    assert all(config.n_train >= 0.6 * config.problem.n_pairs - 0.5 for config in real)
    for config in real:
        assert config.n_train > 1.1 * half_accuracy_size(config.problem)
    assert {config.problem.modulus for config in world.asked} == {13, 17, 23, 29}


def test_the_laws_behind_the_runs_are_recovered(measured: tuple[Calibration, World, list[Omission]]) -> None:
    calibration, _, notes = measured
    assert [(cell.n_symbols, cell.width) for cell in calibration.cells] == [
        (p, h) for p in SMALL.moduli for h in SMALL.widths
    ]
    assert (calibration.omitted, notes) == ((), [])
    errors = np.array(
        [
            np.array(cell.constants) - constants_of(competition_of(Problem(modulus=cell.n_symbols, width=cell.width)))
            for cell in calibration.cells
        ]
    )
    error = dict(zip(CONSTANTS, np.abs(np.median(errors, axis=0)), strict=True))
    assert error["log_memorizing"] < 0.01
    assert error["memorizing_exponent"] < 0.02
    assert error["log_generalizing"] < 0.01
    # Deficits are in units of the transfer, which noise moves a little.
    assert error["log_deficit"] < 0.01
    assert error["log_spread"] < 0.01


def test_the_calibration_predicts_the_transition_it_never_saw(
    measured: tuple[Calibration, World, list[Omission]],
) -> None:
    calibration, _, _ = measured
    for modulus, width in ((19, 64), (31, 48)):
        problem = Problem(modulus=modulus, width=width)
        found = predict_critical_size(problem, calibration).critical_size
        assert found.value == pytest.approx(half_accuracy_size(problem), rel=0.1)
        assert found.interval is not None
        assert half_accuracy_size(problem) in found.interval


def test_capacity_and_optimizer_are_part_of_it(measured: tuple[Calibration, World, list[Omission]]) -> None:
    calibration, _, _ = measured
    assert calibration.capacity.bits == pytest.approx(BITS, rel=1e-9)
    assert calibration.capacity.slope == pytest.approx(1.0, abs=1e-9)
    assert calibration.capacity.log_bits_error == pytest.approx(0.0, abs=1e-9)
    assert (calibration.model, calibration.activation) == ("mlp", "square")
    assert (calibration.weight_decay, calibration.learning_rate) == (1.0, 1e-2)
    assert (calibration.beta2, calibration.epsilon) == (0.98, 1e-8)


def test_it_survives_its_file(measured: tuple[Calibration, World, list[Omission]]) -> None:
    calibration, _, _ = measured
    again = Calibration.from_json(calibration.to_json())
    problem = Problem(modulus=31, width=48)
    np.testing.assert_allclose(again.constants(problem), calibration.constants(problem), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["mul", "square-of-sum"])
def test_relabelings_of_addition_share_one_calibration(task: str) -> None:
    found = calibrate(replace(SMALL, problem=Problem(task=task)), World())
    assert found.tasks == (("add", "sub", "mul", "div") if task in ("add", "sub", "mul", "div") else (task,))


class Spoilt(World):
    """A world in which one cell's networks do not converge."""

    def run(self, config: RunConfig) -> Run:
        run = super().run(config)
        lost = (config.problem.modulus, config.problem.width) == (17, 48)
        return replace(run, ending="diverged") if lost else run


@pytest.mark.slow
def test_a_cell_without_a_measurement_is_listed_with_its_reason() -> None:
    notes: list[Omission] = []
    found = calibrate(SMALL, Spoilt(), note=notes.append)
    assert len(found.cells) == 15
    assert notes == list(found.omitted)
    (lack,) = notes
    assert (lack.n_symbols, lack.width, lack.cause) == (17, 48, Cause.FEW_MEMORIZING)
    assert str(lack).startswith("17 symbols, width 48: only 0 runs")


@pytest.mark.slow
def test_models_with_room_for_everything_give_no_calibration() -> None:
    with pytest.raises(ValueError, match="capacity could not be measured"):
        calibrate(SMALL, World(bits=1e6))


def loaded(bits: Sequence[float], slope: float = 1.0, noise: float = 0.0) -> list[tuple[Problem, list[Outcome]]]:
    """Overloaded models of growing width, each with the capacity of its own bits per parameter."""
    rng = np.random.default_rng(0)
    points: list[tuple[Problem, list[Outcome]]] = []
    for place, c in enumerate(bits):
        problem = Problem(modulus=31, width=place + 1)
        room = c * problem.n_params**slope / math.log2(31)
        runs: list[Outcome] = []
        for config in CapacityDesign(problem=problem).configs():
            known = min(config.n_train, room * math.exp(noise * rng.standard_normal()))
            accuracy = (known + (config.n_train - known) / 31) / config.n_train
            runs.append(outcome(config, train_accuracy=accuracy))
        points.append((problem, runs))
    return points


def test_a_linear_capacity_has_slope_one() -> None:
    line = CapacityLine.fit(loaded([2.0] * 5))
    assert isinstance(line, CapacityLine)
    assert line.bits == pytest.approx(2.0)
    assert line.slope == pytest.approx(1.0)
    assert line.slope_error == pytest.approx(0.0, abs=1e-6)
    assert (line.n_sizes, line.n_runs) == (5, 30)
    assert [n for n, *_ in line.points] == [93 * width for width in range(1, 6)]
    for n, size, low, high in line.points:
        assert size == pytest.approx(2.0 * n / math.log2(31))
        assert low <= size <= high


def test_the_line_is_the_least_squares_one_with_its_errors() -> None:
    bits = [1.8, 2.2, 2.0, 1.7, 2.3]
    line = CapacityLine.fit(loaded(bits))
    assert isinstance(line, CapacityLine)
    assert line.bits == pytest.approx(2.0)
    assert line.bits_error == pytest.approx(np.std(bits, ddof=1) / math.sqrt(5))
    x = np.log([93 * width for width in range(1, 6)])
    y = x + np.log(bits)
    (slope, _), covariance = np.polyfit(x, y, 1, cov=True)
    assert line.slope == pytest.approx(slope)
    assert line.slope_error == pytest.approx(math.sqrt(covariance[0, 0]))


def test_a_capacity_that_grows_otherwise_has_another_slope() -> None:
    line = CapacityLine.fit(loaded([10.0] * 5, slope=0.6))
    assert isinstance(line, CapacityLine)
    assert line.slope == pytest.approx(0.6)


def test_two_overloaded_sizes_make_no_line() -> None:
    reason = CapacityLine.fit(loaded([2.0, 2.0, 100.0, 100.0, 100.0]))
    assert isinstance(reason, str)
    assert reason.startswith("only 2 model sizes are overloaded")


def test_models_that_memorize_nothing_make_no_line() -> None:
    points = loaded([2.0] * 5)
    nothing = [(problem, [replace(one, train_accuracy=1 / 32) for one in runs]) for problem, runs in points]
    reason = CapacityLine.fit([*points[:2], *nothing[2:]])
    assert isinstance(reason, str)
    assert reason.startswith("only 2 model sizes")


def test_outcomes_come_back_to_their_own_cells() -> None:
    """Every run is distinguishable by its efficiency, so a cell that got another's runs would show it."""
    found = calibrate(replace(SMALL, seeds=1), World(noise=0.0))
    for cell in found.cells:
        problem = Problem(modulus=cell.n_symbols, width=cell.width)
        assert cell.constants == pytest.approx(constants_of(competition_of(problem)), abs=0.02)
        assert cell.n_runs + cell.n_unconverged <= 11
    world = World(noise=0.0)
    assert outcome_of(world.run(CapacityDesign(problem=FAMILY).configs()[0])).converged
