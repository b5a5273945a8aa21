"""Runs as points: two numbers against each other, and all that differs as parallel coordinates to brush."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from gui.library.columns import order, written
from gui.named import named
from gui.style import font
from gui.theme import Theme
from gui.views.axes import Axis
from gui.views.plot import Canvas
from gui.views.step_plot import CRISP

Row = Mapping[str, Any]
TOP, BOTTOM, SIDE = 44, 22, 36
NOT_AXES = ("run", "runs", "verdict")


class Scatter(QWidget):
    """One point a run; any two numbers or numeric knobs."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._rows: Sequence[Row] = ()
        self._colours: Sequence[str] = ()
        self.x_box, self.y_box = QComboBox(), QComboBox()
        self.x_box.setAccessibleName("Horizontal axis")
        self.y_box.setAccessibleName("Vertical axis")
        self.canvas = Canvas(Axis("bottom"), Axis("left"))
        self.canvas.setAccessibleName("Two numbers of every run")
        self.points = pg.ScatterPlotItem(size=9, **CRISP)
        self.canvas.box.addItem(self.points, ignoreBounds=True)
        self.canvas.set_theme(theme)
        self.canvas.set_gutter(12)
        self.logs = (False, False)
        bar = QHBoxLayout()
        bar.setContentsMargins(8, 6, 8, 6)
        for widget in (self.y_box, named(QLabel("over"), "muted"), self.x_box):
            bar.addWidget(widget)
        bar.addStretch(1)
        for box in (self.x_box, self.y_box):
            box.setMaximumWidth(130)
            box.activated.connect(self.draw)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(bar)
        layout.addWidget(self.canvas)

    def show_rows(self, rows: Sequence[Row], colours: Sequence[str]) -> None:
        self._rows, self._colours = rows, colours
        names = [name for name in axes(rows) if any(_number(row.get(name)) for row in rows)]
        for box, chosen in ((self.x_box, 0), (self.y_box, len(names) - 1)):
            before = box.currentText()
            box.clear()
            box.addItems(names)
            box.setCurrentIndex(names.index(before) if before in names else chosen)
        self.draw()

    def places(self) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Coordinates and colours of the runs that have both numbers."""
        x, y = self.x_box.currentText(), self.y_box.currentText()
        found = [
            (row[x], row[y], colour)
            for row, colour in zip(self._rows, self._colours, strict=True)
            if _number(row.get(x)) and _number(row.get(y))
        ]
        return np.array([p[0] for p in found], float), np.array([p[1] for p in found], float), [p[2] for p in found]

    def draw(self) -> None:
        x, y, colours = self.places()
        logs = []
        ends = []
        for axis, values in ((self.canvas.bottom_axis, x), (self.canvas.left_axis, y)):
            log = bool(len(values)) and values.min() > 0 and values.max() >= 10 * values.min()
            axis.set_log(log)
            logs.append(log)
            shown = np.log10(values) if log else values
            low, high = (float(shown.min()), float(shown.max())) if len(shown) else (0.0, 1.0)
            margin = 0.08 * (high - low) or abs(high) * 0.1 or 0.5
            ends.append((low - margin, high + margin))
        self.logs = logs[0], logs[1]
        self.points.setData(
            np.log10(x) if logs[0] else x, np.log10(y) if logs[1] else y, brush=[pg.mkBrush(c) for c in colours]
        )
        self.canvas.show_range(ends[0], ends[1])

    def set_theme(self, theme: Theme) -> None:
        self.canvas.set_theme(theme)


class Parallel(QWidget):
    """One line a run through all that differs; dragging along an axis brushes, a click on it gives all runs back."""

    brushed = Signal(list)  # numbers of the rows within every brush

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.setMinimumHeight(200)
        self.setAccessibleName("All that differs, one line a run")
        self.setToolTip("Drag along an axis to choose runs; click it to choose all again")
        self.names: list[str] = []
        self.heights = np.empty((0, 0))
        self.brushes: dict[int, tuple[float, float]] = {}
        self._ends: list[tuple[str, str]] = []
        self._colours: Sequence[str] = ()
        self._dragged: tuple[int, float] | None = None

    def show_rows(self, rows: Sequence[Row], colours: Sequence[str]) -> None:
        """Show runs; brushes stay while the axes are the same."""
        names = [name for name in axes(rows) if len({written(row.get(name)) for row in rows}) > 1]
        if names != self.names:
            self.brushes = {}
        self.names, self._colours = names, colours
        scaled = [_scaled([row.get(name) for row in rows]) for name in names]
        self.heights = np.stack([height for height, _, _ in scaled]) if scaled else np.empty((0, len(rows)))
        self._ends = [(low, high) for _, low, high in scaled]
        self.update()

    def chosen(self) -> list[int]:
        """Numbers of the rows within every brush."""
        kept = np.ones(self.heights.shape[1], bool)
        for axis, (low, high) in self.brushes.items():
            kept &= (self.heights[axis] >= low) & (self.heights[axis] <= high)
        return np.flatnonzero(kept).tolist()

    def brush(self, axis: int, low: float, high: float) -> None:
        """Choose the runs between two heights, 0 to 1, of an axis; an empty stretch takes the brush away."""
        low, high = sorted((low, high))
        if high - low < 0.02:
            self.brushes.pop(axis, None)
        else:
            self.brushes[axis] = low, high
        self.update()

    def _x(self, axis: int) -> float:
        return SIDE + axis * (self.width() - 2 * SIDE) / max(len(self.names) - 1, 1)

    def _y(self, height: float) -> float:
        return self.height() - BOTTOM - height * (self.height() - TOP - BOTTOM)

    def _height(self, y: float) -> float:
        return min(1.02, max(-0.02, (self.height() - BOTTOM - y) / max(self.height() - TOP - BOTTOM, 1)))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self.names and event.button() == Qt.MouseButton.LeftButton:
            axis = min(range(len(self.names)), key=lambda a: abs(self._x(a) - event.position().x()))
            self._dragged = axis, self._height(event.position().y())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragged is not None:
            self.brush(*self._dragged, self._height(event.position().y()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._dragged is not None:
            self.brush(*self._dragged, self._height(event.position().y()))
            self._dragged = None
            self.brushed.emit(self.chosen())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        chosen = set(self.chosen())
        for row in sorted(range(self.heights.shape[1]), key=lambda row: row in chosen):
            ink = QColor(self._colours[row] if row in chosen else self.theme.edge)
            painter.setPen(QPen(ink, 1.4 if row in chosen else 1.0))
            painter.drawPolyline([QPointF(self._x(a), self._y(h)) for a, h in enumerate(self.heights[:, row])])
        painter.setFont(font(11))
        room = int((self.width() - 2 * SIDE) / max(len(self.names) - 1, 1))
        for axis, name in enumerate(self.names):
            x = self._x(axis)
            painter.setPen(QColor(self.theme.field_edge))
            painter.drawLine(QPointF(x, self._y(0)), QPointF(x, self._y(1)))
            if axis in self.brushes:
                low, high = self.brushes[axis]
                painter.setPen(QPen(QColor(self.theme.accent), 5))
                painter.drawLine(QPointF(x, self._y(low)), QPointF(x, self._y(high)))
            metrics = painter.fontMetrics()
            for text, y, ink in (
                (name, 14 + 14 * (axis % 2), self.theme.text),
                (self._ends[axis][1], TOP - 4, self.theme.muted),
                (self._ends[axis][0], self.height() - 6, self.theme.muted),
            ):
                painter.setPen(QColor(ink))
                said = metrics.elidedText(text, Qt.TextElideMode.ElideRight, max(2 * room - 8, 40))
                width = metrics.horizontalAdvance(said)
                painter.drawText(QPointF(min(max(x - width / 2, 2), self.width() - width - 2), y), said)
        painter.end()


class Plots(QWidget):
    """Scatter above, parallel coordinates below."""

    brushed = Signal(list)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.scatter, self.parallel = Scatter(theme), Parallel(theme)
        self.parallel.brushed.connect(self.brushed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.scatter, 1)
        layout.addWidget(self.parallel, 1)

    def show_rows(self, rows: Sequence[Row], colours: Sequence[str]) -> None:
        self.scatter.show_rows(rows, colours)
        self.parallel.show_rows(rows, colours)

    def set_theme(self, theme: Theme) -> None:
        self.scatter.set_theme(theme)
        self.parallel.theme = theme
        self.parallel.update()


def axes(rows: Sequence[Row]) -> list[str]:
    """Columns that can be an axis."""
    return list(dict.fromkeys(name for row in rows for name in row if name not in NOT_AXES))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _scaled(values: Sequence[Any]) -> tuple[np.ndarray, str, str]:
    """Heights 0 to 1 along an axis, by ratio where numbers span a decade, and what stands at its ends."""
    if all(_number(value) for value in values):
        numbers = np.array(values, float)
        log = numbers.min() > 0 and numbers.max() >= 10 * numbers.min()
        shown = np.log(numbers) if log else numbers
        heights = (shown - shown.min()) / ((shown.max() - shown.min()) or 1.0)
        return heights, written(float(numbers.min())), written(float(numbers.max()))
    kinds = sorted({written(value): value for value in values}.items(), key=lambda pair: order(pair[1]))
    names = [name for name, _ in kinds]
    heights = np.array([names.index(written(value)) for value in values]) / max(len(names) - 1, 1)
    return heights, names[0], names[-1]
