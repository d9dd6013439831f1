import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor

from dcrit.empirics.models.padding import batch_key, padded_rows
from dcrit.empirics.runs.single import CURVE_NAMES, Precision, Run, RunConfig
from dcrit.empirics.training import ensemble as trainer
from dcrit.empirics.training.ensemble import Draw, Ensemble, draw, train
from dcrit.theory.problems.problem import Problem
from tests.worlds.oracle import OneHotPairMLP, train_literally

# Ten symbols each, and sizes that share a batch: 49 to 56 pairs are padded to 56 rows.
TASKS = (("add", 10, 50), ("mul", 11, 53), ("random", 10, 55), ("random-symmetric", 10, 56))

ROUNDING: dict[Precision, float] = {"float32": 1e-6, "float64": 1e-12}

ACTIVATIONS = pytest.mark.parametrize("activation", ["relu", "square"])
PRECISIONS = pytest.mark.parametrize("precision", ["float32", "float64"])


def mixed_batch(
    activation: str = "square", precision: Precision = "float64", *, width: int = 16, steps: int = 100
) -> list[RunConfig]:
    return [
        RunConfig(
            problem=Problem(task=task, modulus=modulus, activation=activation, width=width),
            n_train=n_train,
            seed=seed,
            steps=steps,
            precision=precision,
        )
        for seed, (task, modulus, n_train) in enumerate(TASKS)
    ]


def small(n_train: int, *, task: str = "add", precision: Precision = "float64", seed: int = 0) -> RunConfig:
    return RunConfig(
        problem=Problem(task=task, modulus=5, width=3), n_train=n_train, seed=seed, steps=10, precision=precision
    )


def trained(configs: Sequence[RunConfig], n_steps: int) -> tuple[Tensor, np.ndarray]:
    """Parameters and curve values of every member after some steps."""
    batch = Ensemble(configs)
    batch.advance(n_steps)
    return batch.models.theta.detach().clone(), batch.evaluate()


def evaluated(configs: Sequence[RunConfig], theta: Tensor) -> dict[str, np.ndarray]:
    """Curve values by name, one entry a member, had training led to ``theta``."""
    batch = Ensemble(configs)
    batch.models.theta.copy_(theta)
    return dict(zip(CURVE_NAMES[1:], batch.evaluate().T, strict=True))


def assert_same_values(got: np.ndarray, expected: np.ndarray, tolerance: float = 1e-12) -> None:
    """Curve values to rounding: sums over pairs may round otherwise in another batch, and nothing trains on them."""
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


def assert_same_curves(got: Run, expected: Run) -> None:
    for name in CURVE_NAMES:
        assert_same_values(getattr(got.curves, name), getattr(expected.curves, name))


@pytest.fixture(autouse=True)
def n_threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """One, where several are not asked for: several split a batch into pieces where it suits them."""
    before = torch.get_num_threads()
    torch.set_num_threads(getattr(request, "param", 1))
    yield torch.get_num_threads()
    torch.set_num_threads(before)


def assert_follows_oracle(run: Run, tolerance: float) -> OneHotPairMLP:
    curves, model = train_literally(run.config)
    assert set(curves) == set(CURVE_NAMES)
    for name in CURVE_NAMES:
        np.testing.assert_allclose(
            getattr(run.curves, name), curves[name], rtol=tolerance, atol=tolerance, err_msg=f"{run.config}: {name}"
        )
    return model


@pytest.mark.slow
@ACTIVATIONS
def test_curves_follow_the_oracle(activation: str) -> None:
    for run in train(mixed_batch(activation, steps=400)):
        assert run.ending == "horizon"
        assert run.curves.step.tolist() == run.config.evaluation_steps()
        assert run.curves.train_accuracy[-1] == 1.0
        assert_follows_oracle(run, 1e-8)


# Training is chaotic: rounding is amplified from step to step, most where a ReLU switches. In float32
# deviations reach 1e-5 within 60 steps and 1e-1 within 300, so only the first steps can be compared.
@ACTIVATIONS
def test_float32_curves_follow_the_oracle_at_first(activation: str) -> None:
    for run in train(mixed_batch(activation, "float32", steps=50)):
        assert_follows_oracle(run, 1e-3)


