"""Profiles, distributions, scatter and phase plots and bars of many runs in one plot, at one place of their axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QGraphicsItem

from gui.background import Background
from gui.compare.axis import SharedAxis
from gui.compare.compared import MOST_NAMES, Compared, Groups
from gui.compare.stroke import Floats
from gui.compare.strokes import Ink, Strokes, path_of, pen_of
from gui.export.outlines import Outline, Outlines, shared
from gui.theme import Theme
from gui.views.axes import Axis
from gui.views.index_axis import IndexAxis
from gui.views.plot import Canvas
from gui.views.reference import References
from gui.views.snapshot import stretch_of
from gui.views.step_plot import CRISP
from gui.views.text import rich, short
from lab.compare import Along
from lab.views import Bars, Distribution

BAND_ALPHA, SINGLE_ALPHA, DOT_ALPHA = 48, 90, 200
BARS = 0.8  # of a place is covered
FEW_DOTS = 80  # up to so many are large
DEEPEST = 8  # decades that a logarithmic axis shows of a distribution


class MomentOverlay(Compared):
    """Shapes of groups in their colours; what all groups share is drawn once, grey."""

    def __init__(self, spec: object, theme: Theme, axis: SharedAxis, along: Along, title: str = "") -> None:
        bottom = IndexAxis("bottom", slanted=True) if isinstance(spec, Bars) else Axis("bottom")
        super().__init__(spec, theme, axis, along, Canvas(bottom, Axis("left")), title)
        self._logs = bool(getattr(spec, "x_log", False)), bool(getattr(spec, "y_log", False))
        for plot_axis, log in zip((self.canvas.bottom_axis, self.canvas.left_axis), self._logs, strict=True):
            plot_axis.set_log(log)
        y_label = getattr(spec, "y_label", "")
        if isinstance(spec, Distribution):
            y_label = "density" if spec.grid else "count"
        self.canvas.bottom_axis.setLabel(rich(getattr(spec, "x_label", "")) or None)
        self.canvas.left_axis.setLabel(rich(y_label) or None)
        self.contents: Outlines | None = None
        self._ways = f"{self.spec.id} across", f"{self.spec.id} up"
        self._pointer: float | None = None
        self._background = Background(self)
        self._background.done.connect(self._take)
        self._background.failed.connect(self.say)
        self._lines, self._singles = Strokes(10), Strokes(5)
        for item in (self._lines, self._singles):
            self.box.addItem(item, ignoreBounds=True)
        self._filled: list[QGraphicsItem] = []
        self._references = References(self.box, getattr(spec, "lines", ()), vertical=isinstance(spec, Distribution))
        self._paint()

    def show_contents(self, contents: Outlines, groups: Groups) -> None:
        self.contents, self.groups = contents, groups
        self.say("" if contents.shapes else f"No run recorded {', '.join(self.spec.names)}.")
        self.draw()

    def show_at(self, steps: Sequence[int | None]) -> None:
        """Show another moment: a step of each run; it is read in the background."""
        if self.contents is not None:
            contents = self.contents
            self._background.start(lambda: contents.at(steps))

    @Slot(object)
    def _take(self, contents: Outlines) -> None:
        self.contents = contents
        self.draw()

    def visible(self) -> list[Outline]:
        shapes = self.contents.shapes if self.contents is not None else ()
        return [outline for outline in shapes if outline.group in self.groups.shown]

    # Drawing.

    def _place(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        return tuple(_log(part) if log else part for part, log in zip((x, y), self._logs, strict=True))  # pyright: ignore[reportReturnType]  # two parts

    @Slot()
    def draw(self) -> None:
        found = self.visible()
        same = shared(found)
        once = {series: next(o.group for o in found if o.shape.series == series) for series in same}
        found = [o for o in found if o.shape.series not in same or o.group == once[o.shape.series]]
        self._fit(found)
        for item in self._filled:
            self.box.removeItem(item)
        self._filled = []
        lines: list[tuple[Ink, list[tuple[Floats, Floats]]]] = []
        singles: list[tuple[Ink, list[tuple[Floats, Floats]]]] = []
        for outline in found:
            grey = outline.shape.series in same
            colour = self.theme.muted if grey else self.groups.colours[outline.group]
            lines += self._put(outline, colour)
            ink = (colour, SINGLE_ALPHA, self._dash(outline))
            singles += [(ink, [self._place(shape.x, shape.y)]) for shape in outline.single]
        for item, parts in ((self._lines, lines), (self._singles, singles)):
            item.show_parts([(pen_of(ink, self.theme), path_of(paths)) for ink, paths in parts])
        levels = self._levels()
        self._references.place(levels, self.box.viewRange()[1][1])
        self._put_names(found, same, levels)
        self._say_values()

    def _put(self, outline: Outline, colour: str) -> list[tuple[Ink, list[tuple[Floats, Floats]]]]:
        """Fill what is filled; lines are handed back, to be drawn together."""
        shape = outline.shape
        x, y = self._place(shape.x, shape.y)
        if shape.form == "dots":
            self._dots(x, y, colour)
            return []
        if shape.form == "bars":
            return self._bars(outline, colour)
        if outline.low is not None and outline.high is not None:
            ink = QColor(colour)
            ink.setAlpha(BAND_ALPHA)
            placed = [self._place(shape.x, edge) for edge in (outline.low, outline.high)]
            edges = [pg.PlotCurveItem(*points, connect="finite", skipFiniteCheck=False) for points in placed]
            self._add(pg.FillBetweenItem(*edges, brush=pg.mkBrush(ink)), 2)
        return [((colour, 255, self._dash(outline)), [(x, y)])]

    def _dots(self, x: Floats, y: Floats, colour: str) -> None:
        there = np.isfinite(x) & np.isfinite(y)
        ink = QColor(colour)
        ink.setAlpha(DOT_ALPHA)
        few = there.sum() <= FEW_DOTS
        self._add(pg.ScatterPlotItem(x[there], y[there], size=7 if few else 4, brush=pg.mkBrush(ink), **CRISP), 8)

    def _bars(self, outline: Outline, colour: str) -> list[tuple[Ink, list[tuple[Floats, Floats]]]]:
        groups = sorted({other.group for other in self.visible()})
        wide = BARS / max(len(groups), 1)
        x = outline.shape.x + (groups.index(outline.group) - (len(groups) - 1) / 2) * wide
        height = np.nan_to_num(outline.shape.y)
        self._add(
            pg.BarGraphItem(x=x, height=height, width=0.9 * wide, brush=pg.mkBrush(colour), pen=pg.mkPen(None)), 4
        )
        if outline.low is None or outline.high is None:
            return []
        pairs = zip(x, outline.low, outline.high, strict=True)
        return [((self.theme.text, 255, 0), [(np.array([at, at]), np.array([low, high])) for at, low, high in pairs])]

    def _add(self, item: QGraphicsItem, z: float) -> None:
        item.setZValue(z)
        self.box.addItem(item, ignoreBounds=True)
        self._filled.append(item)

    def _dash(self, outline: Outline) -> int:
        series = getattr(self.spec, "series", ())
        return series.index(outline.shape.series) if outline.shape.series in tuple(series) else 0

    def _levels(self) -> Floats:
        """Thresholds that all drawn runs agree on, in the plot's coordinates."""
        found = [self._references.values(config) for config in self.groups.configs]
        if not found:
            return np.full(len(getattr(self.spec, "lines", ())), np.nan)
        levels = np.where((np.array(found) == found[0]).all(axis=0), found[0], np.nan)
        log = self._logs[0] if isinstance(self.spec, Distribution) else self._logs[1]
        return _log(levels) if log else levels

    def _fit(self, found: Sequence[Outline]) -> None:
        shapes = [shape for outline in found for shape in (outline.shape, *outline.single)]
        edges = [edge for outline in found for edge in (outline.low, outline.high) if edge is not None]
        placed = [self._place(shape.x, shape.y) for shape in shapes]
        up = [y for _, y in placed] + [_log(edge) if self._logs[1] else edge for edge in edges]
        if isinstance(self.spec, Bars):
            count = max((len(shape.x) for shape in shapes), default=1)
            bottom = self.canvas.bottom_axis
            assert isinstance(bottom, IndexAxis)
            names = self.spec.labels
            bottom.name([names[n] if n < len(names) else str(n) for n in range(count)])
            x, y = (-0.2, count + 0.2), self.spec.y_range or stretch_of(*up, np.zeros(1))
        else:
            x, y = stretch_of(*(x for x, _ in placed), margin=0.03), stretch_of(*up)
        if isinstance(self.spec, Distribution):
            y = (
                (max(y[0], y[1] - DEEPEST), y[1])
                if self._logs[1]
                else (min(0.0, y[0] if y[0] < -0.1 * y[1] else 0.0), y[1])
            )
        across, up = (self.axis.values(self, what, *own) for what, own in zip(self._ways, (x, y), strict=True))
        self.canvas.show_range(across, up)

    def _put_names(self, found: Sequence[Outline], same: set[str], levels: Floats) -> None:
        (_, right), (low, high) = self.box.viewRange()
        ends = [] if isinstance(self.spec, Distribution) else self._references.names(levels, right, self.theme)
        several = len({outline.shape.series for outline in found}) > 1
        named = [o for o in found if o.shape.form == "line"] if len(self.groups.shown) <= MOST_NAMES else []
        for outline in named:
            x, y = self._place(outline.shape.x, outline.shape.y)
            there = np.flatnonzero(np.isfinite(x) & np.isfinite(y) & (x <= right))[-1:]
            if len(there) and not isinstance(self.spec, Distribution):
                own = outline.shape.series in same
                name = "" if own else self.groups.names[outline.group]
                text = f"{name} {outline.symbol}".strip() if several or own else name
                colour = self.theme.muted if own else self.ink(outline.group)
                ends.append((text, colour, right, float(np.clip(y[there[0]], low, high))))
        self.names.place([end for end in ends if low <= end[3] <= high])
        self.canvas.set_gutter(max(24, self.names.width + 4))
        self.names.place([end for end in ends if low <= end[3] <= high])

    # The pointer.

    def _hovered(self, x: float, y: float) -> None:
        self._pointer = x
        self._say_values()

    @Slot()
    def _left(self) -> None:
        self._pointer = None
        self._say_values()

    def _say_values(self) -> None:
        """Values under the pointer; else which colour is which run."""
        texts = []
        for group in sorted(self.groups.shown)[:MOST_NAMES]:
            own = [outline for outline in self.visible() if outline.group == group]
            if not own:
                continue
            said = self.groups.names[group] if self._pointer is None else self._value(own[0])
            many = f"&nbsp;(n={own[0].count})" if own[0].count > 1 else ""
            texts.append(f'<span style="color:{self.ink(group)}">{said}{many}</span>')
        self.readout_changed.emit("&nbsp;&nbsp; ".join(texts))

    def _value(self, outline: Outline) -> str:
        x, _ = self._place(outline.shape.x, outline.shape.y)
        if self._pointer is None or not np.isfinite(x).any():
            return ""
        place = int(np.nanargmin(np.abs(x - self._pointer)))
        return short(float(outline.shape.y[place]))

    def _held_by_hand(self) -> None:
        for what, ends in zip(self._ways, self.box.viewRange(), strict=True):
            self.axis.hold_values(what, *ends)
        self._soon.start()

    @Slot()
    def show_all(self) -> None:
        for what in self._ways:
            self.axis.free_values(what)
        self._soon.start()

    def numbers(self) -> str:
        rows = ["\t".join(("run", "series", "x", "y", "low", "high", "count"))]
        for outline in self.visible():
            shape = outline.shape
            low = shape.y if outline.low is None else outline.low
            high = shape.y if outline.high is None else outline.high
            name = self.groups.names[outline.group]
            for at in zip(shape.x, shape.y, low, high, strict=True):
                values = "\t".join(repr(float(value)) for value in at)
                rows.append(f"{name}\t{shape.series}\t{values}\t{outline.count}")
        return "\n".join(rows)

    def _paint(self) -> None:
        super()._paint()
        self._references.set_theme(self.theme)

    def finish(self) -> None:
        """The panel goes: let its thread end."""
        self._background.wait()


def _log(values: Floats) -> Floats:
    return np.log10(np.where(values > 0, values, np.nan))
