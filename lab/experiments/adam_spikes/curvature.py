"""Numbers about H and Ĥ at a point. Ĥ = S² H is not symmetric; its spectrum is that of S H S."""

from __future__ import annotations

import math

import numpy as np
import torch


def array(tensor: torch.Tensor) -> np.ndarray:
    """The tensor's numbers; no copy on the CPU, where numpy is quicker than torch on vectors this short."""
    return tensor.detach().cpu().numpy()


def top_pair(hessian: torch.Tensor, scale: np.ndarray | None = None) -> tuple[float, np.ndarray]:
    """λ_max of S H S (largest algebraic) and its unit eigenvector, shape (P,).

    Args:
        hessian: H, shape (P, P).
        scale: Diagonal of S, shape (P,); None for ones.
    """
    if scale is not None:
        diagonal = torch.from_numpy(scale).to(hessian)
        hessian = diagonal[:, None] * hessian * diagonal
    if not torch.isfinite(hessian).all():  # a diverged run: eigh would raise
        return math.nan, np.full(len(hessian), math.nan)
    values, vectors = torch.linalg.eigh(hessian)
    return float(values[-1]), array(vectors[:, -1])


def alignment(a: np.ndarray, b: np.ndarray) -> float:
    """|cos| of the angle between a vector, shape (P,), and a unit vector."""
    return float(abs(a @ b) / np.sqrt(a @ a))