@pytest.mark.parametrize(
    "optimizer",
    [
        {"learning_rate": 1e-3, "weight_decay": 1.0},
        {"learning_rate": 3e-2, "weight_decay": 0.1},
        {"beta2": 0.9, "epsilon": 1e-4},
        {"beta2": 0.999, "epsilon": 1e-12},
    ],
    ids=str,
)
def test_curves_follow_the_oracle_with_other_optimizers(optimizer: dict[str, float]) -> None:
    problem = Problem(modulus=7, width=5, **optimizer)  # type: ignore[arg-type]
    (run,) = train([RunConfig(problem=problem, n_train=30, seed=1, steps=300, precision="float64")])
    assert_follows_oracle(run, 1e-8)


@pytest.mark.slow
@ACTIVATIONS
def test_parameters_follow_the_oracle(activation: str) -> None:
    configs = mixed_batch(activation, steps=100)
    theta, _ = trained(configs, 100)
    for member, config in enumerate(configs):
        _, model = train_literally(config)
        literal = model.incoming_and_outgoing().T
        torch.testing.assert_close(theta[member], literal, rtol=1e-8, atol=1e-8)
        assert config.problem.n_params == theta[member].numel() == sum(p.numel() for p in model.parameters())


@ACTIVATIONS
def test_curves_follow_the_oracle_without_test_pairs(activation: str) -> None:
    config = RunConfig(
        problem=Problem(modulus=5, activation=activation, width=6), n_train=25, seed=0, steps=60, precision="float64"
    )
    (run,) = train([config])
    assert_follows_oracle(run, 1e-8)
    for name in CURVE_NAMES:
        unseen = name.startswith(("test_", "deficit_"))
        assert np.isnan(getattr(run.curves, name)).all() == unseen


# Parameters agree to the last bit where every member fills whole vector registers, here by a width of 16, and one
# thread works. Otherwise the end of a piece is computed by other instructions, and the batch decides where pieces end.
@PRECISIONS
@ACTIVATIONS
def test_members_do_not_depend_on_their_batch(activation: str, precision: Precision) -> None:
    configs = mixed_batch(activation, precision)
    others = [replace(config, seed=config.seed + 10) for config in configs]
    theta, values = trained(configs, 100)
    for batch in (*permutations(configs, 1), configs[::-1], [*others, *configs, *others], configs[1:3]):
        other_theta, other_values = trained(batch, 100)
        for place, config in enumerate(batch):
            if config not in configs:
                continue
            member = configs.index(config)
            assert torch.equal(other_theta[place], theta[member])
            assert_same_values(other_values[place], values[member], ROUNDING[precision])


@pytest.mark.slow
@ACTIVATIONS
@pytest.mark.parametrize(("n_threads", "width", "n_steps"), [(1, 5, 60), (2, 16, 3)], indirect=["n_threads"])
def test_members_depend_on_their_batch_by_rounding_alone(activation: str, width: int, n_steps: int) -> None:
    configs = mixed_batch(activation, width=width)
    theta, values = trained(configs, n_steps)
    for batch in (configs[:1], configs[::-1], configs[1:3]):
        other_theta, other_values = trained(batch, n_steps)
        for place, config in enumerate(batch):
            member = configs.index(config)
            torch.testing.assert_close(other_theta[place], theta[member], rtol=1e-10, atol=1e-10)
            assert_same_values(other_values[place], values[member], 1e-10)


@PRECISIONS
@pytest.mark.parametrize("dropped_at", [0, 1, 60])
def test_members_kept_go_on_as_before(precision: Precision, dropped_at: int) -> None:
    configs = mixed_batch(precision=precision)
    theta, values = trained(configs, 100)
    batch = Ensemble(configs)
    batch.advance(dropped_at)
    batch.keep([3, 1])
    assert batch.configs == [configs[3], configs[1]]
    batch.advance(100 - dropped_at)
    assert torch.equal(batch.models.theta, theta[[3, 1]])
    assert_same_values(batch.evaluate(), values[[3, 1]], ROUNDING[precision])


