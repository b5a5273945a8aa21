"""Small regression sets that show condensation: in five dimensions, and on a line. All float64, inputs and targets."""

import numpy as np
import torch
from torch import Tensor


def sine_sum(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """y = Σ_i 3.5 sin(5 x_i + 1) at points drawn evenly from [-4, 2]⁵; (n, 5) and (n, 1). Xu et al. (2025)."""
    x = 6 * torch.rand(count, 5, generator=generator, dtype=torch.float64) - 4
    return x, 3.5 * torch.sin(5 * x + 1).sum(1, keepdim=True)


def four() -> tuple[Tensor, Tensor]:
    """Four points on a line that no straight line meets; (4,) each. After Luo et al. (2021)."""
    x = torch.tensor([-0.5, -0.16, 0.16, 0.5], dtype=torch.float64)
    return x, 0.2 * torch.relu(x.abs() - 1 / 3) + torch.tensor([0.2, 0.0, 0.1, 0.15], dtype=torch.float64)


def bump(count: int) -> tuple[Tensor, Tensor]:
    """y = tanh 3(x + 0.6) - tanh 3(x - 0.6) at even points of [-1.5, 1.5]; (n, 1) each. After Zhang and Xu (2024)."""
    x = torch.linspace(-1.5, 1.5, count, dtype=torch.float64)[:, None]
    return x, torch.tanh(3 * (x + 0.6)) - torch.tanh(3 * (x - 0.6))


def shown_grid(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Where an output on a line is drawn, evenly and at the data, and the data there, NaN in between; (G,) each."""
    at, target = x.flatten().cpu(), y.flatten().cpu()
    even = torch.from_numpy(np.linspace(1.2 * float(at.min()), 1.2 * float(at.max()), 201))
    grid = torch.cat([even, at]).unique()
    data = torch.full_like(grid, torch.nan)
    data[torch.searchsorted(grid, at)] = target
    return grid, data
