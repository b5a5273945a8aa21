"""Exact minimum, maximum and median of a series over the steps before each row, for rows at any steps.

A window is counted in steps, not in rows: the window of the row at step t holds the rows with t - window <= step < t.
"""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class RecentRows:
    """The rows that later windows still need, so that a series can be read in pieces."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._step: Ints = np.empty(0, np.int64)
        self._value: Floats = np.empty(0, np.float64)

    def extend(self, step: Ints, value: Floats) -> tuple[Ints, Floats, int]:
        """Join new rows to the kept ones.

        Returns:
            All rows ``step (N,)``, ``value (N,)``, and the index at which the new ones begin.
        """
        first = len(self._step)
        joined_step, joined_value = np.concatenate([self._step, step]), np.concatenate([self._value, value])
        if len(joined_step):
            kept = np.searchsorted(joined_step, joined_step[-1] - self._window + 1)
            self._step, self._value = joined_step[kept:].copy(), joined_value[kept:].copy()
        return joined_step, joined_value, first


def window_starts(step: Ints, first: int, window: int) -> Ints:
    """Index of the first row inside the window of each row from ``first`` on, shape (N - first,)."""
    return np.searchsorted(step, step[first:] - window)


def window_minimum(value: Floats, starts: Ints, first: int) -> Floats:
    """Minimum of ``value[starts[i] : first + i]`` for every i; +inf where the window is empty. O(N log W).

    A sparse table: level j holds the minima of 2^j successive rows, and any range is covered by two of them.
    """
    ends = np.arange(first, first + len(starts))
    length = ends - starts
    result = np.full(len(starts), np.inf)
    table, width = value, 1
    while width <= length.max(initial=0):
        rows = np.flatnonzero((length >= width) & (length < 2 * width))
        result[rows] = np.minimum(table[starts[rows]], table[ends[rows] - width])
        table = np.minimum(table[:-width], table[width:]) if len(table) > width else table
        width *= 2
    return result


def above_window_median(value: Floats, starts: Ints, first: int, factor: float) -> tuple[Ints, Floats]:
    """Rows whose value exceeds ``factor`` x the median of their window, and that median.

    Medians are dear, so two necessary conditions sieve the rows first: the value exceeds ``factor`` x the window's
    minimum, and at least half of the window, times ``factor``, lies below it. Windows with a median <= 0 have no
    ratio and give nothing.

    Returns:
        Indices into ``value``, ascending, and medians, both of shape (K,).
    """
    new = value[first:]
    rows = np.flatnonzero(new > factor * window_minimum(value, starts, first))
    length = first + rows - starts[rows]
    medians = np.full(len(rows), np.inf)
    for n in np.unique(length).tolist():  # windows of one length are one matrix
        windows = np.lib.stride_tricks.sliding_window_view(value, n)
        same = np.flatnonzero(length == n)
        for part in np.array_split(same, len(same) * n // 2_000_000 + 1):  # at most about 16 MB at a time
            window = windows[starts[rows[part]]]
            half = 2 * np.count_nonzero(factor * window < new[rows[part], None], axis=1) >= n
            medians[part[half]] = np.median(window[half], axis=1)
    above = (medians > 0) & (new[rows] > factor * medians)
    return first + rows[above], medians[above]


def envelope_rise(step: Ints, value: Floats, begin: float, end: float, width: int = 40) -> float:
    """Largest ratio of the envelope of a positive series to an earlier value of it between two steps; NaN of no rows.

    Args:
        step: One row a step, shape (N,).
        value: Shape (N,); zeros count as the smallest positive number.
        begin: First step of the envelope.
        end: Last step.
        width: Steps of which the envelope is the maximum: longer than half a period of an oscillation.
    """
    known = (step > begin - width) & (step <= end)
    step, value = step[known], np.maximum(value[known], np.finfo(float).tiny)
    if len(value) == 0:
        return np.nan
    width = min(width, len(value))
    envelope = np.lib.stride_tricks.sliding_window_view(value, width).max(axis=1)[step[width - 1 :] >= begin]
    return float((envelope / np.minimum.accumulate(envelope)).max()) if len(envelope) else np.nan
