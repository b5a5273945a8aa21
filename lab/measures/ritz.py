"""The subspace behind `eigen`: an orthonormal basis with its products, and the Ritz pairs in it with error bounds."""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import torch
from torch import Tensor

from lab.measures.operators import NOT_FINITE, SymmetricOperator, UndefinedError, random_rows

Which = Literal["largest", "smallest", "magnitude"]
BLOCK = 8  # new vectors a round: from here on a batch gets no cheaper a vector


@final
class Basis:
    """Orthonormal rows V, their products W = V A, and T = V A Vᵀ in float64."""

    def __init__(self, operator: SymmetricOperator, capacity: int, seed: int | torch.Generator) -> None:
        self.operator = operator
        self.capacity = min(capacity, operator.size)
        self.generator = seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
        self.eps = torch.finfo(operator.dtype).eps
        self.projected = np.zeros((self.capacity, self.capacity))
        self.products = 0
        self.restarted = False
        self._count = 0
        # V and W in one block, so that both are combined by one product
        self._both = torch.empty(2, self.capacity, operator.size, dtype=operator.dtype, device=operator.device)
        self._rows, self._multiplied = self._both

    def __len__(self) -> int:
        return self._count

    def extend(self, rows: Tensor | None, *, at_least: int, at_most: int) -> None:
        """Add what the rows add to the span; fill up with random directions when that is fewer than ``at_least``."""
        at_most = min(at_most, self.capacity - self._count)
        at_least = min(at_least, at_most)
        new = self._rows[:0]
        if rows is not None:
            new = self._orthonormal(torch.atleast_2d(rows).to(self._rows))[:at_most]
        while len(new) < at_least:
            drawn = random_rows(at_least - len(new), self.operator, self.generator)
            new = self._orthonormal(torch.cat([new, drawn]))[:at_most]
        self.products += len(new)
        self.take(new, self.operator(new))

    def take(self, new: Tensor, multiplied: Tensor) -> None:
        """Add rows that are orthonormal among themselves and to all others, with their products."""
        end = self._count + len(new)
        self._rows[self._count : end] = new
        self._multiplied[self._count : end] = multiplied
        entries = (self._rows[:end] @ self._multiplied[self._count : end].T).double().cpu().numpy()
        if not np.isfinite(entries).all():
            raise UndefinedError(NOT_FINITE)
        self.projected[:end, self._count : end] = entries
        self.projected[self._count : end, : self._count] = entries[: self._count].T
        self._count = end

    def _orthonormal(self, rows: Tensor) -> Tensor:
        """An orthonormal basis of what the rows add to V: what lies in its span already, up to rounding, is dropped."""
        rows = rows / rows.norm(dim=1, keepdim=True).clamp_min(torch.finfo(rows.dtype).tiny)
        for _ in range(2):  # twice is enough: Giraud et al. (2005), doi:10.1007/s00211-005-0615-4
            if self._count:
                basis = self._rows[: self._count]
                rows = torch.addmm(rows, rows @ basis.T, basis, alpha=-1)
            gram = (rows @ rows.T).double().cpu().numpy()
            values, vectors = np.linalg.eigh(gram) if len(gram) != 1 else (gram[0], np.ones((1, 1)))
            keep = values > 1e3 * self.eps * len(rows)
            whitening = (vectors[:, keep] / np.sqrt(values[keep])).T
            rows = torch.as_tensor(whitening.copy()).to(rows) @ rows
            if values.min(initial=1.0) > 0.25:  # of unit rows at least half was left: nothing cancelled
                break
        return rows

    def restart(self, values: np.ndarray, coefficients: np.ndarray) -> None:
        """Keep only the Ritz vectors given by their values, shape (K,), and coefficient columns, shape (M, K)."""
        count, self.restarted = len(values), True
        self._both[:, :count] = self.combine(coefficients)
        self.projected[:count, :count] = np.diag(values)
        self._count = count

    def combine(self, coefficients: np.ndarray) -> Tensor:
        """Vectors from coefficient columns, shape (M, K), and A times them, without a new product: (2, K, P)."""
        return torch.as_tensor(coefficients.T.copy()).to(self._rows) @ self._both[:, : self._count]


