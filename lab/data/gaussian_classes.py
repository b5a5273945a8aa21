"""Classes that are Gaussian clouds about random centres: a set that a network learns in a few hundred steps."""

import torch
from torch import Tensor

DIMENSIONS, SPREAD = 32, 0.6
MEAN_SQUARE = 1 + SPREAD**2  # of a coordinate: noise and centre


def gaussian_classes(
    classes: int, train: int, test: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Points N(c_y, I) with centres c ~ N(0, SPREAD² I), and their classes y, drawn evenly.

    Returns:
        Training points (train, DIMENSIONS) and classes (train,), test points and classes.
    """
    centres = SPREAD * torch.randn(classes, DIMENSIONS, generator=generator)
    y = torch.randint(classes, (train + test,), generator=generator)
    x = centres[y] + torch.randn(len(y), DIMENSIONS, generator=generator)
    return x[:train], y[:train], x[train:], y[train:]
