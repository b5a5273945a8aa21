"""Inverse participation ratio (IPR): how few components carry a vector. Gromov (2023), Doshi et al. (2023)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lab.measures._matrix import as_matrix, finite


def inverse_participation_ratio(vectors: Tensor, r: int = 2) -> Tensor:
    """Σ_j |x_j|^{2r} / (Σ_j |x_j|²)^r over the last dimension: 1 for one component, n^{1-r} for n equal ones.

    Args:
        vectors: Real or complex, shape (..., n).
        r: Order, at least 2.

    Returns:
        Shape (...), float64, without unit; NaN for a zero vector, which has no components to count. Cost: one pass.
    """
    if vectors.ndim == 0 or vectors.shape[-1] == 0:
        raise ValueError(f"vectors need at least one component, got shape {tuple(vectors.shape)}")
    if r < 2:
        raise ValueError(f"the order r is at least 2, got {r}")
    magnitude = finite(vectors.detach().abs().double(), "vectors")
    share = (magnitude / magnitude.amax(-1, keepdim=True)) ** 2  # 0/0 makes a zero vector NaN
    return (share**r).sum(-1) / share.sum(-1) ** r


def fourier_ipr(rows: Tensor, *, order: Tensor | None = None, floor: float = 0.0, r: int = 2) -> Tensor:
    """IPR of each neuron's spectrum, x = rfft(row): 1 for a pure cosine, 1/(⌊p/2⌋ + 1) for one spike.

    The one-sided spectrum includes frequency 0. (A two-sided one would give 1/2 for a cosine.) Gaussian rows give about
    2/(⌊p/2⌋ + 1).

    Args:
        rows: One neuron a row, over its p inputs, shape (N, p).
        order: Inputs to read, in this order: ``discrete_log_order(p)`` shows multiplication as addition.
        floor: Rows whose norm is below ``floor`` times the largest are noise and give NaN (1e-3 after weight decay).
        r: Order of the IPR.

    Returns:
        Shape (N,), float64; NaN for zero rows. Cost: one FFT.
    """
    matrix = as_matrix(rows, "rows")
    matrix = matrix if order is None else matrix[:, order.to(matrix.device)]
    norms = torch.linalg.vector_norm(matrix, dim=1)
    ratio = inverse_participation_ratio(torch.fft.rfft(matrix, dim=1), r)
    return torch.where(norms < floor * norms.max(), torch.nan, ratio)


def neuron_ipr(parts: Sequence[Tensor], *, order: Tensor | None = None, floor: float = 0.0) -> Tensor:
    """Mean over a neuron's weight vectors of their :func:`fourier_ipr`. Doshi et al. (2023).

    Args:
        parts: Each shape (N, p), a neuron a row: its weights on n, on m and on the classes.
        order: As in :func:`fourier_ipr`.
        floor: As there.

    Returns:
        Shape (N,), float64; NaN for a neuron that decayed in any part.
    """
    return torch.stack([fourier_ipr(part, order=order, floor=floor) for part in parts]).mean(0)


def discrete_log_order(p: int) -> Tensor:
    """g⁰, g¹, ..., g^{p-2} mod p for the smallest primitive root g of a prime p, shape (p - 1,).

    Raises:
        ValueError: p has no primitive root that visits 1 ... p - 1, so it is no prime.
    """
    for root in range(1, p):
        powers = [1]
        while (power := powers[-1] * root % p) != 1 and len(powers) < p:
            powers.append(power)
        if len(powers) == p - 1:
            return torch.tensor(powers)
    raise ValueError(f"the discrete logarithm needs a prime, got {p}")
