import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dcrit.empirics.study.module_runs import (
    MODULE_CURVES,
    ModuleRun,
    ModuleRunConfig,
    Training,
    batches,
    drawn,
    effective_homogeneity,
    loss_of,
    outcome_at,
    train_module,
)
from dcrit.theory.circuits.margin import margin_from_loss

GENERATOR = torch.Generator().manual_seed(0)
INPUTS = torch.randn(40, 6, generator=GENERATOR)
LABELS = torch.arange(40) % 3


def config(**changed: Any) -> ModuleRunConfig:
    fields: dict[str, Any] = {
        "labels": "real",
        "n_train": 25,
        "seed": 3,
        "n_classes": 3,
        "steps": 30,
        "learning_rate": 1e-2,
        "weight_decay": 0.5,
    }
    return ModuleRunConfig(**(fields | changed))


class Square(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * x


def network(widths: Sequence[int], *, bias: bool = False, activation: type[nn.Module] = nn.ReLU) -> nn.Module:
    layers: list[nn.Module] = []
    for inside, outside in itertools.pairwise(widths):
        layers += [nn.Linear(inside, outside, bias=bias), activation()]
    return nn.Sequential(*layers[:-1])


def factory(seed: int) -> nn.Module:
    return network((6, 8, 3))


def fitted(module: nn.Module) -> tuple[Tensor, Tensor]:
    """Inputs with the labels that the module gives them, so that all margins are above 0."""
    with torch.no_grad():
        return INPUTS, module(INPUTS).argmax(1)


# --- homogeneity ---


@pytest.mark.parametrize(
    ("widths", "activation", "homogeneity"),
    [
        ((6, 8, 3), nn.ReLU, 2),
        ((6, 8, 8, 3), nn.ReLU, 3),
        ((6, 8, 3), Square, 3),
        ((6, 8, 8, 3), Square, 7),
        ((6, 3), nn.ReLU, 1),
    ],
)
def test_homogeneous_networks_have_their_degree(
    widths: Sequence[int], activation: type[nn.Module], homogeneity: int
) -> None:
    torch.manual_seed(0)
    module = network(widths, activation=activation)
    assert effective_homogeneity(module, *fitted(module), 3) == pytest.approx(homogeneity, abs=1e-4)


def test_with_biases_it_is_euler_s_quotient() -> None:
    torch.manual_seed(1)
    module = network((6, 8, 3), bias=True).double()
    x, y = INPUTS.double(), module(INPUTS.double()).argmax(1)
    logits = module(x)
    margin = (logits.gather(1, y[:, None])[:, 0] - logits.scatter(1, y[:, None], -torch.inf).amax(1)).mean()
    margin.backward()
    slope = sum(float((p.detach() * p.grad).sum()) for p in module.parameters() if p.grad is not None)
    before = [p.clone() for p in module.parameters()]
    found = effective_homogeneity(module, x, y, 3)
    assert found == pytest.approx(slope / margin.item(), abs=0.01)
    assert 1 < found < 2
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))


def test_normalization_takes_the_norm_before_it_out() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Linear(6, 8, bias=False), nn.LayerNorm(8, elementwise_affine=False, eps=0), nn.Linear(8, 3, bias=False)
    )
    assert effective_homogeneity(module, *fitted(module), 3) == pytest.approx(1.0, abs=1e-4)


def test_without_a_margin_there_is_none() -> None:
    torch.manual_seed(0)
    module = network((6, 8, 3))
    x, y = fitted(module)
    assert math.isnan(effective_homogeneity(module, x, (y + 1) % 3, 3))


# --- training ---


