"""Networks on which Adam's loss spikes are watched, with their data: each as the loss of a flat parameter vector.

Bai et al. (2025), arXiv 2506.04805. Their sizes were not available to us, so these are ours.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from lab.data.anchor import AnchorTask, draw_sequences
from lab.data.images import load_digits, load_images
from lab.models.architecture import Architecture
from lab.models.cnn import SmallCNN
from lab.models.flat_loss import ModuleLoss
from lab.models.mlp import MLP
from lab.models.transformer import Transformer

Generators = tuple[torch.Generator, torch.Generator]  # of the data, of the weights

DIMENSIONS = 50


def quadratic_target(x: Tensor, generator: torch.Generator) -> Tensor:
    """w·x + xᵀ diag(v) x of points (N, d) with standard normal w and v, shape (N,)."""
    w, v = torch.randn(2, x.shape[1], generator=generator, dtype=x.dtype)
    return x @ w + (x * x) @ v


def many_dimensions(samples: int, width: int, generators: Generators, device: torch.device) -> ModuleLoss:
    """A two-layer tanh network on standard normal points in 50 dimensions, mean squared error, float64."""
    data, init = generators
    points = torch.randn(samples, DIMENSIONS, generator=data, dtype=torch.float64)
    x, y = points.to(device), quadratic_target(points, data).to(device)
    model = MLP((DIMENSIONS, width, 1), "tanh", generator=init, dtype=torch.float64).to(device)
    return ModuleLoss(model, lambda rows: (model(x[rows])[:, 0] - y[rows]).square().mean(), _all(samples, device))


def image_network(folder: str, samples: int, channels: int, generators: Generators, device: torch.device) -> ModuleLoss:
    """A convolutional tanh network on images, mean squared error to one-hot labels.

    Squares, not cross-entropy: where a network fits its data, their curvature stays and the gradient goes.

    Args:
        folder: Where the images are; empty for scikit-learn's digits.
        samples: Images drawn.
        channels: Of the first convolution; the second has twice as many.

    Raises:
        FileNotFoundError, ValueError: See ``lab.data.images``.
    """
    data, init = generators
    images = (load_images(Path(folder).expanduser()) if folder else load_digits()).sample(samples, data)
    x, classes = images.pixels().to(device), len(images.classes)
    y = functional.one_hot(images.labels, classes).float().to(device)
    sizes = (images.images.shape[1], images.images.shape[2], images.images.shape[3])
    model = SmallCNN(sizes, classes, init, channels=(channels, 2 * channels), activation="tanh").to(device)
    return ModuleLoss(model, lambda rows: (model(x[rows]) - y[rows]).square().mean(), _all(samples, device))


def anchor_decoder(
    samples: int, probe: int, width: int, layers: int, generators: Generators, device: torch.device
) -> ModuleLoss:
    """A decoder on the identity task of anchor functions, cross-entropy of the last token.

    Args:
        samples: Training sequences of nine tokens.
        probe: How many of them, the first ones, curvature is measured on.
        width: d; one head of half of it, an MLP three times as wide.
        layers: Blocks.
    """
    data, init = generators
    drawn = draw_sequences(AnchorTask({(3,): 0}, length=9, modulus=8), samples, data).to(device)
    sizes = Architecture(201, 9, width, layers, 1, width // 2, 3 * width)
    model = Transformer(sizes, init).to(device)

    def loss(rows: Tensor) -> Tensor:
        return functional.cross_entropy(model.predict(drawn.tokens[rows]), drawn.labels[rows])

    return ModuleLoss(model, loss, _all(min(probe, samples), device))


def _all(count: int, device: torch.device) -> Tensor:
    return torch.arange(count, device=device)
