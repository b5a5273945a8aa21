"""Planes through parameter space: random filter-normalised directions, trajectory PCA, given vectors, three
checkpoints.

A vector in parameter space is flat, shape (P,): the trainable parameters in the order of
``model.named_parameters()``, tied ones once. Sources: Li et al. 2018 (arXiv 1712.09913) for filter normalisation and
trajectory PCA, Garipov et al. 2018 (arXiv 1802.10026) for the plane through three points.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

Params = Mapping[str, Tensor]


def trainable(model: nn.Module) -> dict[str, Tensor]:
    """Copies of the parameters that training moves, by name: the origin of a section, apart from the live ones."""
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}


def flatten(params: Params) -> Tensor:
    """All parameters as one vector, shape (P,)."""
    if not params:
        raise ValueError("no parameters: the model has none that requires a gradient")
    return torch.cat([p.detach().reshape(-1) for p in params.values()])


def unflatten(vectors: Tensor, like: Params) -> dict[str, Tensor]:
    """Vectors (..., P) as parameters of shapes (..., *shape); views where that is possible."""
    sizes = [p.numel() for p in like.values()]
    if vectors.shape[-1] != sum(sizes):
        raise ValueError(f"a vector has {vectors.shape[-1]} numbers, the parameters have {sum(sizes)}")
    parts = vectors.split(sizes, dim=-1)
    pairs = zip(parts, like.items(), strict=True)
    return {name: part.reshape(*vectors.shape[:-1], *p.shape) for part, (name, p) in pairs}


def from_checkpoint(arrays: Mapping[str, np.ndarray], like: Params, prefix: str = "model/") -> Tensor:
    """The vector (P,) of a stored checkpoint ``{path: array}``, in dtype and place of ``like``.

    Raises:
        KeyError: A parameter is not in the checkpoint.
        ValueError: One has another shape, so the checkpoint is of another model.
    """
    parts = []
    for name, p in like.items():
        if prefix + name not in arrays:
            raise KeyError(f"the checkpoint has no {prefix + name!r}; it begins with {sorted(arrays)[:3]}")
        array = np.asarray(arrays[prefix + name])
        if array.shape != tuple(p.shape):
            raise ValueError(f"{name} is {array.shape} in the checkpoint and {tuple(p.shape)} in the model")
        parts.append(torch.from_numpy(array.copy()).to(p).reshape(-1))
    return torch.cat(parts)


@dataclass(frozen=True)
class Plane:
    """A point in parameter space and one or two directions from it.

    Attributes:
        origin: Parameters by name at coordinates 0.
        directions: Shape (m, P), m = 1 or 2, independent; one unit of a coordinate is one length of its direction.
        labels: What each direction is, for the axes.
    """

    origin: Params
    directions: Tensor
    labels: tuple[str, ...] = ("direction 1", "direction 2")

    def __post_init__(self) -> None:
        m, size = self.directions.shape
        count = sum(p.numel() for p in self.origin.values())
        if m not in (1, 2) or size != count:
            raise ValueError(f"directions are {(m, size)}; they must be (1 or 2, {count})")
        gram = self.gram
        if not torch.linalg.det(gram) > 1e-12 * gram.diagonal().prod():
            raise ValueError("the directions are zero, parallel or not finite; choose others")

    @property
    def gram(self) -> Tensor:
        """Inner products of the directions in float64, shape (m, m)."""
        directions = self.directions.double()
        return directions @ directions.T

    def points(self, coordinates: Tensor) -> Tensor:
        """Vectors (k, P) at coordinates (k, m); coordinates 0 give the origin to the last bit."""
        return torch.addmm(flatten(self.origin), coordinates.to(self.directions), self.directions)

    def project(self, vectors: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Where points (T, P) lie in the plane, and how much of their movement from the origin lies outside.

        Returns:
            Coordinates (T, m) of the nearest points of the plane, and the share in [0, 1], shape (T,), of the squared
            distance from the origin that is perpendicular to the plane (0 at the origin itself). Both in float64.
        """
        origin, directions, gram = flatten(self.origin).double(), self.directions.double(), self.gram
        coordinates, shares = [], []
        for vector in vectors:  # one at a time: a trajectory in float64 may not fit in memory
            moved = vector.double() - origin
            where = torch.linalg.solve(gram, directions @ moved)
            outside = (moved - where @ directions).square().sum()
            coordinates.append(where)
            shares.append((outside / moved.square().sum()).nan_to_num(0.0))
        return torch.stack(coordinates).cpu().numpy(), torch.stack(shares).cpu().numpy()


