"""Fully connected networks whose initialisation is drawn from a given generator, never from the global one."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda z: z,
    "tanh": torch.tanh,
    "x_tanh": lambda z: z * torch.tanh(z),
    "x2_tanh": lambda z: z * z * torch.tanh(z),
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "softplus": functional.softplus,
    "gelu": functional.gelu,
    "erf": torch.erf,
    "sin": torch.sin,
}
"""Activations by name; ``erf`` is erf(x), not erf(x/√2), and ``gelu`` is the exact x Φ(x)."""


def activation_by_name(name: str) -> Callable[[Tensor], Tensor]:
    """The activation called ``name``; a ValueError lists the known ones."""
    try:
        return ACTIVATIONS[name]
    except KeyError:
        raise ValueError(f"unknown activation {name!r}; choose one of {', '.join(ACTIVATIONS)}") from None


def fan_in_std(gamma: float, gain: float = 1.0) -> Callable[[int], float]:
    """The initialisation rate γ: a weight's standard deviation (not its variance) is ``gain · fan_in^-γ``.

    γ = 0.5 keeps the signal's variance (LeCun; He with gain √2); a larger γ is a smaller initialisation.
    """
    return lambda fan_in: gain * fan_in**-gamma


LECUN = fan_in_std(0.5)


def normal_linear(
    fan_in: int,
    fan_out: int,
    weight_std: float,
    bias_std: float | None,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
) -> nn.Linear:
    """A linear layer with weights N(0, weight_std²) and biases N(0, bias_std²), or no bias when that is None.

    Drawn in float64 on the CPU, weight before bias: the dtype does not change the numbers, and the global generator,
    from which torch's own initialisation would draw, is left alone.
    """
    for std in (weight_std, bias_std or 0.0):
        if not (math.isfinite(std) and std >= 0):
            raise ValueError(f"a standard deviation is finite and not negative, got {std}")
    layer = nn.Linear(fan_in, fan_out, bias=bias_std is not None, dtype=dtype, device="meta").to_empty(device="cpu")
    with torch.no_grad():
        layer.weight.copy_(torch.randn(fan_out, fan_in, generator=generator, dtype=torch.float64) * weight_std)
        if bias_std is not None:
            layer.bias.copy_(torch.randn(fan_out, generator=generator, dtype=torch.float64) * bias_std)
    return layer


def draw_uniform(layers: Sequence[nn.Linear], generator: torch.Generator, scale: float = 1.0) -> None:
    """Draw layers anew as torch does by default, U(-1/√fan_in, 1/√fan_in); weights times ``scale``."""
    with torch.no_grad():
        for layer in layers:
            bound = layer.in_features**-0.5
            layer.weight.uniform_(-bound, bound, generator=generator).mul_(scale)
            if layer.bias is not None:
                layer.bias.uniform_(-bound, bound, generator=generator)


class MLP(nn.Module):
    """Linear layers with one activation between them: x -> W_L φ(... φ(W_1 x + b_1) ...) + b_L.

    Args:
        widths: Input width, hidden widths, output width: (d, m_1, ..., m_{L-1}, c).
        activation: A name of ``ACTIVATIONS``.
        hidden_bias: Whether hidden layers have a bias.
        output_bias: Whether the last layer has one.
        weight_std: Standard deviation of the weights: one number for all layers (``m**-gamma`` with m the hidden width,
            as condensation studies do), or a function of a layer's fan-in (``fan_in_std(gamma)``).
        bias_std: Standard deviation of the biases.
        generator: A CPU generator that draws every parameter, layer by layer, weight before bias.
        dtype: Type of the parameters.
    """

    layers: list[nn.Linear]  # a ModuleList; the annotation says what it holds

    def __init__(
        self,
        widths: Sequence[int],
        activation: str = "tanh",
        *,
        hidden_bias: bool = True,
        output_bias: bool = True,
        weight_std: float | Callable[[int], float] = LECUN,
        bias_std: float = 0.0,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        if len(widths) < 2 or min(widths) < 1:
            raise ValueError(f"widths are at least an input and an output width, all positive, got {tuple(widths)}")
        activation_by_name(activation)  # a wrong name fails here and not in the first forward pass
        self.activation = activation  # the name: functions such as lambdas would keep the model from being pickled
        last = len(widths) - 2
        layers = nn.ModuleList()
        for index, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
            has_bias = output_bias if index == last else hidden_bias
            std = weight_std(fan_in) if callable(weight_std) else weight_std
            layers.append(normal_linear(fan_in, fan_out, std, bias_std if has_bias else None, generator, dtype))
        self.layers = cast(list[nn.Linear], layers)

    def blocks(self) -> list[Callable[[Tensor], Tensor]]:
        """The maps between pre-activations: x -> h¹, then h^l -> h^{l+1} = W φ(h^l) + b."""
        phi = activation_by_name(self.activation)

        def after_activation(layer: nn.Module) -> Callable[[Tensor], Tensor]:
            return lambda h: layer(phi(h))

        first, *rest = self.layers
        return [first, *map(after_activation, rest)]

    def forward(self, x: Tensor) -> Tensor:
        """Outputs, shape (B, c), of inputs of shape (B, d)."""
        for block in self.blocks():
            x = block(x)
        return x


def neurons_of(model: MLP) -> tuple[Tensor, Tensor]:
    """Input weights with bias, shape (m, d + 1), and output weights, shape (m,), of one hidden layer and one output."""
    first, last = model.layers
    return torch.cat([first.weight, first.bias[:, None]], dim=1).detach(), last.weight.detach()[0]


def put_neurons(model: MLP, rows: Tensor, out: Tensor, optimizer: torch.optim.Optimizer) -> None:
    """Give a model the neurons (m, d + 1) and (m,); the optimiser forgets those whose input weights are all zero."""
    first, last = model.layers
    with torch.no_grad():
        first.weight.copy_(rows[:, :-1])
        first.bias.copy_(rows[:, -1])
        last.weight.copy_(out[None])
    gone, state = rows.abs().amax(1) == 0, optimizer.state
    for kept in (state[p] for p in (first.weight, first.bias) if p in state):
        for value in (v for v in kept.values() if v.ndim):
            value[gone] = 0
    for value in (v for v in state.get(last.weight, {}).values() if v.ndim):
        value[:, gone] = 0
