"""An axis whose places are things with names: rows of a matrix, bars, layers at uneven places."""

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter

from gui.views.axes import TICK_PX, Axis, font_px, round_ticks

SLANT = 45  # degrees of names that do not fit side by side
LONGEST_PX = 118
PLAIN_PX = 24  # height with names that stand side by side


class IndexAxis(Axis):
    """One tick for each thing that has a name, as many as fit; things stand at 0.5, 1.5, ... unless told otherwise.

    Args:
        orientation: "bottom", "left" or "top".
        slanted: Names too long to stand side by side are slanted instead of left out.
    """

    def __init__(self, orientation: str, *, slanted: bool = False) -> None:
        super().__init__(orientation)
        self.texts: Sequence[str] = ()
        self._places = np.empty(0)
        self._widest = 0.0
        self._may_slant = slanted
        self._slanted = False
        if slanted:
            self.setHeight(PLAIN_PX)

    def name(self, texts: Sequence[str], places: np.ndarray | None = None) -> None:
        """Give the things their names, from the lowest place on."""
        places = np.arange(len(texts)) + 0.5 if places is None else places
        if list(texts) != list(self.texts) or not np.array_equal(places, self._places):
            self.texts, self._places = texts, places
            metrics = QFontMetricsF(font_px(TICK_PX))
            longest = sorted(set(texts), key=len)[-20:]  # measuring thousands of names takes long
            self._widest = max((metrics.horizontalAdvance(text) for text in longest), default=0.0)
            self.picture = None
            self.update()

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, np.ndarray]]:
        low, high = sorted((minVal, maxVal))
        inside = np.flatnonzero((self._places >= low) & (self._places <= high))
        if not len(inside):
            return [(1.0, np.empty(0))]
        across = self.orientation in ("bottom", "top")
        apart = float(np.diff(self._places).min()) if len(self._places) > 1 else high - low
        room = size * apart / max(high - low, 1e-9)  # pixels from thing to thing
        need = self._widest + 8 if across else TICK_PX + 3
        slanted = self._may_slant and across and need > room
        if slanted != self._slanted:
            self.prepareGeometryChange()
            self._slanted = slanted
            self.setHeight(round(min(self._widest, LONGEST_PX) * 0.71 + 16) if slanted else PLAIN_PX)
        need = TICK_PX + 4 if slanted else need
        shown = size / room
        every = int(round_ticks(0, shown, size / need, smallest=1.0)[0]) if need > room else 1
        return [(float(every), self._places[inside[inside % every == 0]])]

    def tickStrings(self, values: np.ndarray, scale: float, spacing: float) -> list[str]:
        return [self.texts[int(place)] for place in np.searchsorted(self._places, np.asarray(values))]

    def drawPicture(self, p: QPainter, axisSpec, tickSpecs, textSpecs) -> None:
        if not self._slanted:
            super().drawPicture(p, axisSpec, tickSpecs, textSpecs)
            return
        super().drawPicture(p, axisSpec, tickSpecs, [])
        p.setFont(font_px(TICK_PX))
        p.setPen(self.textPen())
        metrics = QFontMetricsF(p.font())
        area, (low, high) = self.mapRectFromParent(self.geometry()), sorted(self.range)
        _, places = self.tickValues(low, high, area.width())[0]
        for place, text in zip(places, self.tickStrings(places, 1.0, 1.0), strict=True):
            p.save()
            p.translate(area.left() + (place - low) / (high - low) * area.width() + 3, area.top() + 5)
            p.rotate(-SLANT)
            shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, LONGEST_PX)
            p.drawText(QRectF(-LONGEST_PX - 4, -2, LONGEST_PX + 4, 16), Qt.AlignmentFlag.AlignRight, shown)
            p.restore()

    def boundingRect(self) -> QRectF:
        # slanted names reach to the left of the axis
        return super().boundingRect().adjusted(-LONGEST_PX * self._slanted, 0, 0, 0)
