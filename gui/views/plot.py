"""The drawing area of a view: axes, zoom and pan by mouse, the crosshair, names in the margin."""

import math
import textwrap
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal, Slot
from PySide6.QtGui import QAction, QColor, QFontMetricsF, QKeySequence, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QGraphicsGridLayout,
    QGraphicsTextItem,
    QGraphicsWidget,
    QMenu,
    QStyleOptionGraphicsItem,
)

from gui.runs.open_run import OpenRun
from gui.theme import Theme
from gui.views.axes import TICK_PX, Axis, StepAxis, font_px
from gui.views.base import Spec, ViewWidget, readable
from gui.views.limits import LimitsDialog
from gui.views.text import rich

LABEL_PX = 12
PLACES = (  # of a name about the end of its line, in its own widths and heights, the best first
    *((-0.5, -1.0), (-0.5, 0.1), (-1.0, -1.0), (-1.0, 0.1), (0.05, -0.5), (-0.5, -2.2), (-0.5, 1.3), (-1.6, -1.0)),
    *((-0.5, -3.5), (-0.5, 2.6), (-1.6, 0.1), (0.05, -2.2), (0.05, 1.3), (-0.5, -5.0), (-0.5, 4.0)),
)
FARTHER = 1.5  # strokes of a curve that a name may cross rather than take the next place
VEIL = 205  # of 255: how little is seen through it
LONGEST = 20  # characters of a name in the margin; a longer one takes two lines where there is room
MARKS_PX = 11  # high are the glyphs of events, at the top of a plot
CLOSE = 0.8  # of the height of names, from one to the next: they may come so near
LEFT_PX = 64  # left of the data, the axis and its label included
EDGE_PX = 4
OVERHANG = 15  # pixels that the text of a tick may reach beyond its axis; farther ones are not drawn
Path = tuple[np.ndarray, np.ndarray]


class Box(pg.ViewBox):
    """A view box that leaves menus to its view."""

    menu_requested = Signal(QPointF)

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self.disableAutoRange()

    def mouseClickEvent(self, ev) -> None:
        if ev.button() == Qt.MouseButton.RightButton:
            ev.accept()
            self.menu_requested.emit(ev.screenPos())


class Canvas(pg.GraphicsView):
    """A box with a left and a bottom axis, and a margin on the right for the names of lines."""

    hovered = Signal(float, float)  # box coordinates of the pointer
    left = Signal()
    double_clicked = Signal()

    def __init__(self, bottom: Axis, left: Axis) -> None:
        super().__init__()
        self.bottom_axis, self.left_axis = bottom, left
        self.box = Box()
        self._grid_lines = pg.PlotCurveItem()
        self._grid_lines.setZValue(-20)
        self.box.addItem(self._grid_lines, ignoreBounds=True)
        self.frame = QGraphicsWidget()
        grid = QGraphicsGridLayout()
        grid.setSpacing(0)
        grid.addItem(left, 0, 0)
        grid.addItem(self.box, 0, 1)
        grid.addItem(bottom, 1, 1)
        grid.setRowStretchFactor(0, 1)
        grid.setColumnStretchFactor(1, 1)
        self.frame.setLayout(grid)
        self.setCentralItem(self.frame)
        self._grid = grid
        left.linkToView(self.box)
        bottom.linkToView(self.box)
        left.setWidth(LEFT_PX - EDGE_PX)
        self.setFrameShape(pg.GraphicsView.Shape.NoFrame)
        scene = self.sceneObj
        assert scene is not None  # None only once the canvas is closed
        scene.sigMouseMoved.connect(self._mouse_moved)

    @Slot(object)
    def _mouse_moved(self, place: QPointF) -> None:
        if self.box.sceneBoundingRect().contains(place):
            point = self.box.mapSceneToView(place)
            self.hovered.emit(point.x(), point.y())
        else:
            self.left.emit()

    def set_gutter(self, width: int) -> None:
        margins = (EDGE_PX, 6, width, EDGE_PX)
        if self._grid.getContentsMargins() != margins:
            self._grid.setContentsMargins(*margins)
            self._grid.activate()  # now, so that this drawing knows its columns

    def show_range(
        self, x: tuple[float, float], y: tuple[float, float], *, rows: bool = True, columns: bool = False
    ) -> None:
        """Show a stretch, with a faint line at every named value, and at every named place along it where wanted."""
        self.box.setRange(xRange=x, yRange=y, padding=0, disableAutoRange=True)
        self.box.updateMatrix()  # else the first paint finds it out of date, and asks for a second one
        # one path of our own: the grid of pyqtgraph's axes paints every small tick across, 0.4 ms each
        across, up = np.empty(0), np.empty(0)
        if rows:
            values = self.left_axis.tickValues(*y, self.box.height())[0][1]
            across, up = np.tile(x, len(values)), np.repeat(values, 2)
        if columns:
            places = self.bottom_axis.tickValues(*x, self.box.width())[0][1]
            across, up = np.append(across, np.repeat(places, 2)), np.append(up, np.tile(y, len(places)))
        self._grid_lines.setData(across, up, connect="pairs")

    def end_of_ticks(self) -> QPointF:
        """Where the bottom axis' name begins: behind its ticks, and clear of the last one's text."""
        (low, high), area, ticks = self.box.viewRange()[0], self.box.geometry(), self.bottom_axis
        spacing, places = ticks.tickValues(low, high, area.width())[0]
        metrics = QFontMetricsF(font_px(TICK_PX))
        halves = [metrics.horizontalAdvance(text) / 2 for text in ticks.tickStrings(places, 1.0, spacing)]
        ends = area.left() + (places - low) / (high - low) * area.width() + np.array(halves)
        ends = ends[ends <= area.right() + OVERHANG]
        return QPointF(max(area.right() + 4, float(ends.max(initial=0.0)) + 8), area.bottom())

    def set_theme(self, theme: Theme) -> None:
        self.setBackground(theme.ground)
        self._grid_lines.setPen(pg.mkPen(theme.edge, width=1))
        for axis in (self.left_axis, self.bottom_axis):
            axis.set_theme(theme)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.double_clicked.emit()

    def leaveEvent(self, ev: QEvent) -> None:
        super().leaveEvent(ev)
        self.left.emit()


