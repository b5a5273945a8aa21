"""Model families whose targets need a known number of samples, many copies of each side by side. Zhang et al. (2025).

arXiv 2307.08921. θ is a dict of tensors with leading axes (R, S, T): rows of a study, sample sizes, trials. Inputs x
have shape (T, n, ...), one sample each per trial, and every (row, size) sees the same ones.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor

from lab.measures import optimistic

Parameters = dict[str, Tensor]


class Family(ABC):
    """A parametric model with targets that it can express.

    Attributes:
        targets: Names of the targets.
        shapes: Parameters of one copy.
        linear_size: Samples that every target takes in the linear model of the same functions; None where there is no
            such model of finite size.
    """

    targets: tuple[str, ...]
    shapes: dict[str, tuple[int, ...]]
    linear_size: int | None

    @abstractmethod
    def inputs(self, trials: int, count: int, generator: torch.Generator) -> Tensor:
        """Training inputs, shape (T, n, ...)."""

    @abstractmethod
    def test_inputs(self, generator: torch.Generator) -> Tensor:
        """Inputs that the error is measured on, shape (1, n, ...)."""

    @abstractmethod
    def predict(self, theta: Parameters, x: Tensor) -> Tensor:
        """f(x; θ), shape (R, S, T, n)."""

    @abstractmethod
    def value(self, target: str, x: Tensor) -> Tensor:
        """The target at x, shape (T, n)."""

    @abstractmethod
    def teacher(self, target: str) -> Parameters:
        """Parameters of one copy that express the target at its smallest model rank."""

    @abstractmethod
    def optimistic_size(self, target: str) -> int:
        """The closed form of that rank."""


M1 = [[1, 0.3, 0.7, -0.4], [2, 0.6, 1.4, -0.8], [4, 1.2, 2.8, -1.6], [7, 2.1, 4.9, -2.8]]
M3 = [[-1.8, 2.4, 7.7, -5.3], [0.4, 1.8, 5.4, -3.6], [3.2, 1.8, 4.8, -3], [6.6, 2.4, 5.9, -3.5]]
MR3 = [[4, 0.6, 1.8, 0.8], [8, 2.7, 5.1, 3.6], [8, 2.2, 2.6, 1.6], [6, 0.9, 2.7, 1.2]]
M7 = [[3.6, -1.2, 8.1, -3.5], [8.1, -3.5, 3.6, -1.2], [9.1, -1.7, 11.4, -0.6], [11.4, -0.6, 9.1, -1.7]]
# a cross first, so that every prefix of 2rd - r² entries can be completed; a random mask often leaves a row empty
NESTED = (0, 1, 2, 3, 4, 8, 12, 5, 6, 7, 9, 13, 10, 11, 14, 15)


@final
class MatrixFactors(Family):
    """Entries of A B with A, B of shape (4, 4); an input is the number of an entry, row by row."""

    linear_size = 16
    shapes = {"a": (4, 4), "b": (4, 4)}
    matrices = {"M1": (M1, 1), "M3": (M3, 2), "Mr3": (MR3, 3), "M7": (M7, 4)}  # with their ranks
    targets = tuple(matrices)

    def __init__(self, *, nested: bool = True) -> None:
        self.nested = nested

    def inputs(self, trials: int, count: int, generator: torch.Generator) -> Tensor:
        if self.nested:
            return torch.tensor(NESTED[:count]).expand(trials, count).contiguous()
        return torch.stack([torch.randperm(16, generator=generator)[:count] for _ in range(trials)])

    def test_inputs(self, generator: torch.Generator) -> Tensor:
        return torch.arange(16)[None]

    def predict(self, theta: Parameters, x: Tensor) -> Tensor:
        entries = (theta["a"] @ theta["b"]).flatten(-2)
        return torch.gather(entries, -1, x.expand(*entries.shape[:-1], x.shape[-1]))

    def value(self, target: str, x: Tensor) -> Tensor:
        return torch.tensor(self.matrices[target][0], dtype=torch.float64).to(x.device).flatten()[x]

    def teacher(self, target: str) -> Parameters:
        matrix, rank = self.matrices[target]
        u, s, vh = torch.linalg.svd(torch.tensor(matrix, dtype=torch.float64))
        root = s.sqrt() * (torch.arange(4) < rank)
        return {"a": u * root, "b": root[:, None] * vh}

    def optimistic_size(self, target: str) -> int:
        return optimistic.factorisation_size(4, self.matrices[target][1])


@final
class Plane(Family):
    """θ_0 + θ_1 x_1 + θ_2 θ_3 x_2 on the square [-1, 1]², or with one factor, θ_2 x_2, the linear model."""

    linear_size = 3
    coefficients = {"1": (1, 0, 0), "x1": (0, 1, 0), "1+x1": (1, 1, 0)}
    coefficients |= {"x2": (0, 0, 1), "1+x2": (1, 0, 1), "x1+x2": (0, 1, 1), "1+x1+x2": (1, 1, 1)}
    targets = tuple(coefficients)

    def __init__(self, *, linear: bool = False) -> None:
        self.linear = linear
        self.shapes = {"theta": (3 if linear else 4,)}

    def inputs(self, trials: int, count: int, generator: torch.Generator) -> Tensor:
        return 2 * torch.rand(trials, count, 2, generator=generator, dtype=torch.float64) - 1

    def test_inputs(self, generator: torch.Generator) -> Tensor:
        return self.inputs(1, 1000, generator)

    def predict(self, theta: Parameters, x: Tensor) -> Tensor:
        t = theta["theta"][..., None]
        slope = t[..., 2, :] if self.linear else t[..., 2, :] * t[..., 3, :]
        return t[..., 0, :] + t[..., 1, :] * x[..., 0] + slope * x[..., 1]

    def value(self, target: str, x: Tensor) -> Tensor:
        c0, c1, c2 = self.coefficients[target]
        return c0 + c1 * x[..., 0] + c2 * x[..., 1]

    def teacher(self, target: str) -> Parameters:
        c0, c1, c2 = self.coefficients[target]
        theta = (c0, c1, c2) if self.linear else (c0, c1, c2, 1.0 if c2 else 0.0)
        return {"theta": torch.tensor(theta, dtype=torch.float64)}

    def optimistic_size(self, target: str) -> int:
        return 3 if self.linear else optimistic.shared_factor_size(self.coefficients[target][2])


KERNEL = (0.6, 0.8, 1.0)  # of the target Σ_s tanh(0.6 x_s + 0.8 x_{s+1} + x_{s+2}), s = 1, 2, 3, on x in R⁵


@final
class TanhNet(Family):
    """Two layers of tanh on R⁵ with hidden bias: dense, or one kernel of size 3 shared over its three positions."""

    targets = ("three tanh",)
    linear_size = None

    def __init__(self, *, shared: bool, width: int) -> None:
        self.shared = shared
        self.shapes = {"w": (width, 4), "a": (width, 3)} if shared else {"w": (width, 6), "a": (width,)}

    def inputs(self, trials: int, count: int, generator: torch.Generator) -> Tensor:
        return torch.randn(trials, count, 5, generator=generator, dtype=torch.float64)

    def test_inputs(self, generator: torch.Generator) -> Tensor:
        return self.inputs(1, 1000, generator)

    def predict(self, theta: Parameters, x: Tensor) -> Tensor:
        w, a = theta["w"], theta["a"]
        x = x.to(w.dtype)
        if not self.shared:
            z = x @ w[..., :5].mT + w[..., None, :, 5]
            return (torch.tanh(z) @ a[..., None])[..., 0]
        patches = x.unfold(-1, 3, 1).flatten(-3, -2)  # (T, n·3, 3)
        hidden = torch.tanh(patches @ w[..., :3].mT + w[..., None, :, 3])
        return (hidden.unflatten(-2, (-1, 3)) * a.mT[..., None, :, :]).sum((-2, -1))

    def value(self, target: str, x: Tensor) -> Tensor:
        return torch.tanh(x.unfold(-1, 3, 1) @ x.new_tensor(KERNEL)).sum(-1)

    def teacher(self, target: str) -> Parameters:
        theta = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in self.shapes.items()}
        kernel = torch.tensor(KERNEL, dtype=torch.float64)
        if self.shared:
            theta["w"][0, :3], theta["a"][0] = kernel, 1.0
        else:
            for s in range(3):
                theta["w"][s, s : s + 3], theta["a"][s] = kernel, 1.0
        return theta

    def optimistic_size(self, target: str) -> int:
        if self.shared:
            return optimistic.convolution_sizes(1, 5, 3, hidden_bias=True)["shared"]
        return optimistic.tanh_size(3, 5, hidden_bias=True)
