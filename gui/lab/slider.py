"""The one step slider: how far the run is, where something happened, and the step that every view shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from gui.theme import Theme
from gui.views.marks import event_colour, event_text
from gui.views.text import whole

if TYPE_CHECKING:
    from lab.stream import Event

MARGIN = 9


class StepSlider(QWidget):
    """A track of the whole run's length, filled as far as the run is.

    Attributes:
        steps: Length of the run.
        reached: The newest step.
        step: The step shown; None follows the newest.
    """

    moved = Signal(object)  # int, or None to follow

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self.steps, self.reached = 1, 0
        self.step: int | None = None
        self._events: list[Event] = []
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Step")
        self.setAccessibleDescription("Left and right move by a step, with Shift by a hundredth; End follows the run.")

    def sizeHint(self) -> QSize:
        return QSize(320, 34)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, 34)

    def show_run(self, steps: int, reached: int, events: list[Event]) -> None:
        """Take the length of the run, how far it is, and its marked events."""
        if (steps, reached, len(events)) != (self.steps, self.reached, len(self._events)):
            self.steps, self.reached, self._events = max(steps, 1), reached, events
            self.update()

    def show_step(self, step: int | None) -> None:
        """Move the handle without telling anybody."""
        if step != self.step:
            self.step = step
            self.update()

    def select(self, step: int | None) -> None:
        """Move the handle, as the user does; None follows the newest step."""
        step = None if step is None else max(0, min(int(step), self.reached))
        if step != self.step:
            self.show_step(step)
            self.moved.emit(step)

    @property
    def shown(self) -> int:
        """The step that the handle stands on."""
        return self.reached if self.step is None else self.step

    def previous_event(self) -> None:
        """Go to the event before the step shown."""
        earlier = [event["step"] for event in self._events if event["step"] < self.shown]
        if earlier:
            self.select(max(earlier))

    def next_event(self) -> None:
        """Go to the event after the step shown."""
        later = [event["step"] for event in self._events if event["step"] > self.shown]
        if later:
            self.select(min(later))

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.update()

    def _x(self, step: float) -> float:
        return MARGIN + min(step / self.steps, 1.0) * (self.width() - 2 * MARGIN)

    def _step(self, x: float) -> int:
        return round((x - MARGIN) / max(self.width() - 2 * MARGIN, 1) * self.steps)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        middle = self.height() / 2 + 4
        whole_track = QRectF(MARGIN, middle - 2, self.width() - 2 * MARGIN, 4)
        painter.setBrush(QColor(self.theme.field_edge))
        painter.drawRoundedRect(whole_track, 2, 2)
        painter.setBrush(QColor(self.theme.accent if self.isEnabled() else self.theme.muted))
        painter.drawRoundedRect(QRectF(MARGIN, middle - 2, self._x(self.reached) - MARGIN, 4), 2, 2)
        for place, kind in dict.fromkeys((round(self._x(e["step"])), e["kind"]) for e in self._events):
            painter.setBrush(QColor(event_colour(kind, self.theme)))
            top = middle - 14
            painter.drawPolygon(QPolygonF([QPointF(place - 4, top), QPointF(place + 4, top), QPointF(place, top + 7)]))
        if self.isEnabled():
            self._paint_handle(painter, QPointF(self._x(self.shown), middle))
        painter.end()

    def _paint_handle(self, painter: QPainter, centre: QPointF) -> None:
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(self.theme.accent), 2))
            painter.drawEllipse(centre, 8, 8)
        hollow = self.step is None  # a filled handle stands still, a hollow one follows
        painter.setPen(QPen(QColor(self.theme.accent), 2))
        painter.setBrush(QColor(self.theme.ground if hollow else self.theme.accent))
        painter.drawEllipse(centre, 5.5, 5.5)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            near = [e["step"] for e in self._events if abs(self._x(e["step"]) - event.position().x()) <= 4]
            above = event.position().y() < self.height() / 2
            self.select(near[0] if near and above else self._step(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.select(self._step(event.position().x()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self.take(event):
            super().keyPressEvent(event)

    def take(self, event: QKeyEvent) -> bool:
        """Move as a key says; whether it says anything here."""
        key, far = event.key(), bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        stride = max(1, self.steps // 100) if far else 1
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Down):
            self.select(self.shown - stride)
        elif key in (Qt.Key.Key_Right, Qt.Key.Key_Up):
            self.select(self.shown + stride)
        elif key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
            sign = 1 if key == Qt.Key.Key_PageUp else -1
            self.select(self.shown + sign * max(1, self.steps // 10))
        elif key == Qt.Key.Key_Home:
            self.select(0)
        elif key == Qt.Key.Key_End:
            self.select(None)
        else:
            return False
        return True

    def event(self, event) -> bool:
        if isinstance(event, QHelpEvent):
            near = [e for e in self._events if abs(self._x(e["step"]) - event.pos().x()) <= 5][:8]
            text = "\n".join(map(event_text, near)) or f"step {whole(max(0, self._step(event.pos().x())))}"
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().event(event)
