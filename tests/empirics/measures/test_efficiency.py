import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pytest
from scipy.stats import binom

from dcrit.empirics.measures.efficiency import (
    FEWEST,
    GENERALIZING_FRACTIONS,
    MEMORIZING_FRACTIONS,
    CompetitionFit,
    EfficiencyDesign,
    NoLaws,
    fit_competition,
    fit_laws,
    implied_critical_size,
    measure_generalizing_efficiency,
    slope_of_log_efficiency,
    usable,
)
from dcrit.empirics.runs.outcomes import Outcome, outcome_of
from dcrit.empirics.runs.single import RunConfig
from dcrit.theory.calibrations.omission import Cause
from dcrit.theory.circuits.regimes import FITTED
from dcrit.theory.estimates import LEVEL
from dcrit.theory.problems.problem import Problem
from tests.worlds.runs import World, competition_of, half_accuracy_size, outcome

PROBLEM = Problem(modulus=31, width=64)


def observed(
    problem: Problem = PROBLEM, *, noise: float = 0.01, seeds: int = 3, first_seed: int = 0
) -> tuple[list[Outcome], list[Outcome]]:
    """Outcomes on random labels and on the real task, as the laws have them."""
    design, world = EfficiencyDesign(problem=problem, seeds=seeds, first_seed=first_seed), World(noise=noise, bits=9.0)
    return (
        [outcome_of(world.run(config)) for config in design.memorizing()],
        [outcome_of(world.run(config)) for config in design.generalizing()],
    )


def fitted(
    memorizing: Sequence[Outcome], generalizing: Sequence[Outcome], problem: Problem = PROBLEM
) -> CompetitionFit:
    found = fit_competition(problem, memorizing, generalizing)
    assert isinstance(found, CompetitionFit), found
    return found


def test_the_design_takes_random_labels_and_the_real_task_at_their_own_sizes() -> None:
    problem = Problem(task="mul", modulus=13, width=16, activation="relu")
    design = EfficiencyDesign(problem=problem, seeds=2, first_seed=7)
    memorizing, generalizing = design.memorizing(), design.generalizing()
    for configs, fractions in ((memorizing, MEMORIZING_FRACTIONS), (generalizing, GENERALIZING_FRACTIONS)):
        assert [(c.n_train, c.seed) for c in configs] == [(round(f * 144), seed) for f in fractions for seed in (7, 8)]
        assert {c.until for c in configs} == {"horizon"}
    assert {c.problem for c in memorizing} == {replace(problem, task="random", modulus=12)}
    assert {c.problem for c in generalizing} == {problem}


@pytest.mark.parametrize("field", ["seeds", "first_seed"])
def test_a_bad_design_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        EfficiencyDesign(problem=PROBLEM, **{field: -1})


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["square", "relu"])
def test_the_laws_behind_noiseless_runs_are_recovered(activation: str) -> None:
    problem = replace(PROBLEM, activation=activation)
    found, truth = fitted(*observed(problem, noise=0.0), problem).competition, competition_of(problem)
    assert found.memorizing.amplitude == pytest.approx(truth.memorizing.amplitude, rel=1e-9)
    assert found.memorizing.exponent == pytest.approx(truth.memorizing.exponent, rel=1e-9)
    assert found.generalizing.n_pairs == 961
    assert found.generalizing.full_data == pytest.approx(truth.generalizing.full_data, rel=1e-4)
    assert found.mixing == pytest.approx(truth.mixing, rel=1e-2)
    assert found.deficits.median == pytest.approx(truth.deficits.median, rel=1e-3)
    assert found.deficits.median_exponent == pytest.approx(truth.deficits.median_exponent, rel=1e-9)
    assert found.deficits.spread == pytest.approx(truth.deficits.spread, rel=1e-3)
    assert found.deficits.spread_exponent == pytest.approx(truth.deficits.spread_exponent, rel=1e-4)


