"""Very many lines over one x: the extremes of every line in every pixel column, all lines at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gui.compare.lines import RAW_ROWS, Floats, Stroke, down_and_up

FACTOR = 8
FINE = 4  # blocks in a pixel column at least: a spike stands at most a quarter of a column from its place


class Crowd:
    """Lines (T,) over one rising x, with the extremes of their blocks side by side.

    Args:
        strokes: At least one; all have equal x.
    """

    def __init__(self, strokes: Sequence[Stroke]) -> None:
        self.x = strokes[0].x
        self._rows = [stroke.y for stroke in strokes]
        self._levels: list[tuple[Floats, Floats]] = []
        while (len(self._levels[-1][0]) if self._levels else len(self.x)) >= FACTOR * 64:
            if not self._levels:
                whole = len(self.x) // FACTOR * FACTOR
                blocks = [y[:whole].reshape(-1, FACTOR) for y in self._rows]
                low = np.stack([np.fmin.reduce(part, axis=1) for part in blocks], axis=1)
                high = np.stack([np.fmax.reduce(part, axis=1) for part in blocks], axis=1)
            else:
                low, high = self._levels[-1]
                whole = len(low) // FACTOR * FACTOR
                low = np.fmin.reduce(low[:whole].reshape(-1, FACTOR, low.shape[1]), axis=1)
                high = np.fmax.reduce(high[:whole].reshape(-1, FACTOR, high.shape[1]), axis=1)
            self._levels.append((low, high))

    @staticmethod
    def can_hold(strokes: Sequence[Stroke]) -> bool:
        """Whether the lines have equal, rising x."""
        return all(stroke.rising and np.array_equal(stroke.x, strokes[0].x) for stroke in strokes)

    def extremes(self, edges: Floats) -> tuple[Floats, Floats]:
        """Minima and maxima (columns, lines) of the rows between neighbouring ``edges``; NaN where there are none."""
        rows = np.searchsorted(self.x, edges)
        a_column = (rows[-1] - rows[0]) / max(len(edges) - 1, 1)
        level = 0
        while level < len(self._levels) and FACTOR ** (level + 1) * FINE <= a_column:
            level += 1
        if level:
            block = FACTOR**level
            lows, highs = self._levels[level - 1]
            places = np.minimum(rows // block, len(lows))
        else:
            lows = highs = np.stack([y[rows[0] : rows[-1]] for y in self._rows], axis=1)
            places = rows - rows[0]
        low, high = np.full((2, len(edges) - 1, len(self._rows)), np.nan)
        filled = np.flatnonzero(np.diff(places) > 0)
        if len(filled):
            starts, end = places[filled], places[filled[-1] + 1]
            low[filled] = np.fmin.reduceat(lows[:end], starts, axis=0)
            high[filled] = np.fmax.reduceat(highs[:end], starts, axis=0)
        return low, high

    def path(self, edges: Floats) -> tuple[Floats, Floats] | None:
        """Abscissae (2 columns,) and values (lines, 2 columns) to draw; None where rows are too few to need it."""
        rows = np.searchsorted(self.x, edges[[0, -1]])
        if rows[1] - rows[0] <= RAW_ROWS * (len(edges) - 1):
            return None
        low, high = self.extremes(edges)
        return np.repeat((edges[:-1] + edges[1:]) / 2, 2), down_and_up(low.T, high.T)
