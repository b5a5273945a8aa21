"""Trace of an operator from products with random vectors."""

from dataclasses import dataclass

import numpy as np
import torch

from lab.measures.operators import SymmetricOperator, random_rows


@dataclass(frozen=True)
class Trace:
    """tr A as estimated, its standard error (0 when exact), and the products used."""

    value: float
    standard_error: float
    hvps: int


def hutchinson_trace(operator: SymmetricOperator, *, probes: int = 64, seed: int | torch.Generator = 0) -> Trace:
    """tr A as the mean of z'Az over random signs z. Hutchinson (1989), doi:10.1080/03610918908812806.

    The variance of one probe is twice the sum of the squared off-diagonal entries: diagonal operators are exact.

    Args:
        operator: A, shape (P, P).
        probes: K, at least 2; the standard error falls as 1/sqrt(K).
        seed: Seed or generator of the probes.
    """
    if probes < 2:
        raise ValueError(f"probes = {probes}: a standard error needs at least 2")
    signs = random_rows(probes, operator, seed).sign()
    samples = (signs.double() * operator(signs).double()).sum(dim=1).cpu().numpy()
    return Trace(float(samples.mean()), float(samples.std(ddof=1) / probes**0.5), probes)


def xtrace(operator: SymmetricOperator, *, hvps: int = 64, seed: int | torch.Generator = 0) -> Trace:
    """tr A by XTrace: exact on the range of random products, Hutchinson on the rest, each probe left out in turn.

    The error falls as fast as the spectrum decays, for semidefinite operators at least as 1/K rather than 1/sqrt(K).
    Epperly, Tropp and Webber (2024), arXiv:2301.07825, algorithm 1.1 with their normalisation for rotation-invariant
    probes.

    Args:
        operator: A, shape (P, P).
        hvps: Products to spend, at least 4; from P on the trace is computed exactly with P of them.
        seed: Seed or generator of the probes.
    """
    if hvps >= operator.size:
        return exact_trace(operator)
    if hvps < 4:
        raise ValueError(f"hvps = {hvps}: XTrace needs at least 4")
    m, size, before = hvps // 2, operator.size, operator.products
    probes = random_rows(m, operator, seed)
    products = operator(probes)
    basis, left_out, r = _range(products.double())
    rank = basis.shape[1] if not left_out.any() else m - 1
    inner = (basis.T @ operator(basis.T.to(operator.dtype)).double().T).cpu().numpy()  # Qᵀ A Q
    coordinates = (basis.T @ probes.double().T).cpu().numpy()  # Qᵀ Ω
    own = (left_out * coordinates).sum(axis=0)
    within = coordinates - left_out * own  # coordinates of probe i in the range of the others
    quadratic = (probes.double() * products.double()).sum(dim=1).cpu().numpy()
    rest = quadratic - 2 * (within * r).sum(axis=0) + (within * (inner @ within)).sum(axis=0)
    length = (probes.double() ** 2).sum(dim=1).cpu().numpy() - (within**2).sum(axis=0)
    scale = (size - rank) / np.maximum(length, np.finfo(float).tiny)
    samples = np.trace(inner) - (left_out * (inner @ left_out)).sum(axis=0) + scale * rest
    return Trace(float(samples.mean()), float(samples.std(ddof=1) / m**0.5), operator.products - before)


def _range(products: torch.Tensor) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """Orthonormal basis Q of the range of Y, the unit vectors in it that each probe alone contributes, and Qᵀ Y.

    Args:
        products: Y by rows, shape (m, P).

    Returns:
        Q (P, r), contributions (r, m), Qᵀ Y (r, m). If the range is smaller than m, no probe contributes alone: zeros.
    """
    q, upper = torch.linalg.qr(products.T)
    left, singular, right = np.linalg.svd(upper.cpu().numpy())
    rank = int((singular > 1e-12 * singular.max(initial=0.0)).sum())
    basis = q @ torch.as_tensor(left[:, :rank]).to(q)
    coordinates = singular[:rank, None] * right[:rank]
    if rank < len(products):
        return basis, np.zeros((rank, len(products))), coordinates
    alone = np.linalg.inv(coordinates).T
    return basis, alone / np.linalg.norm(alone, axis=0), coordinates


def exact_trace(operator: SymmetricOperator) -> Trace:
    """tr A from its P diagonal entries: P products, sixteen at a time."""
    total, step = 0.0, 16
    for first in range(0, operator.size, step):
        count = min(step, operator.size - first)
        rows = torch.zeros(count, operator.size, dtype=operator.dtype, device=operator.device)
        entries = torch.arange(count), torch.arange(first, first + count)
        rows[entries] = 1
        total += float(operator(rows)[entries].double().sum())
    return Trace(total, 0.0, operator.size)
