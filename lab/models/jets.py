"""Derivatives of a network with respect to its inputs, carried forward layer by layer.

A jet holds u and its first and second derivatives along chosen inputs. A layer maps it linearly, an activation by the
chain rule, so each derivative costs about one forward pass, and one ordinary backward pass gives the gradient of a loss
made of them.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lab.models.mlp import MLP

Along = tuple[Tensor, ...]
"""Derivatives along one input, from the first on."""


def _tanh(z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    h = torch.tanh(z)
    slope = 1 - h * h
    return h, slope, -2 * h * slope


def _sin(z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    h = torch.sin(z)
    return h, torch.cos(z), -h


RULES: dict[str, Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]] = {"tanh": _tanh, "sin": _sin}
"""(φ, φ', φ'') at z, by name of the activation."""


def jet(model: MLP, x: Tensor, orders: Sequence[int] = (2,)) -> tuple[Tensor, list[Along]]:
    """u of a network with one output, shape (n,), and its derivatives along its inputs, differentiable in its weights.

    Args:
        model: With an activation of ``RULES``.
        x: Inputs, shape (n, d).
        orders: The highest derivative wanted along each of the first inputs: 0, 1 or 2.

    Returns:
        u, and for each of ``orders`` as many derivatives, shape (n,) each: ∂u/∂x_i, ∂²u/∂x_i².

    Raises:
        ValueError: No rule for the activation, or several outputs.
    """
    if model.activation not in RULES or model.layers[-1].out_features != 1:
        raise ValueError(f"jets need one output and an activation of {', '.join(RULES)}, not {model.activation}")
    first, *rest = model.layers
    z = first(x)
    along: list[Along] = [
        (first.weight[:, axis].expand_as(z), torch.zeros_like(z))[:order] for axis, order in enumerate(orders)
    ]
    for layer in rest:
        h, slope, bend = RULES[model.activation](z)
        along = [_chain(part, slope, bend) for part in along]
        # one product for all: the layers are small, and what they cost is the number of calls
        z, *mapped = (torch.stack([h, *(d for part in along for d in part)]) @ layer.weight.T).unbind()
        z, left = z if layer.bias is None else z + layer.bias, iter(mapped)
        along = [tuple(next(left) for _ in part) for part in along]
    return z[:, 0], [tuple(d[:, 0] for d in part) for part in along]


def _chain(along: Along, slope: Tensor, bend: Tensor) -> Along:
    """(φ' z', φ' z'' + φ'' z'²), as far as ``along`` goes."""
    if len(along) < 2:
        return tuple(slope * first for first in along)
    first, second = along
    return slope * first, torch.addcmul(slope * second, bend * first, first)