@pytest.mark.slow
def test_noisy_runs_give_the_laws_within_their_noise() -> None:
    found, truth = fitted(*observed()).competition, competition_of(PROBLEM)
    assert found.memorizing.exponent == pytest.approx(truth.memorizing.exponent, abs=0.02)
    assert found.generalizing.full_data == pytest.approx(truth.generalizing.full_data, rel=0.04)
    size = implied_critical_size(fitted(*observed())).value
    assert size == pytest.approx(half_accuracy_size(PROBLEM), rel=0.05)


@pytest.mark.slow
def test_the_implied_size_of_noiseless_runs_is_the_true_one() -> None:
    implied = implied_critical_size(fitted(*observed(noise=0.0)))
    assert implied.value == pytest.approx(half_accuracy_size(PROBLEM), rel=1e-3)


# relu: its mixture reaches into the fitted sizes, so that the mixing exponent is identified at this noise.
@pytest.mark.slow
def test_the_interval_of_the_implied_size_covers_the_truth() -> None:
    problem, n_experiments = replace(PROBLEM, activation="relu"), 40
    truth, covered = half_accuracy_size(problem), 0
    for experiment in range(n_experiments):
        memorizing, generalizing = observed(problem, first_seed=1000 * experiment)
        found = fit_competition(problem, memorizing, generalizing, resamples=40)
        assert isinstance(found, CompetitionFit)
        assert len(found.draws) == 40
        interval = implied_critical_size(found).interval
        assert interval is not None
        covered += truth in interval
    # The transfer is 1 here, at its bound, which shifts sizes by half a standard deviation: seven in ten are covered.
    low, _ = binom.interval(0.999, n_experiments, 0.7)
    _, high = binom.interval(0.999, n_experiments, LEVEL)
    assert low <= covered <= high


@pytest.mark.slow
def test_the_same_runs_give_the_same_fit() -> None:
    memorizing, generalizing = observed()
    assert fitted(memorizing, generalizing) == fitted(list(memorizing), list(generalizing))
    assert len(set(fitted(memorizing, generalizing).draws)) > 1


@pytest.mark.slow
def test_misfit_is_the_scatter_that_no_law_explains() -> None:
    memorizing, generalizing = observed(noise=0.0)
    assert fitted(memorizing, generalizing).misfit < 1e-4
    shaken = [replace(o, efficiency=o.efficiency * (1.1 if k % 2 else 1 / 1.1)) for k, o in enumerate(generalizing)]
    rms = fitted(memorizing, shaken).misfit
    # Half the residuals are margins, which were left alone.
    assert 0.3 * math.log(1.1) < rms < math.log(1.1)


def spoilt(runs: Sequence[Outcome], count: int, **changed: object) -> list[Outcome]:
    """The first runs made useless, and so far off that a fit to them would show it."""
    return [replace(one, efficiency=9.0, **changed) for one in runs[:count]] + list(runs[count:])  # type: ignore[arg-type]


@pytest.mark.slow
def test_runs_that_did_not_converge_or_fit_are_counted_and_not_used() -> None:
    memorizing, generalizing = observed()
    found = fitted(
        spoilt(memorizing, 2, converged=False), spoilt(spoilt(generalizing, 3, train_accuracy=0.98), 1, converged=False)
    )
    assert found.competition == fitted(memorizing[2:], generalizing[3:]).competition
    assert (found.n_runs, found.n_unconverged, found.n_unfitted) == (18 + 15 - 5, 3, 2)
    plain = fitted(memorizing, generalizing)
    assert (plain.n_runs, plain.n_unconverged, plain.n_unfitted) == (33, 0, 0)


def test_usable_runs_converged_and_fit_their_training_set() -> None:
    config = RunConfig(problem=PROBLEM, n_train=300, seed=0)
    good = outcome(config, train_accuracy=FITTED)
    unfitted = outcome(config, train_accuracy=FITTED - 1e-9)
    unconverged = outcome(config, converged=False)
    both = outcome(config, converged=False, train_accuracy=0.1)
    assert usable([unfitted, good, both, unconverged]) == ([good], 2, 1)


