"""Losses small enough to write out: value, gradient and Hessian in closed form, quicker than by autograd."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import final

import torch


class ClosedForm(ABC):
    """A loss L(θ) of a flat parameter vector θ, shape (P,), with its derivatives.

    Attributes:
        size: P.
    """

    size: int

    @abstractmethod
    def value_and_gradient(self, theta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """L, shape (), and ∇L, shape (P,)."""

    @abstractmethod
    def hessian(self, theta: torch.Tensor) -> torch.Tensor:
        """∇²L, shape (P, P)."""

    @abstractmethod
    def hessian_products(self, theta: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
        """A function that multiplies ∇²L with each row of a batch, shape (K, P); θ's own part is computed once."""


@final
class Quadratic(ClosedForm):
    """L(θ) = h θ²/2 with one parameter."""

    size = 1

    def __init__(self, curvature: float) -> None:
        self.curvature = curvature

    def value_and_gradient(self, theta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        gradient = self.curvature * theta
        return 0.5 * gradient.dot(theta), gradient

    def hessian(self, theta: torch.Tensor) -> torch.Tensor:
        return torch.full((1, 1), self.curvature, dtype=theta.dtype, device=theta.device)

    def hessian_products(self, theta: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
        return lambda rows: self.curvature * rows


@final
class TwoLayerTanh(ClosedForm):
    """Mean squared error (no 1/2) of f(x) = Σ_k a_k tanh(w_k x + b_k) + c on N points x in one dimension.

    θ = (w, b, a, c), so P = 3 · width + 1. With r the residuals, q = 2r/N and J = ∂f/∂θ: ∇L = Jᵀq and
    ∇²L = 2/N JᵀJ + Σ_n q_n ∇²f_n, whose second part couples only the three parameters of one hidden unit.

    Args:
        x: Inputs, shape (N,).
        y: Targets, shape (N,).
        width: Hidden units.
    """

    def __init__(self, x: torch.Tensor, y: torch.Tensor, width: int) -> None:
        self.size = 3 * width + 1
        self.y = y
        self.width = width
        self.powers = torch.stack([x, torch.ones_like(x)])  # (2, N): what w_k and b_k are multiplied with
        self.moments = torch.stack([x * x, x, torch.ones_like(x)])  # (3, N)

    def start(self, generator: torch.Generator) -> torch.Tensor:
        """Standard normal w, b and a, drawn in this order, and c = 0."""
        drawn = [torch.randn(self.width, generator=generator, dtype=self.y.dtype) for _ in range(3)]
        return torch.cat([*drawn, torch.zeros(1, dtype=self.y.dtype)]).to(self.y.device)

    def _forward(self, theta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        inner, outer, bias = theta.split([2 * self.width, self.width, 1])
        return torch.tanh(self.powers.T @ inner.view(2, self.width)), outer, bias

    def value_and_gradient(self, theta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden, outer, bias = self._forward(theta)
        residual = torch.addmv(bias, hidden, outer).sub_(self.y)
        q = residual * (2 / len(residual))
        inner = ((self.powers * q) @ (1 - hidden * hidden)).mul_(outer)
        gradient = torch.cat([inner.view(-1), q @ hidden, q.sum().view(1)])
        return residual.dot(residual) / len(residual), gradient

    def _linearised(self, theta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """J, shape (N, P), and the blocks Σ_n q_n ∂²f_n/∂(w, b, a)_k² of every hidden unit, shape (3, 3, width)."""
        hidden, outer, bias = self._forward(theta)
        q = torch.addmv(bias, hidden, outer).sub_(self.y) * (2 / len(hidden))
        slope = 1 - hidden * hidden
        by_inner = slope * outer
        x = self.powers[0][:, None]
        jacobian = torch.cat([x * by_inner, by_inner, hidden, torch.ones_like(x)], dim=1)
        weighted = self.moments * q
        ww, wb, bb = (weighted @ (-2 * hidden * slope)) * outer
        wa, ba = weighted[1:] @ slope
        rows = [torch.stack(row) for row in ((ww, wb, wa), (wb, bb, ba), (wa, ba, torch.zeros_like(wa)))]
        return jacobian, torch.stack(rows)

    def hessian(self, theta: torch.Tensor) -> torch.Tensor:
        jacobian, blocks = self._linearised(theta)
        hessian = (2 / len(jacobian)) * (jacobian.T @ jacobian)
        # (3, width, 3, width): its diagonal over the two width axes is what one hidden unit's parameters share
        units = hessian[:-1, :-1].view(3, self.width, 3, self.width)
        units.diagonal(dim1=1, dim2=3).add_(blocks)
        return hessian

    def hessian_products(self, theta: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
        jacobian, blocks = self._linearised(theta)

        def multiply(rows: torch.Tensor) -> torch.Tensor:
            product = (2 / len(jacobian)) * ((rows @ jacobian.T) @ jacobian)
            units = rows[:, :-1].view(len(rows), 3, self.width)
            product[:, :-1] += torch.einsum("ijw,kjw->kiw", blocks, units).reshape(len(rows), -1)
            return product

        return multiply
