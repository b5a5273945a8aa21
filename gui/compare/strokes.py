"""Many lines as one item of a plot: a hundred items cost more than the lines in them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen

from gui.theme import Theme
from gui.views.point_wide import point_wide

Floats = NDArray[np.float64]
Ink = tuple[str, int, int]
"""Colour, opacity 0 to 255, and number of the dash pattern."""


class Strokes(pg.GraphicsObject):
    """Lines of any pens, drawn in the order in which they are given; those that hide what is behind, a point wide."""

    def __init__(self, z: float) -> None:
        super().__init__()
        self.setZValue(z)
        self._parts: list[tuple[QPen, QPainterPath]] = []

    def show_parts(self, parts: Sequence[tuple[QPen, QPainterPath]]) -> None:
        self._parts = list(parts)
        self.update()

    def boundingRect(self) -> QRectF:
        return self.viewRect() or QRectF()  # nothing is painted outside what is in sight

    def viewRangeChanged(self) -> None:
        self.prepareGeometryChange()

    def paint(self, painter: QPainter, option: object, widget: object = None) -> None:
        for pen, path in self._parts:
            painter.setPen(pen)
            if pen.color().alpha() == 255:
                point_wide(painter, functools.partial(painter.drawPath, path))
            else:  # painted again a fine line that lets others through would be a dark one
                painter.drawPath(path)


def pen_of(ink: Ink, theme: Theme, width: float = 1.0) -> QPen:
    """The pen of a line; one pixel wide draws much quicker than any other."""
    colour, opacity, dash = ink
    shade = QColor(colour)
    shade.setAlpha(opacity)
    _, pattern = theme.line(dash * len(theme.lines))
    return pg.mkPen(shade, width=width, style=Qt.PenStyle.SolidLine, **({"dash": list(pattern)} if pattern else {}))


def gaps(dash: int, theme: Theme, columns: int) -> NDArray[np.bool_]:
    """Columns (columns,) in which a line of a dash pattern shows nothing."""
    _, pattern = theme.line(dash * len(theme.lines))
    ends = np.cumsum(pattern or (columns,))
    return np.searchsorted(ends, np.arange(columns) % ends[-1], side="right") % 2 == 1


def path_of(lines: Sequence[tuple[Floats, Floats]]) -> QPainterPath:
    """All lines in one path, broken between them and wherever a point has no place."""
    x, y = (np.concatenate(parts) for parts in zip(*lines, strict=True))
    there = np.isfinite(x) & np.isfinite(y)
    joined = np.append(there[:-1] & there[1:], False)
    joined[np.cumsum([len(part) for part, _ in lines]) - 1] = False
    to_path: Any = pg.arrayToQPath  # its annotation forgets that an array can say what is joined
    return to_path(np.where(there, x, 0.0), np.where(there, y, 0.0), connect=joined, finiteCheck=False)
