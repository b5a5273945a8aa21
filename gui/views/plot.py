"""The drawing area of a view: axes, zoom and pan by mouse, the crosshair, names in the margin."""

from abc import abstractmethod

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, Qt, Signal, Slot
from PySide6.QtGui import QAction, QKeySequence, QMouseEvent
from PySide6.QtWidgets import QGraphicsGridLayout, QGraphicsTextItem, QGraphicsWidget, QMenu

from gui.open_run import OpenRun
from gui.theme import Theme
from gui.views.axes import Axis, StepAxis, font_px
from gui.views.base import Spec, ViewWidget, readable
from gui.views.text import rich

LABEL_PX = 12
LONGEST = 20  # characters of a name in the margin
LEFT_PX = 64  # left of the data, the axis and its label included
EDGE_PX = 4


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

    def set_gutter(self, width: int) -> None:
        margins = (EDGE_PX, 6, width, EDGE_PX)
        if self._grid.getContentsMargins() != margins:
            self._grid.setContentsMargins(*margins)
            self._grid.activate()  # now, so that this drawing knows its columns

    def show_range(self, x: tuple[float, float], y: tuple[float, float], *, columns: bool = False) -> None:
        """Show a stretch, with a faint line at every named value, and at every named step too where ``columns``."""
        self.box.setRange(xRange=x, yRange=y, padding=0, disableAutoRange=True)
        self.box.updateMatrix()  # else the first paint finds it out of date, and asks for a second one
        # one path of our own: the grid of pyqtgraph's axes paints every small tick across, 0.4 ms each
        rows = self.left_axis.tickValues(*y, self.box.height())[0][1]
        across, up = np.tile(x, len(rows)), np.repeat(rows, 2)
        if columns:
            places = self.bottom_axis.tickValues(*x, self.box.width())[0][1]
            across, up = np.append(across, np.repeat(places, 2)), np.append(up, np.tile(y, len(places)))
        self._grid_lines.setData(across, up, connect="pairs")

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


class Names:
    """Names beside the ends of lines, mostly in the margin right of the box, moved apart where they would overlap."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._items: list[QGraphicsTextItem] = []
        self._texts: list[tuple[str, str]] = []

    @property
    def width(self) -> int:
        """Points that the widest name needs."""
        return round(max((item.boundingRect().width() for item in self._items), default=0.0)) + 4

    def place(self, names: list[tuple[str, str, float, float]]) -> None:
        """Show names.

        Args:
            names: Symbol, colour and the place where its line ends, in box coordinates, of each.
        """
        texts = [(symbol, colour) for symbol, colour, _, _ in names]
        if texts != self._texts:
            self._write(texts)
        box = self._canvas.box
        area = box.geometry()
        if not names or area.height() <= 0:
            return
        (left, right), (bottom, top) = box.viewRange()
        ends = [area.left() + (x - left) / (right - left) * area.width() for _, _, x, _ in names]
        wanted = np.array([(top - y) / (top - bottom) * area.height() for _, _, _, y in names])
        height = self._items[0].boundingRect().height()
        places = apart(wanted, height * 0.8, area.height())
        for item, x, y in zip(self._items, ends, places, strict=True):
            inside = x < area.right() - 1  # there the name stands above the end, not on the line
            lift, reach = (height, item.boundingRect().width()) if inside else (height / 2, 0.0)
            left = max(min(x - reach / 2, area.right() - reach), area.left()) if inside else area.right() + 2
            item.setPos(left, max(area.top() + y - lift, area.top()) if inside else area.top() + y - lift)

    def _write(self, texts: list[tuple[str, str]]) -> None:
        for item in self._items:
            if item.scene() is not None:
                item.scene().removeItem(item)
        self._items = []
        for symbol, colour in texts:
            shortened = symbol if len(symbol) <= LONGEST else symbol[: LONGEST - 1] + "…"
            item = QGraphicsTextItem(self._canvas.frame)
            item.setFont(font_px(LABEL_PX))
            item.setHtml(f'<span style="color:{colour}">{rich(shortened)}</span>')
            self._items.append(item)
        self._texts = texts


def apart(wanted: np.ndarray, gap: float, height: float) -> np.ndarray:
    """Places near ``wanted`` (n,), each at least ``gap`` from the next, between 0 and ``height`` where they fit."""
    order = np.argsort(wanted, kind="stable")
    places = np.clip(wanted[order], 0, height)
    rank = np.arange(len(places))
    places = np.maximum.accumulate(places - rank * gap) + rank * gap
    limit = height - (len(places) - 1 - rank) * gap
    places = np.minimum(places, limit) if len(places) * gap <= height + gap else places
    result = np.empty_like(places)
    result[order] = places
    return result


class Plot(ViewWidget[Spec]):
    """A view with axes, a crosshair and the mouse's habits: drag pans, wheel zooms, double click fills the centre."""

    def __init__(self, spec: Spec, run: OpenRun, theme: Theme, axis: StepAxis | None, bottom: Axis, left: Axis) -> None:
        super().__init__(spec, run, theme, axis)
        self.canvas = Canvas(bottom, left)
        self.box = self.canvas.box
        self.names = Names(self.canvas)
        layout = self.layout()
        assert layout is not None
        layout.addWidget(self.canvas)
        self.canvas.setAccessibleName(spec.title)
        self.box.sigRangeChangedManually.connect(self._moved_by_hand)
        self.canvas.double_clicked.connect(self.maximise_requested)
        self.box.menu_requested.connect(self._open_menu)
        scene = self.canvas.sceneObj
        assert scene is not None  # None only once the canvas is closed
        scene.sigMouseMoved.connect(self._mouse_moved)
        self.canvas.left.connect(self._mouse_left)
        self._shortcuts = [
            self._shortcut("Show all", "A", self.show_all),
            self._shortcut("Follow the newest step", "F", self.follow),
        ]

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

    @Slot(object)
    def _mouse_moved(self, place: QPointF) -> None:
        if self.box.sceneBoundingRect().contains(place):
            point = self.box.mapSceneToView(place)
            self._hovered(point.x(), point.y())
        else:
            self.axis.hover(None)

    @Slot()
    def _mouse_left(self) -> None:
        self.axis.hover(None)

    @Slot(QPointF)
    def _open_menu(self, place: QPointF) -> None:
        self.menu().popup(place.toPoint())

    def menu(self) -> QMenu:
        menu = super().menu()
        menu.addActions(self._shortcuts)
        return menu
