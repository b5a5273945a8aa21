"""Curves of many runs in one plot: extremes kept at every zoom, one colour a run, bands over seeds with their count."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QGuiApplication, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QGraphicsTextItem, QLabel, QMenu, QVBoxLayout, QWidget

from gui.compare.crowd import Crowd
from gui.compare.lines import Contents, Drawn, Floats, Path
from gui.theme import Theme
from gui.views.axes import TICK_PX, Axis, font_px
from gui.views.base import readable
from gui.views.plot import Canvas, Names
from gui.views.text import rich, short
from lab.compare import Along
from lab.views import Curves, Line

MOST_NAMES = 8  # lines that are named at their ends and in the read-out
CROWD = 24  # lines from which their extremes are looked up together
POINTS = 40_000  # drawn at once; beyond, columns become wider, and still hold their extremes
BAND_ALPHA, SINGLE_ALPHA = 48, 90


class SharedAxis(QObject):
    """The stretch of the common axis that all panels show, and where their crosshair stands."""

    range_changed = Signal()
    cursor_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.held: tuple[float, float] | None = None
        self._ends: dict[int, tuple[float, float]] = {}
        self.pinned: float | None = None
        self._hovered: float | None = None
        self.gutter = 24

    @property
    def cursor(self) -> float | None:
        return self.pinned if self._hovered is None else self._hovered

    @property
    def ends(self) -> tuple[float, float]:
        """From the first to the last point of any panel."""
        if not self._ends:
            return 0.0, 1.0
        low, high = min(low for low, _ in self._ends.values()), max(high for _, high in self._ends.values())
        return low, high if high > low else low + 1.0

    @property
    def stretch(self) -> tuple[float, float]:
        return self.held or self.ends

    def reach(self, who: QObject, low: float, high: float) -> None:
        """Take note of how far a panel's lines reach."""
        before = self.stretch
        self._ends[id(who)] = low, high
        if self.stretch != before:
            self.range_changed.emit()

    def forget(self) -> None:
        """Other panels come."""
        self._ends, self.held = {}, None

    def hold(self, low: float, high: float) -> None:
        if math.isfinite(low) and low < high < math.inf and (low, high) != self.stretch:
            self.held = low, high
            self.range_changed.emit()

    def show_all(self) -> None:
        self.held = None
        self.range_changed.emit()

    def pin(self, x: float | None) -> None:
        if x != self.pinned:
            self.pinned = x
            self.cursor_changed.emit()

    def hover(self, x: float | None) -> None:
        if x != self._hovered:
            self._hovered = x
            self.cursor_changed.emit()

    def need(self, gutter: int) -> None:
        if gutter > self.gutter:
            self.gutter = gutter
            self.range_changed.emit()


