"""Very many lines as one picture of screen pixels: nothing that a later line covers is ever painted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSizeF
from PySide6.QtGui import QColor, QImage, QPainter, QTransform

Rows = NDArray[np.int32]
FAR = 1 << 20  # pixels from any picture
DENSEST = 0.6  # opacity of very many lines over one another: their mean is still seen on them


class Picture(pg.GraphicsObject):
    """A picture that lies on screen pixel by pixel."""

    def __init__(self, z: float) -> None:
        super().__init__()
        self.setZValue(z)
        self._layers: Sequence[NDArray[np.uint32]] = ()
        self._area = QRectF()

    def show_pixels(self, layers: Sequence[NDArray[np.uint32]], area: QRectF) -> None:
        """Show pixels (rows from the top, columns), the last of them on top, over a stretch of the box."""
        self.prepareGeometryChange()
        self._layers, self._area = [np.ascontiguousarray(pixels) for pixels in layers if pixels.size], area
        self.update()

    def boundingRect(self) -> QRectF:
        return self._area

    def paint(self, painter: QPainter, option: object, widget: object = None) -> None:
        for pixels in self._layers:
            self._paint(painter, pixels)

    def _paint(self, painter: QPainter, pixels: NDArray[np.uint32]) -> None:
        rows, columns = pixels.shape
        image = QImage(pixels.data, columns, rows, 4 * columns, QImage.Format.Format_ARGB32_Premultiplied)
        place = painter.worldTransform().mapRect(self._area)
        device = painter.device()
        ratio = device.devicePixelRatioF() if device is not None else 1.0
        # on the pixels' own grid: between them Qt would leave out a column here and there, and a spike with it
        corner = QPointF(round(place.x() * ratio) / ratio, round(place.y() * ratio) / ratio)
        own = QSizeF(columns / ratio, rows / ratio)
        near = abs(own.width() - place.width()) * ratio < 2 and abs(own.height() - place.height()) * ratio < 2
        painter.save()
        painter.setWorldTransform(QTransform())
        painter.drawImage(QRectF(corner, own if near else place.size()), image)
        painter.restore()


def pixels_of(low: np.ndarray, high: np.ndarray, colours: Sequence[str], rows: int) -> NDArray[np.uint32]:
    """The picture (rows, columns) of lines.

    Args:
        low: Least height (lines, columns) of each line in every column, from 0 at the bottom to 1 at the top of the
            picture; NaN where there is none.
        high: The largest.
        colours: Of the lines, as ``#RRGGBB``; later lines lie over earlier ones.
        rows: Height of the picture in pixels.
    """
    columns = low.shape[1]
    first, last = uncovered(*_rows_of(low, high, rows))
    line, _, column = np.nonzero(last >= first)
    begin, count = (part[last >= first] for part in (first, last - first + 1))
    picture = np.zeros(rows * columns, np.uint32)
    start = np.cumsum(count) - count
    places = np.repeat((begin - start) * columns + column, count)
    places += columns * np.arange(len(places))
    inks = np.array([QColor(colour).rgba() for colour in colours], np.uint32)
    picture[places] = np.repeat(inks[line], count)
    return picture.reshape(rows, columns)


def density_of(low: np.ndarray, high: np.ndarray, ink: QColor, rows: int) -> NDArray[np.uint32]:
    """The picture (rows, columns) of lines that let each other through.

    Args:
        low: As of ``pixels_of``. high: The same.
        ink: Of all of them; its opacity, below DENSEST, is that of a line alone.
        rows: Height of the picture in pixels.
    """
    columns = low.shape[1]
    first, last = _rows_of(low, high, rows)
    begins, ends = np.where(last >= first, first, rows), np.where(last >= first, last + 1, rows)
    place = np.arange(columns)
    steps = [np.bincount((part * columns + place).ravel(), minlength=(rows + 1) * columns) for part in (begins, ends)]
    count = np.cumsum((steps[0] - steps[1]).reshape(rows + 1, columns)[:rows], axis=0)
    opacity = DENSEST * (1 - (1 - ink.alphaF() / DENSEST) ** np.arange(len(low) + 1))
    inks = np.zeros(len(opacity), np.uint32)
    for shift, part in ((24, 1.0), (16, ink.redF()), (8, ink.greenF()), (0, ink.blueF())):
        inks |= np.round(255 * part * opacity).astype(np.uint32) << np.uint32(shift)
    return inks[count]


def _rows_of(low: np.ndarray, high: np.ndarray, rows: int) -> tuple[Rows, Rows]:
    """First and last row of pixels (lines, columns) of each line; FAR and -FAR where nothing of it is in sight."""
    seen = (high >= 0) & (low <= 1)  # NaN is not
    first = np.where(seen, np.clip((1 - high) * rows, 0, rows - 1), FAR).astype(np.int32)
    last = np.where(seen, np.clip((1 - low) * rows, 0, rows - 1), -FAR).astype(np.int32)
    return first, last


def uncovered(first: Rows, last: Rows) -> tuple[Rows, Rows]:
    """What of each line is not hidden by later ones: above the stretch of rows that they fill, and below it.

    Args:
        first: First row (lines, columns) of each line in every column; FAR where there is none.
        last: Last row; -FAR where there is none.

    Returns:
        First and last rows (lines, 2, columns) of both parts; where the last comes before the first there is none.
    """
    begins, ends = (np.stack([part, part], axis=1) for part in (first, last))
    top, bottom = first[-1].copy(), last[-1].copy()
    begins[-1, 1] = FAR  # the last line is whole: in one part
    for line in range(len(first) - 2, -1, -1):
        np.minimum(last[line], top - 1, out=ends[line, 0])
        np.maximum(first[line], bottom + 1, out=begins[line, 1])
        # only a line that touches the stretch makes it longer; another one leaves a gap that shows what is behind
        touches = ((first[line] <= bottom + 1) & (last[line] >= top - 1)) | (top > bottom)
        np.minimum(top, first[line], out=top, where=touches)
        np.maximum(bottom, last[line], out=bottom, where=touches)
    return begins, ends