@pytest.mark.parametrize("poison", [math.inf, -math.inf, math.nan, 1e200])
def test_a_diverging_member_leaves_the_others_alone(poison: float, monkeypatch: pytest.MonkeyPatch) -> None:
    class Poisoned(Ensemble):
        taken = 0

        def advance(self, n_steps: int) -> None:
            if self.taken < 40 <= self.taken + n_steps:
                self.models.theta[1] = poison
            super().advance(n_steps)
            self.taken += n_steps

    configs = mixed_batch()
    expected = train(configs)
    monkeypatch.setattr(trainer, "Ensemble", Poisoned)
    runs = train(configs)
    assert [run.config for run in runs] == configs
    assert [run.ending for run in runs] == ["horizon", "diverged", "horizon", "horizon"]
    for member in (0, 2, 3):
        assert_same_curves(runs[member], expected[member])
    lost, whole = runs[1].curves, expected[1].curves
    last = len(lost.step) - 1
    assert lost.step.tolist() == [step for step in whole.step if step <= lost.step[last]]
    assert lost.step[last - 1] < 40 <= lost.step[last]
    assert np.isfinite(lost.train_loss).tolist() == [True] * last + [False]
    assert_same_values(lost.train_loss[:last], whole.train_loss[:last])


def test_a_batch_that_diverges_altogether_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def poisoned(config: RunConfig) -> Draw:
        drawn = draw(config)
        return Draw(theta=drawn.theta * math.nan, labels=drawn.labels, train=drawn.train)

    monkeypatch.setattr(trainer, "draw", poisoned)
    due: list[int] = []
    runs = train(mixed_batch(), progress=due.append)
    assert [run.ending for run in runs] == ["diverged"] * 4
    assert [run.curves.step.tolist() for run in runs] == [[0.0]] * 4
    assert sum(due) == 4 * 100


def test_a_decided_member_leaves_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    configs = mixed_batch()
    expected = train(configs)

    def decided(config: RunConfig, step: np.ndarray, values: np.ndarray) -> bool:
        assert values.shape == (len(step), len(CURVE_NAMES) - 1)
        return config == configs[2] and step[-1] >= 30

    monkeypatch.setattr(trainer, "is_decided", decided)
    due: list[int] = []
    runs = train(configs, progress=due.append)
    assert [run.ending for run in runs] == ["horizon", "horizon", "decided", "horizon"]
    for member in (0, 1, 3):
        assert_same_curves(runs[member], expected[member])
    cut = len(runs[2].curves.step)
    assert runs[2].curves.step[cut - 2] < 30 <= runs[2].curves.step[cut - 1]
    assert_same_values(runs[2].curves.test_loss, expected[2].curves.test_loss[:cut])
    assert sum(due) == 4 * 100
    assert all(run.seconds > 0 for run in runs)


def test_runs_that_cannot_share_a_batch_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^configs must share one batch key"):
        Ensemble([small(9), small(25)])


def test_padding_is_at_most_a_quarter() -> None:
    for n_train in (*range(1, 300), 1000, 12769):
        rows = padded_rows(n_train)
        assert n_train <= rows <= max(n_train + 3, 1.25 * n_train)
        assert padded_rows(rows) == rows


def test_sizes_in_one_padding_class_share_a_batch_key() -> None:
    assert len({batch_key(config) for config in mixed_batch()}) == 1
    assert batch_key(small(9)) == batch_key(small(12)) != batch_key(small(13))
    assert batch_key(small(9)) != batch_key(small(9, precision="float32"))
    for name, value in (("weight_decay", 0.5), ("learning_rate", 0.5), ("beta2", 0.9), ("epsilon", 1e-12)):
        other = replace(small(9), problem=replace(small(9).problem, **{name: value}))
        assert batch_key(small(9)) != batch_key(other)


