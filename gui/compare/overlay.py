"""Curves of many runs in one plot: extremes kept at every zoom, one colour a run, bands over seeds with their count."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QGraphicsTextItem

from gui.compare.axis import SharedAxis
from gui.compare.compared import MOST_NAMES, Compared, Groups
from gui.compare.crowd import Crowd, Spans
from gui.compare.heights import Heights, level_of
from gui.compare.lines import Contents, Drawn
from gui.compare.picture import Picture, density_of, pixels_of
from gui.compare.stroke import FarStroke, Floats, Path, Stroke
from gui.compare.strokes import Ink, Strokes, gaps, path_of, pen_of
from gui.theme import Theme
from gui.views.axes import TICK_PX, Axis, font_px
from gui.views.plot import LONGEST, Canvas
from gui.views.point_wide import PointWide
from gui.views.text import rich, short
from lab.compare import Along
from lab.views import Curves
from storage.errors import RunFileError

CROWD = 24  # lines from which they become one picture
POINTS = 32_000  # drawn as paths at once; beyond, columns become wider, and still hold their extremes
SPANS = 160_000  # drawn as a picture; the same
BAND_ALPHA, SINGLE_ALPHA = 48, 90
MOST_GUTTER = 148  # points for names right of the data


class Overlay(Compared):
    """Lines over the common axis."""

    def __init__(self, spec: Curves, theme: Theme, axis: SharedAxis, along: Along, title: str = "") -> None:
        bottom = Axis("bottom", steps=along.kind in ("step", "event"))
        super().__init__(spec, theme, axis, along, Canvas(bottom, Axis("left")), title)
        self._lines: list[Drawn] = []
        self._levels: Sequence[float] = ()
        self._heights = Heights(spec.y_log, spec.floor)
        self._crowd: Crowd | None = None  # of the lines
        self._faint: Crowd | None = None  # of single runs behind them
        self._x_log = spec.x_log and along.kind == "step"
        self._y = (0.0, 1.0)
        self.canvas.bottom_axis.set_log(self._x_log)
        self.canvas.left_axis.set_log(spec.y_log)
        self.canvas.left_axis.setLabel(rich(spec.y_label) if spec.y_label else None)
        self._singles, self._mains, self._picture, self._shade = Strokes(5), Strokes(10), Picture(10), Picture(5)
        self._bands: list[pg.FillBetweenItem] = []
        self._cursor = pg.InfiniteLine(angle=90, movable=False)
        self._cursor.setZValue(20)
        self._cursor.hide()
        self._thresholds = [PointWide() for _ in spec.lines]
        for item in (self._singles, self._mains, self._picture, self._shade, self._cursor, *self._thresholds):
            self.box.addItem(item, ignoreBounds=True)
        self._x_name = QGraphicsTextItem(self.canvas.frame)
        self._x_name.setFont(font_px(TICK_PX))
        self._x_name.setPlainText(along.label if along.kind in ("step", "epoch") else "")
        if along.kind not in ("step", "epoch"):
            self.canvas.bottom_axis.setLabel(rich(along.label))
        axis.range_changed.connect(self._soon.start)
        axis.cursor_changed.connect(self._move_cursor)
        self._paint()

    def show_contents(self, contents: Contents, groups: Groups) -> None:
        self._lines, self.groups = contents.lines, groups
        self._levels = [level_of(line, groups.configs) for line in self.spec.lines]
        if reach := [line.line.reach for line in self.visible_lines() if len(line.line)]:
            self.axis.reach(self, min(low for low, _ in reach), max(high for _, high in reach))
        self._crowd = self._crowd_of([line.line for line in self.visible_lines()])
        self._faint = self._crowd_of([stroke for line in self.visible_lines() for stroke in line.single])
        missing = sum(contents.missing.values())
        why = "; ".join(contents.missing)
        nothing = "" if self._lines else f"No run recorded {', '.join(self.spec.series)}."
        self.say(f"{missing} run{'s' if missing != 1 else ''} left out: {why}" if missing else nothing)
        self.draw()

    def _crowd_of(self, strokes: Sequence[Stroke | FarStroke]) -> Crowd | None:
        crowded = len(strokes) >= CROWD and all(stroke.rising for stroke in strokes)
        return Crowd(strokes, positive=self.spec.y_log and self.spec.floor is None) if crowded else None

    def visible_lines(self) -> list[Drawn]:
        return [line for line in self._lines if line.group in self.groups.shown]

    # Coordinates.

    def x_of(self, x: Floats) -> Floats:
        return np.log10(np.maximum(x, 1.0)) if self._x_log else x

    def _edges(self, columns: int) -> Floats:
        low, high = self.x_of(np.array(self.axis.stretch))
        edges = np.linspace(low, high, columns + 1)
        return 10.0**edges if self._x_log else edges

    # Drawing.

    @Slot()
    def draw(self) -> None:
        try:
            self._draw()
        except RunFileError as error:  # the file of a long series is gone
            self.say(str(error))

    def _draw(self) -> None:
        lines = self.visible_lines()
        self.canvas.set_gutter(self.axis.gutter)
        kinds = self._paths(lines)
        paths = [path for kind in kinds for path in kind]
        x, y = (np.concatenate([np.empty(0), *parts]) for parts in zip(*(paths or [((), ())]), strict=True))
        crowds = [crowd for crowd in (self._crowd, self._faint) if crowd is not None]
        floor = self._heights.least(np.append(y, [crowd.least for crowd in crowds]))
        ends = np.cumsum([len(part) for part, _ in paths])[:-1]
        up = self._heights.of(y, floor)
        placed = iter(zip(np.split(self.x_of(x), ends), np.split(up, ends), strict=True) if paths else ())
        mains, bands, singles = ([next(placed) for _ in kind] for kind in kinds)
        spans, faint = (self._spans(crowd, floor) for crowd in (self._crowd, self._faint))
        if (held := self.axis.held_values.get(self.spec.id)) is not None:
            self._y = held
        else:
            drawn = np.concatenate([up, *(part.ravel() for part in (*spans, *faint))])
            own = self._heights.fit(drawn, self._levels, floor)
            self._y = self.axis.values(self, self.spec.id, *own)
        low, high = (float(v) for v in self.x_of(np.array(self.axis.stretch)))
        self.canvas.show_range((low, high if high > low else low + 1e-6), self._y)
        self._x_name.setPos(self.canvas.end_of_ticks())
        self._put_picture(lines, spans)
        self._put_shade(lines, faint)
        self._put_strokes(lines, mains, singles)
        self._put_bands(lines, bands)
        self._put_thresholds(low, high, floor)
        self._put_names(lines, mains, high, floor)
        self._show_values()

    def _paths(self, lines: Sequence[Drawn]) -> tuple[list[Path], list[Path], list[Path]]:
        """What to draw at this zoom: main lines where they are no crowd, edges of bands, single runs."""
        single = [stroke for line in lines for stroke in line.single] if self._faint is None else []
        strokes = len(single) + sum(1 + 2 * (line.low is not None) for line in lines)
        edges = self._edges(max(24, min(self._pixels[0], POINTS // (2 * max(strokes, 1)))))
        mains = [line.line.path(edges) for line in lines if self._crowd is None]
        bands = [edge.path(edges) for line in lines for edge in (line.low, line.high) if edge is not None]
        return mains, bands, [stroke.path(edges) for stroke in single]

    def _spans(self, crowd: Crowd | None, floor: float) -> Spans | tuple[()]:
        """How far each line of a crowd reaches at this zoom."""
        if crowd is None:
            return ()
        edges = self._edges(min(self._cells[0], SPANS // len(crowd)))
        return crowd.spans(edges, lambda values: self._heights.of(values, floor))

    @property
    def _pixels(self) -> tuple[int, int]:
        """Columns and rows of the drawing area."""
        ratio = self.devicePixelRatioF()
        return max(2, round(self.box.width() * ratio)), max(2, round(self.box.height() * ratio))

    @property
    def _cells(self) -> tuple[int, int]:
        """Columns and rows of a picture, whose lines are then a point wide."""
        rate = max(1, round(self.devicePixelRatioF()))
        return max(2, self._pixels[0] // rate), max(2, self._pixels[1] // rate)

    def _put_picture(self, lines: Sequence[Drawn], spans: Spans | tuple[()]) -> None:
        self._picture.setVisible(bool(spans))
        if not spans:
            return
        low, high, area = self._in_sight(spans)
        inks = [self._ink(line) for line in lines]
        for row, (_, _, dash) in enumerate(inks):
            if dash:
                low[row, gaps(dash, self.theme, low.shape[1])] = np.nan
        pixels = pixels_of(low, high, [colour for colour, _, _ in inks], self._cells[1])
        self._picture.show_pixels([pixels], area)

    def _put_shade(self, lines: Sequence[Drawn], spans: Spans | tuple[()]) -> None:
        """Single runs: a layer for each group, darker where more of them pass."""
        self._shade.setVisible(bool(spans))
        if not spans:
            return
        low, high, area = self._in_sight(spans)
        layers, ends = [], np.cumsum([len(line.single) for line in lines])[:-1]
        for line, least, most in zip(lines, np.split(low, ends), np.split(high, ends), strict=True):
            colour, opacity, dash = self._ink(line, faint=True)
            shade = QColor(colour)
            shade.setAlpha(opacity)
            if dash:
                least[:, gaps(dash, self.theme, least.shape[1])] = np.nan
            layers.append(density_of(least, most, shade, self._cells[1]))
        self._shade.show_pixels(layers, area)

    def _in_sight(self, spans: Spans) -> tuple[Floats, Floats, QRectF]:
        """Spans as shares of the height of the box, and the stretch of the box that is in sight."""
        (left, right), (bottom, top) = self.box.viewRange()
        low, high = ((part - bottom) / (top - bottom) for part in spans)
        return low, high, QRectF(left, bottom, right - left, top - bottom)

    def _ink(self, line: Drawn, *, faint: bool = False) -> Ink:
        opacity = SINGLE_ALPHA if faint and line.count is not None else 255
        return self.groups.colours[line.group], opacity, line.dash

    def _put_strokes(self, lines: Sequence[Drawn], mains: Sequence[Path], singles: Sequence[Path]) -> None:
        owners = [line for line in lines for _ in line.single]
        inks = [self._ink(line) for line in lines], [self._ink(line, faint=True) for line in owners]
        for item, own, paths in ((self._mains, inks[0], mains), (self._singles, inks[1], singles)):
            by_ink: dict[Ink, list[Path]] = {}
            for ink, path in zip(own, paths, strict=False):  # crowds have no paths
                by_ink.setdefault(ink, []).append(path)
            item.show_parts([(pen_of(ink, self.theme), path_of(found)) for ink, found in by_ink.items()])

    def _put_bands(self, lines: Sequence[Drawn], edges: Sequence[Path]) -> None:
        for item in self._bands:
            self.box.removeItem(item)
        self._bands = []
        banded = [line for line in lines if line.low is not None]
        for line, low, high in zip(banded, edges[::2], edges[1::2], strict=True):
            ink = QColor(self.groups.colours[line.group])
            ink.setAlpha(BAND_ALPHA)
            curves = [pg.PlotCurveItem(x, y, connect="finite", skipFiniteCheck=False) for x, y in (low, high)]
            band = pg.FillBetweenItem(*curves, brush=pg.mkBrush(ink))
            band.setZValue(2)
            self.box.addItem(band, ignoreBounds=True)
            self._bands.append(band)

    def _put_thresholds(self, low: float, high: float, floor: float) -> None:
        for item, level in zip(self._thresholds, self._levels, strict=True):
            there = math.isfinite(level)
            item.setData([low, high] if there else [], self._heights.of(np.array([level] * 2), floor) if there else [])

    def _put_names(self, lines: Sequence[Drawn], paths: Sequence[Path], right: float, floor: float) -> None:
        ends = []
        drawn = list(zip(lines, paths, strict=True)) if paths else []  # a crowd has no paths
        several = len(dashes := {line.dash for line in lines}) > 1
        lone = len(self.groups.shown) == 1  # its panel is called by it
        many = len(drawn) > MOST_NAMES
        if many:  # the colours are told at the left; what a dash pattern means is said here alone
            meant = {dash: dict.fromkeys(line.symbol for line in lines if line.dash == dash) for dash in dashes}
            firsts = {line.dash: (line, path) for line, path in drawn} if several else {}
            drawn = [(replace(line, symbol=" or ".join(meant[dash])), path) for dash, (line, path) in firsts.items()]
        called = [f"{self.groups.names[line.group]} {line.symbol}" for line, _ in drawn]
        short_of_room = any(len(text) > LONGEST for text in called)  # the colours tell the groups
        for line, (x, y) in drawn:
            kept = np.flatnonzero((x <= right) & np.isfinite(y))[-1:]
            if len(kept):
                name = "" if (lone or many or short_of_room) and several else self.groups.names[line.group]
                text = f"{name} {line.symbol}".strip() if several else name
                colour = self.theme.muted if many else self.ink(line.group)
                ends.append((text, colour, right, float(y[kept[0]])))
        shown = [(line.label, level) for line, level in zip(self.spec.lines, self._levels, strict=True)]
        ends += [
            (label, self.theme.muted, right, self._heights.one(level, floor))
            for label, level in shown
            if math.isfinite(level)
        ]
        self.names.place([end for end in ends if self._y[0] <= end[3] <= self._y[1]])
        self.axis.need(min(self.names.width, MOST_GUTTER))

    # The crosshair.

    def values(self, x: float | None) -> list[tuple[Drawn, float]]:
        """Each visible line's value at ``x``; None reads its end."""
        return [
            (line, line.line.at(x) if x is not None else line.line.end)
            for line in self.visible_lines()
            if len(line.line)
        ]

    @Slot()
    def _move_cursor(self) -> None:
        try:
            self._show_values()
        except RunFileError as error:  # as above
            self.say(str(error))

    def _show_values(self) -> None:
        x = self.axis.cursor
        self._cursor.setVisible(x is not None)
        if x is not None:
            self._cursor.setPos(float(self.x_of(np.array([x]))[0]))
        texts = []
        for line, value in self.values(x)[:MOST_NAMES]:
            if math.isfinite(value):
                count = line.count_at(x if x is not None else math.inf)
                many = f"&nbsp;(n={count})" if line.count is not None else ""
                texts.append(f'<span style="color:{self.ink(line.group)}">{short(value)}{many}</span>')
        self.readout_changed.emit("&nbsp;&nbsp; ".join(texts))

    def _hovered(self, x: float, y: float) -> None:
        self.axis.hover(10.0**x if self._x_log else x)

    def _held_by_hand(self) -> None:
        (x0, x1), (y0, y1) = self.box.viewRange()
        if max(abs(y0 - self._y[0]), abs(y1 - self._y[1])) > 1e-9 * (self._y[1] - self._y[0]):
            self.axis.hold_values(self.spec.id, y0, y1)
        old = self.x_of(np.array(self.axis.stretch))
        if max(abs(x0 - old[0]), abs(x1 - old[1])) > 1e-9 * (old[1] - old[0]):
            low, high = (10.0**x0, 10.0**x1) if self._x_log else (x0, x1)
            self.axis.hold(low, high)
        self._soon.start()

    @Slot()
    def show_all(self) -> None:
        self.axis.free_values(self.spec.id)
        self.axis.show_all()
        self._soon.start()

    # Numbers, theme.

    def numbers(self) -> str:
        rows = ["\t".join((self.along.label, "run", "series", "value", "low", "high", "count"))]
        for line in self.visible_lines():
            low, high = (line.low.y, line.high.y) if line.low and line.high else (line.line.y, line.line.y)
            counts = line.count if line.count is not None else np.ones(len(line.line.x), int)
            for at in zip(line.line.x, line.line.y, low, high, counts, strict=True):
                x, y, least, most, count = (number.item() for number in at)
                name = self.groups.names[line.group]
                rows.append(f"{x!r}\t{name}\t{line.series}\t{y!r}\t{least!r}\t{most!r}\t{count}")
        return "\n".join(rows)

    def _paint(self) -> None:
        super()._paint()
        self._x_name.setDefaultTextColor(QColor(self.theme.muted))
        self._cursor.setPen(pg.mkPen(self.theme.muted, width=1))
        for item in self._thresholds:
            item.setPen(pg.mkPen(self.theme.muted, width=1, dash=[5, 4]))