def literal(one: ModuleRunConfig, given: Tensor) -> dict[str, float]:
    """A loop written out, and its last evaluation."""
    order = torch.randperm(40, generator=torch.Generator().manual_seed(one.seed))
    train, test = order[: one.n_train], order[one.n_train :]
    state = torch.get_rng_state()
    torch.manual_seed(one.seed)
    module = network((6, 8, 3))
    torch.set_rng_state(state)
    optimizer = torch.optim.AdamW(
        module.parameters(),
        lr=one.learning_rate,
        betas=(0.9, one.beta2),
        eps=one.epsilon,
        weight_decay=one.weight_decay,
    )
    for _ in range(one.steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(INPUTS[train]), given[train]).backward()
        optimizer.step()
    with torch.no_grad():
        values: dict[str, float] = {}
        for name, part in (("train", train), ("test", test)):
            logits = module(INPUTS[part])
            values[f"{name}_loss"] = float(nn.functional.cross_entropy(logits, given[part]))
            values[f"{name}_accuracy"] = float((logits.argmax(1) == given[part]).float().mean())
        wrong = [
            max(float(row[k]) for k in range(3) if k != y) - float(row[y])
            for row, y in zip(module(INPUTS[test]), given[test].tolist(), strict=True)
        ]
        for name, level in (("low", 0.1), ("median", 0.5), ("high", 0.9)):
            values[f"deficit_{name}"] = float(np.quantile(wrong, level))
        values["squared_norm"] = sum(float(p.square().sum()) for p in module.parameters())
    return values


@pytest.mark.parametrize("optimizer", [{}, {"beta2": 0.9, "epsilon": 1e-3}], ids=str)
def test_the_loop_is_an_ordinary_one(optimizer: dict[str, float]) -> None:
    one = config(**optimizer)
    run = train_module(factory, INPUTS, LABELS, one)
    expected = literal(one, LABELS)
    assert expected.keys() == set(MODULE_CURVES)
    for name, value in expected.items():
        assert run.curve(name)[-1] == pytest.approx(value, rel=1e-4, abs=1e-6), name
    assert run.step.tolist() == config().evaluation_steps()
    assert run.n_params == 6 * 8 + 8 * 3
    assert run.homogeneity == pytest.approx(2, abs=1e-3)


@pytest.mark.slow
def test_a_run_is_decided_by_its_seed_and_leaves_torch_s_generator_alone() -> None:
    def noisy(seed: int) -> nn.Module:
        return nn.Sequential(nn.Dropout(0.5), *network((6, 8, 3)).children())

    before = torch.get_rng_state()
    first = train_module(noisy, INPUTS, LABELS, config(batch_size=7))
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(5)
    again = train_module(noisy, INPUTS, LABELS, config(batch_size=7))
    np.testing.assert_array_equal(first.curves, again.curves)
    other = train_module(noisy, INPUTS, LABELS, config(batch_size=7, seed=4))
    assert not np.array_equal(first.curves, other.curves)


@pytest.mark.parametrize("kind", [torch.uint8, torch.int32])
def test_labels_of_any_integer_type_will_do(kind: torch.dtype) -> None:
    plain = train_module(factory, INPUTS, LABELS, config(steps=5))
    np.testing.assert_array_equal(train_module(factory, INPUTS, LABELS.to(kind), config(steps=5)).curves, plain.curves)


def test_random_labels_and_nested_training_sets() -> None:
    real, order = drawn(config(), LABELS)
    assert torch.equal(real, LABELS)
    assert torch.equal(drawn(config(n_train=10), LABELS)[1], order)
    assert sorted(order.tolist()) == list(range(40))
    skewed = (torch.arange(40) % 10 == 0).long()
    permuted, _ = drawn(config(labels="permuted"), skewed)
    assert permuted.bincount().tolist() == [36, 4]
    assert not torch.equal(permuted, skewed)
    many = torch.zeros(3000, dtype=torch.int64)
    uniform, _ = drawn(config(labels="uniform"), many)
    assert uniform.bincount(minlength=3).tolist() == pytest.approx([1000] * 3, abs=100)


def test_mini_batches_cover_the_training_set() -> None:
    found = batches(config(n_train=25, batch_size=10))
    for _ in range(2):
        epoch = [next(found) for _ in range(3)]
        sizes = [len(batch) for batch in epoch if batch is not None]
        assert sizes == [10, 10, 5]
        assert sorted(torch.cat([batch for batch in epoch if batch is not None]).tolist()) == list(range(25))
    for size in (0, 25, 100):
        assert next(batches(config(n_train=25, batch_size=size))) is None