@pytest.mark.parametrize("task", ["add", "mul", "random", "random-symmetric"])
def test_training_sets_of_a_seed_are_nested(task: str) -> None:
    problem = Problem(task=task, modulus=7, width=3)
    draws = [draw(RunConfig(problem=problem, n_train=n, seed=5)) for n in range(1, problem.n_pairs + 1)]
    for n_train, drawn in enumerate(draws, start=1):
        chosen = drawn.train.tolist()
        assert len(set(chosen)) == len(chosen) == n_train
        assert set(chosen) <= set(range(problem.n_pairs))
        assert set(chosen) <= set(draws[min(n_train, len(draws) - 1)].train.tolist())
        assert torch.equal(drawn.labels, draws[0].labels)
        assert torch.equal(drawn.theta, draws[0].theta)


@pytest.mark.parametrize("task", ["add", "random"])
def test_seeds_differ(task: str) -> None:
    one, other = (draw(small(12, task=task, seed=seed)) for seed in (0, 1))
    assert not torch.equal(one.theta, other.theta)
    assert set(one.train.tolist()) != set(other.train.tolist())
    assert torch.equal(one.labels, other.labels) == (task == "add")


def test_float32_starts_from_the_same_draw_rounded() -> None:
    single, double = draw(small(12, precision="float32")), draw(small(12))
    assert (single.theta.dtype, double.theta.dtype) == (torch.float32, torch.float64)
    assert torch.equal(single.theta, double.theta.float())
    assert torch.equal(single.train, double.train)


def test_labels_are_those_of_the_task() -> None:
    problem = Problem(task="div", modulus=7)
    labels = draw(RunConfig(problem=problem, n_train=1, seed=0)).labels
    assert labels.tolist() == problem.definition.labels(7).ravel().tolist()


def test_layers_start_within_the_bounds_of_a_linear_layer() -> None:
    problem = Problem(modulus=11, width=50)
    theta = draw(RunConfig(problem=problem, n_train=1, seed=0)).theta
    for weights, fan_in in ((theta[:22], 22), (theta[22:], 50)):
        bound = 1 / math.sqrt(fan_in)
        assert 0.95 * bound < weights.abs().max().item() <= bound
        # Five standard errors of the second moment of a uniform variable, bound²/3.
        error = 5 * bound**2 * math.sqrt(4 / 45 / weights.numel())
        assert weights.square().mean().item() == pytest.approx(bound**2 / 3, abs=error)


# At this level a right generator fails one set of seeds in a thousand; the seeds are fixed.
@pytest.mark.parametrize("task", ["random", "random-symmetric"])
def test_random_labels_are_uniform(task: str) -> None:
    problem = Problem(task=task, modulus=7)
    counts = np.zeros(7)
    for seed in range(60):
        labels = draw(RunConfig(problem=problem, n_train=1, seed=seed)).labels.view(7, 7)
        independent = labels[torch.triu_indices(7, 7).unbind()] if problem.definition.commutative else labels.ravel()
        counts += np.bincount(independent, minlength=7)
    assert chisquare(counts).pvalue > 1e-3


def test_random_labels_are_independent_of_the_training_set() -> None:
    """Labels of trained and of unseen pairs have one distribution (chi-square, level 1e-3)."""
    problem = Problem(task="random", modulus=5)
    counts = np.zeros((2, 5))
    for seed in range(200):
        drawn = draw(RunConfig(problem=problem, n_train=12, seed=seed))
        unseen = sorted(set(range(25)) - set(drawn.train.tolist()))
        counts += [np.bincount(drawn.labels[pairs], minlength=5) for pairs in (drawn.train, unseen)]
    expected = counts.sum(1, keepdims=True) * counts.sum(0, keepdims=True) / counts.sum()
    assert chisquare(counts.ravel(), expected.ravel(), ddof=5).pvalue > 1e-3


@PRECISIONS
def test_a_tie_counts_as_wrong(precision: Precision) -> None:
    config = small(12, precision=precision)
    values = evaluated([config], torch.zeros(1, 15, 3))
    assert values["train_accuracy"] == values["test_accuracy"] == 0
    assert values["train_loss"] == pytest.approx(math.log(5), rel=1e-6)
    assert values["test_loss"] == pytest.approx(math.log(5), rel=1e-6)
    assert values["deficit_low"] == values["deficit_median"] == values["deficit_high"] == 0


