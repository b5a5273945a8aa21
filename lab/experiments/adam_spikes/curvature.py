"""Largest eigenpair of S H S, the symmetric matrix that shares its spectrum with the preconditioned Hessian S² H."""

from __future__ import annotations

import torch


def top_pair(hessian: torch.Tensor, scale: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """λ_max of S H S (largest algebraic), shape (), and its unit eigenvector, shape (P,).

    Args:
        hessian: H, shape (P, P).
        scale: Diagonal of S, shape (P,).
    """
    values, vectors = torch.linalg.eigh(scale[:, None] * hessian * scale)
    return values[-1], vectors[:, -1]


def along(direction: torch.Tensor, product: torch.Tensor, against: torch.Tensor) -> torch.Tensor:
    """d·(A d) / d·w, shape (); NaN without a direction. ``direction`` d, ``product`` A d and ``against`` w, shapes (P,)."""
    return direction.dot(product) / direction.dot(against)


def alignment(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """|cos| of the angle between two vectors, shape (); NaN where one is zero."""
    return (a.dot(b) / (a.norm() * b.norm())).abs()
