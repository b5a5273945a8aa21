"""A message that passes by at the lower edge of the window, over what is there: nothing moves away for it."""

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QLabel, QWidget

SECONDS = 8
EDGE, ABOVE = 12, 52  # points to the window's left edge, and over its lower one: the transport stays free


class Passing(QLabel):
    """Shows a line for some seconds. A click takes it away."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self.setObjectName("passing")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self._timer = QTimer(self, interval=SECONDS * 1000, singleShot=True)
        self._timer.timeout.connect(self.hide)
        window.installEventFilter(self)
        self.hide()

    def say(self, text: str) -> None:
        self.setText(text)
        self._place()
        self.setVisible(bool(text))
        self.raise_()
        self._timer.start()

    def _place(self) -> None:
        window = self._window
        line = self.fontMetrics().horizontalAdvance(self.text())
        self.setFixedWidth(min(line + 2 * EDGE + 8, max(window.width() - 2 * EDGE, 1)))
        self.setFixedHeight(self.heightForWidth(self.width()))
        self.move(EDGE, window.height() - ABOVE - self.height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        return super().eventFilter(watched, event)

    def mousePressEvent(self, ev: QMouseEvent) -> None:
        self.hide()
