"""Geometry of embeddings: principal components, spectrum, contrast between classes. Their cosine matrices are those of
neurons, ``lab.measures.condensation``.

Zhang et al. (2024), arXiv 2405.05409: with a small start, embeddings order themselves by the tokens' values and need
few directions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PrincipalComponents:
    """Coordinates (N, k), directions (k, d) and the share of the variance each explains (k,)."""

    coordinates: Tensor
    directions: Tensor
    explained: Tensor


def principal_components(embeddings: Tensor, count: int = 2) -> PrincipalComponents:
    """First components of the centred rows (N, d) by SVD; each direction's largest entry is positive.

    Raises:
        ValueError: More components than min(N, d), or rows that are all equal.
    """
    if not 1 <= count <= min(embeddings.shape):
        raise ValueError(f"{count} components of {tuple(embeddings.shape)}: from 1 to {min(embeddings.shape)}")
    centred = embeddings - embeddings.mean(0)
    left, singular, directions = torch.linalg.svd(centred, full_matrices=False)
    if singular[0] == 0:
        raise ValueError("all rows are equal: there is no direction of variance")
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    sign = largest.sign()[:, 0]  # SVD leaves the sign free; without a rule a scatter would flip between steps
    coordinates = left * singular * sign
    explained = singular.square() / singular.square().sum()
    return PrincipalComponents(coordinates[:, :count], (directions * sign[:, None])[:count], explained[:count])


def covariance_eigenvalues(embeddings: Tensor) -> Tensor:
    """Eigenvalues of the covariance of the rows (N, d), largest first, (min(N, d),), in units of embedding²."""
    if len(embeddings) < 2:
        raise ValueError(f"{len(embeddings)} row has no covariance: at least 2 are needed")
    return torch.linalg.svdvals(embeddings - embeddings.mean(0)).square() / (len(embeddings) - 1)


def similarity_contrast(first: Tensor, second: Tensor, same: Tensor) -> float:
    """Mean cosine of the pairs that should be alike minus that of the other pairs, in [-2, 2].

    1 for one direction per class and orthogonal classes; 0 where the class leaves no trace. For fused vectors of equal
    and different targets: Zhang et al. (2024), arXiv 2405.05409, Fig. 4.

    Args:
        first: Vectors, shape (N, d), none zero.
        second: Vectors, shape (M, d), none zero.
        same: Which pairs should be alike, bool, shape (N, M).

    Raises:
        ValueError: There are no pairs of one of the two kinds, or a vector is zero.
    """
    if same.shape != (len(first), len(second)) or same.all() or not same.any():
        raise ValueError(f"the mask {tuple(same.shape)} must mark some pairs of {len(first)} x {len(second)}, not all")
    left, right = (rows.double() / rows.double().norm(dim=1, keepdim=True) for rows in (first, second))
    cosines = left @ right.T
    if not torch.isfinite(cosines).all():
        raise ValueError("a vector is zero or not finite: it has no direction")
    return float(cosines[same].mean() - cosines[~same].mean())
