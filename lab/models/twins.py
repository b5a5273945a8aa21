"""Networks of one hidden layer on a regression set, with dropout, its mean effect or neither, alike at the start.

After Zhang and Xu (2024), TPAMI 46: what dropout does is seen beside a twin without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from lab.measures.condensation import dropout_regulariser
from lab.models.mlp import LECUN, MLP, activation_by_name


def twins(
    names: Sequence[str], widths: Sequence[int], activation: str, generator: torch.Generator, std: float | None = None
) -> nn.ModuleDict:
    """Networks of the same parameters, float64, without output bias.

    Args:
        names: What they are called.
        widths: Inputs, hidden units, outputs.
        activation: A name of ``lab.models.mlp.ACTIVATIONS``.
        generator: Draws the parameters.
        std: Standard deviation of all parameters; None: that of the linear regime, 1/√fan_in with biases N(0, 1).
    """
    networks = {}
    for name in names:
        drawn = torch.Generator()
        drawn.set_state(generator.get_state())
        networks[name] = MLP(
            widths,
            activation,
            output_bias=False,
            weight_std=LECUN if std is None else std,
            bias_std=1.0 if std is None else std,
            generator=drawn,
            dtype=torch.float64,
        )
    return nn.ModuleDict(networks)


def fit(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    *,
    factor: float,
    dropout: float = 0.0,
    kept: Tensor | None = None,
) -> Tensor:
    """One step on ``factor`` times the mean square off y; its value before the step, shape ().

    Args:
        net: A network of :func:`twins`.
        optimizer: Of its parameters.
        x, y: Shape (n, d) and (n, 1).
        factor: 1 for the mean square, 1/2 for (1/2n) Σ (f - y)².
        dropout: Share of hidden units dropped in each sample, the others divided by the share that stays.
        kept: The units not to drop, bool (n, m). None drops none, but adds the mean effect of dropping, R₁, for a
            factor of 1/2.
    """
    first, last = cast(MLP, net).layers
    hidden = activation_by_name(cast(MLP, net).activation)(first(x))
    seen = hidden if kept is None else hidden * kept / (1 - dropout)
    loss = (last(seen) - y).square().mean() * factor
    total = loss + dropout_regulariser(hidden, last.weight, 1 - dropout) if dropout and kept is None else loss
    first.weight.grad = first.bias.grad = last.weight.grad = None  # zero_grad takes a tenth of so short a step
    total.backward()
    optimizer.step()
    return loss.detach()
