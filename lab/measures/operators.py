"""Symmetric operators that are only ever multiplied with: what eigen, density and trace estimators work on.

Vectors are rows throughout: a batch has shape (K, P), and so have the products.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import final

import numpy as np
import torch
from torch import Tensor

NOT_FINITE = "a product with the operator is not finite: second derivatives overflow or do not exist"


class UndefinedError(ValueError):
    """The quantity does not exist here; the message says why and what to do."""


class SymmetricOperator(ABC):
    """A symmetric (P, P) matrix known by its products.

    Attributes:
        size: P.
        dtype: Floating type of the products.
        device: Where vectors live.
        products: Matrix-vector products done so far, the unit of cost that readings report.
    """

    def __init__(self, size: int, dtype: torch.dtype, device: torch.device) -> None:
        self.size = size
        self.dtype = dtype
        self.device = device
        self.products = 0

    @final
    def __call__(self, vectors: Tensor) -> Tensor:
        """The product with one vector, shape (P,), or with each row of a batch, shape (K, P)."""
        if vectors.ndim not in (1, 2) or vectors.shape[-1] != self.size:
            raise ValueError(f"vectors have shape {tuple(vectors.shape)}; expected ({self.size},) or (K, {self.size})")
        rows = torch.atleast_2d(vectors).to(self.device, self.dtype)
        self.products += len(rows)
        return self._multiply(rows).reshape(vectors.shape)

    @abstractmethod
    def _multiply(self, rows: Tensor) -> Tensor:
        """Products with the rows, shape (K, P)."""

    def dense(self) -> np.ndarray:
        """The whole matrix, shape (P, P), float64, symmetric to the last bit. Costs P products and P² numbers."""
        matrix = self(torch.eye(self.size, dtype=self.dtype, device=self.device)).double().cpu().numpy()
        return (matrix + matrix.T) / 2


@final
class Matrix(SymmetricOperator):
    """A symmetric matrix that is already there, shape (P, P)."""

    def __init__(self, matrix: Tensor) -> None:
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise ValueError(f"a symmetric operator is square; this matrix has shape {tuple(matrix.shape)}")
        super().__init__(len(matrix), matrix.dtype, matrix.device)
        self.matrix = matrix

    def _multiply(self, rows: Tensor) -> Tensor:
        return rows @ self.matrix

    def dense(self) -> np.ndarray:
        matrix = self.matrix.double().cpu().numpy()
        return (matrix + matrix.T) / 2


@final
class Gram(SymmetricOperator):
    """Σ_i x_i x_iᵀ of N vectors, the rows of ``factors``, shape (N, P): never formed."""

    def __init__(self, factors: Tensor) -> None:
        super().__init__(factors.shape[1], factors.dtype, factors.device)
        self.factors = factors

    def _multiply(self, rows: Tensor) -> Tensor:
        return (rows @ self.factors.T) @ self.factors


@final
class Scaled(SymmetricOperator):
    """S A S with a diagonal S, shape (P,): it shares its eigenvalues with S² A, which is not symmetric."""

    def __init__(self, operator: SymmetricOperator, scale: Tensor) -> None:
        if scale.shape != (operator.size,):
            raise ValueError(f"the scale has shape {tuple(scale.shape)}; expected ({operator.size},)")
        super().__init__(operator.size, operator.dtype, operator.device)
        self.operator = operator
        self.scale = scale.to(operator.device, operator.dtype)

    def _multiply(self, rows: Tensor) -> Tensor:
        return self.scale * self.operator(self.scale * rows)

    def dense(self) -> np.ndarray:
        scale = self.scale.double().cpu().numpy()
        return scale[:, None] * self.operator.dense() * scale


def random_rows(count: int, operator: SymmetricOperator, seed: int | torch.Generator) -> Tensor:
    """Standard normal rows, shape (count, P), from an own generator: never from torch's global one.

    Drawn on the CPU, so that a GPU starts from the same numbers.
    """
    generator = seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
    rows = torch.randn(count, operator.size, generator=generator, dtype=torch.float64, device=generator.device)
    return rows.to(operator.device, operator.dtype)


def trainable(params: Iterable[Tensor]) -> list[Tensor]:
    """The parameters that are trained, in the order given: frozen ones left out, a tied one counted once."""
    found = list({id(p): p for p in params if p.requires_grad}.values())
    if not found:
        raise UndefinedError("no parameter requires a gradient, so there is nothing to differentiate by: unfreeze one")
    return found


def flatten(tensors: Iterable[Tensor]) -> Tensor:
    """One vector, shape (P,), of all entries in row-major order, whatever the strides are."""
    return torch.cat([t.reshape(-1) for t in tensors])


def unflatten(vectors: Tensor, params: Iterable[Tensor]) -> list[Tensor]:
    """Split (P,) or (K, P) into pieces shaped, or with a leading K shaped, like each parameter."""
    params = list(params)
    pieces, rows = vectors.split([p.numel() for p in params], dim=-1), vectors.shape[:-1]
    shaped = [v.reshape(rows + p.shape) for v, p in zip(pieces, params, strict=True)]
    return [v if v.dtype == p.dtype else v.to(p.dtype) for v, p in zip(shaped, params, strict=True)]


LossClosure = Callable[[], Tensor]