@pytest.mark.slow
def test_too_few_runs_give_a_reason() -> None:
    memorizing, generalizing = observed()
    for mem, gen, cause, named in (
        (memorizing[: FEWEST - 1], generalizing, Cause.FEW_MEMORIZING, "random labels"),
        (memorizing, generalizing[: FEWEST - 1], Cause.FEW_GENERALIZING, "the real task"),
        (
            *(spoilt(memorizing, len(memorizing), converged=False), generalizing),
            *(Cause.FEW_MEMORIZING, "only 0 runs on random labels"),
        ),
        ([], [], Cause.FEW_MEMORIZING, "random labels"),
        # Four runs, but of one size.
        (observed(seeds=FEWEST)[0][:FEWEST], generalizing, Cause.FEW_MEMORIZING, "random labels"),
    ):
        found = fit_competition(PROBLEM, mem, gen)
        assert isinstance(found, NoLaws)
        assert found.cause is cause
        assert named in found.reason
    assert isinstance(fit_competition(PROBLEM, memorizing[:FEWEST], generalizing[:FEWEST]), CompetitionFit)


@pytest.mark.parametrize("excess", [lambda size: 1.02, lambda size: max(1.0, (size / 800) ** 0.7)])
@pytest.mark.parametrize(
    ("task", "right", "learned"),
    [
        ("sub", lambda part: 0.1, None),
        ("sub", lambda part: 0.9, "90%"),
        # One size is enough, but not a memory of unordered pairs, which is right on their mirror images.
        ("sub", lambda part: 0.95 if part > 0.85 else 0.05, "95%"),
        ("add", lambda part: part, None),
        ("add", lambda part: 0.99, "99%"),
    ],
)
def test_a_mixture_that_is_not_identified_gives_a_reason(
    excess: Callable[[int], float], task: str, right: Callable[[float], float], learned: str | None
) -> None:
    problem = replace(PROBLEM, task=task)
    memorizing, generalizing = observed(problem, noise=0.0)
    law = competition_of(problem).memorizing
    rote = [
        replace(
            o,
            efficiency=excess(o.config.n_train) * math.exp(law.log_efficiency(math.log(o.config.n_train))),
            test_accuracy=right(o.config.n_train / problem.n_pairs),
        )
        for o in generalizing
    ]
    found = fit_competition(problem, memorizing, rote)
    assert isinstance(found, NoLaws)
    assert "these runs do not tell memory and rule apart" in found.reason
    assert ("hardly better than random labels" in found.reason) == (learned is None)
    if learned is not None:
        assert f"{learned} of unseen examples are right" in found.reason
    # Predictions read off the cause whether a generalizing circuit fits.
    assert found.cause is (Cause.NOT_LEARNED if learned is None else Cause.MIXING_UNKNOWN)


def test_of_two_classes_half_are_right_by_chance() -> None:
    memorizing, generalizing = observed(noise=0.0)

    def reason(right: float) -> str:
        law = competition_of(PROBLEM).memorizing
        rote = [
            replace(
                o,
                config=cast("RunConfig", TwoClasses(n_train=o.config.n_train)),
                efficiency=1.02 * math.exp(law.log_efficiency(math.log(o.config.n_train))),
                test_accuracy=right,
            )
            for o in generalizing
        ]
        found = fit_laws(memorizing, rote, PROBLEM.n_pairs)
        assert isinstance(found, NoLaws)
        return found.reason

    assert "hardly better than random labels" in reason(0.55)
    assert "90% of unseen examples are right" in reason(0.9)


@dataclass(frozen=True, kw_only=True)
class TwoClasses:
    n_train: int
    n_classes: int = 2


