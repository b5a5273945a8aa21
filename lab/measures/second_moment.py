"""What a second moment v that only decays does to stability: when curvature crosses 2/η, and in which stage a run is.

With one curvature h and a gradient too small to feed v, v_t = v_s β2^(t-s), and the curvature of Ĥ_t,
h (1 - β1)/((1 + β1)(1 - β1^t)(√v̂_t + ε)), meets 2/η at a step that can be computed at s. Plain numbers, no torch.
Bai et al. (2025), arXiv 2506.04805.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lab.interventions import InForce

DECOUPLED = 0.1  # share of its level intake: below it v falls at more than nine tenths of its fastest rate
FREE = 1e-6  # g²/v below which v counts as decaying freely: n such steps move the crossing by less than n·1e-6 steps


def crossing_step(
    *, curvature: float, lr: float, beta1: float, beta2: float, eps: float, square: float, step: int, forgotten: float
) -> float | None:
    """The step, as a real number, at which λ(Ĥ) of the quadratic reaches 2/η if v only decays from ``step`` on.

    Args:
        curvature: h.
        lr: η.
        beta1: Momentum in force; 0 for RMSProp.
        beta2: Decay of v.
        eps: ε.
        square: v that the update at ``step`` uses.
        step: Counted from 0, so that bias corrections at it have the power ``step + 1``.
        forgotten: Π β2 up to and including that update, β2^(step+1) when β2 never changed.

    Returns:
        The crossing, which lies before ``step`` where λ is above 2/η already; None when ε keeps λ below 2/η for good.
    """
    if square <= 0:
        return None
    needed = lr * curvature * (1 - beta1) / (2 * (1 + beta1))  # √v̂ + ε at the crossing
    crossing = float(step)
    for _ in range(100):  # a fixed point: the bias corrections depend on the step, ever less so
        correction1 = 1 - beta1 ** max(crossing + 1, 1.0)
        root = needed / correction1 - eps
        if root <= 0:
            return None
        correction2 = max(1 - forgotten * beta2 ** (crossing - step), 1 - beta2)
        previous, crossing = crossing, step + math.log(square / (root**2 * correction2)) / -math.log(beta2)
        if abs(crossing - previous) < 1e-6:
            break
    return crossing


def next_stage(
    previous: int, *, sharpness: float, gradient_curvature: float, v_ratio: float, threshold: float, beta2: float
) -> int:
    """The stage of a spike at a record, 1 to 5, from what is recorded there and the stage before it.

    Above 2/η a step is 3, or 4 once the curvature along the gradient is above as well, for as long as v does not rise.
    When v rises after that it is 5, until it falls again. Below 2/η it is 2 where v gets less than a tenth of what
    would hold it level, (v_t/v_{t-1} - β2)/(1 - β2) < 0.1, and 1 otherwise.
    """
    if v_ratio > 1:
        return 5 if previous >= 3 else 1
    if sharpness > threshold:
        return 4 if gradient_curvature > threshold else 3
    return 2 if v_ratio - beta2 < DECOUPLED * (1 - beta2) else 1


def free_decay(
    step: np.ndarray, ratio: np.ndarray, v: np.ndarray, beta2: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """The longest stretch with v_t/v_{t-1} = β2 to 1e-4, as v_s β2^(t-s) at its two ends; None where there is none."""
    free = np.abs(ratio - beta2) <= 1e-4
    edges = np.flatnonzero(np.diff(np.concatenate([[False], free, [False]]).astype(int))).reshape(-1, 2)
    if not len(edges):
        return None
    first, last = edges[np.argmax(edges[:, 1] - edges[:, 0])]
    ends = step[[first, last - 1]]
    return ends, v[first] * beta2 ** (ends - ends[0]).astype(float)


@dataclass(frozen=True)
class FreeCrossing:
    """λ passing 2/η from below.

    Attributes:
        row: First recorded row above.
        step: When, interpolated between two rows: λ grows exponentially while v decays.
        free_row: Row since which v decayed freely with the knobs as they are; equal to ``row`` where it did not.
        calm: Steps between the two.
    """

    row: int
    step: float
    free_row: int
    calm: int


def crossing_after_free_decay(
    step: np.ndarray, excess: np.ndarray, decoupling: np.ndarray, knobs: InForce, *, calm: int
) -> FreeCrossing | None:
    """The first crossing after at least ``calm`` steps of free decay; the first of all where none has so many.

    Args:
        step: Recorded steps, shape (T,).
        excess: λ·η/2 with the η in force, shape (T,).
        decoupling: g²/v, shape (T,).
        knobs: Interventions end a stretch of free decay.
        calm: Steps.
    """
    above, found = excess > 1, []
    for row in np.flatnonzero(above[1:] & ~above[:-1]) + 1:
        (left, right), (low, high) = step[row - 1 : row + 1], excess[row - 1 : row + 1]
        at = left + (right - left) * math.log(1 / low) / math.log(high / low) if low > 0 else float(right)
        since = free_since(step, decoupling, knobs, int(row))
        found.append(FreeCrossing(int(row), float(at), since, int(step[row] - step[since])))
    return next((c for c in found if c.calm >= calm), found[0] if found else None)


def free_since(step: np.ndarray, decoupling: np.ndarray, knobs: InForce, row: int) -> int:
    """First row of the stretch up to ``row`` in which v got nothing and nobody intervened."""
    free = decoupling[:row] < FREE
    free &= step[:row] >= knobs.last_intervention(int(step[row]))
    broken = np.flatnonzero(~free)
    return int(broken[-1]) + 1 if len(broken) else 0
