"""Derivatives of a network with respect to its input, carried forward layer by layer.

A jet is (u, u', u'') along one input direction. A layer maps it linearly, an activation by the chain rule, so all three
cost about three forward passes, and one ordinary backward pass gives the gradient of a loss made of them.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from lab.models.mlp import MLP

Jet = tuple[Tensor, Tensor, Tensor]


def _tanh(z: Tensor, first: Tensor, second: Tensor) -> Jet:
    h = torch.tanh(z)
    slope = 1 - h * h
    bent = slope * first
    return h, bent, slope * second - 2 * h * bent * first


def _sin(z: Tensor, first: Tensor, second: Tensor) -> Jet:
    h, slope = torch.sin(z), torch.cos(z)
    return h, slope * first, slope * second - h * first * first


RULES: dict[str, Callable[[Tensor, Tensor, Tensor], Jet]] = {"tanh": _tanh, "sin": _sin}
"""(φ(z), φ'(z) z', φ'(z) z'' + φ''(z) z'²) by name of the activation."""


def jet(model: MLP, x: Tensor, axis: int = 0) -> Jet:
    """u, ∂u/∂x_axis and ∂²u/∂x_axis² of a network with one output, shape (n,) each, differentiable in its weights.

    Args:
        model: With an activation of ``RULES``.
        x: Inputs, shape (n, d).
        axis: The input to differentiate by.

    Raises:
        ValueError: No rule for the activation, or several outputs.
    """
    if model.activation not in RULES or model.layers[-1].out_features != 1:
        raise ValueError(f"jets need one output and an activation of {', '.join(RULES)}, not {model.activation}")
    first, *rest = model.layers
    slope = first.weight[:, axis].expand(len(x), -1)
    carried: Jet = (first(x), slope, torch.zeros_like(slope))
    for layer in rest:
        h, d, dd = RULES[model.activation](*carried)
        z, *derivatives = (torch.stack((h, d, dd)) @ layer.weight.T).unbind()
        carried = (z if layer.bias is None else z + layer.bias, derivatives[0], derivatives[1])
    u, d, dd = carried
    return u[:, 0], d[:, 0], dd[:, 0]
