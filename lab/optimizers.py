"""Adam, written out so that the moments a step will use can be read before it. Kingma and Ba (2015), arXiv 1412.6980.

The others are Adam with a part left out: RMSProp has no momentum, GD with momentum no second moment, GD neither.
torch's own optimisers, which most experiments train with, forget their gradients here too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, final

import torch

Kind = Literal["adam", "rmsprop", "momentum", "gd"]

ADAPTIVE = frozenset({"adam", "rmsprop"})
MOMENTUM = frozenset({"adam", "momentum"})


def drop_gradients(optimizer: torch.optim.Optimizer) -> None:
    """What ``zero_grad`` does, without the hooks that take it a twentieth of a step of half a millisecond."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None


def average_factor(beta1: float) -> float:
    """(1 - β1)/(1 + β1): on a quadratic, descent along an average of gradients is stable iff λ times it is < 2/η."""
    return (1 - beta1) / (1 + beta1)


@dataclass(frozen=True)
class Moments:
    """What the step at θ_t uses.

    Attributes:
        mean: m_t, shape (P,).
        square: v_t, shape (P,); None without a second moment.
        before: v_{t-1}, the same.
        denominator: √v̂_t + ε, shape (P,); ones without a second moment.
        correction1: 1 - β1^t, the sum of the weights in m_t.
        correction2: 1 - β2^t, the same for v_t.
        beta1: β1 in force, 0 without momentum.
        factor: (1 - β1)/(1 + β1)/(1 - β1^t), what momentum does to the threshold.
    """

    mean: torch.Tensor
    square: torch.Tensor | None
    before: torch.Tensor | None
    denominator: torch.Tensor
    correction1: float
    correction2: float
    beta1: float
    factor: float

    @property
    def diagonal(self) -> torch.Tensor:
        """D of Ĥ_t = D H_t, shape (P,): 2/η is the threshold of its eigenvalues."""
        return self.factor / self.denominator

    @property
    def growth(self) -> float:
        """v_t/v_{t-1}, each summed over the parameters; NaN where there is nothing before."""
        if self.square is None or self.before is None:
            return math.nan
        before = float(self.before.sum())
        return float(self.square.sum()) / before if before else math.nan

    def beside(self, gradient: torch.Tensor, lr: float) -> tuple[float | None, ...]:
        """Mean and max of g² and of v, v_t/v_{t-1}, max and mean of g²/v, mean of η/(√v̂ + ε); None without v.

        Args:
            gradient: g_t, shape (P,).
            lr: η.
        """
        squared = gradient * gradient
        effective = lr * float(self.denominator.reciprocal().mean())
        sizes = float(squared.mean()), float(squared.max())
        v = self.square
        if v is None:
            return *sizes, *[None] * 5, effective
        ratio = squared / v.clamp_min(torch.finfo(v.dtype).tiny)  # both may underflow to 0: then nothing feeds v
        shares = float(ratio.max()), float(ratio.mean())
        return *sizes, float(v.mean()), float(v.max()), self.growth, *shares, effective


@final
class FlatAdam:
    """Adam or one of its relatives on a flat parameter vector: m, v and how much of them is real average.

    The weight that the zero start still has in m and v is the product of β over the steps so far. Keeping products
    makes the bias correction right when β1 or β2 is changed on the way; with constant β it is 1 - β^t.
    """

    def __init__(self, kind: Kind, like: torch.Tensor) -> None:
        self.adaptive = kind in ADAPTIVE
        self.averaging = kind in MOMENTUM
        self.mean = torch.zeros_like(like)
        self.square = torch.zeros_like(like)
        # products up to the last change of β, and the steps since: β**n rounds as torch.optim.Adam does
        self.kept1 = self.kept2 = 1.0
        self.steps = 0

    def moments(self, gradient: torch.Tensor, beta1: float, beta2: float, eps: float) -> Moments:
        """m_t and v_t with this gradient, shape (P,), taken in; the memory stays as it is."""
        beta1 = beta1 if self.averaging else 0.0
        count = self.steps + 1
        mean = torch.lerp(self.mean, gradient, 1 - beta1)
        correction1 = 1 - self.kept1 * beta1**count
        factor = average_factor(beta1) / correction1
        if not self.adaptive:
            return Moments(mean, None, None, torch.ones_like(mean), correction1, 1.0, beta1, factor)
        square = torch.addcmul(self.square * beta2, gradient, gradient, value=1 - beta2)
        correction2 = 1 - self.kept2 * beta2**count
        denominator = square.sqrt().div_(correction2**0.5).add_(eps)
        return Moments(mean, square, self.square, denominator, correction1, correction2, beta1, factor)

    def step(self, theta: torch.Tensor, moments: Moments, lr: float) -> torch.Tensor:
        """θ_{t+1} = θ_t - η m̂_t/(√v̂_t + ε), shape (P,); the moments become the memory."""
        self.mean = moments.mean
        if moments.square is not None:
            self.square = moments.square
        self.steps += 1
        return torch.addcdiv(theta, moments.mean, moments.denominator, value=-lr / moments.correction1)

    def betas_changed(self, beta1: float, beta2: float) -> None:
        """Close the stretch of steps that was taken with these values."""
        self.kept1 *= (beta1 if self.averaging else 0.0) ** self.steps
        self.kept2 *= beta2**self.steps
        self.steps = 0

    def reset_square(self, gradient: torch.Tensor) -> None:
        """v = g²: a full estimate, so that no bias is left to correct."""
        self.square = gradient * gradient
        self.kept2 = 0.0

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("mean", "square", "kept1", "kept2", "steps")}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value.to(self.mean) if isinstance(value, torch.Tensor) else value)
