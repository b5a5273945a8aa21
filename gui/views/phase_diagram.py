"""A study's phase diagram on screen: cells at their knobs' true values, contour lines, the boundary of theory."""

from __future__ import annotations

import math
from html import escape

import numpy as np
from contourpy import contour_generator
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF, QStaticText, QTextOption
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from gui.style import font
from gui.theme import Theme
from gui.views.scale import COUNT, Scale, finite_range, palette
from gui.views.text import rich, short, tip
from lab.config import Knob
from lab.experiment import Experiment
from lab.studies.diagram import Diagram, edges, is_log, levels_of
from lab.views import PhaseDiagram

LEFT, RIGHT, TOP, BOTTOM = 92, 96, 30, 48
BAR_PX = 12
TICK_APART_PX = 44
DARK, BRIGHT = "#14171C", "#FFFFFF"


class PhaseDiagramView(QWidget):
    """Cells over two knobs; the pointer reads a cell, a click picks it."""

    picked = Signal(float, float)  # the cell's values of x and y

    def __init__(self, experiment: type[Experiment], theme: Theme) -> None:
        super().__init__()
        self._experiment, self._theme = experiment, theme
        self.spec: PhaseDiagram | None = None
        self.table: Diagram | None = None
        self.setMouseTracking(True)
        self.setMinimumSize(280, 220)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_table(self, spec: PhaseDiagram, table: Diagram) -> None:
        self.spec, self.table = spec, table
        self._logs = [is_log(self._experiment, k, v) for k, v in ((spec.x, table.x), (spec.y, table.y))]
        self._edges = [edges(v, log) for v, log in zip((table.x, table.y), self._logs, strict=True)]
        low, high = spec.z_range or finite_range(table.mean)
        self._scale = Scale.over(low, high, centre=spec.centre)
        self.setAccessibleName(f"Phase diagram: {spec.title}")
        self.update()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.update()

    # where things are

    def _area(self) -> QRectF:
        return QRectF(LEFT, TOP, max(1, self.width() - LEFT - RIGHT), max(1, self.height() - TOP - BOTTOM))

    def _px(self, values: np.ndarray, axis: int) -> np.ndarray:
        """Pixels of values on the horizontal (0) or vertical (1) axis."""
        ends = self._edges[axis][[0, -1]]
        with np.errstate(invalid="ignore", divide="ignore"):
            places, (low, high) = (np.log10(values), np.log10(ends)) if self._logs[axis] else (values, ends)
        share, area = (places - low) / (high - low), self._area()
        return area.left() + share * area.width() if axis == 0 else area.bottom() - share * area.height()

    @property
    def scale(self) -> Scale:
        """From the number to its colour."""
        return self._scale

    def cell_at(self, x: float, y: float) -> tuple[int, int] | None:
        """Row and column of the cell under a point of the widget."""
        if self.table is None or not self._area().contains(x, y):
            return None
        column = int(np.searchsorted(self._px(self._edges[0], 0), x)) - 1
        row = int(np.searchsorted(-self._px(self._edges[1], 1), -y)) - 1
        shape = self.table.mean.shape
        return (row, column) if 0 <= row < shape[0] and 0 <= column < shape[1] else None

    def centre_of(self, row: int, column: int) -> QPointF:
        assert self.table is not None
        return QPointF(float(self._px(self.table.x[[column]], 0)[0]), float(self._px(self.table.y[[row]], 1)[0]))

    # drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self._theme.ground))
        painter.setFont(font(12))
        if self.table is None or self.spec is None:
            painter.setPen(QColor(self._theme.muted))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "The diagram fills as runs finish")
            return
        self._paint_cells(painter)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.save()
        painter.setClipRect(self._area())
        self._paint_lines(painter)
        painter.restore()
        self._paint_axes(painter)
        self._paint_bar(painter)

    def _paint_cells(self, painter: QPainter) -> None:
        assert self.table is not None
        colours = palette(self._theme, self._scale.diverging)
        shades = self._scale.shades(self.table.mean)
        x, y = ([float(place) for place in np.round(self._px(self._edges[axis], axis))] for axis in (0, 1))
        for (i, j), shade in np.ndenumerate(shades):
            cell = QRectF(x[j], y[i + 1], x[j + 1] - x[j], y[i] - y[i + 1])
            painter.fillRect(cell, QColor(*(int(part) for part in colours[shade])))

    def _paint_lines(self, painter: QPainter) -> None:
        spec, table = self.spec, self.table
        assert spec is not None
        assert table is not None
        x, y = self._px(table.x, 0), self._px(table.y, 1)
        if min(table.mean.shape) > 1 and np.isfinite(table.mean).sum() > 3:
            lines = contour_generator(x, y, np.ma.masked_invalid(table.mean))
            for level in levels_of(spec, table.mean):
                bright = palette(self._theme, self._scale.diverging)[int(self._scale.shades(np.array(level)))][:3]
                ink = DARK if bright @ [0.299, 0.587, 0.114] > 140 else BRIGHT
                painter.setPen(QPen(QColor(ink), 1.4))
                pieces = [np.asarray(piece) for piece in lines.lines(level)]
                for piece in pieces:
                    painter.drawPolyline(QPolygonF([QPointF(a, b) for a, b in piece]))
                if pieces:
                    longest = max(pieces, key=len)
                    a, b = longest[len(longest) // 2]
                    painter.drawText(QPointF(a + 4, b - 4), short(level))
        if spec.boundary is not None:
            low, high = float(self._edges[0][0]), float(self._edges[0][-1])
            at = np.geomspace(low, high, 200) if self._logs[0] else np.linspace(low, high, 200)
            curve = np.asarray(spec.boundary[1](at), float)
            points = [QPointF(a, b) for a, b in zip(self._px(at, 0), self._px(curve, 1), strict=True)]
            painter.setPen(QPen(QColor(self._theme.text), 1.6, Qt.PenStyle.DashLine))
            painter.drawPolyline(QPolygonF(points))

    def _paint_axes(self, painter: QPainter) -> None:
        spec, table, area = self.spec, self.table, self._area()
        assert spec is not None
        assert table is not None
        knobs = self._experiment.Config.knobs()
        painter.setPen(QColor(self._theme.muted))
        last = -math.inf
        for value, place in zip(table.x, self._px(table.x, 0), strict=True):
            if place - last >= TICK_APART_PX:
                last = float(place)
                painter.drawLine(QPointF(place, area.bottom()), QPointF(place, area.bottom() + 4))
                box = QRectF(place - 32, area.bottom() + 6, 64, 16)
                painter.drawText(box, Qt.AlignmentFlag.AlignHCenter, short(float(value)))
        last = math.inf
        for value, place in zip(table.y, self._px(table.y, 1), strict=True):
            if last - place >= TICK_APART_PX / 2:
                last = float(place)
                painter.drawLine(QPointF(area.left() - 4, place), QPointF(area.left(), place))
                box = QRectF(22, place - 8, LEFT - 30, 16)
                painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, short(float(value)))
        painter.setPen(QColor(self._theme.text))
        _write(painter, QPointF(area.center().x(), self.height() - 13), knobs[spec.x])
        painter.save()
        painter.translate(12, area.center().y())
        painter.rotate(-90)
        _write(painter, QPointF(0, 0), knobs[spec.y])
        painter.restore()

    def _paint_bar(self, painter: QPainter) -> None:
        spec, area = self.spec, self._area()
        assert spec is not None
        colours = palette(self._theme, self._scale.diverging)
        left = area.right() + 16
        for pixel in range(int(area.height())):
            shade = int((1 - pixel / area.height()) * (COUNT - 1))
            colour = QColor(*(int(part) for part in colours[shade]))
            painter.fillRect(QRectF(left, area.top() + pixel, BAR_PX, 1.5), colour)
        painter.setPen(QColor(self._theme.muted))
        for share in (0.0, 0.5, 1.0):
            place = area.bottom() - share * area.height()
            box = QRectF(left + BAR_PX + 6, place - (16 if share == 1 else 8 if share else 0) + share * 8, 60, 16)
            painter.drawText(box, Qt.AlignmentFlag.AlignLeft, short(self._scale.value(share)))
        painter.setPen(QColor(self._theme.text))
        name = painter.fontMetrics().elidedText(
            spec.z_label or spec.number, Qt.TextElideMode.ElideRight, self.width() - 8
        )
        text = _laid_out(painter, rich(name) if spec.z_label else escape(name))  # the name of a series is no symbol
        painter.drawStaticText(QPointF(self.width() - 4 - text.size().width(), 4), text)

    # reading

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        cell = self.cell_at(event.position().x(), event.position().y())
        self.setCursor(Qt.CursorShape.PointingHandCursor if cell else Qt.CursorShape.ArrowCursor)
        said = tip(self.said(*cell), self.spec.z_label) if cell and self.spec else ""
        QToolTip.showText(event.globalPosition().toPoint(), said, self)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        cell = self.cell_at(event.position().x(), event.position().y())
        if cell is not None and self.table is not None and event.button() is Qt.MouseButton.LeftButton:
            self.picked.emit(float(self.table.x[cell[1]]), float(self.table.y[cell[0]]))

    def said(self, row: int, column: int) -> str:
        """What a cell says: its knobs, its number and the spread over its runs."""
        spec, table = self.spec, self.table
        assert spec is not None
        assert table is not None
        where = f"{spec.x} {short(float(table.x[column]))}, {spec.y} {short(float(table.y[row]))}"
        count = int(table.count[row, column])
        if not count:
            return f"{where}\nno finished run yet"
        value = short(float(table.mean[row, column]))
        spread = f" ± {short(float(table.spread[row, column]))} over {count} runs" if count > 1 else ""
        return f"{where}\n{spec.z_label or spec.number} {value}{spread}"


def _write(painter: QPainter, centre: QPointF, knob: Knob) -> None:
    """Write what an axis shows, around a point."""
    text = _laid_out(painter, rich(knob.symbol or knob.label))
    size = text.size()
    painter.drawStaticText(centre - QPointF(size.width(), size.height()) / 2, text)


def _laid_out(painter: QPainter, html: str) -> QStaticText:
    text, option = QStaticText(html), QTextOption()
    option.setWrapMode(QTextOption.WrapMode.NoWrap)
    text.setTextFormat(Qt.TextFormat.RichText)
    text.setTextOption(option)
    text.prepare(painter.transform(), painter.font())
    return text
