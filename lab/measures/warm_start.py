"""What one reading of eigenpairs leaves to the next: vectors, how they turn, and how far the rest of the spectrum is.

Along a trajectory eigenvectors turn steadily, so the next ones are predicted and not only repeated: from exact
eigenvectors of three small networks read every ten steps, the predicted vector's Rayleigh quotient missed λ_max by
1e-6, the last one's by 1e-3.
"""

from typing import TypedDict

import numpy as np
import torch
from torch import Tensor

from lab.measures.operators import SymmetricOperator, random_rows
from lab.measures.ritz import Rest, RitzPairs, Which


class Start(TypedDict):
    """Head start of the next reading: numbers and tensors only, so a checkpoint keeps it as it is.

    Attributes:
        which: The end of the spectrum it was read at.
        vectors: The k eigenvectors, then their neighbours, shape (J, P), each a step of power iteration on from its
            reading: the product is there, so the step is free.
        turns: How the k eigenvectors left the span of the reading before, and how they had one reading earlier, shape
            (2, k, P).
        pace: How much of each turn to expect next, shape (2,): (1, 0) for a steady drift, (0, 0) for noise, (-1, 0) for
            an oscillation.
        gap: Distance from the k-th eigenvalue to its neighbour at the last look, relative to the former; at most 0 is
            unknown.
        ratios: The neighbours' eigenvalues at the last look, relative to the k-th, shape (J - k,).
        reach: Largest magnitude in the spectrum, as far as seen, relative to that of the first eigenvalue.
        unseen: Readings since the neighbours were looked at.
    """

    which: Which
    vectors: Tensor
    turns: Tensor
    pace: Tensor
    gap: float
    ratios: Tensor
    reach: float
    unseen: int


_LEAST_GAP = 0.1  # nearer neighbours are looked at in every reading
_RIDGE = 3e-3  # of the turns' squared lengths: eigenvectors are known to a few percent of a turn
_NOISE = 0.1  # share of noise in the neighbours: without it what is orthogonal to all that was kept is never met


def own(start: Start | Tensor | None, which: Which, k: int) -> Start | None:
    """The start if it was left by a reading of the same k pairs, whose gap and turns then hold."""
    if not isinstance(start, dict) or not Start.__annotations__.keys() <= start.keys():  # older files hold less
        return None
    return start if start["which"] == which and start["turns"].shape[1] == k else None


def rest_to_trust(start: Start | None, k: int, look_every: int) -> Rest | None:
    """The rest of the spectrum at the last look, or None if it is time to look again."""
    if start is None or start["which"] == "magnitude" or start["unseen"] + 1 >= look_every:
        return None
    if start["gap"] <= _LEAST_GAP:
        return None
    return Rest(start["gap"], abs(1 - float(start["ratios"][-1])), start["vectors"][k:], start["reach"])


def predicted(start: Start | Tensor | None, before: Start | None, k: int, operator: SymmetricOperator) -> Tensor | None:
    """Rows to start from, shape (J, P): the k wanted vectors as they are expected now, then the rest as it was.

    ``before`` is the start where its turns hold (see ``own``).
    """
    if start is None:
        return None
    vectors = start["vectors"] if isinstance(start, dict) else torch.atleast_2d(start)
    rows = vectors.to(operator.device, operator.dtype, copy=True)
    if rows.shape[1] != operator.size:
        raise ValueError(f"start has {rows.shape[1]} columns; expected (J, {operator.size}): is it another layer's?")
    if before is not None:
        rows[:k] += torch.tensordot(before["pace"].to(rows), before["turns"].to(rows), dims=1)
    return rows


def disturbed(rows: Tensor, k: int, operator: SymmetricOperator, generator: torch.Generator) -> Tensor:
    """The rows with noise on all but the first k."""
    noise = random_rows(max(len(rows) - k, 0), operator, generator)
    return torch.cat([rows[:k], rows[k:] + _NOISE / operator.size**0.5 * noise])


def fresh(which: Which, k: int, vectors: Tensor, values: np.ndarray, *, gap: float, reach: float) -> Start:
    """The start of k wanted vectors and their neighbours, shapes (J, P) and (J,), with no reading known before it."""
    return Start(
        which=which,
        vectors=vectors,
        turns=torch.zeros_like(vectors[:k]).repeat(2, 1, 1),
        pace=torch.zeros(2, dtype=torch.float64),
        gap=gap,
        ratios=_ratios(values, k),
        reach=reach,
        unseen=0,
    )


