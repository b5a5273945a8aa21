"""Spectral density by stochastic Lanczos quadrature.

Lin, Saad and Yang (2016), arXiv:1308.5467; for networks Ghorbani et al. (2019), arXiv:1901.10159.
"""

from dataclasses import dataclass

import numpy as np
import torch

from lab.measures.operators import SymmetricOperator, random_rows


@dataclass(frozen=True)
class SpectralDensity:
    """A density of eigenvalues that integrates to one.

    Attributes:
        grid: Eigenvalues, shape (G,).
        density: Mean over the probes, shape (G,), units 1/λ.
        standard_error: Of that mean, shape (G,); NaN with one probe.
        nodes: Quadrature nodes of each probe, shape (K, M).
        weights: Their weights, shape (K, M), each probe's sum to one.
        broadening: Standard deviation σ of the Gaussian that each node is smeared with.
        hvps: Products used, K·M.
    """

    grid: np.ndarray
    density: np.ndarray
    standard_error: np.ndarray
    nodes: np.ndarray
    weights: np.ndarray
    broadening: float
    hvps: int


def spectral_density(
    operator: SymmetricOperator,
    *,
    probes: int = 8,
    steps: int = 60,
    broadening: float | None = None,
    points: int = 1024,
    seed: int | torch.Generator = 0,
) -> SpectralDensity:
    """φ(t) = 1/P Σ_i N(t; λ_i, σ²), estimated from K random probes with M Lanczos steps each.

    The probes advance together, so that a step is one batched product. The error falls as 1/sqrt(K·P); M has to
    resolve σ: about (λ_max - λ_min)/σ steps are enough, fewer where the spectrum has gaps.

    Args:
        operator: Of what, shape (P, P).
        probes: K.
        steps: M, at most P.
        broadening: σ; default one hundredth of the extent of the nodes.
        points: G; the grid reaches 5 σ beyond the outermost nodes.
        seed: Seed or generator of the probes.

    Returns:
        The density on its grid with what it was made of. Memory: K·M·P numbers.
    """
    if probes < 1 or steps < 1:
        raise ValueError(f"probes = {probes}, steps = {steps}: at least one of each")
    before = operator.products
    nodes, weights = lanczos_quadrature(operator, probes, min(steps, operator.size), seed)
    extent, largest = float(nodes.max() - nodes.min()), float(abs(nodes).max())
    if extent <= 1e2 * torch.finfo(operator.dtype).eps * largest:  # one single eigenvalue: its size sets the scale
        extent = largest or 1.0
    sigma = extent / 100 if broadening is None else broadening
    grid = np.linspace(nodes.min() - 5 * sigma, nodes.max() + 5 * sigma, points)
    each = np.stack([broadened(grid, t, w, sigma) for t, w in zip(nodes, weights, strict=True)])
    error = each.std(axis=0, ddof=1) / probes**0.5 if probes > 1 else np.full(points, np.nan)
    return SpectralDensity(grid, each.mean(axis=0), error, nodes, weights, sigma, operator.products - before)


def broadened(grid: np.ndarray, nodes: np.ndarray, weights: np.ndarray, sigma: float) -> np.ndarray:
    """Σ_j w_j N(t; θ_j, σ²) on a grid t, shape (G,), for nodes and weights of shape (M,)."""
    bells = np.exp(-(((grid[:, None] - nodes) / sigma) ** 2) / 2)
    return bells @ weights / (sigma * np.sqrt(2 * np.pi))


def lanczos_quadrature(
    operator: SymmetricOperator, probes: int, steps: int, seed: int | torch.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Gauss quadrature of each probe's spectral measure: nodes and weights, both (K, M)."""
    start = random_rows(probes, operator, seed)
    basis = torch.zeros(probes, steps, operator.size, dtype=operator.dtype, device=operator.device)
    basis[:, 0] = start / start.norm(dim=1, keepdim=True)
    tridiagonal = np.zeros((probes, steps, steps))
    tiny = 1e2 * torch.finfo(operator.dtype).eps
    scale = torch.zeros(probes, dtype=operator.dtype, device=operator.device)
    diagonal, off_diagonal = [], []
    for j in range(steps):
        product = operator(basis[:, j])
        diagonal.append((basis[:, j] * product).sum(dim=1))
        if j + 1 == steps:
            break
        scale = torch.maximum(scale, product.norm(dim=1))
        known = basis[:, : j + 1]
        for _ in range(2):  # against the whole basis: without it, spurious copies of converged eigenvalues appear
            product = product - torch.bmm(torch.bmm(product[:, None], known.transpose(1, 2)), known)[:, 0]
        length = product.norm(dim=1)
        ended = length <= tiny * scale  # the probe's Krylov space is exhausted: what follows gets no weight
        off_diagonal.append(torch.where(ended, 0, length))
        basis[:, j + 1] = torch.where(
            ended[:, None], 0, product / length.clamp_min(torch.finfo(length.dtype).tiny)[:, None]
        )
    a = torch.stack(diagonal, dim=1).double().cpu().numpy()
    index = np.arange(steps)
    tridiagonal[:, index, index] = a
    if off_diagonal:
        b = torch.stack(off_diagonal, dim=1).double().cpu().numpy()
        tridiagonal[:, index[1:], index[:-1]] = tridiagonal[:, index[:-1], index[1:]] = b
    nodes, vectors = np.linalg.eigh(tridiagonal)
    weights = vectors[:, 0, :] ** 2
    # an unweighted node is a leftover of an exhausted probe: move it onto a real one, so that the extent is the
    # spectrum's
    heaviest = np.take_along_axis(nodes, weights.argmax(axis=1)[:, None], axis=1)
    return np.where(weights > 0, nodes, heaviest), weights
