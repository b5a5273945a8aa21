"""What an overlay draws: a line for each run or group, ready for any zoom. Made off the window's thread; no Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gui.compare.members import Member
from gui.views.pyramid import Pyramid
from lab.compare import Along, Band, NotAligned, laid_along, summary
from lab.naming import symbols
from lab.stream import Source, rising
from lab.views import Curves

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
        low, high = self._pyramid.extremes(rows)
        filled = rows[1:] > rows[:-1]
        middle = ((edges[:-1] + edges[1:]) / 2)[filled]
        return np.repeat(middle, 2), down_and_up(low[filled], high[filled])

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


@dataclass
class Drawn:
    """A group in a panel.

    Attributes:
        group: Number of the group.
        series: Name of the series. symbol: What it is called beside its line.
        line: The run, or the mean of the group.
        low, high: The band; None without one.
        single: Lines of the group's runs, drawn thin behind it.
        count: Runs behind each point of the line.
    """

    group: int
    series: str
    symbol: str
    line: Stroke
    low: Stroke | None = None
    high: Stroke | None = None
    single: list[Stroke] = field(default_factory=list)
    count: NDArray[np.int64] | None = None

    def count_at(self, x: float) -> int:
        if self.count is None:
            return 1
        row = int(np.searchsorted(self.line.x, x, side="right")) - 1
        return int(self.count[max(row, 0)])


@dataclass
class Contents:
    """Everything that a panel draws, and why some runs are not in it."""

    lines: list[Drawn]
    missing: dict[str, int]


def contents(
    spec: Curves, members: Sequence[Member], groups: Sequence[Sequence[int]], along: Along, band: str
) -> Contents:
    """The lines of a panel.

    Args:
        spec: What the panel shows.
        members: All runs.
        groups: Numbers of the runs that become one line each.
        along: What the runs are laid along.
        band: How; empty where each run has its own line.
    """
    drawn: list[Drawn] = []
    missing: dict[str, int] = {}
    for name in spec.series:
        for number, group in enumerate(groups):
            found, symbol = [], ""
            for member in group:
                try:
                    found += rows(members[member].source, members[member].knobs, name, along)
                    symbol = symbol or symbols(members[member].source, spec.series)[name]
                except NotAligned as error:
                    missing[str(error)] = missing.get(str(error), 0) + 1
            if found:
                drawn.append(_drawn(number, name, symbol, found, band, log=spec.y_log))
    return Contents(drawn, missing)


def rows(source: Source, knobs: Any, name: str, along: Along) -> list[Path]:
    """A series of a run over the common axis; nothing where the run has no such scalar series."""
    try:
        step, value = source.series(name)
    except KeyError:
        return []
    if value.ndim != 1 or not len(step):
        return []
    if not (holding := rising(step)).all():
        step, value = step[holding], value[holding]
    x = laid_along(along, step, source, knobs)
    kept = ~np.isnan(x)
    return [(x[kept], value[kept].astype(float))] if kept.any() else []


def _drawn(group: int, name: str, symbol: str, found: list[Path], band: str, *, log: bool) -> Drawn:
    rising = all(not (np.diff(x) <= 0).any() for x, _ in found)
    if len(found) == 1 or not band or not rising:
        first, *others = (Stroke(x, y) for x, y in found)
        return Drawn(group, name, symbol, first, single=others)
    kind: Band = band  # pyright: ignore[reportAssignmentType]  # one of BANDS: a recipe is checked when it is read
    found_band = summary(found, kind, log=log)
    line = Stroke(found_band.x, found_band.centre)
    if band == "all lines":
        return Drawn(group, name, symbol, line, single=[Stroke(x, y) for x, y in found], count=found_band.count)
    low, high = Stroke(found_band.x, found_band.low), Stroke(found_band.x, found_band.high)
    return Drawn(group, name, symbol, line, low, high, count=found_band.count)
