"""Contour lines of a section, dark on bright colours and bright on dark ones, with their levels written on them."""

from dataclasses import dataclass, replace

import numpy as np
import pyqtgraph as pg
from contourpy import contour_generator
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from gui.views.axes import TICK_PX, font_px
from gui.views.scale import COUNT, Scale
from gui.views.section import Section
from gui.views.text import short

DARK, BRIGHT = "#14171C", "#FFFFFF"
APART_PX = 46  # between two written levels
LINES_PX = 6  # between neighbouring lines; where they would be nearer, the longest ones stand for the rest


@dataclass(frozen=True)
class Contour:
    """All lines (k, 2) of one level; ``dark`` where the colours around them are bright."""

    level: float
    lines: list[np.ndarray]
    dark: bool


def contours_of(section: Section, scale: Scale, levels: np.ndarray, colours: np.ndarray) -> list[Contour]:
    """Lines of equal value.

    Args:
        section: Where and what.
        scale: Turns values into places; lines are found among places, so that they bend as the colours do.
        levels: Values of the lines.
        colours: Colour table (COUNT + 1, 4).
    """
    lines = contour_generator(section.x, section.y, np.ma.masked_invalid(scale.place(section.values)))
    found = []
    for level, place in zip(levels.tolist(), scale.place(levels).tolist(), strict=True):
        bright = colours[round(place * (COUNT - 1)), :3] @ [0.299, 0.587, 0.114] > 140
        found.append(Contour(level, [np.asarray(line) for line in lines.lines(place)], bool(bright)))
    return found


def thinned(contours: list[Contour], box: pg.ViewBox) -> list[Contour]:
    """Lines that stand apart in a box: without those that would run beside longer ones, as about a deep minimum."""
    area, (x, y) = box.geometry(), box.viewRange()
    ways = [
        (rank, line, *_even(_in_pixels(line, area, x, y) - [area.left(), area.top()], LINES_PX / 2))
        for rank, contour in enumerate(contours)
        for line in contour.lines
    ]
    kept: list[list[np.ndarray]] = [[] for _ in contours]
    size = np.array([area.width(), area.height()]) // LINES_PX
    taken = np.zeros(size.astype(int) + 3, bool)  # a line's cells and those about them
    for rank, line, _, points in sorted(ways, key=lambda way: -way[2]):
        across, down = (
            (points[((points >= 0) & (points // LINES_PX <= size)).all(axis=1)] // LINES_PX + 1).astype(int).T
        )
        if 2 * taken[across, down].sum() <= len(across):
            kept[rank].append(line)
            for i, j in np.ndindex(3, 3):
                taken[across + i - 1, down + j - 1] = True
    return [replace(contour, lines=lines) for contour, lines in zip(contours, kept, strict=True) if lines]


def _even(line: np.ndarray, apart: float) -> tuple[float, np.ndarray]:
    """The length of a line (k, 2), and points on it so far apart."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = np.linspace(0.0, along[-1], 1 + round(min(along[-1] / apart, 1e4)))
    return float(along[-1]), np.stack([np.interp(at, along, part) for part in line.T], axis=1)


def joined(pieces: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lines (k, 2) as one: x, y, and whether each point is joined to the next."""
    if not pieces:
        return np.empty(0), np.empty(0), np.empty(0, bool)
    points = np.concatenate(pieces)
    connect = np.ones(len(points), bool)
    connect[np.cumsum([len(piece) for piece in pieces]) - 1] = False
    return points[:, 0], points[:, 1], connect


class LevelNames(QGraphicsItem):
    """Levels written on their lines, along them, each with a rim that sets it off from the colours."""

    def __init__(self) -> None:
        super().__init__()
        self.area = QRectF()
        self.names: list[tuple[str, QPointF, float, bool]] = []  # text, place, angle in degrees, dark

    def place(self, contours: list[Contour], box: pg.ViewBox, avoid: np.ndarray) -> None:
        """Write the levels of lines in sight where there is room, away from points (k, 2)."""
        self.prepareGeometryChange()
        self.area, self.names = box.geometry(), []
        (x0, x1), (y0, y1) = box.viewRange()
        taken = _in_pixels(avoid, self.area, (x0, x1), (y0, y1))
        for contour in contours:
            spots = [_in_pixels(line, self.area, (x0, x1), (y0, y1)) for line in contour.lines if len(line) > 7]
            best = max((_best(spot, taken, self.area) for spot in spots), key=lambda b: b[0], default=(0.0, None))
            if best[1] is not None and best[0] > APART_PX:
                x, y, angle = best[1]
                taken = np.append(taken, [[x, y]], axis=0)
                self.names.append((short(contour.level, 2), QPointF(x, y), angle, contour.dark))
        self.update()

    def boundingRect(self) -> QRectF:
        return self.area

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        painter.setClipRect(self.area)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = font_px(TICK_PX)
        for text, place, angle, dark in self.names:
            path = QPainterPath()
            path.addText(0, 0, font, text)
            centre = path.boundingRect().center()
            painter.save()
            painter.translate(place)
            painter.rotate(angle)
            painter.translate(-centre)
            rim = QColor(BRIGHT if dark else DARK)
            rim.setAlpha(150)
            painter.strokePath(path, QPen(rim, 3))
            painter.fillPath(path, QColor(DARK if dark else BRIGHT))
            painter.restore()


def _in_pixels(line: np.ndarray, area: QRectF, x: tuple[float, float], y: tuple[float, float]) -> np.ndarray:
    across = area.left() + (line[:, 0] - x[0]) / (x[1] - x[0]) * area.width()
    down = area.top() + (y[1] - line[:, 1]) / (y[1] - y[0]) * area.height()
    return np.stack([across, down], axis=1)


def _best(line: np.ndarray, taken: np.ndarray, area: QRectF) -> tuple[float, tuple[float, float, float] | None]:
    """The place on a line farthest from what is taken, and from the edges; its distance, place and angle."""
    middle = line[3:-3]
    room = np.minimum(
        np.minimum(middle[:, 0] - area.left(), area.right() - middle[:, 0]) * 2,
        np.minimum(middle[:, 1] - area.top(), area.bottom() - middle[:, 1]) * 4,
    )
    if len(taken):
        room = np.minimum(room, np.hypot(*(middle[:, None] - taken).transpose(2, 0, 1)).min(axis=1))
    at = int(np.argmax(room))
    along = line[at + 6] - line[at]
    angle = float(np.degrees(np.arctan2(along[1], along[0])))
    return float(room[at]), (float(middle[at, 0]), float(middle[at, 1]), (angle + 90) % 180 - 90)
