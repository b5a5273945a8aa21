"""Sections of smooth networks from few forward passes: the outputs are interpolated, the loss of them is not.

Along a plane of moderate extent a network's outputs are nearly polynomials of the two coordinates, while the loss of an
overfitted network is not: so the outputs are evaluated at Chebyshev points and interpolated, and the criterion is
applied at every grid point. Trefethen, Approximation Theory and Approximation Practice, chapters 7 and 8, for the
convergence: algebraic for ReLU, geometric for analytic activations. The points are moved towards even spacing by the
map of Kosloff and Tal-Ezer (1993), J. Comput. Phys. 104; half of them, as the black squares of a board, are tried
before all, after Xu (1996), J. Approx. Theory 87. The error is measured on grid points evaluated for this purpose.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.polynomial import chebyshev
from torch import Tensor
from torch.func import vmap

from lab.measures.directions import Plane
from lab.measures.landscape import Evaluation, FunctionalLoss, Loss, Section, section

_MOST_NUMBERS = 32_000_000  # outputs kept at once, 1/8 GB in float32
_BLOCK = 2_000_000  # of them at grid points at once
_SUSPECTS = 13  # points along an axis among which the worst are looked for
_EVENNESS = 0.7  # of the map, between 0 for Chebyshev points and 1 for even ones; larger pays where n is large


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


@dataclass(frozen=True)
class _Lattice:
    """n points along every axis, or in two dimensions every second of them, as the black squares of a board."""

    n: int
    board: bool

    def indices(self, dimensions: int) -> Iterator[tuple[int, ...]]:
        every = itertools.product(range(self.n), repeat=dimensions)
        return (index for index in every if not (self.board and sum(index) % 2))


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

    Half the probes are drawn at random, the others lie where the lattice before was farthest off. They are a sample:
    of 16 sections of small networks, untrained to overfitted, 13 had errors of 1 to 2 times theirs somewhere else and
    three, of trained ones, of 2 to 3 times; the largest was 2.6 ``tol``. Relative errors are larger where the loss is a
    small part of its range, at the bottom of a deep basin.

    Cost: n^m + ``probes`` forward passes for the first n of ``nodes`` that meets ``tol``, or about n^2/2 where half of
    its points do, instead of one a grid point; the criterion at every one.

    Args:
        loss: Model, criterion and data.
        plane: Origin and directions, m = 1 or 2.
        axes: Coordinates along each direction; shapes (n,) or (n1,), (n2,).
        tol: Largest error at the probes as a share of the range of values.
        nodes: Points along an axis, tried in turn, odd for the corners' sake; points that coincide are evaluated once,
            and of n and 2n - 1 all do.
        probes: Grid points that are evaluated to measure the error.
        batch: Points at a time.
    """
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    flat = grid.reshape(-1, len(axes))
    chosen = flat[np.random.default_rng(0).choice(len(flat), min(probes, len(flat)) // 2, replace=False)]
    suspects = grid[np.ix_(*(_spread(len(axis)) for axis in axes))].reshape(-1, len(axes))
    known, before = _Known(loss, plane, axes, batch), None
    for lattice in _lattices(nodes, len(axes)):
        size = sum(1 for _ in lattice.indices(len(axes)))
        if size + probes > len(flat) or lattice.n ** len(axes) * known.outputs_each > _MOST_NUMBERS:
            break
        known.add(lattice, chosen)
        found, here = np.split(known.at(np.concatenate([chosen, suspects])), [len(chosen)])
        allowed = tol * np.ptp(here)
        error = np.abs(found - known.truth(chosen)).max()
        if before is not None and error <= allowed:  # the error is largest where the lattice before was farthest off
            worst = np.argsort(-np.abs(here - before), kind="stable")[: probes - len(chosen)]
            error = max(error, np.abs(here[worst] - known.truth(suspects[worst])).max())
            if error <= allowed:
                values = known.interpolated()
                share = float(error / max(np.ptp(values), np.finfo(float).tiny))
                flags = np.zeros(values.shape, bool)
                return SmoothSection(Section(plane, tuple(axes), values, flags, known.how), share, known.evaluated)
        before = here
    return SmoothSection(section(loss, plane, axes, batch=batch), 0.0, known.evaluated + len(flat))


def quick_section(loss: Loss, plane: Plane, axes: Sequence[np.ndarray]) -> Section:
    """The loss on a grid: a ``smooth_section`` where it is a criterion of a network's outputs, exact where not."""
    return smooth_section(loss, plane, axes).section if isinstance(loss, FunctionalLoss) else section(loss, plane, axes)


def _lattices(nodes: Sequence[int], dimensions: int) -> Iterator[_Lattice]:
    for n in nodes:
        if dimensions == 2:
            yield _Lattice(n, board=True)
        yield _Lattice(n, board=False)


def _spread(count: int) -> np.ndarray:
    """Indices of some of ``count`` points of an axis, both ends among them."""
    return np.unique(np.linspace(0, count - 1, min(count, _SUSPECTS)).round().astype(int))


class _Known:
    """Outputs at points of a region, kept from one lattice to the next, and the loss between them.

    Attributes:
        outputs_each: Numbers that the network gives at a point.
    """

    def __init__(self, loss: FunctionalLoss, plane: Plane, axes: Sequence[np.ndarray], batch: int | None) -> None:
        self._loss, self._plane, self._axes = loss, plane, axes
        self._outputs: dict[tuple[float, ...], Tensor] = {}
        self._true: dict[tuple[float, ...], float] = {}
        self._coefficients = torch.empty(0)
        self._centre = np.array([(axis.max() + axis.min()) / 2 for axis in axes])
        self._half = np.array([(axis.max() - axis.min()) / 2 for axis in axes])
        middle = plane.points(torch.from_numpy(self._centre[None]))[0]
        self._evaluation = Evaluation(loss.outputs, plane.origin, middle, batch=batch)
        self.outputs_each = self._evaluation.form.numel()

    @property
    def evaluated(self) -> int:
        return len(self._outputs)

    @property
    def how(self) -> str:
        return self._evaluation.how

    def add(self, lattice: _Lattice, also: np.ndarray) -> None:
        """Evaluate what is not known of a lattice and of points (k, m), and interpolate from that lattice."""
        points = _points(lattice.n)[1].tolist()
        nodes = [tuple(points[i] for i in index) for index in lattice.indices(len(self._axes))]
        self._evaluate(nodes + self._keys(also))
        self._coefficients = self._transformed(lattice, self._at(nodes))

    def truth(self, coordinates: np.ndarray) -> np.ndarray:
        """The loss at points (k, m), evaluated, shape (k,)."""
        keys = self._keys(coordinates)
        self._evaluate(keys)
        if new := [key for key in keys if key not in self._true]:
            self._true |= dict(zip(new, self._losses(self._at(new)), strict=True))
        return np.array([self._true[key] for key in keys])

    def interpolated(self) -> np.ndarray:
        """The loss on the grid, from the last lattice, by blocks."""
        bases = [self._basis(axis, i) for i, axis in enumerate(self._axes)]
        n, last = bases[-1].shape[1], bases[-1]
        lines = bases[0] @ self._coefficients.reshape(n, -1) if len(bases) == 2 else self._coefficients.reshape(1, -1)
        size = max(1, _BLOCK // (len(last) * self.outputs_each))
        values = [self._losses((last @ some.reshape(len(some), n, -1)).flatten(0, 1)) for some in lines.split(size)]
        return np.concatenate(values).reshape([len(axis) for axis in self._axes])

    def at(self, coordinates: np.ndarray) -> np.ndarray:
        """The loss at points (k, m), from the last lattice, shape (k,)."""
        weights = self._basis(coordinates[:, 0], 0)
        for i in range(1, len(self._axes)):
            weights = (weights[:, :, None] * self._basis(coordinates[:, i], i)[:, None, :]).flatten(1)
        return self._losses(weights @ self._coefficients.flatten(0, -2))

    def _keys(self, coordinates: np.ndarray) -> list[tuple[float, ...]]:
        return [tuple(point) for point in (coordinates - self._centre) / self._half]

    def _evaluate(self, keys: list[tuple[float, ...]]) -> None:
        if new := [key for key in dict.fromkeys(keys) if key not in self._outputs]:
            where = torch.from_numpy(self._centre + self._half * np.array(new))
            results = self._evaluation(lambda a, b: self._plane.points(where[a:b]), len(new))
            self._outputs |= dict(zip(new, results, strict=True))

    def _at(self, keys: list[tuple[float, ...]]) -> Tensor:
        """Known outputs, flattened, shape (k, outputs_each)."""
        return torch.stack([self._outputs[key] for key in keys]).flatten(1)

    def _transformed(self, lattice: _Lattice, outputs: Tensor) -> Tensor:
        """Chebyshev coefficients (n, ..., n, outputs_each) of outputs at a lattice.

        On the black squares T_p T_q and T_(n-1-p) T_(n-1-q) are the same: of each such pair the lower degree is kept.
        """
        n, dimensions = lattice.n, len(self._axes)
        table = outputs.new_zeros(*[n] * dimensions, outputs.shape[1], dtype=_precise(outputs))
        table[tuple(np.array(list(lattice.indices(dimensions))).T)] = outputs.to(table)
        to_coefficients = torch.from_numpy(np.linalg.inv(chebyshev.chebvander(_points(n)[0], n - 1))).to(table)
        along = "ai,ik->ak" if dimensions == 1 else "ai,bj,ijk->abk"
        table = torch.einsum(along, *[to_coefficients] * dimensions, table)
        if lattice.board:
            degree = torch.arange(n)[:, None] + torch.arange(n)
            table *= (1 + torch.sign(n - 1 - degree)).to(table)[:, :, None]  # twice, once or not at all
        return table

    def _basis(self, coordinates: np.ndarray, axis: int) -> Tensor:
        """Polynomials of an axis at coordinates (k,), shape (k, n)."""
        scaled = (coordinates - self._centre[axis]) / self._half[axis]
        back = np.sin(scaled * np.arcsin(_EVENNESS)) / _EVENNESS
        return torch.from_numpy(chebyshev.chebvander(back, len(self._coefficients) - 1)).to(self._coefficients)

    def _losses(self, outputs: Tensor) -> np.ndarray:
        """The criterion of outputs (k, outputs_each), shape (k,), float64."""
        like = self._evaluation.form
        with torch.inference_mode():
            each = vmap(lambda out: self._loss.criterion(out, self._loss.targets))
            return each(outputs.to(like.dtype).reshape(-1, *like.shape)).double().cpu().numpy()


def _precise(outputs: Tensor) -> torch.dtype:
    return torch.promote_types(outputs.dtype, torch.float32)


def _points(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Chebyshev points in [-1, 1], and where the map puts them, rounded: n and 2n - 1 share theirs."""
    points = np.sin(np.pi * (2 * np.arange(n) - (n - 1)) / (2 * (n - 1)))
    return points, np.round(np.arcsin(_EVENNESS * points) / np.arcsin(_EVENNESS), 14)
