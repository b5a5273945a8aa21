"""Losses of a flat parameter vector: small ones in closed form, quicker than by autograd, and any module's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn

from lab.measures.directions import Params, trainable
from lab.measures.hvp import Hessian
from lab.measures.landscape import ClosureLoss, Loss
from lab.measures.operators import Matrix, SymmetricOperator, flatten, unflatten

MOST_LOOKED_AT = 1000
DENSE_UP_TO = 200  # parameters up to which the matrix costs less than the products of two searches


class FlatLoss(ABC):
    """A loss L(θ) of a flat parameter vector θ, shape (P,), with its derivatives."""

    @abstractmethod
    def value_and_gradient(self, theta: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """L, shape (), and ∇L, shape (P,), over some rows of the data; closed forms have all of it always."""

    @abstractmethod
    def curvature(self, theta: Tensor) -> tuple[SymmetricOperator, Tensor]:
        """∇²L, shape (P, P), and ∇L, shape (P,), over all data even where a step sees a batch."""

    @abstractmethod
    def by_name(self, theta: Tensor) -> tuple[Loss, Params] | None:
        """L over all data as a function of named parameters, and θ as those; None where θ is a single number."""


@final
class Quadratic(FlatLoss):
    """L(θ) = h θ²/2 with one parameter."""

    def __init__(self, curvature: float) -> None:
        self.h = curvature

    def value_and_gradient(self, theta: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        gradient = self.h * theta
        return 0.5 * gradient.dot(theta), gradient

    def curvature(self, theta: Tensor) -> tuple[SymmetricOperator, Tensor]:
        return Matrix(torch.full((1, 1), self.h, dtype=theta.dtype, device=theta.device)), self.h * theta

    def by_name(self, theta: Tensor) -> None:
        return None


@final
class ModuleLoss(FlatLoss):
    """The loss of a module; its parameters take the values of θ whenever the loss is asked for.

    Args:
        module: Its trained parameters, in their order, make θ.
        objective: L over some rows of the data, shape (), with its graph.
        probe: Rows whose curvature is meant, and which a step sees where it names no others.
        each: The loss of every one of some rows, shape (n,), for who looks at single ones.
        pictures: All rows as images of one channel, shape (N, H, W), where they are images.
    """

    def __init__(
        self,
        module: nn.Module,
        objective: Callable[[Tensor], Tensor],
        probe: Tensor,
        *,
        each: Callable[[Tensor], Tensor] | None = None,
        pictures: Tensor | None = None,
    ) -> None:
        self.module = module
        self.params = [p for p in module.parameters() if p.requires_grad]
        self.objective = objective
        self.probe = probe
        self.pictures = pictures
        self._each = each

    def start(self) -> Tensor:
        """θ as the module was drawn, shape (P,)."""
        return flatten(p.detach() for p in self.params).clone()

    def value_and_gradient(self, theta: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self._put(theta)
        with torch.enable_grad():
            loss = self.objective(self.probe if rows is None else rows)
            gradient = torch.autograd.grad(loss, self.params)
        return loss.detach(), flatten(gradient)

    def curvature(self, theta: Tensor) -> tuple[SymmetricOperator, Tensor]:
        self._put(theta)
        hessian = Hessian(lambda: self.objective(self.probe), self.params)
        return hessian, hessian.gradient

    def worst_pictures(self, theta: Tensor, count: int) -> tuple[Tensor, Tensor] | None:
        """Those of the largest loss, (count, H, W), and their losses, (count,); None where rows are no images.

        Args:
            theta: Shape (P,).
            count: How many, or as many as there are. The first MOST_LOOKED_AT rows are looked at.
        """
        if self.pictures is None or self._each is None:
            return None
        self._put(theta)
        with torch.no_grad():
            losses = self._each(self.probe[:MOST_LOOKED_AT])
        largest, rows = losses.topk(min(count, len(losses)))
        return self.pictures[rows], largest

    def by_name(self, theta: Tensor) -> tuple[Loss, Params]:
        self._put(theta)
        return ClosureLoss(self.module, lambda: self.objective(self.probe)), trainable(self.module)

    def _put(self, theta: Tensor) -> None:
        with torch.no_grad():
            for p, value in zip(self.params, unflatten(theta, self.params), strict=True):
                p.copy_(value)


@final
class TwoLayerTanh(FlatLoss):
    """Mean squared error (no 1/2) of f(x) = Σ_k a_k tanh(w_k x + b_k) + c on N points x in one dimension.

    θ = (w, b, a, c), so P = 3 · width + 1. With r the residuals, q = 2r/N and J = ∂f/∂θ: ∇L = Jᵀq and
    ∇²L = 2/N JᵀJ + Σ_n q_n ∇²f_n, whose second part couples only the three parameters of one hidden unit.

    Args:
        x: Inputs, shape (N,).
        y: Targets, shape (N,).
        width: Hidden units.
    """

    def __init__(self, x: Tensor, y: Tensor, width: int) -> None:
        self.y = y
        self.width = width
        self.powers = torch.stack([x, torch.ones_like(x)])  # (2, N): what w_k and b_k are multiplied with
        self.moments = torch.stack([x * x, x, torch.ones_like(x)])  # (3, N)

    def start(self, generator: torch.Generator) -> Tensor:
        """Standard normal w, b and a, drawn in this order, and c = 0."""
        drawn = [torch.randn(self.width, generator=generator, dtype=self.y.dtype) for _ in range(3)]
        return torch.cat([*drawn, torch.zeros(1, dtype=self.y.dtype)]).to(self.y.device)

    def _forward(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        inner, outer, bias = theta.split([2 * self.width, self.width, 1])
        return torch.tanh(self.powers.T @ inner.view(2, self.width)), outer, bias

    def value_and_gradient(self, theta: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        hidden, outer, bias = self._forward(theta)
        residual = torch.addmv(bias, hidden, outer).sub_(self.y)
        q = residual * (2 / len(residual))
        inner = ((self.powers * q) @ (1 - hidden * hidden)).mul_(outer)
        gradient = torch.cat([inner.view(-1), q @ hidden, q.sum().view(1)])
        return residual.dot(residual) / len(residual), gradient

    def curvature(self, theta: Tensor) -> tuple[SymmetricOperator, Tensor]:
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
        hessian = _TwoLayerHessian(jacobian, torch.stack(rows))
        if hessian.size <= DENSE_UP_TO:
            return Matrix(hessian(torch.eye(hessian.size).to(theta))), q @ jacobian
        return hessian, q @ jacobian

    def by_name(self, theta: Tensor) -> tuple[Loss, Params]:
        inner, outer, bias = theta.split([2 * self.width, self.width, 1])

        def loss(params: dict[str, Tensor]) -> Tensor:
            hidden = torch.tanh(self.powers.T @ params["inner"].T)
            return ((hidden @ params["outer"].T)[:, 0] + params["bias"] - self.y).square().mean()

        units = inner.view(2, self.width).T  # a row for each hidden unit: its w and b are one filter
        return loss, {"inner": units.clone(), "outer": outer.view(1, -1).clone(), "bias": bias.clone()}


@final
class _TwoLayerHessian(SymmetricOperator):
    """2/N JᵀJ plus one symmetric 3 x 3 block for every hidden unit.

    Args:
        jacobian: J = ∂f/∂θ, shape (N, P).
        blocks: Σ_n q_n ∂²f_n/∂(w, b, a)_k², shape (3, 3, width).
    """

    def __init__(self, jacobian: Tensor, blocks: Tensor) -> None:
        super().__init__(jacobian.shape[1], jacobian.dtype, jacobian.device)
        self.jacobian = jacobian
        self.blocks = blocks

    def _multiply(self, rows: Tensor) -> Tensor:
        product = (2 / len(self.jacobian)) * ((rows @ self.jacobian.T) @ self.jacobian)
        units = rows[:, :-1].reshape(len(rows), 3, -1)
        product[:, :-1] += torch.einsum("ijw,kjw->kiw", self.blocks, units).reshape(len(rows), -1)
        return product
