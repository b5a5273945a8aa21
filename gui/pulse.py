"""A dot that breathes while something computes."""

import math
import time

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

PERIOD = 1.6  # seconds of a breath


class Pulse(QWidget):
    """Takes no click from what is under it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._colour = QColor()
        self._timer = QTimer(self, interval=100)
        self._timer.timeout.connect(self.update)

    def beat(self, colour: str, *, on: bool) -> None:
        """Show the dot in a colour, breathing or still."""
        self._colour = QColor(colour)
        self._timer.start() if on else self._timer.stop()
        self.update()

    @property
    def beating(self) -> bool:
        return self._timer.isActive()

    def sizeHint(self) -> QSize:
        return QSize(12, 12)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = QColor(self._colour)
        if self.beating:
            colour.setAlphaF(0.65 + 0.35 * math.sin(2 * math.pi * time.monotonic() / PERIOD))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawEllipse(self.rect().center(), 4, 4)
        painter.end()