def test_memorizing_that_does_not_get_harder_gives_a_reason() -> None:
    memorizing, generalizing = observed(noise=0.0)
    rising = [replace(o, efficiency=1e-6 * o.config.n_train) for o in memorizing]
    found = fit_competition(PROBLEM, rising, generalizing)
    assert isinstance(found, NoLaws)
    assert found.cause is Cause.NO_FALL
    assert "does not fall" in found.reason


@pytest.mark.slow
def test_resampled_runs_that_show_no_fall_give_no_laws() -> None:
    memorizing, generalizing = observed(noise=0.0)
    # A fall that is lost in the noise between runs.
    rng = np.random.default_rng(1)
    unclear = [
        replace(o, efficiency=1e-5 * o.config.n_train**-0.03 * math.exp(0.1 * rng.standard_normal()))
        for o in memorizing
    ]
    flat = [replace(o, efficiency=1.4e-4) for o in generalizing]
    assert 0 < len(fitted(unclear, flat).draws) < 100


@pytest.mark.parametrize("deficits", [(-0.2, -0.1, 0.4), (0.3, 0.3, 0.3)])
def test_deficits_without_a_logarithm_give_a_reason(deficits: tuple[float, float, float]) -> None:
    memorizing, generalizing = observed()
    found = fit_competition(PROBLEM, [replace(memorizing[0], deficits=deficits), *memorizing[1:]], generalizing)
    assert isinstance(found, NoLaws)
    assert found.cause is Cause.FEW_UNSEEN
    assert "unseen" in found.reason


@pytest.mark.slow
def test_the_generalizing_efficiency_is_measured_with_its_interval() -> None:
    memorizing, generalizing = observed()
    fit = fitted(memorizing, spoilt(generalizing, 2, train_accuracy=0.5))
    found = measure_generalizing_efficiency(fit, level=0.8)
    drawn = [draw.generalizing.full_data for draw in fit.draws]
    assert found.value == fit.competition.generalizing.full_data
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == tuple(np.quantile(drawn, [0.1, 0.9]))
    assert found.interval.level == 0.8
    assert (found.n_runs, found.n_unconverged) == (31, 0)
    assert "2 runs did not fit" in found.reason


def test_no_fit_is_no_measurement() -> None:
    lack = NoLaws(cause=Cause.NO_FALL, reason="because")
    found = measure_generalizing_efficiency(lack)
    assert (found.value, found.interval, found.n_runs, found.reason) == (None, None, 0, "because")
    implied = implied_critical_size(lack)
    assert (implied.value, implied.interval, implied.reason) == (None, None, "because")


def test_the_slope_is_the_least_squares_line_in_logarithms() -> None:
    memorizing, _ = observed(noise=0.1)
    size = np.log([o.config.n_train for o in memorizing])
    values = np.log([o.efficiency for o in memorizing])
    slope, draws = slope_of_log_efficiency(memorizing)
    assert slope == pytest.approx(np.polyfit(size, values, 1)[0], rel=1e-12)
    # Ordinary theory of a straight line: s.e. of the slope from the residuals.
    residual = values - np.polyval(np.polyfit(size, values, 1), size)
    error = math.sqrt(residual @ residual / (len(size) - 2) / np.square(size - size.mean()).sum())
    assert draws.std() == pytest.approx(error, rel=0.35)
    assert draws.mean() == pytest.approx(slope, abs=error)
    again = slope_of_log_efficiency(memorizing)[1]
    np.testing.assert_array_equal(draws, again)
    assert not np.array_equal(draws, slope_of_log_efficiency(memorizing, seed=1)[1])


def test_runs_at_two_sizes_are_enough_for_a_slope() -> None:
    runs = [outcome(RunConfig(problem=PROBLEM, n_train=size, seed=0), efficiency=1.0 / size) for size in (200, 400)]
    slope, draws = slope_of_log_efficiency(runs)
    assert slope == pytest.approx(-1.0)
    np.testing.assert_allclose(draws, -1.0)
