"""Stage ribbons of many runs, one strip below the other over the common axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Slot

from gui.compare.axis import SharedAxis
from gui.compare.compared import MOST_NAMES, Compared, Groups
from gui.compare.members import Member
from gui.compare.stroke import Floats
from gui.theme import Theme
from gui.views.axes import Axis
from gui.views.plot import Canvas
from gui.views.text import rich
from lab.compare import Along, NotAligned, laid_along
from lab.stream import rising
from lab.views import Ribbon

THICK = 0.8  # of a row is coloured
MOST_ROWS = 60


@dataclass(frozen=True)
class Strip:
    """Stretches of one stage of a run.

    Attributes:
        group: Number of its group.
        edges: Where stretches begin, and where the last one ends (n + 1,), on the common axis.
        stages: Their stages (n,), 0 for none.
    """

    group: int
    edges: Floats
    stages: np.ndarray


@dataclass(frozen=True)
class StripsContents:
    """The strips of a panel, and why some runs have none."""

    strips: Sequence[Strip]
    missing: dict[str, int]


def strips(spec: Ribbon, members: Sequence[Member], groups: Sequence[Sequence[int]], along: Along) -> StripsContents:
    """Read the ribbons of all runs."""
    found, missing = [], {}
    for number, group in enumerate(groups):
        for member in (members[place] for place in group):
            try:
                step, stage = member.source.series(spec.series)
                kept = rising(step)
                x = laid_along(along, step[kept], member.source, member.knobs)
            except KeyError:
                continue
            except NotAligned as error:
                missing[str(error)] = missing.get(str(error), 0) + 1
                continue
            there = ~np.isnan(x)
            x, stage = x[there], np.asarray(stage)[kept][there].astype(int)
            if len(x):
                first = np.append(0, np.flatnonzero(np.diff(stage)) + 1)
                found.append(Strip(number, np.append(x[first], x[-1]), stage[first]))
    return StripsContents(found, missing)


class Strips(Compared):
    """One row a run, named at its end; colours are stages."""

    def __init__(self, spec: Ribbon, theme: Theme, axis: SharedAxis, along: Along, title: str = "") -> None:
        bottom = Axis("bottom", steps=along.kind in ("step", "event"))
        super().__init__(spec, theme, axis, along, Canvas(bottom, Axis("left")), title)
        self._strips: Sequence[Strip] = ()
        self.canvas.bottom_axis.setLabel(rich(along.label))
        self.canvas.left_axis.setStyle(showValues=False)
        self._bars = [pg.BarGraphItem(x0=[], x1=[], y0=[], height=THICK) for _ in spec.stages]
        self._cursor = pg.InfiniteLine(angle=90, movable=False)
        self._cursor.hide()
        for item in (*self._bars, self._cursor):
            self.box.addItem(item, ignoreBounds=True)
        axis.range_changed.connect(self._soon.start)
        axis.cursor_changed.connect(self._move_cursor)
        self._paint()

    def show_contents(self, contents: StripsContents, groups: Groups) -> None:
        self._strips, self.groups = contents.strips, groups
        shown = self.visible()
        if shown:
            self.axis.reach(self, min(s.edges[0] for s in shown), max(s.edges[-1] for s in shown))
        missing = sum(contents.missing.values())
        nothing = "" if self._strips else f"No run recorded {self.spec.series}."
        self.say(f"{missing} left out: {'; '.join(contents.missing)}" if missing else nothing)
        self.draw()

    def visible(self) -> list[Strip]:
        """The strips from the top row down."""
        return [strip for strip in self._strips if strip.group in self.groups.shown][:MOST_ROWS]

    @Slot()
    def draw(self) -> None:
        rows = self.visible()
        self.canvas.set_gutter(self.axis.gutter)
        self.canvas.show_range(self.axis.stretch, (-float(max(len(rows), 1)), 0.0))
        for number, bars in enumerate(self._bars, 1):
            parts = [(s.edges[i], s.edges[i + 1], -row - 1 + (1 - THICK) / 2)
                     for row, s in enumerate(rows) for i in np.flatnonzero(s.stages == number)]  # fmt: skip
            x0, x1, y0 = np.array(parts, float).reshape(-1, 3).T
            bars.setOpts(x0=x0, x1=x1, y0=y0, height=THICK)
        named: dict[int, int] = {}
        for row, strip in enumerate(rows):
            named.setdefault(strip.group, row)
        right = self.axis.stretch[1]
        if len(named) <= MOST_NAMES:
            self.names.place([(self.groups.names[g], self.ink(g), right, -row - 0.5) for g, row in named.items()])
            self.axis.need(min(self.names.width, 136))
        self._move_cursor()

    def stage_at(self, strip: Strip, x: float) -> int:
        """The stage of a strip at a place; 0 for none."""
        place = int(np.searchsorted(strip.edges, x, side="right")) - 1
        return int(strip.stages[place]) if 0 <= place < len(strip.stages) else 0

    @Slot()
    def _move_cursor(self) -> None:
        x = self.axis.cursor
        self._cursor.setVisible(x is not None)
        texts = []
        if x is None:
            texts = [(stage.label, self._colour(number)) for number, stage in enumerate(self.spec.stages, 1)]
        else:
            self._cursor.setPos(x)
            found = [self.stage_at(strip, x) for strip in self.visible()[:MOST_NAMES]]
            texts = [(self.spec.stages[n - 1].label, self._colour(n)) for n in found if 1 <= n <= len(self.spec.stages)]
        marks = (f'<span style="color:{colour}">\N{BLACK SQUARE}</span>&nbsp;{text}' for text, colour in texts)
        self.readout_changed.emit("&nbsp;&nbsp; ".join(marks))

    def _colour(self, stage: int) -> str:
        return self.theme.line(stage - 1)[0]

    def _hovered(self, x: float, y: float) -> None:
        self.axis.hover(x)

    def _held_by_hand(self) -> None:
        self.axis.hold(*self.box.viewRange()[0])
        self._soon.start()

    @Slot()
    def show_all(self) -> None:
        self.axis.show_all()

    def numbers(self) -> str:
        rows = ["\t".join(("run", "from", "to", "stage"))]
        for strip in self.visible():
            for low, high, stage in zip(strip.edges[:-1], strip.edges[1:], strip.stages, strict=True):
                rows.append(f"{self.groups.names[strip.group]}\t{float(low)!r}\t{float(high)!r}\t{stage}")
        return "\n".join(rows)

    def _paint(self) -> None:
        super()._paint()
        self._cursor.setPen(pg.mkPen(self.theme.text, width=1))
        for number, bars in enumerate(self._bars, 1):
            bars.setOpts(brush=pg.mkBrush(self._colour(number)), pen=pg.mkPen(None))