class Name(QGraphicsTextItem):
    """A name; within the plot it lies on a veil of the ground's colour, so that lines behind it do not cross it out."""

    veil: QColor | None = None

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: Any = None) -> None:
        if self.veil is not None:
            painter.fillRect(self.boundingRect().adjusted(2, 3, -2, -3), self.veil)
        super().paint(painter, option, widget)


class Names:
    """Names beside the ends of lines, mostly in the margin right of the box, moved apart where they would overlap."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._items: list[Name] = []
        self._texts: list[tuple[str, str]] = []
        self._whole = True  # long names stand on two lines, else they are cut short

    @property
    def width(self) -> int:
        """Points that the widest name needs."""
        return round(max((item.boundingRect().width() for item in self._items), default=0.0)) + 4

    def announce(self, symbols: Iterable[str]) -> int:
        """Points that the widest of names that will come needs."""
        self._write([(symbol, "") for symbol in symbols])
        width = self.width
        self._write([])
        return width

    def place(self, names: list[tuple[str, str, float, float]], curves: Sequence[Path] = ()) -> None:
        """Show names.

        Args:
            names: Symbol, colour and the place where its line ends, in box coordinates, of each.
            curves: Places and heights, in box coordinates, of lines that a name inside the box keeps clear of.
        """
        texts = [(symbol, colour) for symbol, colour, _, _ in names]
        box = self._canvas.box
        area = box.geometry()
        line = QFontMetricsF(font_px(LABEL_PX)).height()
        whole = CLOSE * line * sum(len(lines_of(symbol)) + 0.5 for symbol, _ in texts) <= area.height()
        if (texts, whole) != (self._texts, self._whole):
            self._whole = whole
            self._write(texts)
        if not names or area.height() <= 0:
            return
        (left, right), (bottom, top) = box.viewRange()
        ends = [area.left() + (x - left) / (right - left) * area.width() for _, _, x, _ in names]
        wanted = np.array([(top - y) / (top - bottom) * area.height() for _, _, _, y in names])
        heights = np.array([item.boundingRect().height() for item in self._items])
        veil = QColor(self._canvas.backgroundBrush().color())
        veil.setAlpha(VEIL)
        places = apart(wanted, heights * CLOSE, max(area.height() - line / 2, 0))  # the axis' name is beneath
        for item, x, y, height in zip(self._items, ends, places, heights.tolist(), strict=True):
            inside = x < area.right() - 1  # there the name stands above the end, not on the line
            item.veil = veil if inside else None
            item.setPos(
                self._clear_place(x, y, item.boundingRect().width(), height, area, curves)
                if inside
                else QPointF(area.right() + 2, area.top() + y - height / 2)
            )

    def _clear_place(
        self, x: float, y: float, width: float, height: float, area: QRectF, curves: Sequence[Path]
    ) -> QPointF:
        """Near the end of a line, above it, below or a little further on: where few curves are met, the nearer the
        better."""
        (left, right), (bottom, top) = self._canvas.box.viewRange()
        met: list[tuple[float, QPointF]] = []
        for rank, (aside, lift) in enumerate(PLACES):
            corner = QPointF(x + aside * width, area.top() + y + lift * height)
            corner.setX(max(min(corner.x(), area.right() - width), area.left()))
            corner.setY(max(min(corner.y(), area.bottom() - height), area.top() + MARKS_PX))
            columns = np.linspace(corner.x(), corner.x() + width, 24)
            columns = left + (columns - area.left()) / area.width() * (right - left)
            rows = top - (np.array([corner.y() + height, corner.y()]) - area.top()) / area.height() * (top - bottom)
            met.append((sum(_meets(curve, columns, rows) for curve in curves) + FARTHER * rank, corner))
        return min(met, key=lambda one: one[0])[1]

    def _write(self, texts: list[tuple[str, str]]) -> None:
        for item in self._items:
            if item.scene() is not None:
                item.scene().removeItem(item)
        self._items = []
        for symbol, colour in texts:
            lines = lines_of(symbol) if self._whole or len(symbol) <= LONGEST else [symbol[: LONGEST - 1] + "…"]
            item = Name(self._canvas.frame)
            item.setFont(font_px(LABEL_PX))
            item.setHtml(f'<span style="color:{colour}">{"<br>".join(map(rich, lines))}</span>')
            self._items.append(item)
        self._texts = texts


def _meets(curve: Path, columns: np.ndarray, rows: np.ndarray) -> int:
    """At how many of the rising places ``columns`` (n,), and drawn points between them, a curve lies within rows."""
    x, y = curve
    if not len(x):
        return 0
    near = slice(int(np.searchsorted(x, columns[0])), int(np.searchsorted(x, columns[-1])))
    heights = np.concatenate([np.interp(columns, x, y, left=np.nan, right=np.nan), y[near]])
    return int(((heights >= rows[0]) & (heights <= rows[1])).sum())


def lines_of(name: str) -> list[str]:
    """A name on one line or two of similar length, the last cut short where even they do not hold it."""
    for width in range(-(-len(name) // 2) if len(name) > LONGEST else LONGEST, LONGEST + 1):
        if len(lines := textwrap.wrap(name, width)) <= 2:
            return lines
    return textwrap.wrap(name, LONGEST, max_lines=2, placeholder="…")


def apart(wanted: np.ndarray, sizes: np.ndarray, height: float) -> np.ndarray:
    """Places near ``wanted`` (n,) of the middles of things of these ``sizes`` (n,), from 0 to ``height``.

    Neighbours do not overlap, unless there are too many for that. What is larger than the least ends no lower than it.
    """
    order = np.argsort(wanted, kind="stable")
    height = max(height - (sizes[order][-1] - sizes.min()) / 2, 0.0)
    ahead = np.concatenate([[0.0], np.cumsum((sizes[order][1:] + sizes[order][:-1]) / 2)])
    ahead *= min(1.0, height / max(ahead[-1], 1e-9))
    places = np.maximum.accumulate(np.clip(wanted[order], 0, height) - ahead) + ahead
    result = np.empty_like(places)
    result[order] = np.minimum(places, height - ahead[-1] + ahead)
    return result


class Plot(ViewWidget[Spec]):
    """A view with axes, a crosshair and the mouse's habits: drag pans, wheel zooms, double click fills the centre.

    Attributes:
        limits: What the user holds the values on the vertical axis to; None where they follow the data.
    """

    zoomed = Signal()  # the user panned or zoomed
    valued = False  # its vertical axis shows values, whose limits can be set

    def __init__(self, spec: Spec, run: OpenRun, theme: Theme, axis: StepAxis | None, bottom: Axis, left: Axis) -> None:
        super().__init__(spec, run, theme, axis)
        self.canvas = Canvas(bottom, left)
        self.box = self.canvas.box
        self.names = Names(self.canvas)
        self.limits: tuple[float, float] | None = None
        layout = self.layout()
        assert layout is not None
        layout.addWidget(self.canvas)
        self.canvas.setAccessibleName(spec.title)
        self.box.sigRangeChangedManually.connect(self._moved_by_hand)
        self.canvas.double_clicked.connect(self.maximise_requested)
        self.box.menu_requested.connect(self._open_menu)
        self.canvas.hovered.connect(self._hovered)
        self.canvas.left.connect(self._mouse_left)
        self.all_action = self._shortcut("Show all", "A", self.show_all)
        self._shortcuts = [self.all_action, self._shortcut("Follow the newest step", "F", self.follow)]

    def _name_ends(self, names: list[tuple[str, str, float, float]]) -> None:
        """Put names at the ends of lines, and make the margin as wide as they need."""
        self.names.place(names)
        self.canvas.set_gutter(max(24, self.names.width + 4))
        self.names.place(names)  # again, since the margin may have moved those ends

    def _shortcut(self, text: str, key: str, slot) -> QAction:
        action = QAction(text, self)
        action.setShortcut(QKeySequence(key))
        action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        action.triggered.connect(slot)
        self.addAction(action)
        return action

    @abstractmethod
    @Slot()
    def show_all(self) -> None:
        """Show all data, also as it grows."""

    @abstractmethod
    @Slot()
    def follow(self) -> None:
        """Move along with the newest step."""

    @abstractmethod
    def _held_by_hand(self) -> None:
        """The user panned or zoomed."""

    def _let_go(self) -> None:
        """Forget how the user zoomed the values."""

    def hold_values(self, low: float, high: float) -> None:
        """Hold the values on the vertical axis to these limits, in the values' own unit."""
        if math.isfinite(low) and low < high < math.inf:
            self.limits = (low, high)
            self._let_go()
            self._later()

    @Slot()
    def release_values(self) -> None:
        """Let the values' limits follow the data again."""
        self.limits = None
        self._let_go()
        self._later()

    def limited(self, y: tuple[float, float]) -> tuple[float, float]:
        """The vertical stretch to show, in box coordinates: what the user holds it to, or the data's ``y``."""
        if self.limits is None or (self.canvas.left_axis.log and self.limits[0] <= 0):
            return y
        low, high = self.limits
        return (math.log10(low), math.log10(high)) if self.canvas.left_axis.log else (low, high)

    @Slot()
    def ask_values(self) -> None:
        """Open a small dialog in which both limits of the values can be typed."""
        log = self.canvas.left_axis.log
        low, high = self.box.viewRange()[1]
        low, high = (10.0 ** min(low, 300.0), 10.0 ** min(high, 300.0)) if log else (low, high)
        dialog = LimitsDialog("values", low, high, self, positive=log)
        dialog.chosen.connect(self.hold_values)
        dialog.open()

    def settings(self) -> dict[str, Any]:
        return {"values": self.limits and list(self.limits)} if self.valued else {}

    def restore(self, settings: dict[str, Any]) -> None:
        held = settings.get("values")
        if isinstance(held, list) and len(held) == 2 and all(isinstance(value, int | float) for value in held):
            self.hold_values(float(held[0]), float(held[1]))

    @abstractmethod
    def _hovered(self, x: float, y: float) -> None:
        """The pointer is at these box coordinates."""

    @property
    def columns(self) -> int:
        """Pixel columns of the drawing area."""
        return max(2, round(self.box.width() * self.devicePixelRatioF()))

    def _paint(self) -> None:
        self.canvas.set_theme(self.theme)

    def readable(self, colour: str) -> str:
        return readable(colour, self.theme)

    @Slot(object)
    def _moved_by_hand(self, _: object) -> None:
        self._held_by_hand()
        self.zoomed.emit()

    def zoom_as(self, other: "Plot[Any]") -> None:
        """Show the stretches that another panel of the same kind shows."""
        across, up = other.box.viewRange()
        self.box.setRange(xRange=across, yRange=up, padding=0)
        self._held_by_hand()

    @Slot()
    def _mouse_left(self) -> None:
        self.axis.hover(None)

    @Slot(QPointF)
    def _open_menu(self, place: QPointF) -> None:
        self.menu().popup(place.toPoint())

    def menu(self) -> QMenu:
        menu = super().menu()
        menu.addActions(self._shortcuts)
        if self.valued:
            menu.addSeparator()
            menu.addAction("Limits of the values …").triggered.connect(self.ask_values)
            follow = menu.addAction("Values follow the data")
            follow.setEnabled(self.limits is not None)
            follow.triggered.connect(self.release_values)
        return menu
