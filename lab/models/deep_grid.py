"""Deep networks trained side by side, one at each (σ_w², σ_b²), to see where depth lets itself be trained.

Their blocks are those of ``lab.models.residual_mlp``. Doshi et al. (2023), arXiv 2111.12143.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from lab.models.mlp import activation_by_name


class DeepGrid(nn.Module):
    """R networks x -> h⁰ -> L blocks h' = W φ(h) + b + μ h -> W φ(h), every draw shared by all of them.

    Args:
        points: σ_w² and σ_b² of each network.
        sizes: Inputs, width N, classes.
        depth: Blocks L.
        activation: A name of ``lab.models.mlp.ACTIVATIONS``.
        input_square: Mean square of an input's coordinate.
        variance0: K⁰, the mean square of h⁰ that the first layer makes of it.
        mu: Strength of the residual connection.
        norm: LayerNorm on pre-activations ("pre"), on activations ("post") or nowhere ("none").
    """

    def __init__(
        self,
        points: Sequence[tuple[float, float]],
        sizes: tuple[int, int, int],
        depth: int,
        activation: str,
        generator: torch.Generator,
        *,
        input_square: float,
        variance0: float = 1.0,
        mu: float = 0.0,
        norm: str = "none",
    ) -> None:
        super().__init__()
        inputs, width, classes = sizes
        self.activation, self.mu, self.norm = activation, mu, norm
        weight, bias = (torch.tensor([point[side] for point in points]).sqrt()[:, None, None] for side in (0, 1))
        one = torch.ones_like(weight)

        def drawn(rows: int, columns: int, scale: Tensor) -> nn.Parameter:
            return nn.Parameter(scale * torch.randn(rows, columns, generator=generator))

        self.first = drawn(inputs, width, one * math.sqrt(variance0 / (inputs * input_square)))
        self.weights = nn.ParameterList(drawn(width, width, weight / math.sqrt(width)) for _ in range(depth))
        self.biases = nn.ParameterList(drawn(1, width, bias) for _ in range(depth))
        self.readout = drawn(width, classes, one / math.sqrt(width))

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (R, B, classes), of inputs of shape (B, inputs)."""
        h = x @ self.first
        for weight, bias in zip(self.weights, self.biases, strict=True):
            signal = torch.baddbmm(bias, self._activated(h), weight)
            h = signal + self.mu * h if self.mu else signal
        return self._activated(h) @ self.readout

    def _activated(self, h: Tensor) -> Tensor:
        signal = activation_by_name(self.activation)(_normed(h) if self.norm == "pre" else h)
        return _normed(signal) if self.norm == "post" else signal

    def losses(self, x: Tensor, y: Tensor) -> Tensor:
        """Mean cross-entropy of each network, shape (R,)."""
        logits = self(x)
        return (
            functional.cross_entropy(logits.flatten(0, 1), y.repeat(len(logits)), reduction="none")
            .view(len(logits), -1)
            .mean(1)
        )

    @torch.no_grad()
    def accuracies(self, x: Tensor, y: Tensor) -> Tensor:
        """Share of right answers of each network, shape (R,); one that has diverged has none."""
        logits = self(x)
        right = (logits.argmax(-1) == y).float().mean(1)
        return right.where(logits.isfinite().all(-1).all(-1), 0.0)


def _normed(h: Tensor) -> Tensor:
    return functional.layer_norm(h, h.shape[-1:])
