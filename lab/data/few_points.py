"""Small regression sets that show condensation: in many dimensions, and on a line. All float64, inputs and targets."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch import Tensor

LineTarget = Literal["bump", "four hinges", "two hinges"]


def sine_sum(count: int, generator: torch.Generator, inputs: int = 5) -> tuple[Tensor, Tensor]:
    """y = Σ_i 3.5 sin(5 x_i + 1) at points drawn evenly from [-4, 2]^d; (n, d) and (n, 1). Xu et al. (2025): d = 5."""
    x = 6 * torch.rand(count, inputs, generator=generator, dtype=torch.float64) - 4
    return x, 3.5 * torch.sin(5 * x + 1).sum(1, keepdim=True)


def four() -> tuple[Tensor, Tensor]:
    """Four points on a line that no straight line meets; (4,) each. After Luo et al. (2021)."""
    x = torch.tensor([-0.5, -0.16, 0.16, 0.5], dtype=torch.float64)
    return x, 0.2 * torch.relu(x.abs() - 1 / 3) + torch.tensor([0.2, 0.0, 0.1, 0.15], dtype=torch.float64)


def on_a_line(target: LineTarget, count: int) -> tuple[Tensor, Tensor]:
    """A target at even points of its interval; (n, 1) each.

    bump: tanh 3(x + 0.6) - tanh 3(x - 0.6) on [-1.5, 1.5], two neurons of six parameters. After Zhang and Xu (2024).
    four hinges: -r(x) + r(2(x + 0.3)) - r(1.5(x - 0.4)) + r((x - 0.8)/2) with r = ReLU on [-1, 1]. Xu et al. (2025).
    two hinges: 0.2 r(x - 1/3) + 0.2 r(-x - 1/3) on [-1, 1], which their notebook asks for at four points.
    """
    function, half = _ON_A_LINE[target]
    x = torch.linspace(-half, half, count, dtype=torch.float64)[:, None]
    return x, function(x)


def _bump(x: Tensor) -> Tensor:
    return torch.tanh(3 * (x + 0.6)) - torch.tanh(3 * (x - 0.6))


def _four_hinges(x: Tensor) -> Tensor:
    relu = torch.relu
    return -relu(x) + relu(2 * (x + 0.3)) - relu(1.5 * (x - 0.4)) + relu(0.5 * (x - 0.8))


def _two_hinges(x: Tensor) -> Tensor:
    return 0.2 * torch.relu(x.abs() - 1 / 3)


_ON_A_LINE: dict[LineTarget, tuple[Callable[[Tensor], Tensor], float]] = {
    "bump": (_bump, 1.5),
    "four hinges": (_four_hinges, 1.0),
    "two hinges": (_two_hinges, 1.0),
}


def shown_grid(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Where an output on a line is drawn, evenly and at the data, and the data there, NaN in between; (G,) each."""
    at, target = x.flatten().cpu(), y.flatten().cpu()
    even = torch.from_numpy(np.linspace(1.2 * float(at.min()), 1.2 * float(at.max()), 201))
    grid = torch.cat([even, at]).unique()
    data = torch.full_like(grid, torch.nan)
    data[torch.searchsorted(grid, at)] = target
    return grid, data