@dataclass(frozen=True)
class RitzPairs:
    """All Ritz values (M,) and coefficients (M, M), most wanted first; vectors and accuracy of the K wanted ones.

    A Ritz value lies on the inner side of its eigenvalue, never beyond it (Cauchy), so the eigenvalue is between it and
    it plus the bound: for the most wanted pair ``estimates``, shape (K,), holds the middle, and ``errors`` half the
    bound. The others are left where they are, since middles of different bounds might change places.
    """

    all_values: np.ndarray
    coefficients: np.ndarray
    vectors: Tensor
    residual_rows: Tensor
    residuals: np.ndarray
    estimates: np.ndarray
    errors: np.ndarray
    floor: float

    @property
    def values(self) -> np.ndarray:
        return self.all_values[: len(self.residuals)]

    def judged(self, tol: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which pairs meet the tolerance, and which rounding keeps from getting better. A zero is good at the floor."""
        size = np.abs(self.values)
        stuck = self.errors <= self.floor
        return (self.errors <= tol * size) | (stuck & (size <= self.floor)), stuck


def ritz_pairs(basis: Basis, k: int, which: Which, gap: float | None = None) -> RitzPairs:
    """Rayleigh-Ritz in the basis: the k most wanted pairs with residuals and error bounds.

    Args:
        basis: At least k rows.
        k: Pairs wanted.
        which: Which end.
        gap: Where the unwanted neighbour is known not to lie: nearer to the k-th eigenvalue than this share of it.
            Without it the neighbour is taken from the basis.
    """
    projected = basis.projected[: len(basis), : len(basis)]
    values, coefficients = np.linalg.eigh((projected + projected.T) / 2)
    order = wanted_first(values, which)
    wanted, unwanted = order[:k], np.sort(order[k:])
    # an end of the spectrum is bounded with the help of its first unwanted neighbour, so that is computed too
    neighbours = unwanted[[0, -1]] if len(unwanted) else unwanted
    chosen = np.concatenate([wanted, neighbours])
    vectors, products = basis.combine(coefficients[:, chosen])
    rows = products - torch.as_tensor(values[chosen]).to(vectors)[:, None] * vectors
    residuals = rows.norm(dim=1).double().cpu().numpy()
    bounds, outwards = residuals[: len(wanted)].copy(), {"largest": 1, "smallest": -1, "magnitude": 0}[which]
    for sign, neighbour in ((-1, -2), (1, -1)):  # the lower end mirrored, then the upper one
        if len(unwanted):
            end = np.flatnonzero(sign * (wanted - neighbours[neighbour]) > 0)
        else:
            end = np.arange(len(wanted) if sign == outwards else 0)
        if not len(end):
            continue
        run = end[np.argsort(-sign * wanted[end])]
        # without an unwanted value the last wanted one has no gap to anything, but those before it have
        ceiling = sign * values[neighbours[neighbour]] + residuals[neighbour] if len(unwanted) else np.inf
        if gap is not None:
            least = values[chosen[run[-1]]]
            known = float(sign * least - gap * abs(least))
            ceiling = max(float(ceiling), known) if len(unwanted) else known
        bounds[run] = temple_kato(sign * values[chosen[run]], residuals[run], float(ceiling))
    floor = 32 * basis.eps * float(np.max(np.abs(values)))
    middle = np.where(np.arange(len(wanted)) == 0, 0.5, 0.0)
    return RitzPairs(
        all_values=values[order],
        coefficients=coefficients[:, order],
        vectors=vectors[: len(wanted)],
        residual_rows=rows[: len(wanted)],
        residuals=residuals[: len(wanted)],
        estimates=values[wanted] + (outwards or np.sign(values[wanted])) * middle * bounds,
        errors=np.maximum((1 - middle) * bounds, floor),
        floor=floor,
    )


@dataclass(frozen=True)
class Rest:
    """The unwanted spectrum as far as the last look told, in proportion to the k-th wanted eigenvalue.

    Attributes:
        gap: Distance to the nearest neighbour.
        far: Distance to the farthest one that was watched: what else there is lies beyond it.
        rows: The neighbours, shape (J, P), which have turned a little since.
        reach: Largest magnitude in the spectrum.
    """

    gap: float
    far: float
    rows: Tensor
    reach: float


_TURNED = 0.1  # share of what lies outside the neighbours that is counted to the nearest one, since they have turned


def ritz_pair(row: Tensor, product: Tensor, which: Which, rest: Rest) -> RitzPairs:
    """What `ritz_pairs` gives for one unit row, (1, P), at a fifth of the overhead that small networks would feel.

    Only the part of the residual that lies in the nearest neighbour has the small gap in its way.
    """
    value = float(row[0] @ product[0])
    if not np.isfinite(value):
        raise UndefinedError(NOT_FINITE)
    off = product - value * row
    square, size = float(off[0] @ off[0]), abs(value)
    neighbours = rest.rows.to(row)
    inside = (neighbours @ off[0]).double().cpu().numpy()
    gram = (neighbours @ neighbours.T).double().cpu().numpy()
    near = min(float(inside @ np.linalg.lstsq(gram, inside)[0]), square)
    near += _TURNED * (square - near)
    residual, gap, far = square**0.5, rest.gap * size, max(rest.gap, rest.far) * size
    bound = min(residual, near / gap + (square - near) / far) if gap else residual
    floor, half = 32 * torch.finfo(row.dtype).eps * size, (1 + rest.reach) * size / 2
    least = min(bound, float(np.hypot(half, residual)) - half)  # A is at least [[θ, r], [r, -reach·θ]]
    return RitzPairs(
        all_values=np.array([value]),
        coefficients=np.ones((1, 1)),
        vectors=row,
        residual_rows=off,
        residuals=np.array([residual]),
        estimates=np.array([value + (1 if which == "largest" else -1) * (bound + least) / 2]),
        errors=np.array([max((bound - least) / 2, floor)]),
        floor=floor,
    )


def wanted_first(values: np.ndarray, which: Which) -> np.ndarray:
    """Indices of eigenvalues (M,), the most wanted first."""
    return np.argsort({"largest": -values, "smallest": values, "magnitude": -np.abs(values)}[which], kind="stable")


def temple_kato(values: np.ndarray, residuals: np.ndarray, ceiling: float) -> np.ndarray:
    """Error bounds of the largest Ritz values: the residual, or a squared one over a gap if that is less.

    For the s + 1 largest together, Σ_{j<=s} r_j² / (θ_s - θ_{s+1} - r_{s+1}) bounds each one's error: a pair inside
    a cluster is bounded by the cluster's distance from the rest. Parlett (1998), The Symmetric Eigenvalue Problem,
    section 11.7.

    Args:
        values: Ritz values, descending, shape (K,).
        residuals: Their residuals, shape (K,).
        ceiling: Upper bound of the first unwanted eigenvalue, θ_{K+1} + r_{K+1}.

    Returns:
        Bounds, shape (K,).
    """
    gaps = values - np.append(values[1:] + residuals[1:], ceiling)
    squares = np.cumsum(residuals**2)
    clusters = np.where(gaps > 0, squares / np.where(gaps > 0, gaps, 1.0), np.inf)
    best = np.minimum.accumulate(clusters[::-1])[::-1]  # the smallest over all clusters that contain the pair
    return np.minimum(residuals, best)
