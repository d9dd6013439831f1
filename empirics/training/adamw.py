"""AdamW on one tensor, in place: the reference optimizer's arithmetic without its bookkeeping for many tensors."""

from __future__ import annotations

import math
from typing import Generic, Self, TypeVar

import torch
from torch import Tensor

from dcrit.theory.problems.problem import Problem

#: β₁, the same for all runs.
BETA_1 = 0.9


#: A count of steps, on the host or on the device.
Count = TypeVar("Count", int, Tensor)


class _Moments(Generic[Count]):
    """Parameters, the two moments of their gradients, and what both kinds of step know besides.

    Args:
        theta: Parameters, updated in place.
        problem: Has λ, η, β₂ and ε.

    Attributes:
        mean: m, shaped as the parameters.
        square: v, shaped as they are.
        n_steps: Steps taken.
    """

    n_steps: Count

    def __init__(self, theta: Tensor, problem: Problem) -> None:
        self.theta, self.problem = theta, problem
        self.mean, self.square = torch.zeros_like(theta), torch.zeros_like(theta)

    def keep(self, members: Tensor) -> Self:
        """The optimizer of some of the members, first dimension of the parameters, going on as before."""
        kept = type(self)(self.theta[members], self.problem)
        kept.mean, kept.square, kept.n_steps = self.mean[members], self.square[members], self.n_steps
        return kept


class AdamW(_Moments[int]):
    """Adam with decoupled weight decay, at steps t from 1 on.

    m ← β₁m + (1 − β₁)g,  v ← β₂v + (1 − β₂)g²,
    θ ← (1 − ηλ)θ − η·(m/(1 − β₁ᵗ))/(√(v/(1 − β₂ᵗ)) + ε)

    Networks in small batches take steps of some hundred microseconds, of which the general
    optimizer's bookkeeping would be half.

    Source: loshchilov2017.
    """

    def __init__(self, theta: Tensor, problem: Problem) -> None:
        super().__init__(theta, problem)
        self.denominator = torch.empty_like(theta)
        self.n_steps = 0

    def set_n_steps(self, n_steps: int) -> None:
        """Go on as if so many steps had been taken; the moments are the caller's."""
        self.n_steps = n_steps

    def step(self, grad: Tensor) -> None:
        """Take one step along a gradient of the parameters' shape."""
        problem = self.problem
        self.n_steps += 1
        correction_1 = 1 - BETA_1**self.n_steps
        correction_2 = 1 - problem.beta2**self.n_steps
        self.mean.lerp_(grad, 1 - BETA_1)
        self.square.mul_(problem.beta2).addcmul_(grad, grad, value=1 - problem.beta2)
        torch.sqrt(self.square, out=self.denominator).div_(math.sqrt(correction_2)).add_(problem.epsilon)
        self.theta.mul_(1 - problem.learning_rate * problem.weight_decay)
        self.theta.addcdiv_(self.mean, self.denominator, value=-problem.learning_rate / correction_1)


class FusedAdamW(_Moments[Tensor]):
    """The same step by torch's fused kernel, one pass over everything, with its count of steps on the device.

    Nothing of a step depends on the host, so a CUDA graph can hold it. It rounds an update in another
    order than :class:`AdamW`, which is why stored runs of the CPU do not use it.

    Source: loshchilov2017.
    """

    def __init__(self, theta: Tensor, problem: Problem) -> None:
        super().__init__(theta, problem)
        self.n_steps = torch.zeros((), dtype=torch.float32, device=theta.device)  # float32 as the kernel wants it

    def set_n_steps(self, n_steps: int) -> None:
        """Go on as if so many steps had been taken; the moments are the caller's."""
        self.n_steps.fill_(n_steps)

    def step(self, grad: Tensor) -> None:
        """Take one step along a gradient of the parameters' shape."""
        self.n_steps += 1
        torch.ops.aten._fused_adamw_.default(
            [self.theta],
            [grad],
            [self.mean],
            [self.square],
            [],
            [self.n_steps],
            lr=self.problem.learning_rate,
            beta1=BETA_1,
            beta2=self.problem.beta2,
            weight_decay=self.problem.weight_decay,
            eps=self.problem.epsilon,
            amsgrad=False,
            maximize=False,
        )


def adamw_for(theta: Tensor, problem: Problem) -> AdamW | FusedAdamW:
    """The optimizer for the device that the parameters are on: fused on an accelerator."""
    return (FusedAdamW if theta.is_cuda else AdamW)(theta, problem)
