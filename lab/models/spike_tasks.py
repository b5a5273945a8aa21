"""Networks on which Adam's loss spikes are watched, with their data: each as the loss of a flat parameter vector.

Bai et al. (2025), arXiv 2506.04805. Their sizes were not available to us, so these are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lab.config import ConfigError
from lab.data.anchor import AnchorTask, draw_sequences
from lab.data.images import load_digits, load_images
from lab.models.architecture import Architecture
from lab.models.cnn import SmallCNN
from lab.models.flat_loss import FlatLoss, ModuleLoss, Quadratic, TwoLayerTanh
from lab.models.mlp import MLP
from lab.models.transformer import Transformer

Generators = tuple[torch.Generator, torch.Generator]  # of the data, of the weights

DIMENSIONS = 50


def of_scene(config: Any, generator: Callable[[Any], torch.Generator], device: torch.device) -> tuple[FlatLoss, Tensor]:
    """The loss of a scene, and where θ starts, shape (P,).

    Args:
        config: Knobs of the experiment.
        generator: Gives the run's generators by purpose, data and init.
        device: Where the loss is computed.

    Raises:
        ConfigError: The folder of images cannot be read.
    """
    if config.scene == "quadratic":
        return Quadratic(config.curvature), torch.full((1,), config.theta0, dtype=torch.float64, device=device)
    if config.scene == "network":
        x = torch.linspace(-torch.pi, torch.pi, config.samples, dtype=torch.float64, device=device)
        network = TwoLayerTanh(x, torch.sin(x) + torch.sin(4 * x), config.width)
        # seeded as a script would: manual_seed(1) in a notebook gives the network of seed 1
        seed = config.seed if config.init_seed is None else config.init_seed
        return network, network.start(generator("init").manual_seed(seed))
    common = (generator("data"), generator("init")), device
    if config.scene == "50-d":
        task = many_dimensions(config.samples, config.width, *common)
    elif config.scene == "images":
        try:
            task = image_network(config.folder, config.samples, config.width, *common)
        except (OSError, ValueError, ImportError) as error:
            raise ConfigError({"folder": str(error)}) from None
    else:
        task = anchor_decoder(config.samples, config.width, config.layers, *common)
    return task, task.start()


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

    def errors(rows: Tensor) -> Tensor:
        return (model(x[rows]) - y[rows]).square()

    return ModuleLoss(
        model,
        lambda rows: errors(rows).mean(),
        _all(samples, device),
        each=lambda rows: errors(rows).mean(1),
        pictures=x.mean(1),
    )


def anchor_decoder(samples: int, width: int, layers: int, generators: Generators, device: torch.device) -> ModuleLoss:
    """A decoder that reads the answer of the identity anchor function as one number, mean squared error, float64.

    Squares, as for images. One number: over one-hot answers so small a decoder falls too slowly for a demo.

    Args:
        samples: Training sequences of nine tokens.
        width: d; one head of half of it, an MLP three times as wide.
        layers: Blocks.
    """
    data, init = generators
    task = AnchorTask({(3,): 0}, length=9, modulus=8)
    drawn = draw_sequences(task, samples, data).to(device)
    low, high = task.keys
    y = (drawn.labels.double() - (low + high) / 2) / ((high - low) / 12**0.5)  # about zero, of variance about one
    sizes = Architecture(task.vocabulary, 9, width, layers, 1, width // 2, 3 * width, activation="gelu", outputs=1)
    model = Transformer(sizes, init, dtype=torch.float64).to(device)

    def loss(rows: Tensor) -> Tensor:
        return (model.predict(drawn.tokens[rows])[:, 0] - y[rows]).square().mean()

    return ModuleLoss(model, loss, _all(samples, device))


def _all(count: int, device: torch.device) -> Tensor:
    return torch.arange(count, device=device)
