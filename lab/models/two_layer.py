"""Two-layer ReLU networks of any scale, trained by exact gradient descent with a step that follows their curvature.

Luo et al. (2021), JMLR 22. f(x) = (1/α) Σ_k a_k ReLU(w_k·(x, 1)), beside a copy of opposite sign (ASI), so that f = 0
at the start and the initial function does not blur how far the parameters move.
"""

import torch
from torch import Tensor

STEADIEST = 0.02  # largest relative change of a neuron in a step, where neurons grow exponentially


def scales(width: int, gamma: float, gamma_prime: float) -> tuple[float, float, float]:
    """β1, β2 and α with β2 = 1, κ' = β1/β2 = m^-γ' and κ = β1 β2/α = m^-γ."""
    beta = width**-gamma_prime
    return beta, 1.0, beta * width**gamma


def drawn_start(
    width: int, gamma: float, gamma_prime: float, generator: torch.Generator | None = None, *, mirrored: bool = True
) -> tuple[Tensor, float]:
    """Neurons, rows (w, b, a) with a ~ N(0, β1²) and (w, b) ~ N(0, β2² I), float64; and α.

    Shape (2m, 3), the second half the copy of opposite sign; without it (m, 3).
    """
    beta, _, alpha = scales(width, gamma, gamma_prime)
    drawn = torch.randn(width, 3, generator=generator, dtype=torch.float64)
    drawn[:, 2] *= beta
    return torch.cat([drawn, drawn * drawn.new_tensor([1, 1, -1])]) if mirrored else drawn, alpha


def outputs(neurons: Tensor, alpha: float, x: Tensor) -> Tensor:
    """f at x, shape (N,)."""
    return torch.relu(torch.outer(x, neurons[:, 0]) + neurons[:, 1]) @ neurons[:, 2] / alpha


def descend(neurons: Tensor, alpha: float, x: Tensor, y: Tensor) -> tuple[Tensor, float]:
    """One step of gradient descent on L = (1/2N) Σ (f - y)².

    The step is 1/tr(Θ/N), Θ = J Jᵀ the tangent kernel, which no direction of the loss outgrows, and short enough that
    no neuron changes by more than about 2 %.

    Returns:
        The neurons after it; and L before it.
    """
    inputs = torch.stack([x, torch.ones_like(x)], dim=1)
    pre = inputs @ neurons[:, :2].T  # (N, 2m), or (N, m) without the copy
    hidden, out = torch.relu(pre), neurons[:, 2]
    residual = hidden @ out / alpha - y
    active = (pre > 0).to(x.dtype)
    pull = residual / (len(x) * alpha)
    gradient = torch.empty_like(neurons)
    gradient[:, 2] = pull @ hidden
    gradient[:, :2] = out[:, None] * (active.T @ (pull[:, None] * inputs))
    # tr Θ = Σ_n (Σ_k h_nk² + ‖(x_n, 1)‖² Σ_k a_k² [active]) / α²
    trace = (hidden.square().sum() + inputs.square().sum(1) @ (active @ out.square())) / alpha**2
    rate = torch.minimum(len(x) / trace, STEADIEST * alpha / residual.abs().max())
    return neurons - rate * gradient, float(residual.square().mean() / 2)


def descend_many(neurons: Tensor, alpha: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """:func:`descend` for B networks of one width: neurons (B, 2m, 3) and α (B,); their L before it, shape (B,)."""
    inputs = torch.stack([x, torch.ones_like(x)], dim=1)
    weight, out = neurons[:, :, :2], neurons[:, :, 2]
    pre = inputs @ weight.mT  # (B, N, 2m)
    hidden = torch.relu(pre)
    residual = (hidden @ out[:, :, None])[:, :, 0] / alpha[:, None] - y
    active = (pre > 0).to(x.dtype)
    pull = residual / (len(x) * alpha[:, None])
    gradient = torch.empty_like(neurons)
    gradient[:, :, 2] = (pull[:, None] @ hidden)[:, 0]
    gradient[:, :, :2] = out[:, :, None] * (active.mT @ (pull[:, :, None] * inputs))
    kernel = (active @ out.square()[:, :, None])[:, :, 0] @ inputs.square().sum(1)
    trace = (hidden.square().sum((1, 2)) + kernel) / alpha.square()
    rate = torch.minimum(len(x) / trace, STEADIEST * alpha / residual.abs().amax(1))
    return neurons - rate[:, None, None] * gradient, residual.square().mean(1) / 2