def random_direction(params: Params, generator: torch.Generator, *, filters: bool = True) -> Tensor:
    """A Gaussian direction whose filters are as long as the parameters' own (Li et al. 2018, section 4), shape (P,).

    A filter is ``p[i]``: the weights into one unit or output channel, one row of an embedding. Parameters with fewer
    than two dimensions (biases, normalisation) do not move, as in the paper's code. Draws from ``generator`` only, on
    the CPU, so the direction is the same on every device.

    Args:
        params: Where the section is centred.
        generator: A CPU generator.
        filters: False gives the plain Gaussian direction, every parameter moving.
    """
    parts = []
    for p in params.values():
        direction = torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p)
        if filters:
            direction = torch.zeros_like(p) if p.ndim < 2 else direction * _filter_norms(p) / _filter_norms(direction)
        parts.append(direction.reshape(-1))
    return torch.cat(parts)


def _filter_norms(p: Tensor) -> Tensor:
    return torch.linalg.vector_norm(p, dim=tuple(range(1, p.ndim)), keepdim=True)


def random_plane(params: Params, seed: int, *, dimensions: int = 2) -> Plane:
    """The plane of random filter-normalised directions from ``params``; nearly orthogonal, since P is large."""
    generator = torch.Generator().manual_seed(seed)
    directions = torch.stack([random_direction(params, generator) for _ in range(dimensions)])
    return Plane(params, directions, ("random direction 1", "random direction 2")[:dimensions])


def plane_of(params: Params, vectors: Sequence[Tensor], labels: Sequence[str]) -> Plane:
    """The plane of given vectors (P,), made orthonormal in their order.

    For eigenvectors ``(v1, v2)``, and for gradient and update; coordinates are distances in parameter space.
    """
    basis: list[Tensor] = []
    for vector in vectors:
        rest = vector.double()
        for _ in range(2):  # twice is enough for orthogonality to rounding
            for unit in basis:
                rest = rest - (unit @ rest) * unit
        if not rest.norm() > 1e-7 * vector.double().norm():
            raise ValueError(f"vector {len(basis) + 1} is zero or parallel to those before it")
        basis.append(rest / rest.norm())
    return Plane(params, torch.stack(basis).to(flatten(params)), tuple(labels))


def plane_through(params: Params, a: Tensor, b: Tensor, c: Tensor) -> tuple[Plane, np.ndarray]:
    """The plane through three points (P,), orthonormal, with ``a`` as origin and ``b`` on the first axis.

    Returns:
        The plane and the coordinates of the three points, shape (3, 2).
    """
    plane = plane_of(unflatten(a, params), (b - a, c - a), ("towards the second", "towards the third"))
    return plane, plane.project(torch.stack([a, b, c]))[0]


def principal_plane(params: Params, trajectory: Tensor, dimensions: int = 2) -> tuple[Plane, np.ndarray]:
    """The plane from ``params`` along the principal directions of a trajectory's movement (Li et al. 2018, section 7).

    Principal directions of the rows θ_t - θ, from their (T, T) Gram matrix in float64, not centred: θ is in the plane.

    Args:
        params: θ, usually the last point.
        trajectory: Points (T, P).
        dimensions: 1 or 2.

    Returns:
        The plane, and the share of Σ|θ_t - θ|² along each of its directions, shape (dimensions,).
    """
    moved = trajectory.double() - flatten(params).double()
    values, vectors = torch.linalg.eigh(moved @ moved.T)
    values, vectors = values.flip(0)[:dimensions], vectors.flip(1)[:, :dimensions]
    if len(values) < dimensions or not values[-1] > 0:
        raise ValueError(f"{len(trajectory)} points do not span {dimensions} dimensions; record more checkpoints")
    shares = values / moved.square().sum()
    labels = [f"PC {i + 1} ({share:.0%})" for i, share in enumerate(shares.tolist())]
    return plane_of(params, list((moved.T @ vectors).T), labels), shares.cpu().numpy()


def stack(vectors: Iterable[Params]) -> Tensor:
    """Parameters of several moments as a trajectory (T, P)."""
    return torch.stack([flatten(params) for params in vectors])
