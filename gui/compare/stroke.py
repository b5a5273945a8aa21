"""A line of an overlay, ready for any zoom: of rows in memory, or of a long series that stays in its file. No Qt."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gui.views.distant import Distant
from gui.views.pyramid import Pyramid
from lab.stream import PART, Source, parts_of

Floats = NDArray[np.float64]
Path = tuple[Floats, Floats]
RAW_ROWS = 4  # up to so many rows per pixel column are drawn as they are


def down_and_up(low: Floats, high: Floats) -> Floats:
    """Extremes (..., n) of n columns in the order (..., 2n) in which they are drawn: down in one, up in the next.

    Neighbours then meet at like ends, which is half the ink of always going from the minimum to the maximum.
    """
    values = np.stack([low, high], axis=-1)
    values[..., 1::2, :] = values[..., 1::2, ::-1]
    return values.reshape(*low.shape[:-1], -1)


@dataclass
class Stroke:
    """A line ``y`` (T,) over ``x`` (T,), with the extremes of its blocks where x rises."""

    x: Floats
    y: Floats
    _pyramid: Pyramid | None = None

    def __post_init__(self) -> None:
        if len(self.x) and not (np.diff(self.x) < 0).any():
            self._pyramid = Pyramid()
            self._pyramid.append(np.arange(len(self.y)), self.y)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def reach(self) -> tuple[float, float]:
        """The least and the largest x."""
        return float(self.x.min()), float(self.x.max())

    @property
    def end(self) -> float:
        """The last value."""
        return float(self.y[-1])

    @property
    def rising(self) -> bool:
        """Whether x never turns back."""
        return self._pyramid is not None

    def path(self, edges: Floats) -> Path:
        """What to draw where pixel columns have these ``edges`` (n + 1,): all rows, or every column's extremes."""
        columns = len(edges) - 1
        if self._pyramid is None:
            return self._thinned(columns)
        rows = np.searchsorted(self.x, edges)
        start, stop = max(int(rows[0]) - 1, 0), min(int(rows[-1]) + 2, len(self.x))
        if stop - start <= RAW_ROWS * columns:
            return self.x[start:stop], self.y[start:stop]
        return _columns(edges, rows, *self._pyramid.extremes(rows))

    def _thinned(self, columns: int) -> Path:
        """A line that turns back: the least and the largest row of as many stretches as there is room for, in order."""
        stretch = -(-len(self.x) // max(RAW_ROWS * columns, 1))
        if stretch <= 2:
            return self.x, self.y
        whole = len(self.y) // stretch * stretch
        blocks = np.where(np.isnan(self.y[:whole]), 0.0, self.y[:whole]).reshape(-1, stretch)
        first = np.arange(0, whole, stretch)
        rows = np.unique(
            np.concatenate([first + blocks.argmin(1), first + blocks.argmax(1), np.arange(whole, len(self.y))])
        )
        return self.x[rows], self.y[rows]

    def at(self, x: float) -> float:
        """The newest value at or before ``x``; NaN before the first, or where x turns back."""
        if self._pyramid is None:
            return float("nan")
        row = int(np.searchsorted(self.x, x, side="right")) - 1
        return float(self.y[row]) if row >= 0 else float("nan")


class FarStroke:
    """The line of a long stored series over its own steps: extremes of blocks are kept, rows read where they show.

    Args:
        source: A run file.
        name: A series of numbers.
    """

    rising = True

    def __init__(self, source: Source, name: str) -> None:
        part, row = (getattr(source, read) for read in ("part", "row"))
        self._rows = Distant(functools.partial(part, name), functools.partial(row, name))
        for step, value in parts_of(source, name):
            if len(step):
                self._rows.append(step, value.astype(float, copy=False))

    @classmethod
    def of(cls, source: Source, name: str) -> FarStroke | None:
        """The line of a series; None where it is short, no series of numbers, or in no file."""
        part = getattr(source, "part", None)
        if part is None or not hasattr(source, "row"):
            return None
        try:
            step, value = part(name, PART - 1, PART)
        except KeyError:
            return None
        return cls(source, name) if len(step) and value.ndim == 1 else None

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def x(self) -> Floats:
        """All of its steps (T,), read now."""
        return np.concatenate([step.astype(float) for step, _ in self._rows.parts()])

    @property
    def y(self) -> Floats:
        """All of its values (T,), read now."""
        return np.concatenate([value for _, value in self._rows.parts()])

    @property
    def reach(self) -> tuple[float, float]:
        """The first and the last step."""
        first, last = (self._rows.part(row, row + 1)[0] for row in (0, len(self) - 1))
        return float(first[0]), float(last[0])

    @property
    def end(self) -> float:
        """The last value."""
        return self.at(float("inf"))

    def path(self, edges: Floats) -> Path:
        """As of a Stroke."""
        rows = self._rows.rows(edges)
        start, stop = max(int(rows[0]) - 1, 0), min(int(rows[-1]) + 2, len(self))
        if stop - start <= RAW_ROWS * (len(edges) - 1):
            step, value = self._rows.part(start, stop)
            return step.astype(float), value
        return _columns(edges, rows, *self._rows.extremes(rows))

    def at(self, x: float) -> float:
        """The newest value at or before ``x``; NaN before the first."""
        found = self._rows.at(x)
        return float("nan") if found is None else found[1]


def _columns(edges: Floats, rows: NDArray[np.int64], low: Floats, high: Floats) -> Path:
    """What to draw where the rows ``rows[i]`` up to ``rows[i + 1]`` of the pixel columns have these extremes."""
    filled = rows[1:] > rows[:-1]
    middle = ((edges[:-1] + edges[1:]) / 2)[filled]
    return np.repeat(middle, 2), down_and_up(low[filled], high[filled])
