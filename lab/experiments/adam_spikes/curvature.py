"""Numbers about H and Ĥ at a point. Ĥ = S² H is not symmetric; its spectrum is that of S H S."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

from lab.models.closed_form import ClosedForm

DENSE_UP_TO = 200  # parameters; beyond, a full eigendecomposition costs more than Lanczos
TOLERANCE = 1e-6  # of Lanczos: |A q - λ q| over λ; the error of λ is of its square
MOST_PRODUCTS = 200


def array(tensor: torch.Tensor) -> np.ndarray:
    """The tensor's numbers; no copy on the CPU, where numpy is quicker than torch on vectors this short."""
    return tensor.detach().cpu().numpy()


class ScaledHessian:
    """S ∇²L S at θ for any diagonal S: the matrix itself where it is small, else its products.

    Args:
        loss: L, with P parameters.
        theta: θ, shape (P,).
    """

    def __init__(self, loss: ClosedForm, theta: torch.Tensor) -> None:
        self._theta = theta
        self._matrix = loss.hessian(theta) if loss.size <= DENSE_UP_TO else None
        self._products = loss.hessian_products(theta) if self._matrix is None else None

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """∇²L times each row, shape (K, P)."""
        if self._matrix is not None:
            return rows @ self._matrix
        assert self._products is not None
        return self._products(rows)

    def top_pair(self, scale: np.ndarray, start: torch.Tensor | None = None) -> tuple[float, torch.Tensor]:
        """λ_max of S H S (largest algebraic) and its unit eigenvector, shape (P,).

        Args:
            scale: Diagonal of S, shape (P,).
            start: The eigenvector of an earlier reading, a head start for Lanczos.
        """
        diagonal = torch.from_numpy(scale).to(self._theta)
        if self._matrix is None:
            return lanczos(lambda q: diagonal * self(diagonal * q), start, self._theta)
        matrix = diagonal[:, None] * self._matrix * diagonal
        if not torch.isfinite(matrix).all():  # a diverged run: eigh would raise
            return math.nan, torch.full_like(self._theta, math.nan)
        values, vectors = torch.linalg.eigh(matrix)
        return float(values[-1]), vectors[:, -1]


def lanczos(
    multiply: Callable[[torch.Tensor], torch.Tensor], start: torch.Tensor | None, like: torch.Tensor
) -> tuple[float, torch.Tensor]:
    """Largest algebraic eigenvalue of a symmetric matrix and its unit eigenvector, by Lanczos kept orthogonal.

    Args:
        multiply: The product with each row, shape (1, P).
        start: A vector to start from, shape (P,).
        like: A vector of the space, shape (P,).
    """
    # a share of a fixed random vector keeps an eigenvalue in view that is about to overtake
    drawn = torch.randn(len(like), generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(like)
    q = drawn / drawn.norm() if start is None else start + 0.1 * drawn / drawn.norm()
    basis, projected, value, vector = torch.empty(0, len(like)).to(like), np.zeros((0, 0)), math.nan, like
    while len(basis) < min(MOST_PRODUCTS, len(like)):
        basis = torch.cat([basis, (q / q.norm())[None]])
        product = multiply(basis[-1:])[0]
        column = basis @ product
        if not torch.isfinite(column).all():
            return math.nan, torch.full_like(like, math.nan)
        projected = np.pad(projected, ((0, 1), (0, 1)))
        projected[:, -1] = projected[-1] = array(column)
        q = product - column @ basis
        q = q - (basis @ q) @ basis  # twice is enough
        left = float(q.norm())
        values, vectors = np.linalg.eigh(projected)
        value, vector = float(values[-1]), torch.from_numpy(vectors[:, -1].copy()).to(like) @ basis
        if left * abs(vectors[-1, -1]) <= TOLERANCE * abs(value):
            break
    return value, vector / vector.norm()


def alignment(a: np.ndarray, b: np.ndarray) -> float:
    """|cos| of the angle between a vector, shape (P,), and a unit vector."""
    return float(abs(a @ b) / np.sqrt(a @ a))
