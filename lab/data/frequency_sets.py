"""What a network that is watched through spectra is trained and tested on: a wave, parity, or images by class.

Zhou, Zhang, Xu (2024), arXiv 2405.17479.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from lab.config import ConfigError
from lab.data.aliased_sine import aliased_positions, even_positions
from lab.data.images import load_digits, load_images
from lab.data.parity import parity

TEST_POINTS = 1000  # of the wave; and at most so many images

Sets = tuple[Tensor, Tensor, Tensor, Tensor]
"""Inputs (n, D) and targets, (n,) or (n, classes), of training and of test, float32."""


def of_scene(config: Any, generator: Callable[[Any], torch.Generator]) -> Sets:
    """The sets of a config's scene; a ConfigError says why images cannot be had."""
    draw = {"sine": _wave_sets, "parity": _parity_sets, "images": _image_sets}[config.scene]
    return draw(config, generator("data"))


def wave(x: np.ndarray, frequency: int) -> tuple[Tensor, Tensor]:
    """Inputs (n, 1) and sin kx, (n,)."""
    return torch.from_numpy(x).float()[:, None], torch.from_numpy(np.sin(frequency * x)).float()


def _wave_sets(config: Any, generator: torch.Generator) -> Sets:
    chosen = {"near_first": config.near_first, "near_third": config.near_third}
    uneven = config.sampling == "uneven"
    x = aliased_positions(config.samples, config.frequency, **chosen) if uneven else even_positions(config.samples)
    return *wave(x, config.frequency), *wave(even_positions(TEST_POINTS), config.frequency)


def _parity_sets(config: Any, generator: torch.Generator) -> Sets:
    x, y = parity(config.bits)
    order = torch.randperm(len(x), generator=generator)
    train, test = order.tensor_split([round(config.share * len(x))])
    return x[train], y[train], x[test], y[test]


def _image_sets(config: Any, generator: torch.Generator) -> Sets:
    """Images drawn from a folder's training part, and up to TEST_POINTS others of it; targets are one-hot."""
    try:
        images = load_images(Path(config.folder).expanduser()) if config.folder else load_digits()
        there = len(images.labels)
        if config.samples >= there:
            raise ValueError(f"{config.samples} images to train on leave none of {there} to test: lower samples")
        drawn = images.sample(min(there, config.samples + TEST_POINTS), generator)
    except (OSError, ValueError, ImportError) as error:
        raise ConfigError({"folder": str(error)}) from None
    x, y = drawn.pixels().flatten(1), one_hot(drawn.labels, len(drawn.classes)).float()
    return x[: config.samples], y[: config.samples], x[config.samples :], y[config.samples :]
