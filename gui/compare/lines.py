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
    line: Stroke | FarStroke
    low: Stroke | None = None
    high: Stroke | None = None
    single: list[Stroke | FarStroke] = field(default_factory=list)
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
            alone = len(group) == 1 or not band
            for member in group:
                source = members[member].source
                far = FarStroke.of(source, name) if alone and along.kind == "step" else None
                try:
                    found += [far] if far else rows(source, members[member].knobs, name, along)
                    symbol = symbol or symbols(source, spec.series)[name]
                except NotAligned as error:
                    missing[str(error)] = missing.get(str(error), 0) + 1
            if found:
                drawn.append(drawn_of(number, name, symbol, found, band, log=spec.y_log))
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
    x = laid_along(along, step, source.run if isinstance(source, Difference) else source, knobs)
    kept = ~np.isnan(x)
    return [(x[kept], value[kept].astype(float))] if kept.any() else []


def drawn_of(group: int, name: str, symbol: str, found: Sequence[Path | FarStroke], band: str, *, log: bool) -> Drawn:
    """The line of a group: its run, or the mean of its runs with their band."""
    paths = [line for line in found if not isinstance(line, FarStroke)]
    rising = all(not (np.diff(x) <= 0).any() for x, _ in paths)
    if len(paths) < len(found) or len(found) == 1 or not band or not rising:  # a band is made of paths alone
        first, *others = (line if isinstance(line, FarStroke) else Stroke(*line) for line in found)
        return Drawn(group, name, symbol, first, single=others)
    kind: Band = band  # pyright: ignore[reportAssignmentType]  # one of BANDS: a recipe is checked when it is read
    summed = summary(paths, kind, log=log)
    line = Stroke(summed.x, summed.centre)
    if band == "all lines":
        return Drawn(group, name, symbol, line, single=[Stroke(x, y) for x, y in paths], count=summed.count)
    low, high = Stroke(summed.x, summed.low), Stroke(summed.x, summed.high)
    return Drawn(group, name, symbol, line, low, high, count=summed.count)