def test_where_all_examples_are_trained_on_nothing_is_tested() -> None:
    run = train_module(factory, INPUTS, LABELS, config(n_train=40, steps=5))
    assert np.isnan(run.curve("test_accuracy")).all()
    assert np.isfinite(run.curve("train_loss")).all()


def test_a_run_that_diverges_ends_and_settles_at_nothing() -> None:
    with np.errstate(all="ignore"):
        run = train_module(factory, INPUTS, LABELS, config(learning_rate=1e30, weight_decay=1e-30))
    assert run.step.size < len(config().evaluation_steps())
    outcome = outcome_at(run, 2.0)
    assert math.isnan(outcome.train_accuracy)
    assert math.isnan(outcome.efficiency)
    assert not outcome.converged


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("labels", "wrong"),
        ("n_train", 0),
        ("seed", -1),
        ("n_classes", 1),
        ("steps", 0),
        ("learning_rate", 0.0),
        ("weight_decay", -1.0),
        ("batch_size", 1.5),
        ("beta2", 1.0),
        ("epsilon", 0.0),
    ],
)
def test_a_bad_configuration_names_the_field(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{field} must be .*got {value!r}"):
        config(**{field: value})


@pytest.mark.parametrize(
    ("inputs", "labels", "says"),
    [
        (INPUTS, LABELS.double(), "labels must be integers"),
        (INPUTS, LABELS[:, None], "labels must be integers of shape"),
        (INPUTS[:-1], LABELS, "inputs must hold one example for each"),
        (INPUTS, LABELS + 1, "labels must lie between 0 and 2, got 1 to 3"),
        (INPUTS / 0, LABELS, "inputs must be finite"),
        (INPUTS[:20], LABELS[:20], "n_train must be at most 20"),
    ],
)
def test_data_that_do_not_fit_are_refused(inputs: Tensor, labels: Tensor, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        train_module(factory, inputs, labels, config())


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda seed: network((6, 8, 4)), r"logits have shape \(n, 3\), got \(25, 4\)"),
        (lambda seed: 3, "must return a torch.nn.Module, got int"),
        (lambda seed: nn.Identity(), "parameters to train"),
    ],
)
def test_factories_that_do_not_fit_are_refused(made: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        train_module(made, INPUTS, LABELS, config())


# --- settled values ---


def test_settled_values_are_medians_over_the_last_tenth() -> None:
    step = np.arange(101.0)
    rng = np.random.default_rng(0)
    curves = rng.uniform(0.5, 0.6, size=(101, len(MODULE_CURVES)))
    run = ModuleRun(config=config(), step=step, curves=curves, homogeneity=2.5, n_params=9)
    outcome = outcome_at(run, 2.5)
    margin = float(margin_from_loss(np.median(run.curve("train_loss")[90:]), 3))
    norm = float(np.median(run.curve("squared_norm")[90:]))
    assert outcome.margin == pytest.approx(margin)
    assert outcome.efficiency == pytest.approx(margin / norm**1.25)
    assert outcome.test_accuracy == np.median(run.curve("test_accuracy")[90:])
    assert outcome.deficits[1] == pytest.approx(np.median(run.curve("deficit_median")[90:]) / margin)
    earlier = float(margin_from_loss(np.median(run.curve("train_loss")[60:71]), 3))
    before = earlier / float(np.median(run.curve("squared_norm")[60:71])) ** 1.25
    assert outcome.log_efficiency_drift == pytest.approx(math.log(outcome.efficiency / before))


# --- recipes ---


def stepped(one: ModuleRunConfig, steps: int = 4) -> list[Tensor]:
    """Parameters after some steps of the loop."""
    training = Training(factory, INPUTS, LABELS, one)
    for _ in range(steps):
        training.step()
    return [parameter.detach() for parameter in training.parameters]


def test_gradient_descent_with_momentum_is_what_is_written() -> None:
    one = config(optimizer="sgd", momentum=0.8, learning_rate=0.1, weight_decay=0.02)
    training = Training(factory, INPUTS, LABELS, one)
    (x, y), values = training.seen, [parameter.detach().clone() for parameter in training.parameters]
    speeds = [torch.zeros_like(value) for value in values]
    for _ in range(4):
        weights = [value.clone().requires_grad_() for value in values]
        logits = nn.functional.relu(x @ weights[0].T) @ weights[1].T
        gradients = torch.autograd.grad(nn.functional.cross_entropy(logits.double(), y), weights)
        for value, speed, gradient in zip(values, speeds, gradients, strict=True):
            speed.mul_(0.8).add_(gradient + 0.02 * value)
            value.sub_(0.1 * speed)
    for found, value in zip(stepped(one), values, strict=True):
        torch.testing.assert_close(found, value)
    assert one.time_constant == pytest.approx(0.2 / (0.1 * 0.02))


def test_the_learning_rate_warms_up_linearly() -> None:
    one = config(optimizer="sgd", learning_rate=1e-3, weight_decay=0.0, warm_up=4)
    training = Training(factory, INPUTS, LABELS, one)
    rates = []
    for _ in range(6):
        training.step()
        rates.append(training.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([2.5e-4, 5e-4, 7.5e-4, 1e-3, 1e-3, 1e-3])


def test_squared_errors_are_meant_over_examples_and_classes() -> None:
    logits, labels = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 2.0]]), torch.tensor([0, 2])
    found = loss_of(logits, labels, config(loss="mean-squared-error"))
    assert found.item() == pytest.approx(1 / 6)
    cross_entropy = loss_of(logits, labels, config())
    assert cross_entropy.item() == pytest.approx(nn.functional.cross_entropy(logits, labels).item(), rel=1e-6)