def test_a_tie_with_one_rival_counts_as_wrong() -> None:
    # All pairs have hidden values (4, 0, 0), hence logits 4, 4, 0, 0, 0: labels 0 and 1 tie above the rest.
    theta = torch.zeros(1, 15, 3)
    theta[0, :10, 0] = 1
    theta[0, [10, 11], 0] = 1
    tied = evaluated([small(25)], theta)
    theta[0, 10, 0] += 1e-6
    untied = evaluated([small(25)], theta)
    assert tied["train_accuracy"] == 0
    assert untied["train_accuracy"] == pytest.approx(5 / 25)


@PRECISIONS
@pytest.mark.parametrize("lead", [4.0, 40.0, 120.0, 600.0])
def test_a_tiny_loss_keeps_its_relative_precision(lead: float, precision: Precision) -> None:
    config = small(1, precision=precision)
    drawn = draw(config)
    # All pairs have hidden values (4, 0, 0); the one trained class leads all others by ``lead``.
    theta = torch.zeros(1, 15, 3)
    theta[0, :10, 0] = 1
    theta[0, 10 + int(drawn.labels[drawn.train[0]]), 0] = lead / 4
    values = evaluated([config], theta)
    expected = math.log1p(4 * math.exp(-lead))
    assert expected > 0
    assert values["train_loss"] == pytest.approx(expected, rel=ROUNDING[precision], abs=0)
    assert values["train_accuracy"] == 1
    assert values["deficit_high"] == pytest.approx(lead)


@PRECISIONS
@pytest.mark.parametrize("task", ["add", "random"])
def test_training_and_unseen_pairs_add_up_to_all_pairs(task: str, precision: Precision) -> None:
    whole, part = small(25, task=task, precision=precision), small(14, task=task, precision=precision)
    theta = 3 * draw(whole).theta[None]
    on_all, on_part = evaluated([whole], theta), evaluated([part], theta)
    for name in ("loss", "accuracy"):
        total = 14 * on_part[f"train_{name}"] + 11 * on_part[f"test_{name}"]
        assert total == pytest.approx(25 * on_all[f"train_{name}"], rel=1e-12)
    assert 0 < on_all["train_accuracy"] < 1


def test_all_pairs_in_training_leave_nothing_to_test() -> None:
    values = evaluated([small(25), small(25, seed=1)], torch.ones(2, 15, 3))
    unseen = {name for name, column in values.items() if np.isnan(column).all()}
    assert unseen == {"test_loss", "test_accuracy", "deficit_low", "deficit_median", "deficit_high"}
    assert all(np.isfinite(column).all() for name, column in values.items() if name not in unseen | {"barrier_norm"})


def test_norms_of_known_parameters() -> None:
    theta = torch.zeros(1, 15, 3)
    theta[0, 0] = torch.tensor([0.3, -0.6, 0.0])
    theta[0, 12] = torch.tensor([0.4, 0.0, 0.5])
    values = evaluated([small(12)], theta)
    x = np.array([0.3, 0.6, 0.4, 0.5])
    assert values["squared_norm"] == pytest.approx(0.09 + 0.36 + 0.16 + 0.25, rel=1e-6)
    assert values["neuron_norm"] == pytest.approx((0.5**3 + 0.6**3 + 0.5**3) ** (1 / 3), rel=1e-6)
    assert values["max_norm"] == pytest.approx(0.6, rel=1e-6)
    assert values["barrier_norm"] == pytest.approx(float((-2 * (x + np.log(1 - x))).sum()), rel=1e-6)


@pytest.mark.parametrize("largest", [1.0, -1.0, 1.5])
def test_barrier_norm_is_infinite_from_the_largest_weight_decay_allows(largest: float) -> None:
    theta = torch.full((1, 15, 3), 0.1)
    theta[0, 4, 1] = largest
    assert evaluated([small(12)], theta)["barrier_norm"] == math.inf