def next_start(before: Start | None, which: Which, k: int, ritz: RitzPairs, *, looked: bool) -> Start:
    """The start for the reading after this one.

    Args:
        before: What this reading started from, if it was of the same kind.
        which: As in `eigenpairs`.
        k: Pairs wanted.
        ritz: Pairs found; with their neighbours if ``looked``.
        looked: Whether this reading computed the neighbours.
    """
    reach = max(reach_of(ritz.all_values, float(ritz.values[0])), 0.9 * before["reach"] if before is not None else 0.0)
    vectors = _pushed(ritz, which, reach, None if looked else before)
    if before is None:
        return fresh(which, k, vectors, ritz.values, gap=_gap(ritz, k, which), reach=reach)
    wanted, old = vectors[:k], before["vectors"][:k].to(vectors)
    overlap = wanted @ old.T
    sign = torch.where(overlap.diagonal() < 0, -1.0, 1.0).to(wanted)[:, None]
    turns = torch.stack([sign * (wanted - overlap @ old), before["turns"][0].to(wanted)])
    neighbours = vectors[k:] if looked else before["vectors"][k:].to(vectors)
    return Start(
        which=which,
        vectors=torch.cat([sign * wanted, neighbours]),
        turns=turns,
        pace=_pace(turns, before["turns"][1].to(wanted)),
        gap=_gap(ritz, k, which) if looked else before["gap"],
        ratios=_ratios(ritz.values, k) if looked else before["ratios"],
        reach=reach,
        unseen=0 if looked else before["unseen"] + 1,
    )


def _pace(turns: Tensor, earliest: Tensor) -> Tensor:
    """How much of the last turn and of the one before it to expect next, (2,): what would have foretold the last one.

    Least squares of the last turn by the two before it, drawn a little towards the same turn again, which decides where
    those two are parallel. A turn of more than twice the last one's length is not believed.
    """
    rows = torch.cat([turns.flatten(1), earliest.reshape(1, -1)])
    gram = (rows @ rows.T).double().cpu().numpy()
    again, ridge = np.array([1.0, 0.0]), _RIDGE * np.trace(gram[1:, 1:])
    if not ridge:
        return torch.from_numpy(again)
    pace = np.linalg.solve(gram[1:, 1:] + ridge * np.eye(2), gram[1:, 0] + ridge * again)
    length, believed = pace @ gram[:2, :2] @ pace, 4 * gram[0, 0]
    return torch.from_numpy(pace * min(1.0, np.sqrt(believed / length)) if length else pace)


def _pushed(ritz: RitzPairs, which: Which, reach: float, before: Start | None) -> Tensor:
    """The vectors after a step of power iteration, whose product is there: hidden newcomers grow in the neighbours.

    Where neighbours were not multiplied, what the wanted vectors hold of them is taken out to first order.
    """
    scale = (1 if which == "largest" else -1) * reach * abs(float(ritz.values[0]))
    if which == "magnitude" or not scale:
        return ritz.vectors
    step = ritz.residual_rows / scale
    if before is not None:
        neighbours = before["vectors"][len(ritz.values) :].to(step)
        gaps = ritz.values[:, None] - ritz.values[-1] * before["ratios"].cpu().numpy()
        factors = torch.from_numpy(1 / gaps - 1 / scale).to(step)
        step = step + (factors * (ritz.residual_rows @ neighbours.T)) @ neighbours
    rows = ritz.vectors + step
    return rows / rows.norm(dim=1, keepdim=True)


def _ratios(values: np.ndarray, k: int) -> Tensor:
    last = values[k - 1]
    return torch.from_numpy(values[k:] / last if last else np.zeros(len(values) - k))


def reach_of(values: np.ndarray, first: float) -> float:
    """The largest magnitude among eigenvalues, relative to the first wanted one; 1 where that is zero."""
    return float(np.abs(values).max() / abs(first)) if first else 1.0


def _gap(ritz: RitzPairs, k: int, which: Which) -> float:
    if len(ritz.residuals) <= k or which == "magnitude" or not ritz.values[k - 1]:
        return 0.0
    sign = 1 if which == "largest" else -1
    distance = sign * (ritz.values[k - 1] - ritz.values[k]) - ritz.errors[k]
    return float(distance / np.abs(ritz.values[k - 1]))
