"""River and mountains: the part of a movement along the steep eigenvectors and the rest. Wen et al. 2024, arXiv
2410.05192.

The mountain (hill) directions at a point are the top-k eigenvectors of the Hessian there, the river directions all
others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lab.measures.directions import Params, flatten, unflatten
from lab.measures.landscape import Loss, losses


def split(displacement: Tensor, mountains: Tensor) -> tuple[Tensor, Tensor]:
    """Mountain and river part of movements (..., P), by orthonormal eigenvectors (k, P); their sum is the movement."""
    hill = (displacement @ mountains.T) @ mountains
    return hill, displacement - hill


def mountain_shares(displacement: Tensor, mountains: Tensor, counts: Sequence[int]) -> np.ndarray:
    """Share of |Δθ|² in the span of the first k eigenvectors, for every k; the rest is the river's.

    Args:
        displacement: Δθ, shape (P,).
        mountains: Orthonormal eigenvectors, largest eigenvalue first, shape (K, P).
        counts: Values of k, each <= K.

    Returns:
        Shares in [0, 1], float64, shape (len(counts),); NaN where nothing moved.
    """
    if max(counts) > len(mountains):
        raise ValueError(f"k = {max(counts)} of {len(mountains)} eigenvectors; compute more or ask for fewer")
    moved = displacement.double()
    along = (mountains.double() @ moved).square().cumsum(0) / moved.square().sum()
    return np.array([float(along[k - 1]) if k else 0.0 for k in counts])


def mean_mountain_shares(displacements: Tensor, mountains: Sequence[Tensor], counts: Sequence[int]) -> np.ndarray:
    """Mean of :func:`mountain_shares` over replicates, shape (len(counts),).

    Args:
        displacements: Shape (R, ...).
        mountains: Each replicate's own, shape (K, P).
        counts: Values of k.
    """
    pairs = zip(displacements, mountains, strict=True)
    return np.mean([mountain_shares(way.flatten(), top, counts) for way, top in pairs], axis=0)


@dataclass(frozen=True)
class RiverProfile:
    """A path seen from a point of the river.

    Attributes:
        river: |river part of θ_t - θ_0|, shape (T,).
        mountain: |mountain part|, shape (T,).
        loss: L(θ_t), shape (T,).
        river_loss: L with the mountain part removed: the floor of the valley below θ_t, shape (T,).
    """

    river: np.ndarray
    mountain: np.ndarray
    loss: np.ndarray
    river_loss: np.ndarray

    @property
    def hill_loss(self) -> np.ndarray:
        """What the walls add: L(θ_t) minus the loss below it, shape (T,)."""
        return self.loss - self.river_loss


def river_profile(loss: Loss, floor: Params, trajectory: Tensor, mountains: Tensor) -> RiverProfile:
    """How far a path went along the river and up the walls, and what each part is worth in loss.

    The valley is taken as straight: a river that bends leaves the span of eigenvectors computed at ``floor``, and the
    bend then counts as walls. Cost: two forward passes a point.

    Args:
        loss: L of parameters by name.
        floor: θ_0 on the river, such as the end of a decay branch; its mountain coordinates are those of the floor.
        trajectory: Points θ_t, shape (T, P).
        mountains: Orthonormal eigenvectors at θ_0, shape (k, P).
    """
    origin = flatten(floor)
    hill, river = split(trajectory - origin, mountains)
    below = origin + river
    values = losses(loss, floor, lambda a, b: trajectory[a:b], len(trajectory))[0]
    floor_values = losses(loss, floor, lambda a, b: below[a:b], len(below))[0]
    lengths = [torch.linalg.vector_norm(part.double(), dim=1).cpu().numpy() for part in (river, hill)]
    return RiverProfile(lengths[0], lengths[1], values, floor_values)


def river_direction(gradient: Tensor, mountains: Tensor, like: Params) -> dict[str, Tensor]:
    """The unit direction downhill along the river: minus the gradient (P,) without its mountain part, by name."""
    river = -split(gradient.double(), mountains.double())[1]
    return unflatten((river / river.norm()).to(gradient), like)
