"""Where values stand on the axis of an overlay, and how far the axis goes. No Qt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gui.compare.stroke import Floats
from lab.views import Line

FAR = 4  # times the height of the data: a threshold beyond would flatten them, and stays out of sight


@dataclass(frozen=True)
class Heights:
    """From values to heights in the plot.

    Attributes:
        log: The axis is logarithmic.
        floor: Smallest value that a logarithmic axis shows; None leaves it to the data.
    """

    log: bool
    floor: float | None

    def least(self, values: Floats) -> float:
        """The smallest of these values that a logarithmic axis shows."""
        if self.floor is not None or not self.log:
            return self.floor or 1e-300
        least = float(values[values > 0].min(initial=math.inf))
        return least if math.isfinite(least) else 1e-12

    def of(self, values: Floats, least: float) -> Floats:
        return np.log10(np.maximum(values, least)) if self.log else np.asarray(values, float)

    def one(self, value: float, least: float) -> float:
        return float(self.of(np.array([value]), least)[0])

    def fit(self, drawn: Floats, levels: Sequence[float], least: float) -> tuple[float, float]:
        """From where to where the axis goes: all that is drawn, and the thresholds that are not far from it."""
        there = drawn[np.isfinite(drawn)]
        low, high = (float(there.min()), float(there.max())) if len(there) else (0.0, 1.0)
        for at in (self.one(level, least) for level in levels if math.isfinite(level)):
            if max(high, at) - min(low, at) <= FAR * (high - low):
                low, high = min(low, at), max(high, at)
        margin = 0.06 * (high - low) or 0.5 * (1.0 if self.log else abs(high) or 1.0)
        return low - margin, high + margin


def level_of(line: Line, configs: Sequence[object]) -> float:
    """A threshold that all configs agree on; NaN where they do not, or one gives none."""
    try:
        levels = {line.at(config) for config in configs}
    except (AttributeError, ArithmeticError):
        return math.nan
    return levels.pop() if len(levels) == 1 else math.nan
