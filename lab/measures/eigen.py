"""Extreme eigenpairs of a symmetric operator by Rayleigh-Ritz, residual expansion and thick restarts.

From one start vector this spans the Krylov space of Lanczos; from several it is block Lanczos; and unlike either it
goes on from any vectors, so the eigenvectors of the last reading are a head start. Davidson (1975),
doi:10.1016/0021-9991(75)90065-0; thick restart: Wu and Simon (2000), doi:10.1137/S0895479898334605. Products are
kept, so residuals are computed, not predicted.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lab.measures.operators import NOT_FINITE, SymmetricOperator, UndefinedError
from lab.measures.ritz import BLOCK, Basis, Rest, RitzPairs, Which, ritz_pair, ritz_pairs, wanted_first
from lab.measures.warm_start import Start, disturbed, fresh, next_start, own, predicted, reach_of, rest_to_trust


class NotConvergedError(RuntimeError):
    """The tolerance was not reached; ``reached`` holds what was."""

    def __init__(self, message: str, reached: "Eigenpairs") -> None:
        super().__init__(message)
        self.reached = reached


@dataclass(frozen=True)
class Eigen:
    """One eigenpair.

    Attributes:
        value: λ; of the most wanted pair the vector's Rayleigh quotient and half of what it may lie short of λ.
        vector: Unit eigenvector, shape (P,).
        residual: |A v - θ v| with θ the Rayleigh quotient: some eigenvalue lies within it of θ, whatever else is
            unknown.
        error: The bound on |λ - exact| that was held against the tolerance; see `eigenpairs`.
        hvps: Products that the whole reading took.
        converged: Whether the reading met its tolerance.
        start: What to pass as ``start`` to the next reading; it may be kept in a checkpoint.
    """

    value: float
    vector: Tensor
    residual: float
    error: float
    hvps: int
    converged: bool
    start: Start


@dataclass(frozen=True)
class Eigenpairs:
    """K eigenpairs, the most wanted first: values (K,), vectors (K, P), residuals and errors (K,); else as `Eigen`."""

    values: np.ndarray
    vectors: Tensor
    residuals: np.ndarray
    errors: np.ndarray
    hvps: int
    converged: bool
    start: Start

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, i: int) -> Eigen:
        numbers = float(self.values[i]), self.vectors[i], float(self.residuals[i]), float(self.errors[i])
        return Eigen(*numbers, self.hvps, self.converged, self.start)


DENSE_UP_TO = 64  # up to here the whole matrix costs no more than a search, and is exact
# cold readings of two networks missed λ_max in 1 of 10 when only λ_max had to converge, in 0 of 400 with two
# neighbours this well
_NEIGHBOUR_TOL = 0.03
_SAME = 0.8  # cos² below which an eigenvector is another one than predicted
_WARM_NEIGHBOUR_TOL = 0.4  # those of the last reading only have to be kept up: of their size or of their distance


def eigenpairs(
    operator: SymmetricOperator,
    k: int = 1,
    *,
    which: Which = "largest",
    tol: float = 1e-3,
    start: Start | Tensor | None = None,
    seed: int | torch.Generator = 0,
    max_hvps: int = 2000,
    max_basis: int | None = None,
    guard: int = 2,
    look_every: int = 6,
    strict: bool = True,
) -> Eigenpairs:
    """The k largest (algebraic), smallest (algebraic) or largest-magnitude eigenvalues and their eigenvectors.

    The accuracy is judged by the smaller of two bounds: the residual r, and the quadratic bound of Temple and Kato
    r²/(distance from λ to the unwanted eigenvalues), with that distance taken from the computed spectrum less its own
    residual. No method that only multiplies can rule out an eigenvalue whose eigenvector is orthogonal to every vector
    tried; a random start makes that improbable, and the ``guard`` neighbours that ``start`` carries from reading to
    reading keep an eigenvalue in view that is about to overtake. They are multiplied in every ``look_every``-th
    reading, and whenever they were within 10 % or an eigenvector turned away from its prediction; in between, their
    last directions and distances, in proportion to λ, are taken for the bound. A Ritz value never lies beyond its
    eigenvalue, so for the most wanted one the middle between it and the bound is returned, with half the bound as its
    error.

    Args:
        operator: A, shape (P, P).
        k: Number of eigenpairs, at most P.
        which: ``"largest"`` and ``"smallest"`` go by sign, ``"magnitude"`` by |λ|.
        tol: Relative accuracy: error <= tol·|λ|. Below about 1e-5 in float32 it cannot be met.
        start: The last reading's ``start``, or vectors to start from, shape (P,) or (J, P).
        seed: Seed or generator of the random start; the global generator is never drawn from.
        max_hvps: Most products to spend.
        max_basis: Most vectors to keep before a restart; memory is 2·max_basis·P numbers. Default 3k + 40.
        guard: Neighbours beyond the k wanted, found to 3 % and returned in ``start``; 0 is cheaper and may miss λ.
        look_every: Readings from one look at the neighbours to the next; in between an eigenvalue that overtakes may
            go unseen. Of 960 readings of small networks at large steps none missed it; for 4 and 8 one did, by 0.4 %.
        strict: Raise when ``max_hvps`` or rounding ends the search early; otherwise return what was reached.

    Returns:
        The pairs, with the accuracy reached and the products used.

    Raises:
        NotConvergedError: Only if ``strict``.
        ValueError: k is not between 1 and P, or the budget does not allow k products.
    """
    if not 1 <= k <= operator.size:
        raise ValueError(f"{k} eigenpairs of a {operator.size} x {operator.size} operator: choose 1 to {operator.size}")
    if max_hvps < k:
        raise ValueError(f"max_hvps = {max_hvps} is too few for {k} eigenpairs: allow at least {k}")
    watched = min(k + guard, operator.size)
    if operator.size <= min(DENSE_UP_TO, max_hvps):
        return _whole(operator, k, which, watched)
    basis = Basis(operator, max(max_basis or 3 * k + 40, watched + 2 * BLOCK), seed)
    before = own(start, which, k)
    rows = predicted(start, before, k, operator)
    warm = rows is not None and len(rows) >= watched
    tols = np.array([tol] * k + [_WARM_NEIGHBOUR_TOL if warm else _NEIGHBOUR_TOL] * (watched - k))
    rest, ritz = rest_to_trust(before, k, look_every), None
    if rows is not None and warm and rest is not None:
        ritz = _between_looks(basis, rows[:k], which, tols[:k], max_hvps, rest)
    looked = ritz is None or _turned(basis, ritz, k)
    if ritz is None or looked:
        rows = None if rows is None else disturbed(rows, k, operator, basis.generator)
        basis.extend(rows, at_least=watched, at_most=max_hvps - basis.products)
        ritz = _search(basis, which, tols, max_hvps, in_full=k if warm else watched)
    pairs = Eigenpairs(
        values=ritz.estimates[:k],
        vectors=ritz.vectors[:k],
        residuals=ritz.residuals[:k],
        errors=ritz.errors[:k],
        hvps=basis.products,
        converged=len(ritz.errors) >= k and bool(np.all(ritz.judged(tol)[0][:k])),
        start=next_start(before, which, k, ritz, looked=looked),
    )
    if strict and not pairs.converged:
        worst = float(np.max(pairs.errors / np.maximum(np.abs(pairs.values), np.finfo(float).tiny)))
        raise NotConvergedError(
            f"relative accuracy {worst:.1e} after {pairs.hvps} products, not the {tol:.1e} asked for: "
            "allow more max_hvps, loosen tol, compute in float64, or take what was reached with strict=False",
            pairs,
        )
    return pairs


def _whole(operator: SymmetricOperator, k: int, which: Which, watched: int) -> Eigenpairs:
    """The wanted pairs out of all, by the dense matrix."""
    matrix = operator.dense()
    if not np.isfinite(matrix).all():
        raise UndefinedError(NOT_FINITE)
    values, columns = np.linalg.eigh(matrix)
    order = wanted_first(values, which)[:watched]
    vectors = columns[:, order].T
    residuals = np.linalg.norm(vectors @ matrix - values[order, None] * vectors, axis=1)
    # a whole decomposition errs by rounding of the largest eigenvalue at most
    errors = np.maximum(residuals, torch.finfo(operator.dtype).eps * np.abs(values).max())
    rows = torch.from_numpy(vectors.copy()).to(operator.device, operator.dtype)
    start = fresh(which, k, rows, values[order], gap=0.0, reach=reach_of(values, float(values[order[0]])))
    return Eigenpairs(values[order[:k]], rows[:k], residuals[:k], errors[:k], operator.size, True, start)


def _between_looks(basis: Basis, rows: Tensor, which: Which, tols: np.ndarray, max_hvps: int, rest: Rest) -> RitzPairs:
    """The wanted pairs from their predictions alone, with their neighbours as far away as at the last look."""
    if len(rows) > 1:
        basis.extend(rows, at_least=len(rows), at_most=max_hvps)
        return _search(basis, which, tols, max_hvps, in_full=len(rows), gap=rest.gap)
    row = rows / rows.norm()
    product = basis.operator(row)
    basis.products += 1
    ritz = ritz_pair(row, product, which, rest)
    if ritz.judged(tols)[0].all():
        return ritz
    basis.take(row, product)
    return _search(basis, which, tols, max_hvps, in_full=1, gap=rest.gap)


def _search(
    basis: Basis, which: Which, tols: np.ndarray, max_hvps: int, *, in_full: int, gap: float | None = None
) -> RitzPairs:
    """Expand the basis by residuals until every pair is as accurate as its entry of ``tols`` asks, or nothing helps.

    Pairs after the first ``in_full`` ones may instead be that accurate in proportion to their distance from these.
    """
    size, watched = basis.operator.size, len(tols)
    while True:
        ritz = ritz_pairs(basis, watched, which, gap)
        good, stuck = ritz.judged(_allowed(ritz, tols, in_full))
        unfinished = np.flatnonzero(~(good | stuck))
        budget = min(BLOCK, max_hvps - basis.products)
        if len(basis) == size or budget <= 0 or (len(basis) >= watched and not len(unfinished)):
            return ritz
        if len(basis) + BLOCK > basis.capacity < size:
            kept = basis.capacity - 2 * BLOCK
            basis.restart(ritz.all_values[:kept], ritz.coefficients[:, :kept])
        basis.extend(ritz.residual_rows[unfinished[:budget]], at_least=1, at_most=budget)


def _allowed(ritz: RitzPairs, tols: np.ndarray, in_full: int) -> np.ndarray:
    """Relative tolerances of the pairs found."""
    values, allowed = ritz.values, tols[: len(ritz.errors)].copy()
    if len(values) > in_full:
        away = np.abs(values[in_full - 1] - values[in_full:]) / np.maximum(np.abs(values[in_full:]), ritz.floor)
        allowed[in_full:] *= np.maximum(1.0, away)
    return allowed


def _turned(basis: Basis, ritz: RitzPairs, k: int) -> bool:
    """Whether a pair left the span it was predicted in, the first k rows: neighbours may have changed places then."""
    return basis.restarted or bool((ritz.coefficients[:k, :k] ** 2).sum(axis=0).min() < _SAME)
