"""Model families whose targets need a known number of samples, many copies of each side by side. Zhang et al. (2025).

arXiv 2307.08921. θ is a dict of tensors with leading axes (R, S, T): rows of a study, sample sizes, trials. Inputs x
have shape (T, n, ...), one sample each per trial, and every (row, size) sees the same ones. Targets go by the names of
lab.measures.recovery_targets.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal, final

import torch
from torch import Tensor

from lab.measures.recovery_targets import PAPER_NET, PLANE, PRINTED, matrix_rank

Parameters = dict[str, Tensor]
Pattern = Literal["nested", "random", "completable"]


class Family(ABC):
    """A parametric model with targets that it can express.

    Attributes:
        shapes: Parameters of one copy; of nets the first axis is that of their units or kernels.
    """

    shapes: dict[str, tuple[int, ...]]

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

    def tangent_inputs(self, target: str, generator: torch.Generator) -> Tensor:
        """Inputs enough to read a model rank from: twice as many as parameters, or all that there are; (1, n, ...)."""
        count = sum(value.numel() for value in self.teacher(target).values())
        return self.inputs(1, max(60, 2 * count), generator)


M1 = [[1, 0.3, 0.7, -0.4], [2, 0.6, 1.4, -0.8], [4, 1.2, 2.8, -1.6], [7, 2.1, 4.9, -2.8]]
M3 = [[-1.8, 2.4, 7.7, -5.3], [0.4, 1.8, 5.4, -3.6], [3.2, 1.8, 4.8, -3], [6.6, 2.4, 5.9, -3.5]]
MR3 = [[4, 0.6, 1.8, 0.8], [8, 2.7, 5.1, 3.6], [8, 2.2, 2.6, 1.6], [6, 0.9, 2.7, 1.2]]
M7 = [[3.6, -1.2, 8.1, -3.5], [8.1, -3.5, 3.6, -1.2], [9.1, -1.7, 11.4, -0.6], [11.4, -0.6, 9.1, -1.7]]


@final
class MatrixFactors(Family):
    """Entries of A B with A, B of shape (d, d); an input is the number of an entry, row by row.

    Args:
        size: d. At 4 the targets are the printed matrices, else one of each rank, drawn.
        pattern: Which entries are seen first. nested: a cross that grows, the first row and column, then the next ones:
            every prefix of 2rd - r² entries can be completed. random: any. completable: drawn, but for every target the
            first 2rd - r² of them determine it; a random mask often leaves a row empty.
        generator: Draws the targets of other sizes than 4.
    """

    def __init__(self, size: int = 4, pattern: Pattern = "nested", generator: torch.Generator | None = None) -> None:
        self.size, self.pattern = size, pattern
        self.shapes = {"a": (size, size), "b": (size, size)}
        if size == 4:
            printed = dict(zip(PRINTED, (M1, M3, MR3, M7), strict=True))
            self.matrices = {name: torch.tensor(matrix, dtype=torch.float64) for name, matrix in printed.items()}
        else:
            self.matrices = {}
            for rank in range(1, size + 1):
                left, right = (torch.randn(size, rank, generator=generator, dtype=torch.float64) for _ in range(2))
                self.matrices[f"rank {rank}"] = left @ right.T

    def inputs(self, trials: int, count: int, generator: torch.Generator) -> Tensor:
        if self.pattern == "nested":
            return torch.tensor(self._cross()[:count]).expand(trials, count).contiguous()
        drawn = [torch.randperm(self.size**2, generator=generator) for _ in range(trials)]
        if self.pattern == "completable":
            drawn = self._completable(drawn)
        return torch.stack(drawn)[:, :count]

    def _cross(self) -> list[int]:
        d, order = self.size, []
        for k in range(d):
            order += [k * d + column for column in range(k, d)]
            order += [row * d + k for row in range(k + 1, d)]
        return order

    def _completable(self, orders: list[Tensor]) -> list[Tensor]:
        """The same entries, those first that a target still needs, from the lowest rank to the highest."""
        from lab.measures.model_rank import tangent_matrix_of

        chosen: list[list[int]] = [[] for _ in orders]
        for target in sorted(self.matrices, key=matrix_rank):
            teacher = self.teacher(target)
            tangent = tangent_matrix_of(lambda a, b: a @ b, teacher["a"], teacher["b"])
            for have, order in zip(chosen, orders, strict=True):
                have += _independent(tangent, have, [entry for entry in order.tolist() if entry not in have])
        return [torch.tensor(have) for have in chosen]  # the highest rank needs every entry

    def test_inputs(self, generator: torch.Generator) -> Tensor:
        return torch.arange(self.size**2)[None]

    def tangent_inputs(self, target: str, generator: torch.Generator) -> Tensor:
        return self.test_inputs(generator)

    def predict(self, theta: Parameters, x: Tensor) -> Tensor:
        entries = (theta["a"] @ theta["b"]).flatten(-2)
        return torch.gather(entries, -1, x.expand(*entries.shape[:-1], x.shape[-1]))

    def value(self, target: str, x: Tensor) -> Tensor:
        return self.matrices[target].to(x.device).flatten()[x]

    def teacher(self, target: str) -> Parameters:
        u, s, vh = torch.linalg.svd(self.matrices[target])
        root = s.sqrt() * (torch.arange(self.size) < matrix_rank(target))
        return {"a": u * root, "b": root[:, None] * vh}


def _independent(tangent: Tensor, have: list[int], candidates: list[int]) -> list[int]:
    """Candidates whose rows add to the span of the rows ``have`` and of those before them, by Gram and Schmidt."""
    basis, added = tangent[:0], []
    for place, entry in enumerate([*have, *candidates]):
        row = tangent[entry]
        rest = row
        for _ in range(2):  # once more: rounding leaves a part behind
            rest = rest - (basis @ rest) @ basis
        if float(rest.norm()) > 1e-9 * float(row.norm()):
            basis = torch.cat([basis, rest[None] / rest.norm()])
            added += [entry] if place >= len(have) else []
    return added


@final
class Plane(Family):
    """θ_0 + θ_1 x_1 + θ_2 θ_3 x_2 on the square [-1, 1]², or with one factor, θ_2 x_2, the linear model."""

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
        c0, c1, c2 = PLANE[target]
        return c0 + c1 * x[..., 0] + c2 * x[..., 1]

    def teacher(self, target: str) -> Parameters:
        c0, c1, c2 = PLANE[target]
        theta = (c0, c1, c2) if self.linear else (c0, c1, c2, 1.0 if c2 else 0.0)
        return {"theta": torch.tensor(theta, dtype=torch.float64)}


@final
class Diagonal(Family):
    """Σ_j a_j^[1] ... a_j^[L] x_j on x ~ N(0, I), linear in x and not in a; the target has k coefficients of ±1.

    Two factors are Σ_j (u_j² - v_j²) x_j as well, with a = u + v and b = u - v.
    """

    def __init__(self, inputs: int = 10, terms: int = 1, depth: int = 2) -> None:
        self.shapes = {"factors": (depth, inputs)}
        self.coefficients = torch.zeros(inputs, dtype=torch.float64)
        self.coefficients[:terms] = (-1.0) ** torch.arange(terms)

    def inputs(self, trials: int, count: int, generator: torch.Generator) -> Tensor:
        return torch.randn(trials, count, len(self.coefficients), generator=generator, dtype=torch.float64)

    def test_inputs(self, generator: torch.Generator) -> Tensor:
        return self.inputs(1, 1000, generator)

    def predict(self, theta: Parameters, x: Tensor) -> Tensor:
        return (x.to(theta["factors"].dtype) @ theta["factors"].prod(-2)[..., None])[..., 0]

    def value(self, target: str, x: Tensor) -> Tensor:
        return x @ self.coefficients.to(x.device)

    def teacher(self, target: str) -> Parameters:
        factors = self.coefficients.abs().expand(self.shapes["factors"]).clone()
        factors[0] = self.coefficients
        return {"factors": factors}


KERNEL = (0.6, 0.8, 1.0)  # of the target Σ_s tanh(0.6 x_s + 0.8 x_{s+1} + x_{s+2}), s = 1, 2, 3, on x in R⁵
Sharing = Literal["cnn", "unshared", "dense"]


@final
class TanhNet(Family):
    """Two layers of tanh on x ~ N(0, I) in R^d with hidden bias; the target sums k kernels over their d + 1 - s places.

    Args:
        sharing: cnn: one kernel at all places. unshared: another kernel at every place. dense: units see all inputs.
        width: Kernels, or units where dense.
        inputs: d.
        kernel: s.
        terms: k.
        generator: Draws the kernels where these are not the paper's sizes.
    """

    def __init__(
        self,
        *,
        sharing: Sharing,
        width: int,
        inputs: int = 5,
        kernel: int = 3,
        terms: int = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        self.sharing, self.size, self.kernel = sharing, inputs, kernel
        places = inputs + 1 - kernel
        first: dict[Sharing, tuple[int, ...]] = {
            "cnn": (width, kernel + 1),
            "unshared": (width, places, kernel + 1),
            "dense": (width, inputs + 1),
        }
        self.shapes = {"w": first[sharing], "a": (width,) if sharing == "dense" else (width, places)}
        if {"inputs": inputs, "kernel": kernel, "terms": terms} == PAPER_NET:
            self.kernels = torch.tensor([KERNEL], dtype=torch.float64)
        else:
            drawn = torch.randn(terms, kernel, generator=generator, dtype=torch.float64)
            self.kernels = drawn * 2**0.5 / drawn.norm(dim=1, keepdim=True)  # of the paper's length

    def inputs(self, trials: int, count: int, generator: torch.Generator) -> Tensor:
        return torch.randn(trials, count, self.size, generator=generator, dtype=torch.float64)

    def test_inputs(self, generator: torch.Generator) -> Tensor:
        return self.inputs(1, 1000, generator)

    def predict(self, theta: Parameters, x: Tensor) -> Tensor:
        w, a = theta["w"], theta["a"]
        x = x.to(w.dtype)
        if self.sharing == "dense":
            z = x @ w[..., :-1].mT + w[..., None, :, -1]
            return (torch.tanh(z) @ a[..., None])[..., 0]
        if self.sharing == "unshared":
            patches = x.unfold(-1, self.kernel, 1).movedim(-2, -3)  # (T, P, n, s)
            kernels = w.movedim(-2, -3)  # (R, S, T, P, m, s + 1)
            hidden = torch.tanh(patches @ kernels[..., :-1].mT + kernels[..., None, :, -1])
            return (hidden * a.mT[..., None, :]).sum((-1, -3))
        patches = x.unfold(-1, self.kernel, 1)  # (T, n, P, s)
        places = patches.shape[-2]
        hidden = torch.tanh(patches.flatten(-3, -2) @ w[..., :-1].mT + w[..., None, :, -1])
        return (hidden.unflatten(-2, (-1, places)) * a.mT[..., None, :, :]).sum((-2, -1))

    def value(self, target: str, x: Tensor) -> Tensor:
        return torch.tanh(x.unfold(-1, self.kernel, 1) @ self.kernels.to(x).mT).sum((-2, -1))

    def teacher(self, target: str) -> Parameters:
        """Without units that do nothing there: their gradients are zero, and a rank has no use for them."""
        places, s = self.size + 1 - self.kernel, self.kernel
        units = len(self.kernels) * (places if self.sharing == "dense" else 1)
        theta = {name: torch.zeros(units, *shape[1:], dtype=torch.float64) for name, shape in self.shapes.items()}
        for k, kernel in enumerate(self.kernels):
            if self.sharing != "dense":
                theta["w"][k, ..., :s], theta["a"][k] = kernel, 1.0
            else:
                for place in range(places):
                    theta["w"][k * places + place, place : place + s] = kernel
                    theta["a"][k * places + place] = 1.0
        return theta


def family_of(config: Any, width: int, generator: torch.Generator) -> Family:
    """The model of a config, nets of some width; ``generator`` draws targets where the paper prints none."""
    from lab.measures.recovery_targets import size

    if config.family == "matrix":
        return MatrixFactors(size(config), config.pattern, generator)
    if config.family in ("plane", "linear"):
        return Plane(linear=config.family == "linear")
    if config.family == "diagonal":
        return Diagonal(size(config), config.terms, config.depth)
    sizes: dict[str, Any] = {"inputs": size(config), "kernel": config.kernel, "terms": config.terms}
    return TanhNet(sharing=config.family, width=width, **sizes, generator=generator)
