"""A vector series as bars at the slider's step."""

import math

import numpy as np
import pyqtgraph as pg
from PySide6.QtGui import QColor

from gui.runs.open_run import OpenRun
from gui.theme import Theme
from gui.views.axes import TICK_PX, Axis, StepAxis, font_px
from gui.views.base import ink_on, mixed
from gui.views.index_axis import IndexAxis
from gui.views.reference import References
from gui.views.snapshot import SnapshotPlot, flat, stretch_of
from gui.views.text import rich, short
from lab.views import Bars

WIDTH = 0.68
ROOM = 0.2  # of the stretch, above the highest bar, for the number that stands on it
MOST_VALUES = 24  # up to so many bars have their value written on top
FEW = 8  # bars with room for three digits
LINE = 1.7  # height of a line of text with the space around it, over that of its type


class BarsView(SnapshotPlot[Bars]):
    """One bar for each number, with its name beneath."""

    valued = True
    grid_lines = "values"

    def __init__(self, spec: Bars, run: OpenRun, theme: Theme, axis: StepAxis | None = None) -> None:
        super().__init__(spec, run, theme, axis, IndexAxis("bottom", slanted=True), Axis("left"))
        self._bars = pg.BarGraphItem(x=[], height=[], width=WIDTH)
        self.box.addItem(self._bars, ignoreBounds=True)
        self._references = References(self.box, spec.lines, vertical=False)
        self._values = np.empty(0)
        self._texts: list[pg.TextItem] = []
        self.canvas.left_axis.setLabel(rich(spec.y_label or self.symbol(spec.series)))
        self._paint()

    def _draw(self) -> bool:
        values = flat(self.moment.value(self.spec.series), self.spec.series)
        self._values = np.empty(0) if values is None else values
        values, count = self._values, len(self._values)
        bottom = self.canvas.bottom_axis
        assert isinstance(bottom, IndexAxis)
        bottom.name([self.label(number) for number in range(count)])
        levels = self._references.values(self.config) if self.spec.lines else np.empty(0)
        if count:
            low, high = self.spec.y_range or stretch_of(values, levels, np.zeros(1), margin=ROOM)
            low = 0.0 if self.spec.y_range is None and not (values < 0).any() else low
            self._fit((-0.2, count + 0.2), (low, high))
        kept = np.flatnonzero(np.isfinite(values))
        y0, y1 = self.box.viewRange()[1]
        reach = 1e4 * (y1 - y0)  # painters overflow on coordinates like 1e300
        self._bars.setOpts(x=kept + 0.5, height=np.clip(values[kept], -reach, reach), width=WIDTH)
        self._write(values)
        self._mark_picked()
        self._references.place(levels, 0.0)
        right = self.box.viewRange()[0][1]
        self._name_ends([n for n in self._references.names(levels, right, self.theme) if y0 <= n[3] <= y1])
        return bool(count)

    def _clicked(self, x: float, y: float) -> None:
        number = math.floor(x)
        if 0 <= number < len(self._values):
            self.selection.pick(self.kind, number)

    def _show_picked(self, kind: str) -> None:
        if kind == self.kind:
            self._mark_picked()
            self._write(self._values)

    def _mark_picked(self) -> None:
        """Let the other bars stand back."""
        self._bars.setOpts(
            brushes=[self._colour(number) for number in np.flatnonzero(np.isfinite(self._values)).tolist()]
        )

    def _colour(self, number: int) -> QColor:
        full, picked = self.theme.line(0)[0], self.selection.picked(self.kind)
        there = picked is not None and 0 <= picked < len(self._values) and np.isfinite(self._values[picked])
        return mixed(full, self.theme.ground, 0.6) if there and number != picked else QColor(full)

    def label(self, number: int) -> str:
        """Name of a bar."""
        return self.spec.labels[number] if number < len(self.spec.labels) else str(number)

    def _write(self, values: np.ndarray) -> None:
        shown = values if len(values) <= MOST_VALUES else np.empty(0)
        while len(self._texts) < len(shown):
            item = pg.TextItem(anchor=(0.5, 1.0))
            item.setFont(font_px(TICK_PX))
            self.box.addItem(item, ignoreBounds=True)
            self._texts.append(item)
        bottom, top = self.box.viewRange()[1]
        needed = LINE * TICK_PX * (top - bottom) / max(self.box.height(), 1.0)  # by a number that stands on its bar
        for number, item in enumerate(self._texts):
            item.setVisible(number < len(shown))
            if number < len(shown):
                value = float(shown[number])
                item.setText(short(value, 3 if len(shown) <= FEW else 2))
                place = min(max(value, 0.0), top) if math.isfinite(value) else 0.0
                full = place + needed > top  # its number stands in the bar
                item.setColor(ink_on(self._colour(number).name()) if full else self.theme.muted)
                item.setAnchor((0.5, 0.0 if full else 1.0))
                item.setPos(number + 0.5, place)

    def _said(self) -> str:
        number = math.floor(self._pointer[0]) if self._pointer else -1
        if not 0 <= number < len(self._values):
            return ""
        return f"{rich(self.label(number))}&nbsp;{short(float(self._values[number]))}"

    def _paint(self) -> None:
        super()._paint()
        self._bars.setOpts(pen=pg.mkPen(None))
        self._mark_picked()
        self._references.set_theme(self.theme)

    def numbers(self) -> str:
        named = enumerate(self._values.tolist())
        return "\n".join(f"{self.label(number)}\t{value!r}" for number, value in named)