class Overlay(QWidget):
    """One panel."""

    maximise_requested = Signal()
    readout_changed = Signal(str)

    def __init__(self, spec: Curves, theme: Theme, axis: SharedAxis, along: Along, title: str = "") -> None:
        super().__init__()
        self.spec, self.theme, self.axis, self.along, self.title = spec, theme, axis, along, title or spec.title
        self.setAccessibleName(self.title)
        self.setMinimumSize(160, 120)
        self._lines: list[Drawn] = []
        self._colours: Sequence[str] = ()
        self._names: Sequence[str] = ()
        self._shown: set[int] = set()
        self._crowd: Crowd | None = None
        self._x_log = spec.x_log and along.kind == "step"
        self._y = (0.0, 1.0)
        self._y_held = False
        self.canvas = Canvas(Axis("bottom", steps=along.kind in ("step", "event")), Axis("left"))
        self.canvas.bottom_axis.set_log(self._x_log)
        self.canvas.left_axis.set_log(spec.y_log)
        self.canvas.left_axis.setLabel(rich(spec.y_label) if spec.y_label else None)
        self.canvas.setAccessibleName(self.title)
        self.box = self.canvas.box
        self.names = Names(self.canvas)
        self._items: dict[tuple[str, int, int], pg.PlotCurveItem] = {}
        self._bands: list[pg.FillBetweenItem] = []
        self._cursor = pg.InfiniteLine(angle=90, movable=False)
        self._cursor.setZValue(20)
        self._cursor.hide()
        self._thresholds = [pg.PlotCurveItem() for _ in spec.lines]
        for item in (self._cursor, *self._thresholds):
            self.box.addItem(item, ignoreBounds=True)
        self._x_name = QGraphicsTextItem(self.canvas.frame)
        self._x_name.setFont(font_px(TICK_PX))
        self._x_name.setPlainText(along.label if along.kind in ("step", "epoch") else "")
        if along.kind not in ("step", "epoch"):
            self.canvas.bottom_axis.setLabel(rich(along.label))
        self._note = QLabel(self)
        self._note.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.canvas)
        self._note.raise_()
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self.draw)
        axis.range_changed.connect(self._soon.start)
        axis.cursor_changed.connect(self._move_cursor)
        self.box.sigRangeChangedManually.connect(self._moved_by_hand)
        self.box.menu_requested.connect(self._open_menu)
        self.canvas.double_clicked.connect(self.maximise_requested)
        self.canvas.left.connect(self._left)
        scene = self.canvas.sceneObj
        assert scene is not None  # None only once the canvas is closed
        scene.sigMouseMoved.connect(self._mouse_moved)
        QShortcut(QKeySequence("A"), self, self.show_all, context=Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self._paint()

    def show_lines(
        self,
        contents: Contents,
        colours: Sequence[str],
        names: Sequence[str],
        shown: set[int],
        configs: Sequence[object],
    ) -> None:
        """Show these lines.

        Args:
            contents: The lines.
            colours: One for each group. names: The same.
            shown: Numbers of the groups that are drawn.
            configs: Of the groups; a threshold is drawn where all of them agree on it.
        """
        self._lines, self._colours, self._names, self._shown = contents.lines, colours, names, shown
        self._levels = [_level(line, configs) for line in self.spec.lines]
        reach = [line.line.x for line in self._lines if line.group in shown and len(line.line.x)]
        if reach:
            self.axis.reach(self, float(min(x.min() for x in reach)), float(max(x.max() for x in reach)))
        strokes = [line.line for line in self.visible_lines()]
        self._crowd = Crowd(strokes) if len(strokes) >= CROWD and Crowd.can_hold(strokes) else None
        missing = sum(contents.missing.values())
        why = "; ".join(contents.missing)
        self._note.setText(f"{missing} run{'s' if missing != 1 else ''} left out: {why}" if missing else "")
        self._note.setVisible(bool(missing))
        if not self._lines and not missing:
            self._note.setText(f"No run recorded {', '.join(self.spec.series)}.")
            self._note.show()
        self.draw()

    _levels: Sequence[float] = ()

    def visible_lines(self) -> list[Drawn]:
        return [line for line in self._lines if line.group in self._shown]

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
        """Draw now."""
        lines = self.visible_lines()
        width = max(2, round(self.box.width() * self.devicePixelRatioF()))
        strokes = sum(1 + len(line.single) + 2 * (line.low is not None) for line in lines)
        edges = self._edges(max(24, min(width, POINTS // (2 * max(strokes, 1)))))
        crowd = self._crowd.path(edges) if self._crowd is not None else None
        main = [line.line.path(edges) for line in lines] if crowd is None else [(crowd[0], row) for row in crowd[1]]
        bands = [(line.low.path(edges), line.high.path(edges)) if line.low and line.high else None for line in lines]
        singles = [[stroke.path(edges) for stroke in line.single] for line in lines]
        paths = [*main, *(p for pair in bands if pair for p in pair), *(p for group in singles for p in group)]
        floor = self._floor(paths)
        if not self._y_held:
            self._y = self._fit(paths, floor)
        low, high = (float(v) for v in self.x_of(np.array(self.axis.stretch)))
        self.canvas.set_gutter(self.axis.gutter)
        corner = self.box.geometry().bottomRight()
        self._x_name.setPos(corner.x() + 4, corner.y())
        self.canvas.show_range((low, high if high > low else low + 1e-6), self._y)
        self._put_strokes(lines, main, singles, floor)
        self._put_bands(lines, bands, floor)
        self._put_thresholds(low, high, floor)
        self._put_names(lines, main, floor)
        self._move_cursor()

    def _put_strokes(self, lines: list[Drawn], main: list[Path], singles: list[list[Path]], floor: float) -> None:
        """All lines of one pen are one item: a hundred items cost more than their points."""
        by_pen: dict[tuple[str, int, int], list[Path]] = {}
        for line, path, group in zip(lines, main, singles, strict=True):
            dash = self.spec.series.index(line.series)
            colour = self._colours[line.group]
            faint = SINGLE_ALPHA if line.count is not None else 255
            for single in group:
                by_pen.setdefault((colour, faint, dash), []).append(single)
            by_pen.setdefault((colour, 255, dash), []).append(path)
        for pen in [pen for pen in self._items if pen not in by_pen]:
            self.box.removeItem(self._items.pop(pen))
        for pen, paths in by_pen.items():
            if pen not in self._items:
                self._items[pen] = self._new_item(*pen)
            self._items[pen].setData(*self._joined(paths, floor), connect="finite")

    def _new_item(self, colour: str, alpha: int, dash: int) -> pg.PlotCurveItem:
        ink = QColor(colour)
        ink.setAlpha(alpha)
        _, pattern = self.theme.line(dash * len(self.theme.lines))
        pen = pg.mkPen(ink, width=1, **({"dash": list(pattern)} if pattern else {}))
        item = pg.PlotCurveItem(pen=pen, skipFiniteCheck=False)
        item.setZValue(10 if alpha == 255 else 5)
        self.box.addItem(item, ignoreBounds=True)
        return item

    def _joined(self, paths: list[Path], floor: float) -> Path:
        gap = np.full(1, np.nan)
        x = np.concatenate([part for x, _ in paths for part in (self.x_of(x), gap)])
        y = np.concatenate([part for _, y in paths for part in (self._height(y, floor), gap)])
        return x, y

    def _put_bands(self, lines: list[Drawn], bands: Sequence[tuple[Path, Path] | None], floor: float) -> None:
        for item in self._bands:
            self.box.removeItem(item)
        self._bands = []
        for line, pair in zip(lines, bands, strict=True):
            if pair is None:
                continue
            edges = [pg.PlotCurveItem(self.x_of(x), self._height(y, floor), skipFiniteCheck=False) for x, y in pair]
            ink = QColor(self._colours[line.group])
            ink.setAlpha(BAND_ALPHA)
            band = pg.FillBetweenItem(*edges, brush=pg.mkBrush(ink))
            band.setZValue(2)
            self.box.addItem(band, ignoreBounds=True)
            self._bands.append(band)

    def _put_thresholds(self, low: float, high: float, floor: float) -> None:
        for item, level in zip(self._thresholds, self._levels, strict=True):
            there = math.isfinite(level)
            item.setData([low, high] if there else [], self._height(np.array([level] * 2), floor) if there else [])

    def _put_names(self, lines: list[Drawn], paths: list[Path], floor: float) -> None:
        ends = []
        several = len({line.series for line in lines}) > 1
        right = float(self.x_of(np.array(self.axis.stretch))[1])
        for line, (x, y) in zip(lines, paths, strict=True) if len(lines) <= MOST_NAMES else ():
            kept = np.flatnonzero((x <= self.axis.stretch[1]) & np.isfinite(y))[-1:]
            if len(kept):
                name = self._names[line.group]
                text = f"{name} {line.symbol}".strip() if several else name
                height = float(self._height(y[kept], floor)[0])
                ends.append((text, readable(self._colours[line.group], self.theme), right, height))
        shown = [(line.label, level) for line, level in zip(self.spec.lines, self._levels, strict=True)]
        ends += [
            (label, self.theme.muted, right, float(self._height(np.array([level]), floor)[0]))
            for label, level in shown
            if math.isfinite(level)
        ]
        self.names.place([end for end in ends if self._y[0] <= end[3] <= self._y[1]])
        self.axis.need(min(self.names.width, 136))

    def _floor(self, paths: Sequence[Path]) -> float:
        """The smallest value that a logarithmic axis shows."""
        if self.spec.floor is not None or not self.spec.y_log:
            return self.spec.floor or 1e-300
        least = min((y[(y > 0) & np.isfinite(y)].min(initial=math.inf) for _, y in paths), default=math.inf)
        return float(least) if math.isfinite(least) else 1e-12

    def _height(self, y: Floats, floor: float) -> Floats:
        return np.log10(np.maximum(y, floor)) if self.spec.y_log else np.asarray(y, float)

    def _fit(self, paths: Sequence[Path], floor: float) -> tuple[float, float]:
        found = [self._height(y[np.isfinite(y)], floor) for _, y in paths]
        low = min((float(y.min()) for y in found if len(y)), default=0.0)
        high = max((float(y.max()) for y in found if len(y)), default=1.0)
        for level in self._levels:
            if math.isfinite(level):
                at = float(self._height(np.array([level]), floor)[0])
                wide = max(high, at) - min(low, at)
                if wide <= 4 * (high - low):
                    low, high = min(low, at), max(high, at)
        margin = 0.06 * (high - low) or 0.5 * (1.0 if self.spec.y_log else abs(high) or 1.0)
        return low - margin, high + margin

    # The crosshair.

    def values(self, x: float | None) -> list[tuple[Drawn, float]]:
        """Each visible line's value at ``x``; None reads its end."""
        return [
            (line, line.line.at(x) if x is not None else float(line.line.y[-1]))
            for line in self.visible_lines()
            if len(line.line.y)
        ]

    @Slot()
    def _move_cursor(self) -> None:
        x = self.axis.cursor
        self._cursor.setVisible(x is not None)
        if x is not None:
            self._cursor.setPos(float(self.x_of(np.array([x]))[0]))
        texts = []
        for line, value in self.values(x)[:MOST_NAMES]:
            if math.isfinite(value):
                count = line.count_at(x if x is not None else math.inf)
                many = f"&nbsp;(n={count})" if line.count is not None else ""
                ink = readable(self._colours[line.group], self.theme)
                texts.append(f'<span style="color:{ink}">{short(value)}{many}</span>')
        self.readout_changed.emit("&nbsp;&nbsp; ".join(texts))

    @Slot(object)
    def _mouse_moved(self, place: QPointF) -> None:
        if self.box.sceneBoundingRect().contains(place):
            x = self.box.mapSceneToView(place).x()
            self.axis.hover(10.0**x if self._x_log else x)
        else:
            self.axis.hover(None)

    @Slot()
    def _left(self) -> None:
        self.axis.hover(None)

    @Slot(object)
    def _moved_by_hand(self, _: object) -> None:
        (x0, x1), (y0, y1) = self.box.viewRange()
        if max(abs(y0 - self._y[0]), abs(y1 - self._y[1])) > 1e-9 * (self._y[1] - self._y[0]):
            self._y_held, self._y = True, (y0, y1)
        old = self.x_of(np.array(self.axis.stretch))
        if max(abs(x0 - old[0]), abs(x1 - old[1])) > 1e-9 * (old[1] - old[0]):
            low, high = (10.0**x0, 10.0**x1) if self._x_log else (x0, x1)
            self.axis.hold(low, high)
        self._soon.start()

    @Slot()
    def show_all(self) -> None:
        self._y_held = False
        self.axis.show_all()
        self._soon.start()

    # Picture, numbers, theme.

    def numbers(self) -> str:
        """What is drawn, as tab-separated text with every digit."""
        rows = ["\t".join((self.along.label, "run", "series", "value", "low", "high", "count"))]
        for line in self.visible_lines():
            low, high = (line.low.y, line.high.y) if line.low and line.high else (line.line.y, line.line.y)
            counts = line.count if line.count is not None else np.ones(len(line.line.x), int)
            for at in zip(line.line.x, line.line.y, low, high, counts, strict=True):
                x, y, least, most, count = (number.item() for number in at)
                rows.append(f"{x!r}\t{self._names[line.group]}\t{line.series}\t{y!r}\t{least!r}\t{most!r}\t{count}")
        return "\n".join(rows)

    def menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        clipboard = QGuiApplication.clipboard()
        menu.addAction("Copy picture").triggered.connect(lambda: clipboard.setPixmap(self.grab()))
        menu.addAction("Copy numbers").triggered.connect(lambda: clipboard.setText(self.numbers()))
        menu.addSeparator()
        menu.addAction("Show all\tA").triggered.connect(self.show_all)
        menu.addAction("Maximise").triggered.connect(self.maximise_requested)
        return menu

    @Slot(QPointF)
    def _open_menu(self, place: QPointF) -> None:
        self.menu().popup(place.toPoint())

    def _paint(self) -> None:
        self.canvas.set_theme(self.theme)
        self._x_name.setDefaultTextColor(QColor(self.theme.muted))
        self._cursor.setPen(pg.mkPen(self.theme.muted, width=1))
        self._note.setStyleSheet(f"color: {self.theme.muted}; background: transparent; padding: 8px 72px;")
        for item in self._thresholds:
            item.setPen(pg.mkPen(self.theme.muted, width=1, dash=[5, 4]))

    def set_theme(self, theme: Theme, colours: Sequence[str] | None = None) -> None:
        self.theme = theme
        self._colours = self._colours if colours is None else colours
        for item in self._items.values():
            self.box.removeItem(item)
        self._items = {}
        self._paint()
        self._soon.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._note.setGeometry(0, 0, self.width(), 32)
        self._soon.start()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._soon.start()


def _level(line: Line, configs: Sequence[object]) -> float:
    """A threshold that all configs agree on; NaN where they do not, or one gives none."""
    try:
        levels = {line.at(config) for config in configs}
    except (AttributeError, ArithmeticError):
        return math.nan
    return levels.pop() if len(levels) == 1 else math.nan
