"""A label whose text changes all the time, beside a run say."""

from PySide6.QtCore import QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QWidget


class StillLabel(QWidget):
    """A label that never asks to be laid out anew: a plain one has the whole window laid out and painted at every text.

    It has no wishes of its own; whoever places it gives it room.
    """

    def __init__(self) -> None:
        super().__init__()
        self._label = QLabel(self)  # in no layout, so that its wishes end here

    def text(self) -> str:
        return self._label.text()

    def setText(self, text: str) -> None:
        if text != self._label.text():
            self._label.setText(text)

    def needed(self) -> QSize:
        """Room that the text needs."""
        return self._label.sizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._label.resize(self.size())
