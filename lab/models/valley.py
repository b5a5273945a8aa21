"""A river valley in two dimensions: steep walls across, a slow fall along. After Wen et al. 2024, arXiv 2410.05192."""

from typing import NamedTuple

import torch
from torch import Tensor


class Parts(NamedTuple):
    """The walls' part of a loss and the valley floor's, which add up to it; shape (lanes, replicates) each."""

    hill: Tensor
    river: Tensor


class Valley:
    """L(x, y) = γ/2 (y - A sin x)² - s x, walked by many walkers at once, with noise σ on the gradient along y.

    Points have the shape (..., walkers, 2).

    Args:
        gamma: Curvature γ of the walls.
        bend: A; 0 gives a straight river.
        slope: s, the fall along the river.
        sigma: Standard deviation of the gradient noise.
        walkers: Their number.
    """

    def __init__(self, gamma: float, bend: float, slope: float, sigma: float, walkers: int) -> None:
        self.gamma, self.bend, self.slope, self.sigma, self.walkers = gamma, bend, slope, sigma, walkers

    def start(self, lanes: int, device: torch.device) -> Tensor:
        """All walkers at the origin, shape (lanes, 1, walkers, 2)."""
        return torch.zeros(lanes, 1, self.walkers, 2, dtype=torch.float64, device=device)

    def draw(self, generator: torch.Generator, device: torch.device) -> Tensor | None:
        """The noise of one step, shape (walkers,), the same for every lane; None without noise."""
        if not self.sigma:
            return None
        return (self.sigma * torch.randn(self.walkers, generator=generator, dtype=torch.float64)).to(device)

    def step(self, theta: Tensor, lr: Tensor, draw: Tensor | None) -> Tensor:
        """One step of noisy gradient descent, in place. ``lr`` has the shape (lanes,)."""
        x, y = theta.unbind(-1)
        wall, along = self.gamma * y, self.slope
        if self.bend:  # a straight river needs no sine, which is a third of its step
            wall = self.gamma * (y - self.bend * x.sin())
            along = self.slope + wall * self.bend * x.cos()
        across = wall if draw is None else wall + draw
        rates = lr[:, None, None]
        x += rates * along
        y -= rates * across
        return theta

    def loss(self, point: Tensor) -> Tensor:
        """L at points (..., 2), shape (...)."""
        x, y = point.unbind(-1)
        return self.gamma / 2 * (y - self.bend * x.sin()) ** 2 - self.slope * x

    def point(self, theta: Tensor) -> Tensor:
        """One walker of the first lane, shape (2,)."""
        return theta[0, 0, 0]

    def parts(self, theta: Tensor) -> Parts:
        """Mean hill and river loss over the walkers."""
        x, y = theta.unbind(-1)
        hill = self.gamma / 2 * (y - self.bend * x.sin()) ** 2
        return Parts(hill.mean(-1), -self.slope * x.mean(-1))

    def seen_from_above(self, length: float, width: float) -> tuple[Tensor, Tensor, Tensor]:
        """L on a grid that walkers stay on, shape (61, 81), its x along, (81,), and its y across, (61,).

        Args:
            length: How far they go along the river.
            width: How far they bounce off its middle.
        """
        wide = self.bend + max(1.0, width)
        x, y = torch.linspace(-0.1, max(1.0, length), 81).double(), torch.linspace(-wide, wide, 61).double()
        return self.loss(torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)), x, y
