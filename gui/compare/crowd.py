"""Very many lines at once: how far each reaches in every pixel column."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from gui.compare.stroke import FarStroke, Floats, Stroke

FACTOR = 8
FINE = 4  # blocks in a pixel column at least: a spike stands at most a quarter of a column from its place
Spans = tuple[Floats, Floats]
"""Least and largest value (lines, columns) of each line in every column; NaN where it has none."""


class Bundle:
    """Lines (T,) over one rising x, with the extremes of their blocks.

    Args:
        strokes: At least one; all have equal x.
    """

    def __init__(self, strokes: Sequence[Stroke | FarStroke]) -> None:
        self.x = strokes[0].x
        self._rows = [stroke.y for stroke in strokes]
        self._levels: list[Spans] = []
        lows, highs = self._rows, self._rows
        while len(lows[0]) >= FACTOR * 64:
            whole = len(lows[0]) // FACTOR * FACTOR
            low = np.stack([np.fmin.reduce(row[:whole].reshape(-1, FACTOR), axis=1) for row in lows])
            high = np.stack([np.fmax.reduce(row[:whole].reshape(-1, FACTOR), axis=1) for row in highs])
            self._levels.append((low, high))
            lows, highs = [*low], [*high]

    def extremes(self, edges: Floats) -> Spans:
        """Of the rows between neighbouring ``edges`` (columns + 1,)."""
        rows = np.searchsorted(self.x, edges)
        a_column = (rows[-1] - rows[0]) / max(len(edges) - 1, 1)
        level = 0
        while level < len(self._levels) and FACTOR ** (level + 1) * FINE <= a_column:
            level += 1
        lows, highs = self._levels[level - 1] if level else (self._rows, self._rows)
        places = np.minimum(rows // FACTOR**level, len(lows[0]))
        low, high = np.full((2, len(self._rows), len(edges) - 1), np.nan)
        filled = np.flatnonzero(np.diff(places) > 0)
        if len(filled):
            starts, end = places[filled], places[filled[-1] + 1]
            for values, pick, found in ((lows, np.fmin, low), (highs, np.fmax, high)):
                found[:, filled] = [pick.reduceat(row[:end], starts) for row in values]
        return low, high

    def spans(self, edges: Floats, height: Callable[[Floats], Floats]) -> Spans:
        """Extremes in a plot's coordinates, with the line's own heights at both edges: neighbours so meet each other.

        Args:
            edges: Of the columns (columns + 1,).
            height: From values to the plot's coordinates, in which a line between two rows is straight.
        """
        low, high = self.extremes(edges)
        after = np.searchsorted(self.x, edges)
        # where rows are fewer than columns, straight lines between them are seen; else values are joined, which takes
        # half as many logarithms
        straight = after[-1] - after[0] < len(edges)
        if straight:
            low, high = height(low), height(high)
        if len(self.x) > 1:
            joints = self._joints(edges, after, height if straight else lambda values: values)
            low = np.fmin(low, np.fmin(joints[:, :-1], joints[:, 1:]))
            high = np.fmax(high, np.fmax(joints[:, :-1], joints[:, 1:]))
        return (low, high) if straight else (height(low), height(high))

    def _joints(self, edges: Floats, after: NDArray[np.intp], height: Callable[[Floats], Floats]) -> Floats:
        """Where each line crosses the ``edges`` (lines, columns + 1), of which the rows ``after`` come next."""
        between = (after > 0) & (after < len(self.x))
        after = np.clip(after, 1, len(self.x) - 1)
        ends = np.concatenate([after - 1, after])
        left, right = np.split(height(np.stack([row[ends] for row in self._rows])), 2, axis=1)
        gap = self.x[after] - self.x[after - 1]
        share = np.divide(edges - self.x[after - 1], gap, out=np.zeros_like(gap), where=gap > 0)
        return np.where(between, left + share * (right - left), np.nan)


class Crowd:
    """Lines of any rising x; those of equal x are looked up together.

    Args:
        strokes: The lines.
        positive: Whether their least positive value is wanted.

    Attributes:
        least: That value; NaN where it is not wanted, or there is none.
    """

    def __init__(self, strokes: Sequence[Stroke | FarStroke], *, positive: bool = False) -> None:
        least = min(float(np.min(s.y, where=s.y > 0, initial=np.inf)) for s in strokes) if positive else np.inf
        self.least = least if least < np.inf else np.nan
        alike: list[list[int]] = []
        places = [stroke.x for stroke in strokes]
        for number, x in enumerate(places):
            same = next((found for found in alike if np.array_equal(places[found[0]], x)), None)
            alike.append([number]) if same is None else same.append(number)
        self._order = np.argsort(np.concatenate(alike))
        self._bundles = [Bundle([strokes[number] for number in found]) for found in alike]

    def __len__(self) -> int:
        return len(self._order)

    def spans(self, edges: Floats, height: Callable[[Floats], Floats]) -> Spans:
        """Like :meth:`Bundle.spans`, of all lines in their order."""
        parts = zip(*(bundle.spans(edges, height) for bundle in self._bundles), strict=True)
        low, high = (np.concatenate(part)[self._order] for part in parts)
        return low, high
