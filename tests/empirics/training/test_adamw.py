import pytest
import torch

from dcrit.empirics.training.adamw import BETA_1, AdamW, FusedAdamW, adamw_for
from dcrit.theory.problems.problem import Problem

KINDS = pytest.mark.parametrize("kind", [AdamW, FusedAdamW])


def gradients(n: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    # From large to far below the optimizer's ε.
    return [torch.randn(3, 6, 4, generator=generator, dtype=torch.float64) * 10.0 ** (-k) for k in range(n)]


def start() -> torch.Tensor:
    return torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize(("beta2", "epsilon"), [(0.98, 1e-8), (0.999, 1e-8), (0.98, 1e-3), (0.9, 1e-12)])
@KINDS
def test_steps_are_those_of_the_reference_optimizer(
    kind: type[AdamW] | type[FusedAdamW], beta2: float, epsilon: float
) -> None:
    problem = Problem(learning_rate=2e-2, weight_decay=0.7, beta2=beta2, epsilon=epsilon)
    ours, theirs = kind(start(), problem), start().requires_grad_()
    reference = torch.optim.AdamW([theirs], lr=2e-2, betas=(BETA_1, beta2), eps=epsilon, weight_decay=0.7)
    for grad in gradients(12):
        ours.step(grad)
        theirs.grad = grad.clone()
        reference.step()
        torch.testing.assert_close(ours.theta, theirs.detach(), rtol=1e-12, atol=1e-13)
    assert int(ours.n_steps) == 12


@KINDS
def test_members_kept_go_on_as_before(kind: type[AdamW] | type[FusedAdamW]) -> None:
    problem = Problem(beta2=0.9, epsilon=1e-3)
    whole, part = kind(start(), problem), kind(start(), problem)
    index = torch.tensor([2, 0])
    for k, grad in enumerate(gradients(8)):
        if k == 4:
            part = part.keep(index)
        whole.step(grad)
        part.step(grad if k < 4 else grad[index])
    torch.testing.assert_close(part.theta, whole.theta[index], rtol=1e-14, atol=0)


def test_the_cpu_keeps_the_arithmetic_of_stored_runs() -> None:
    assert isinstance(adamw_for(start(), Problem()), AdamW)
