"""Geometry of token embeddings: principal components and spectrum; their cosines are those of neurons, measured in
``lab.measures.condensation``.

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
