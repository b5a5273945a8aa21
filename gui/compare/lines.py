"""What an overlay draws: a line for each run or group, ready for any zoom. Made off the window's thread; no Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gui.compare.members import Member
from gui.compare.stroke import FarStroke, Path, Stroke
from lab.compare import Along, Band, NotAligned, laid_along, summary
from lab.differing import Difference
from lab.naming import symbols
from lab.stream import Source, rising
from lab.views import Curves

MOST_COLUMNS = 8  # components of a vector series, evenly spaced, as the Lab draws them


@dataclass
class Drawn:
    """A group in a panel.

    Attributes:
        group: Number of the group.
        series: Name of the series; of a vector series with the number of the component behind it.
        symbol: What it is called beside its line.
        line: The run, or the mean of the group.
        low, high: The band; None without one.
        single: Lines of the group's runs, drawn thin behind it.
        count: Runs behind each point of the line.
        dash: Number of its dash pattern, which tells the series of a panel apart.
    """

    group: int
    series: str
    symbol: str
    line: Stroke | FarStroke
    low: Stroke | None = None
    high: Stroke | None = None
    single: list[Stroke | FarStroke] = field(default_factory=list)
    count: NDArray[np.int64] | None = None
    dash: int = 0

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
    dash = 0
    for name in spec.series:
        found, symbol = [], ""
        for number, group in enumerate(groups):
            alone = len(group) == 1 or not band
            for member in group:
                source = members[member].source
                far = FarStroke.of(source, name) if alone and along.kind == "step" else None
                try:
                    columns = [far] if far else rows(source, members[member].knobs, name, along)
                    symbol = symbol or (symbols(source, spec.series)[name] if columns else "")
                    found.append((number, columns))
                except NotAligned as error:
                    missing[str(error)] = missing.get(str(error), 0) + 1
        width = max((len(columns) for _, columns in found), default=0)
        for column in np.unique(np.linspace(0, width - 1, min(width, MOST_COLUMNS)).round().astype(int)):
            key = name if width == 1 else f"{name} {column + 1}"
            for number, group in enumerate(groups):
                own = [columns[column] for place, columns in found if place == number and column < len(columns)]
                if own:
                    called = symbol if width == 1 else spec.called(symbol, int(column), members[group[0]].config)
                    drawn.append(drawn_of(number, key, called, own, band, log=spec.y_log, dash=dash))
            dash += 1
    return Contents(drawn, missing)


def rows(source: Source, knobs: Any, name: str, along: Along) -> list[Path]:
    """A series of a run over the common axis, a path for each component; none where the run has no such series."""
    try:
        step, value = source.series(name)
    except KeyError:
        return []
    if value.ndim > 2 or not len(step):
        return []
    if not (holding := rising(step)).all():
        step, value = step[holding], value[holding]
    x = laid_along(along, step, source.run if isinstance(source, Difference) else source, knobs)
    kept = ~np.isnan(x)
    values = value[kept].reshape(int(kept.sum()), -1).astype(float)
    return [(x[kept], column) for column in values.T] if kept.any() else []


def drawn_of(
    group: int, name: str, symbol: str, found: Sequence[Path | FarStroke], band: str, *, log: bool, dash: int = 0
) -> Drawn:
    """The line of a group: its run, or the mean of its runs with their band."""
    paths = [line for line in found if not isinstance(line, FarStroke)]
    rising = all(not (np.diff(x) <= 0).any() for x, _ in paths)
    if len(paths) < len(found) or len(found) == 1 or not band or not rising:  # a band is made of paths alone
        first, *others = (line if isinstance(line, FarStroke) else Stroke(*line) for line in found)
        return Drawn(group, name, symbol, first, single=others, dash=dash)
    kind: Band = band  # pyright: ignore[reportAssignmentType]  # one of BANDS: a recipe is checked when it is read
    summed = summary(paths, kind, log=log)
    line = Stroke(summed.x, summed.centre)
    if band == "all lines":
        singles: list[Stroke | FarStroke] = [Stroke(x, y) for x, y in paths]
        return Drawn(group, name, symbol, line, single=singles, count=summed.count, dash=dash)
    low, high = Stroke(summed.x, summed.low), Stroke(summed.x, summed.high)
    return Drawn(group, name, symbol, line, low, high, count=summed.count, dash=dash)
