"""Blocks of a deep network with LayerNorm and residual connection, at initialisation. Doshi et al. (2023)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from lab.measures.mean_field import Norm
from lab.models.mlp import activation_by_name, normal_linear


class ResidualBlock(nn.Module):
    """h -> W φ(h) + b + μ h with W ~ N(0, σ_w²/N) and b ~ N(0, σ_b²).

    LayerNorm has no trainable scale or shift: at initialisation, where mean-field theory looks, they are 1 and 0.
    """

    def __init__(
        self,
        width: int,
        activation: str,
        sigma_w2: float,
        sigma_b2: float = 0.0,
        *,
        mu: float = 0.0,
        norm: Norm = "none",
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        if norm not in ("none", "pre", "post"):
            raise ValueError(f"norm is 'none', 'pre' or 'post', got {norm!r}")
        activation_by_name(activation)  # a wrong name fails here and not in the first forward pass
        self.activation, self.mu, self.norm = activation, mu, norm
        self.linear = normal_linear(width, width, math.sqrt(sigma_w2 / width), math.sqrt(sigma_b2), generator, dtype)

    def forward(self, h: Tensor) -> Tensor:
        """The next pre-activations, shape (B, N), of those of shape (B, N)."""
        signal = activation_by_name(self.activation)(_layer_norm(h) if self.norm == "pre" else h)
        signal = self.linear(_layer_norm(signal) if self.norm == "post" else signal)
        return signal + self.mu * h if self.mu else signal


def residual_blocks(depth: int, *args, **kwargs) -> nn.ModuleList:
    """``depth`` independent blocks; the arguments are those of ``ResidualBlock``."""
    return nn.ModuleList(ResidualBlock(*args, **kwargs) for _ in range(depth))


def _layer_norm(h: Tensor) -> Tensor:
    return functional.layer_norm(h, h.shape[-1:])
