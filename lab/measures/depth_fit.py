"""How Jacobians grow with depth: exponentially, with a correlation depth, or as a power law, with an exponent.

Doshi et al. (2023), 2111.12143. Arithmetic on recorded arrays, so that a stored run can be judged without torch.
"""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class DepthFit:
    """ln J fitted against l (an exponential) and against ln l (a power law) over layers ``first`` to ``last``.

    Attributes:
        rate: Slope over l, the mean ln χ.
        correlation_depth: ξ = 1/|rate|, in blocks.
        rate_r2: R² of the exponential.
        exponent: Slope over ln l, ζ of J ~ l^ζ.
        exponent_r2: R² of the power law.
        first: First layer of the window.
        last: Last layer of the window.
    """

    rate: float
    correlation_depth: float
    rate_r2: float
    exponent: float
    exponent_r2: float
    first: int
    last: int


def fit_depth(log_apjn: np.ndarray, first: int = 10, last: int | None = None) -> DepthFit:
    """Tell exponential from power-law growth; R² is NaN for a curve without any variation.

    Args:
        log_apjn: ln J^{0,l} for l = 1 ... L, shape (L,).
        first: First layer of the window; 10 leaves the transient out.
        last: Last layer, L by default.
    """
    last = len(log_apjn) if last is None else last
    if not 1 <= first <= last - 2 or last > len(log_apjn):
        raise ValueError(f"a window of at least 3 layers in 1 ... {len(log_apjn)} is needed, got {first} to {last}")
    depth = np.arange(first, last + 1)
    values = np.asarray(log_apjn, dtype=np.float64)[first - 1 : last]
    if not np.isfinite(values).all():
        raise ValueError(f"ln J is not finite in layers {first} to {last}")
    rate, rate_r2 = _line(depth, values)
    exponent, exponent_r2 = _line(np.log(depth), values)
    return DepthFit(rate, 1 / abs(rate) if rate else math.inf, rate_r2, exponent, exponent_r2, first, last)


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and R² of the least-squares line."""
    dx, dy = x - x.mean(), y - y.mean()
    slope = float(dx @ dy / (dx @ dx))
    return slope, float(1 - ((dy - slope * dx) ** 2).sum() / (dy @ dy)) if dy @ dy > 0 else math.nan