def test_losses_in_single_precision_lose_small_gradients() -> None:
    def gradient(precision: str) -> float:
        logits = torch.tensor([[40.0, 0.0, 0.0]], requires_grad=True)
        loss_of(logits, torch.tensor([0]), config(loss_precision=precision)).backward()
        assert logits.grad is not None
        return float(logits.grad[0, 0].abs())

    assert gradient("float32") == 0
    assert gradient("float64") == pytest.approx(2 * math.exp(-40), rel=1e-3)


def test_noise_is_on_training_labels_alone() -> None:
    labels = torch.arange(20_000) % 3
    inputs = torch.zeros(20_000, 6)
    noisy = Training(factory, inputs, labels, config(n_train=10_000, label_noise=0.3))
    clean = Training(factory, inputs, labels, config(n_train=10_000))
    changed = (noisy.seen[1] != clean.seen[1]).double().mean().item()
    assert changed == pytest.approx(0.3, abs=0.02)
    assert torch.equal(noisy.unseen[1], clean.unseen[1])
    moved = (noisy.seen[1] - clean.seen[1])[noisy.seen[1] != clean.seen[1]] % 3
    assert (moved == 1).double().mean().item() == pytest.approx(0.5, abs=0.03)


@pytest.mark.slow
def test_a_run_ends_early_once_its_accuracy_has_lasted() -> None:
    labels = (INPUTS[:, 0] > 0).long()
    fields: dict[str, Any] = {"steps": 800, "n_classes": 2, "n_train": 30, "learning_rate": 0.02}

    def two(seed: int) -> nn.Module:
        return network((6, 16, 2))

    whole = train_module(two, INPUTS, labels, config(**fields))
    early = train_module(two, INPUTS, labels, config(**fields, enough=0.7))
    assert whole.step[-1] == 800
    lasting = early.curve("test_accuracy")[early.step >= early.step[-1] - 100]
    assert early.step[-1] < 800
    assert (lasting >= 0.7).all()
    assert np.array_equal(early.curves, whole.curves[: early.step.size])
    assert not outcome_at(early, 2.0).converged
