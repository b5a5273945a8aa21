"""A small convolutional network: two convolutions, each with pooling, and one linear layer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}
POOLING: dict[str, Callable[[int], nn.Module]] = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}


class SmallCNN(nn.Module):
    """conv 3x3 - activation - pool 2x2, twice, then linear: images (B, C, H, W) to logits (B, classes).

    Weights and biases are drawn from ``generator`` alone, U(±1/√fan_in) as torch draws its own. With tanh or GELU and
    average pooling the loss is smooth, so that its second derivatives exist everywhere.

    Args:
        shape: Of one image, (C, H, W); H and W at least 4.
        classes: Number of outputs.
        generator: Source of the weights; the model is made on its device.
        channels: Of the two convolutions.
        activation: "relu", "tanh" or "gelu".
        pooling: "average" or "max".
        dtype: Of all parameters.

    Raises:
        ValueError: The image is too small, or a name is unknown.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        classes: int,
        generator: torch.Generator,
        *,
        channels: tuple[int, int] = (16, 32),
        activation: str = "relu",
        pooling: str = "average",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        colours, height, width = shape
        if min(height, width) < 4 or min(colours, classes, *channels) < 1:
            raise ValueError(
                f"images {shape}, {classes} classes, channels {channels}: 4x4 and one of each are the least"
            )
        if activation not in ACTIVATIONS or pooling not in POOLING:
            known = f"{', '.join(ACTIVATIONS)}; {', '.join(POOLING)}"
            raise ValueError(f"activation {activation!r} with pooling {pooling!r} is unknown: {known}")
        self.shape = shape
        act, pool = ACTIVATIONS[activation], POOLING[pooling]
        with torch.device("meta"):
            self.first = nn.Conv2d(colours, channels[0], 3, padding=1)
            self.second = nn.Conv2d(channels[0], channels[1], 3, padding=1)
            self.output = nn.Linear(channels[1] * (height // 4) * (width // 4), classes)
        self.activation, self.pool = act(), pool(2)
        self.to(dtype).to_empty(device=generator.device)
        with torch.no_grad():
            for layer in (self.first, self.second, self.output):
                bound = layer.weight[0].numel() ** -0.5
                for parameter in layer.parameters():
                    parameter.uniform_(-bound, bound, generator=generator)

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[1:] != self.shape or not len(images):
            raise ValueError(
                f"images have shape {tuple(images.shape)}: (at least 1, {', '.join(map(str, self.shape))})"
            )
        x = self.pool(self.activation(self.first(images)))
        return self.output(self.pool(self.activation(self.second(x))).flatten(1))
