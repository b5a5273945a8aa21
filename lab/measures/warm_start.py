"""What one reading of eigenpairs leaves to the next: vectors, how they turn, and how far the rest of the spectrum is.

Along a trajectory eigenvectors turn steadily, so the next ones are predicted and not only repeated: on a 64-wide MLP
read every ten steps the predicted vector's Rayleigh quotient is a hundred times nearer to λ_max than the last one's.
"""

from typing import TypedDict

import numpy as np
import torch
from torch import Tensor

from lab.measures.operators import SymmetricOperator, random_rows
from lab.measures.ritz import RitzPairs, Which


class Start(TypedDict):
    """Head start of the next reading: numbers and tensors only, so a checkpoint keeps it as it is.

    Attributes:
        which: The end of the spectrum it was read at.
        vectors: The k eigenvectors, then their neighbours, shape (J, P).
        turn: How the k eigenvectors left the span of the reading before, shape (k, P).
        pace: How much of ``turn`` to expect again: 1 for a steady drift, 0 for noise, -1 for an oscillation.
        gap: Distance from the k-th eigenvalue to its neighbour at the last look, relative to the former; at most 0 is
            unknown.
        unseen: Readings since the neighbours were looked at.
    """

    which: Which
    vectors: Tensor
    turn: Tensor
    pace: float
    gap: float
    unseen: int


_LEAST_GAP = 0.02  # nearer neighbours are looked at in every reading
_NOISE = 0.05  # share of noise in the neighbours: without it what is orthogonal to all that was kept is never met


def own(start: Start | Tensor | None, which: Which, k: int) -> Start | None:
    """The start if it was left by a reading of the same k pairs, whose gap and turn then hold."""
    if not isinstance(start, dict) or start["which"] != which or len(start["turn"]) != k:
        return None
    return start


def gap_to_trust(start: Start | None, look_every: int) -> float | None:
    """The gap of the last look, or None if it is time to look again."""
    if start is None or start["which"] == "magnitude" or start["unseen"] + 1 >= look_every:
        return None
    return start["gap"] if start["gap"] > _LEAST_GAP else None


def predicted(start: Start | Tensor | None, k: int, operator: SymmetricOperator) -> Tensor | None:
    """Rows to start from, shape (J, P): the k wanted vectors as they are expected now, then the rest as it was."""
    if start is None:
        return None
    vectors = start["vectors"] if isinstance(start, dict) else torch.atleast_2d(start)
    rows = vectors.to(operator.device, operator.dtype, copy=True)
    if rows.shape[1] != operator.size:
        raise ValueError(f"start has {rows.shape[1]} columns; expected (J, {operator.size}): is it another layer's?")
    if isinstance(start, dict) and len(start["turn"]) == k:
        rows[:k] += start["pace"] * start["turn"].to(rows)
    return rows


def disturbed(rows: Tensor, k: int, operator: SymmetricOperator, generator: torch.Generator) -> Tensor:
    """The rows with noise on all but the first k."""
    noise = random_rows(max(len(rows) - k, 0), operator, generator)
    return torch.cat([rows[:k], rows[k:] + _NOISE / operator.size**0.5 * noise])


def fresh(which: Which, vectors: Tensor, k: int) -> Start:
    """The start of k wanted vectors and their neighbours, shape (J, P), that no reading before it is known of."""
    return Start(which=which, vectors=vectors, turn=torch.zeros_like(vectors[:k]), pace=1.0, gap=0.0, unseen=0)


def next_start(before: Start | None, which: Which, k: int, ritz: RitzPairs, *, looked: bool) -> Start:
    """The start for the reading after this one.

    Args:
        before: What this reading started from, if it was of the same kind.
        which: As in `eigenpairs`.
        k: Pairs wanted.
        ritz: Pairs found; with their neighbours if ``looked``.
        looked: Whether this reading computed the neighbours.
    """
    wanted, neighbours = ritz.vectors[:k], _pushed(ritz, k, which)
    turn, pace = torch.zeros_like(wanted), 1.0
    if before is not None:
        old = before["vectors"][:k].to(wanted)
        overlap = wanted @ old.T
        sign = torch.where(overlap.diagonal() < 0, -1.0, 1.0).to(wanted)[:, None]
        wanted, turn = sign * wanted, sign * (wanted - overlap @ old)
        last = before["turn"].to(wanted)
        length = float((last * last).sum())
        pace = min(max(float((turn * last).sum()) / length, -1.0), 1.0) if length > 0 else 1.0
    if not looked and before is not None:
        gap, unseen, neighbours = before["gap"], before["unseen"] + 1, before["vectors"][k:].to(wanted)
    else:
        gap, unseen = _gap(ritz, k, which), 0
    return Start(which=which, vectors=torch.cat([wanted, neighbours]), turn=turn, pace=pace, gap=gap, unseen=unseen)


def _pushed(ritz: RitzPairs, k: int, which: Which) -> Tensor:
    """The neighbours after a step of power iteration, whose product is there: hidden newcomers grow in them."""
    neighbours, residuals = ritz.vectors[k:], ritz.residual_rows[k:]
    scale = float(np.abs(ritz.values).max())
    if which == "magnitude" or not scale:
        return neighbours
    return neighbours + (1 if which == "largest" else -1) / scale * residuals


def _gap(ritz: RitzPairs, k: int, which: Which) -> float:
    if len(ritz.residuals) <= k or which == "magnitude" or not ritz.values[k - 1]:
        return 0.0
    sign = 1 if which == "largest" else -1
    distance = sign * (ritz.values[k - 1] - ritz.values[k]) - ritz.errors[k]
    return float(distance / np.abs(ritz.values[k - 1]))
