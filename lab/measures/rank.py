"""How many directions a weight matrix uses: soft ranks of its singular values σ_i, all free of the matrix's scale.

Each is 1 for a rank-1 matrix, n for n equal singular values, and 0 for a zero matrix. Each takes the matrix, or its
singular values when several are wanted from one decomposition. Kernels (out, in, h, w) count as matrices (out, in·h·w).
"""

import torch
from torch import Tensor

from lab.measures._matrix import as_matrix, finite


def singular_values(weight: Tensor) -> Tensor:
    """Singular values of a weight (m, d), descending, shape (min(m, d),), float64. Cost: m·d·min(m, d)."""
    return torch.linalg.svdvals(as_matrix(weight))


def effective_rank(weight: Tensor, *, power: int = 2) -> float:
    """exp(-Σ p_i ln p_i), the exponential of the spectrum's entropy, in [1, rank]. Roy and Vetterli (2007), Def. 1.

    Args:
        weight: Shape (m, d), or singular values, shape (k,).
        power: p_i = σ_i^power/Σσ^power: 2 weighs by energy, 1 is Roy and Vetterli's own choice and gives larger values.
    """
    if power not in (1, 2):
        raise ValueError(f"power is 1 or 2, got {power}")
    p = _relative(weight) ** power
    return float(torch.exp(torch.special.entr(p / p.sum()).sum())) if p.sum() > 0 else 0.0


def stable_rank(weight: Tensor) -> float:
    """‖W‖_F²/‖W‖₂², in [1, rank], of a weight (m, d) or singular values (k,). Rudelson and Vershynin (2007).

    A Gaussian matrix has about m·d/(√m + √d)².
    """
    return float((_relative(weight) ** 2).sum())


def participation_ratio(weight: Tensor) -> float:
    """(Σσ_i²)²/Σσ_i⁴, in [1, rank], of a weight (m, d) or singular values (k,)."""
    energy = _relative(weight) ** 2
    return float(energy.sum() ** 2 / (energy**2).sum()) if energy.sum() > 0 else 0.0


def _relative(weight: Tensor) -> Tensor:
    """Singular values over the largest one; zeros for a zero matrix."""
    sigma = finite(weight.detach().double(), "singular values") if weight.ndim == 1 else singular_values(weight)
    if sigma.numel() == 0 or bool((sigma < 0).any()):
        raise ValueError("singular values need at least one entry and none below zero")
    largest = sigma.max()
    return sigma / torch.where(largest > 0, largest, 1.0)
