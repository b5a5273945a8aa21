"""A plot over the run's own steps: the shared axis, the crosshair, marks of events."""

import math
import time
from abc import abstractmethod
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QCursor, QImage
from PySide6.QtWidgets import QGraphicsTextItem, QToolTip

from gui.runs.open_run import OpenRun
from gui.theme import Theme
from gui.views.axes import TICK_PX, Axis, StepAxis, font_px
from gui.views.base import Spec
from gui.views.marks import GLYPHS, event_colour, event_text, marked
from gui.views.plot import Plot
from lab.stream import Event

NEAR_PX = 5
READ_EVERY = 0.15  # seconds between read-outs of a file while the slider moves: nobody reads numbers faster
CRISP = {"pxMode": True, "antialias": True, "useCache": False, "pen": None}  # the cache holds coarse pictures


class StepPlot(Plot[Spec]):
    """A plot whose horizontal axis is the step."""

    clicked = Signal(float, float)  # box coordinates

    def __init__(
        self, spec: Spec, run: OpenRun, theme: Theme, axis: StepAxis | None, left: Axis, x_label: str, x_log: bool
    ) -> None:
        super().__init__(spec, run, theme, axis, Axis("bottom", steps=True), left)
        self._x_log = x_log
        self.canvas.bottom_axis.set_log(x_log)
        self._y_held: tuple[float, float] | None = None
        self._y = (0.0, 1.0)
        self._marks: dict[str, tuple[pg.PlotCurveItem, pg.ScatterPlotItem]] = {}
        self._x_name = QGraphicsTextItem(self.canvas.frame)
        self._x_name.setFont(font_px(TICK_PX))
        self._x_name.setPlainText(x_label)
        self._cursor_line = pg.InfiniteLine(angle=90, movable=False)
        self._cursor_line.setZValue(20)
        self._cursor_line.hide()
        self.box.addItem(self._cursor_line, ignoreBounds=True)
        self._read_last = -math.inf
        self._read_soon = QTimer(self, singleShot=True)
        self._read_soon.timeout.connect(self._read_later)
        scene = self.canvas.sceneObj
        assert scene is not None  # None only once the canvas is closed
        scene.sigMouseClicked.connect(self._mouse_clicked)

    @Slot(object)
    def _mouse_clicked(self, event: Any) -> None:
        place = event.scenePos()
        if event.button() == Qt.MouseButton.LeftButton and self.box.sceneBoundingRect().contains(place):
            point = self.box.mapSceneToView(place)
            self.clicked.emit(point.x(), point.y())

    # Coordinates: steps and values become exponents of ten on logarithmic axes.

    def x_of(self, step: np.ndarray) -> np.ndarray:
        """Horizontal box coordinate of steps; step 0 has no logarithm and is drawn at 1."""
        step = np.asarray(step, float)
        return np.log10(np.maximum(step, 1.0)) if self._x_log else step

    def step_of(self, x: np.ndarray) -> np.ndarray:
        return 10.0 ** np.clip(x, 0.0, 300.0) if self._x_log else np.asarray(x, float)

    @property
    def x_range(self) -> tuple[float, float]:
        """The stretch shown, in box coordinates."""
        low, high = self.x_of(np.array([self.axis.low, self.axis.high]))
        return float(low), float(max(high, low + (1e-9 if self._x_log else 1e-6)))

    def column_edges(self) -> np.ndarray:
        """Steps at the edges of the pixel columns, rising."""
        return self.step_of(np.linspace(*self.x_range, self.columns + 1))

    def show_all(self) -> None:
        self._y_held = None
        self.axis.show_all()
        self._later()

    def follow(self) -> None:
        self._y_held = None
        self.axis.follow()
        self._later()

    def _let_go(self) -> None:
        self._y_held = None

    def _held_by_hand(self) -> None:
        (x0, x1), (y0, y1) = self.box.viewRange()
        if max(abs(y0 - self._y[0]), abs(y1 - self._y[1])) > 1e-9 * (self._y[1] - self._y[0]):
            self._y_held = self._y = (y0, y1)
        old = self.x_range
        if max(abs(x0 - old[0]), abs(x1 - old[1])) > 1e-9 * (old[1] - old[0]):
            low, high = self.step_of(np.array([x0, x1]))
            self.axis.hold(float(low), float(high))
        self._later()

    def _show_range(self, y: tuple[float, float]) -> None:
        self.canvas.set_gutter(self.axis.gutter)
        self._y = self._y_held or self.limited(y)
        self.canvas.show_range(self.x_range, self._y)
        self._place_x_name()

    def _place_x_name(self) -> None:
        """Put the axis' name at the end of its ticks, so that it takes no height."""
        self._x_name.setPos(self.canvas.end_of_ticks())

    # Marks of events.

    def marked_events(self) -> list[Event]:
        """Events that this view marks."""
        return marked(self.history.events)

    def _draw_marks(self) -> None:
        (x0, x1), (y0, y1) = self.x_range, self._y
        by_kind: dict[str, list[int]] = {kind: [] for kind in self._marks}
        for event in self.marked_events():
            by_kind.setdefault(event["kind"], []).append(event["step"])
        for kind, steps in by_kind.items():
            if kind not in self._marks:
                self._marks[kind] = self._new_mark(kind)
            x = self.x_of(np.array(steps, float))
            # events of one pixel column are one mark
            column = np.floor((x - x0) / (x1 - x0) * self.columns)
            _, first = np.unique(column, return_index=True)
            x = x[first][(x[first] >= x0) & (x[first] <= x1)]
            line, glyph = self._marks[kind]
            line.setData(np.repeat(x, 2), np.tile([y0, y1], len(x)), connect="pairs")
            glyph.setData(x, np.full(len(x), y1 - 5 * self._pixel_height()))

    def _pixel_height(self) -> float:
        return (self._y[1] - self._y[0]) / max(self.box.height(), 1.0)

    def _new_mark(self, kind: str) -> tuple[pg.PlotCurveItem, pg.ScatterPlotItem]:
        line, glyph = pg.PlotCurveItem(), pg.ScatterPlotItem(size=9, symbol=GLYPHS.get(kind, "o"), **CRISP)
        line.setZValue(-5)
        glyph.setZValue(15)
        for item in (line, glyph):
            self.box.addItem(item, ignoreBounds=True)
        self._colour_mark(kind, line, glyph)
        return line, glyph

    def _colour_mark(self, kind: str, line: pg.PlotCurveItem, glyph: pg.ScatterPlotItem) -> None:
        colour = QColor(event_colour(kind, self.theme))
        glyph.setPen(None)
        glyph.setBrush(pg.mkBrush(colour))
        colour.setAlpha(90)
        line.setPen(pg.mkPen(colour, width=1))

    def _paint(self) -> None:
        super()._paint()
        self._cursor_line.setPen(pg.mkPen(self.theme.muted, width=1))
        self._x_name.setDefaultTextColor(QColor(self.theme.muted))
        for kind, (line, glyph) in self._marks.items():
            self._colour_mark(kind, line, glyph)

    def _hovered(self, x: float, y: float) -> None:
        step = int(np.clip(np.round(self.step_of(np.array(x))), 0, 2**62))
        self.axis.hover(step)
        events = self.marked_events()
        if not events:
            return
        places = self.x_of(np.array([event["step"] for event in events]))
        x0, x1 = self.x_range
        distance = np.abs(places - x) / (x1 - x0) * self.box.width()
        near = [event_text(events[i]) for i in np.flatnonzero(distance <= NEAR_PX)[:8]]
        if near:
            QToolTip.showText(QCursor.pos(), "\n".join(near), self.canvas)
        elif QToolTip.isVisible():
            QToolTip.hideText()

    # The crosshair.

    @abstractmethod
    def _read_at(self, step: int | None) -> None:
        """Put the values at ``step`` (None: the newest) into the read-out, and dots on the lines."""

    @property
    def reads_late(self) -> bool:
        """Whether values are read from a file: while the slider moves, then, a few times a second only."""
        return False

    def _move_cursor(self) -> None:
        step = self.axis.cursor
        self._cursor_line.setVisible(step is not None)
        if step is not None:
            self._cursor_line.setPos(float(self.x_of(np.array(step))))
        left = self._read_last + READ_EVERY - time.monotonic() if self.reads_late else 0.0
        if left <= 0:
            self._read_now()
        elif not self._read_soon.isActive():
            self._read_soon.start(math.ceil(1000 * left))

    def _read_now(self) -> None:
        self._read_soon.stop()
        self._read_at(self.axis.cursor)
        self._read_last = time.monotonic()

    @Slot()
    def _read_later(self) -> None:
        try:
            self._read_now()
        except Exception as error:  # see pull()
            self._fail(error)

    def picture(self, scale: float = 2.0) -> QImage:
        self._read_last = -math.inf
        if self._read_soon.isActive():
            self._read_later()
        return super().picture(scale)
