"""Means over the last rows of a growing series."""

import numpy as np


class Smoother:
    """Mean over the last ``window`` rows, of logarithms where ``log``; rows without a usable number are left out."""

    def __init__(self, window: int, log: bool) -> None:
        self._window, self._log = window, log
        self._tail = np.empty(0)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Means (k,) at the next rows (k,)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            new = np.log10(values) if self._log else np.asarray(values, float)
        both = np.concatenate([self._tail, new])
        usable = np.isfinite(both)
        total = np.concatenate([[0.0], np.cumsum(np.where(usable, both, 0.0))])
        count = np.concatenate([[0], np.cumsum(usable)])
        stop = np.arange(len(self._tail), len(both)) + 1
        start = np.maximum(stop - self._window, 0)
        with np.errstate(invalid="ignore"):
            mean = (total[stop] - total[start]) / (count[stop] - count[start])
        self._tail = both[len(both) - min(len(both), self._window - 1) :]
        return 10.0**mean if self._log else mean
