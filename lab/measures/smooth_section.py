"""Sections of smooth networks from few forward passes: the outputs are interpolated, the loss of them is not.

Along a plane of moderate extent a network's outputs are nearly polynomials of the two coordinates, while the loss of an
overfitted network is not: so the outputs are evaluated at Chebyshev points and interpolated, and the criterion is
applied at every grid point. Trefethen, Approximation Theory and Approximation Practice, chapters 4 and 8, for the
convergence: geometric for analytic activations, algebraic for ReLU. The error is measured on grid points that were
evaluated for this purpose.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.polynomial import chebyshev
from torch import Tensor
from torch.func import vmap

from lab.measures.directions import Plane
from lab.measures.landscape import FunctionalLoss, Section, evaluate, losses, section

_MOST_NUMBERS = 32_000_000  # outputs kept at once, 1/4 GB in float64
_BLOCK = 1_000_000  # of them at grid points at once
_HOPELESS = 2.0  # times the tolerance at the probes


@dataclass(frozen=True)
class SmoothSection:
    """A section and its measured error.

    Attributes:
        section: Values; ``measured`` is all False, or all True where the tolerance was missed and all was evaluated.
        error: Largest |interpolated - true| over the probes, as a share of the section's range; 0 if all was evaluated.
        passes: Forward passes spent.
    """

    section: Section
    error: float
    passes: int


def smooth_section(
    loss: FunctionalLoss,
    plane: Plane,
    axes: Sequence[np.ndarray],
    *,
    tol: float = 1e-3,
    nodes: Sequence[int] = (7, 13, 25),
    probes: int = 32,
    batch: int | None = None,
) -> SmoothSection:
    """The loss on a grid to within ``tol`` of its range, as seen on probes, or exactly where that needs as much work.

    Probes are a sample: on three small networks the largest error of all points was up to 1.5 ``tol``. Relative errors
    are larger where the loss is a small part of its range, at the bottom of a deep basin.

    Cost: n^m + ``probes`` forward passes for the first n of ``nodes`` that meets ``tol``, instead of one a grid point.
    An n whose probes miss it by far is passed over before the whole grid is interpolated.

    Args:
        loss: Model, criterion and data.
        plane: Origin and directions, m = 1 or 2.
        axes: Coordinates along each direction; shapes (n,) or (n1,), (n2,).
        tol: Largest error at the probes as a share of the range of values.
        nodes: Chebyshev points along an axis, tried in turn; points that coincide are evaluated once, and of n and
            2n - 1 all do.
        probes: Grid points that are evaluated to measure the error.
        batch: Points at a time.
    """
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    flat = grid.reshape(-1, len(axes))
    chosen = np.random.default_rng(0).choice(len(flat), min(probes, len(flat)), replace=False)
    where = torch.from_numpy(flat[chosen])
    truth, how = losses(loss, plane.origin, lambda a, b: plane.points(where[a:b]), len(where), batch=batch)
    passes, known = len(where), _Known(loss, plane, axes, batch)
    for n in nodes:
        if n ** len(axes) + passes > len(flat) or n ** len(axes) * known.outputs_each > _MOST_NUMBERS:
            break
        # few points tell a hopeless n, and the nodes' losses nearly the range: the whole grid costs as much as passes
        if np.abs(known.at(flat[chosen], n) - truth).max() > _HOPELESS * tol * known.range_at_nodes(n):
            continue
        values = known.interpolated(n)
        found = values.reshape(-1)[chosen]
        error = float(np.abs(found - truth).max() / max(np.ptp(values), np.finfo(float).tiny))
        if error <= tol:
            flags = np.zeros(values.shape, bool)
            return SmoothSection(Section(plane, tuple(axes), values, flags, how), error, passes + known.evaluated)
    return SmoothSection(section(loss, plane, axes, batch=batch), 0.0, passes + known.evaluated + len(flat))


class _Known:
    """Outputs at the Chebyshev points of a region, kept from one number of points to the next."""

    def __init__(self, loss: FunctionalLoss, plane: Plane, axes: Sequence[np.ndarray], batch: int | None) -> None:
        self._loss, self._plane, self._axes, self._batch = loss, plane, axes, batch
        self._outputs: dict[tuple[float, ...], Tensor] = {}
        self._centre = np.array([(axis.max() + axis.min()) / 2 for axis in axes])
        self._half = np.array([(axis.max() - axis.min()) / 2 for axis in axes])
        with torch.inference_mode():
            self.outputs_each = loss.outputs(dict(plane.origin)).numel()

    @property
    def evaluated(self) -> int:
        return len(self._outputs)

    def interpolated(self, n: int) -> np.ndarray:
        """The loss on the grid from outputs at n points along an axis."""
        outputs = self._at_nodes(n)
        return self._on_grid(outputs, [self._basis(axis, i, n, outputs) for i, axis in enumerate(self._axes)])

    def at(self, coordinates: np.ndarray, n: int) -> np.ndarray:
        """The loss at points (k, m) from outputs at n points along an axis, shape (k,)."""
        outputs = self._at_nodes(n)
        weights = self._basis(coordinates[:, 0], 0, n, outputs)
        for i in range(1, len(self._axes)):
            weights = (weights[:, :, None] * self._basis(coordinates[:, i], i, n, outputs)[:, None, :]).flatten(1)
        found = weights @ outputs.double().flatten(1)
        return self._losses(found.to(outputs.dtype).reshape(len(found), *outputs.shape[1:])).cpu().numpy()

    def range_at_nodes(self, n: int) -> float:
        """The range of the loss over the points that are evaluated for n, the corners among them."""
        return float(np.ptp(self._losses(self._at_nodes(n)).cpu().numpy()))

    def _at_nodes(self, n: int) -> Tensor:
        """The outputs at n points along an axis, shape (n^m, ...); evaluated where they are not known."""
        keys = list(itertools.product(_nodes(n).tolist(), repeat=len(self._axes)))
        if new := [key for key in keys if key not in self._outputs]:
            where = torch.from_numpy(self._centre + self._half * np.array(new))
            results, _ = evaluate(
                self._loss.outputs,
                self._plane.origin,
                lambda a, b: self._plane.points(where[a:b]),
                len(new),
                batch=self._batch,
            )
            self._outputs |= dict(zip(new, results, strict=True))
        return torch.stack([self._outputs[key] for key in keys])

    def _basis(self, coordinates: np.ndarray, axis: int, n: int, like: Tensor) -> Tensor:
        """Weights of the n nodes of an axis at coordinates (k,), shape (k, n), float64."""
        to_coefficients = np.linalg.inv(chebyshev.chebvander(_nodes(n), n - 1))
        scaled = (coordinates - self._centre[axis]) / self._half[axis]
        return torch.from_numpy(chebyshev.chebvander(scaled, n - 1) @ to_coefficients).to(like.device)

    def _losses(self, outputs: Tensor) -> Tensor:
        """The criterion of each of k outputs, shape (k,), float64."""
        with torch.inference_mode():
            return vmap(lambda out: self._loss.criterion(out, self._loss.targets))(outputs).double()

    def _on_grid(self, outputs: Tensor, bases: list[Tensor]) -> np.ndarray:
        """The criterion of interpolated outputs, by blocks; ``outputs`` (n^m, ...), ``bases`` (points, n) each."""
        shape, n = outputs.shape[1:], bases[0].shape[1]
        table = outputs.double().reshape(n, -1)
        lines = bases[0] @ table if len(bases) == 2 else table[None]
        last = bases[-1]
        values = []
        for some in lines.split(max(1, _BLOCK // (len(last) * shape.numel()))):
            block = last @ some.reshape(len(some), n, -1)
            values.append(self._losses(block.to(outputs.dtype).reshape(len(some) * len(last), *shape)))
        return torch.cat(values).cpu().numpy().reshape([len(basis) for basis in bases])


def _nodes(n: int) -> np.ndarray:
    """Chebyshev points in [-1, 1]: sines of multiples from the middle, rounded, so that n and 2n - 1 share theirs."""
    return np.round(np.sin(np.pi * (2 * np.arange(n) - (n - 1)) / (2 * (n - 1))), 14)
