"""Equations on x in [-1, 1] with known solutions, for networks that learn them from data or from their residual.

Poisson -u'' = f; heat u_t = ν u_xx; Burgers u_t + u u_x = ν u_xx from u(x, 0) = -sin πx; wave u_tt = c² u_xx from
rest; t in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

Equation = Literal["poisson", "heat", "burgers", "wave"]

FINE = 513  # places of the finest grid along x, finer than the training points
TIMES = 9  # of the evaluation grid where there is a time; the middle one is shown
EDGE_TIMES = 51  # points on each side of a domain with time


@dataclass(frozen=True)
class Problem:
    """An equation, its exact solution Σ a_k sin kπx (times e^(-ν(kπ)²t) for heat, cos kπct for waves) and its grids.

    Attributes:
        waves: Frequencies k and amplitudes a; Burgers has its own start.
        viscosity: ν.
        speed: c.
    """

    equation: Equation
    waves: tuple[tuple[int, float], ...]
    viscosity: float = 1.0
    speed: float = 1.0

    @property
    def timed(self) -> bool:
        return self.equation != "poisson"

    def solution(self, inputs: Tensor) -> Tensor:
        """u at inputs (n, 1) of x or (n, 2) of (x, t), shape (n,)."""
        if self.equation == "burgers":
            x, t = inputs.cpu().numpy().T
            return torch.from_numpy(burgers(x, t, self.viscosity)).to(inputs)
        return self._sum(inputs, lambda k, x: torch.sin(k * x))

    def slope(self, inputs: Tensor) -> Tensor:
        """∂u/∂x, shape (n,); of Burgers' integral by central differences, good to about 1e-6 of its steepest."""
        if self.equation == "burgers":
            aside = torch.zeros_like(inputs)
            aside[:, 0] = 1e-5
            return (self.solution(inputs + aside) - self.solution(inputs - aside)) / 2e-5
        return self._sum(inputs, lambda k, x: k * torch.cos(k * x))

    def source(self, inputs: Tensor) -> Tensor:
        """f of Poisson's equation, shape (n,)."""
        return self._sum(inputs, lambda k, x: k * k * torch.sin(k * x))

    @property
    def orders(self) -> tuple[int, ...]:
        """The highest derivative along x, and along t where there is a time."""
        return {"poisson": (2,), "wave": (2, 2)}.get(self.equation, (2, 1))

    def residual(self, inputs: Tensor, u: Tensor, along: Sequence[tuple[Tensor, ...]]) -> Tensor:
        """What the equation says should be 0, shape (n,).

        Args:
            inputs: (n, d).
            u: (n,).
            along: Derivatives along x, and along t where there is a time, up to ``orders``; (n,) each.
        """
        u_x, u_xx = along[0]
        if not self.timed:
            return u_xx + self.source(inputs)
        u_t, *higher = along[1]
        if self.equation == "wave":
            return higher[0] - self.speed**2 * u_xx
        advected = u * u_x if self.equation == "burgers" else 0.0
        return u_t + advected - self.viscosity * u_xx

    def _sum(self, inputs: Tensor, wave: Callable[[float, Tensor], Tensor]) -> Tensor:
        total = torch.zeros(len(inputs), dtype=inputs.dtype, device=inputs.device)
        for k, amplitude in self.waves:
            rate = k * math.pi
            total += amplitude * self._over_time(rate, inputs) * wave(rate, inputs[:, 0])
        return total

    def _over_time(self, rate: float, inputs: Tensor) -> Tensor | float:
        """What becomes of a sine of frequency ``rate`` from t = 0 on."""
        if self.equation == "wave":
            return torch.cos(rate * self.speed * inputs[:, 1])
        return torch.exp(-self.viscosity * rate**2 * inputs[:, 1]) if self.timed else 1.0

    def inside(self, count: int, generator: torch.Generator) -> Tensor:
        """Training points, ``count`` at most: equally spaced, ends and edges included; of Burgers' equation scattered.

        A grid would miss Burgers' front, points without edges the beginning of a wave that decays at once. The
        scattered ones are Sobol's, shifted at random: drawn one by one they would leave gaps.
        """
        if not self.timed:
            return torch.linspace(-1, 1, count, dtype=torch.float64)[:, None]
        if self.equation == "burgers":
            even = torch.quasirandom.SobolEngine(2).draw(count, dtype=torch.float64)
            shifted = (even + torch.rand(2, generator=generator, dtype=torch.float64)) % 1
            return shifted * shifted.new_tensor([2, 1]) - shifted.new_tensor([1, 0])
        rows = round(math.sqrt(count / 2))  # the domain is twice as long as it lasts
        return grid(rows, count // rows).flatten(0, 1)

    def edge(self) -> Tensor:
        """Where the boundary and the initial condition are asked for."""
        if not self.timed:
            return torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
        times = torch.linspace(0, 1, EDGE_TIMES, dtype=torch.float64)
        sides = [torch.stack([torch.full_like(times, side), times], 1) for side in (-1.0, 1.0)]
        x = torch.linspace(-1, 1, 2 * EDGE_TIMES, dtype=torch.float64)
        return torch.cat([*sides, torch.stack([x, torch.zeros_like(x)], 1)])

    def at_rest(self) -> Tensor:
        """Where ∂u/∂t = 0 is asked for: nowhere but at the start of a wave, shape (n, d)."""
        edge = self.edge()
        return edge[edge[:, 1] == 0] if self.equation == "wave" else edge[:0]

    def fine(self) -> Tensor:
        """The evaluation grid, shape (T, FINE, d): one row of places for each time, T = 1 without time."""
        return grid(TIMES, FINE) if self.timed else torch.linspace(-1, 1, FINE, dtype=torch.float64)[None, :, None]


def grid(times: int, places: int) -> Tensor:
    """(x, t) on [-1, 1] x [0, 1], edges included, shape (times, places, 2)."""
    x, t = (torch.linspace(low, 1, count, dtype=torch.float64) for low, count in ((-1, places), (0, times)))
    return torch.stack(torch.meshgrid(t, x, indexing="ij")[::-1], 2)


def burgers(x: ArrayLike, t: ArrayLike, viscosity: float) -> np.ndarray:
    """Burgers' equation from -sin πx, by the Cole-Hopf transform and Gauss-Hermite quadrature, shape of x and t.

    u = -∫ sin(π(x - s)) w(s) ds / ∫ w(s) ds, w = exp(-cos(π(x - s))/(2πν) - s²/(4νt)); t = 0 gives the start.
    """
    x, t = np.broadcast_arrays(np.asarray(x, float), np.asarray(t, float))
    nodes, weights = np.polynomial.hermite.hermgauss(120)
    moved = np.pi * (x[..., None] - np.sqrt(4 * viscosity * t)[..., None] * nodes)
    power = -np.cos(moved) / (2 * np.pi * viscosity)
    kernel = weights * np.exp(power - power.max(-1, keepdims=True))  # the ratio is free of a common factor
    return -(np.sin(moved) * kernel).sum(-1) / kernel.sum(-1)
