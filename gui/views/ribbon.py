"""The stage ribbon: a strip whose colour says which stage the run is in, on the same steps as the plots around it."""

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFont,
    QFontMetricsF,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QWheelEvent,
)
from PySide6.QtWidgets import QToolTip

from gui.runs.open_run import OpenRun
from gui.theme import Theme
from gui.views.axes import StepAxis
from gui.views.base import ViewWidget, ink_on, stage_colour
from gui.views.marks import event_colour, event_text, marked
from gui.views.plot import LEFT_PX
from gui.views.text import tip, whole
from lab.stream import Event
from lab.views import Ribbon

KEY_PX = 22
ZOOM = 1.02 ** (1 / 8)  # per eighth of a degree, as the plots zoom


class RibbonView(ViewWidget[Ribbon]):
    """Stages as a coloured strip, with a key beneath it."""

    def __init__(self, spec: Ribbon, run: OpenRun, theme: Theme, axis: StepAxis | None = None) -> None:
        super().__init__(spec, run, theme, axis)
        self._taken = 0
        self._starts = np.empty(0, np.int64)  # first step of each stretch of one stage
        self._stages = np.empty(0, np.int64)
        self._drag: QPointF | None = None
        self.setMouseTracking(True)
        self.setMinimumHeight(28 + KEY_PX)

    def _pull(self) -> bool:
        new = self.history.pull()
        try:
            step, value = self.run.source.series(self.spec.series, self._taken)
        except KeyError:  # not recorded yet
            return new
        count = min(len(step), len(value))
        if not count:
            return new
        self._taken += count
        self._take(step[:count], np.asarray(value[:count], float).reshape(count, -1)[:, 0])
        self.axis.grow(int(step[:count].max()))
        return True

    def _take(self, step: np.ndarray, value: np.ndarray) -> None:
        known = np.isfinite(value) & (value >= 0) & (value <= len(self.spec.stages))
        stage = np.where(known, value, 0).astype(np.int64)
        following = np.append(np.minimum.accumulate(step[::-1])[::-1][1:], np.iinfo(np.int64).max)
        step, stage = step[step < following], stage[step < following]
        kept = int(np.searchsorted(self._starts, step[0]))  # a run that went back takes those steps again
        step, stage = np.append(self._starts[:kept], step), np.append(self._stages[:kept], stage)
        new = np.append(True, stage[1:] != stage[:-1])
        self._starts, self._stages = step[new], stage[new]

    def stage_at(self, step: int | None) -> int:
        """Number of the stage at ``step`` (None: the newest); 0 for none."""
        row = len(self._starts) if step is None else int(np.searchsorted(self._starts, step, side="right"))
        return int(self._stages[row - 1]) if row else 0

    def segments(self) -> list[tuple[float, float, int]]:
        """Stretches in sight: left and right edge in points, and the stage."""
        if not len(self._starts):
            return []
        ends = np.append(self._starts[1:], self.axis.end)
        left = np.clip(self._x(self._starts), LEFT_PX, LEFT_PX + self._width())
        right = np.clip(self._x(ends), LEFT_PX, LEFT_PX + self._width())
        # however short, a stage is a pixel wide
        shown = (self._stages > 0) & (ends >= self.axis.low) & (self._starts <= self.axis.high)
        right = np.maximum(right, np.minimum(left + 1, LEFT_PX + self._width()))
        pixel = np.floor(left[shown] * 2) * 1000 + self._stages[shown]
        _, first = np.unique(pixel[right[shown] - left[shown] <= 1], return_index=True)
        narrow = np.flatnonzero(right[shown] - left[shown] <= 1)[first]
        wide = np.flatnonzero(right[shown] - left[shown] > 1)
        rows = np.flatnonzero(shown)[np.sort(np.concatenate([narrow, wide]))]
        return [(float(left[i]), float(right[i]), int(self._stages[i])) for i in rows]

    def _width(self) -> float:
        return max(self.width() - LEFT_PX - self.axis.gutter, 1.0)

    def _x(self, step: np.ndarray) -> np.ndarray:
        return LEFT_PX + (np.asarray(step, float) - self.axis.low) / (self.axis.high - self.axis.low) * self._width()

    def _step(self, x: float) -> float:
        return self.axis.low + (x - LEFT_PX) / self._width() * (self.axis.high - self.axis.low)

    def colour(self, stage: int) -> QColor:
        return stage_colour(self.theme, stage)

    def _paint(self) -> None:
        self.update()

    def _draw(self) -> bool:
        self.update()
        return bool(len(self._starts))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self.theme.ground))
        if len(self._starts):
            font = QFont(self.font())
            font.setPixelSize(12)
            painter.setFont(font)
            height = self.height() - KEY_PX - 4
            segments = self.segments()
            for left, right, stage in segments:
                self._paint_segment(painter, QRectF(left, 4, right - left, height), stage)
            if not segments:
                painter.setPen(QColor(self.theme.muted))
                strip = QRectF(LEFT_PX, 4, self._width(), height)
                painter.drawText(strip, Qt.AlignmentFlag.AlignCenter, "in none of these stages")
            self._paint_marks(painter, height)
            self._paint_cursor(painter, height)
            self._paint_key(painter)
        painter.end()

    def _paint_segment(self, painter: QPainter, area: QRectF, stage: int) -> None:
        colour = self.colour(stage)
        painter.fillRect(area, colour)
        metrics = QFontMetricsF(painter.font())
        for text in (f"{stage} {self.spec.stages[stage - 1].label}", str(stage)):
            if metrics.horizontalAdvance(text) + 10 <= area.width():
                painter.setPen(QColor(ink_on(colour.name())))
                painter.drawText(area, Qt.AlignmentFlag.AlignCenter, text)
                return

    def _acts(self) -> list[Event]:
        return marked(self.history.events, ())

    def _paint_marks(self, painter: QPainter, height: float) -> None:
        """A mark for each thing that was done to the run; what detectors found would hide the stages."""
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for event in self._acts():
            if self.axis.low <= event["step"] <= self.axis.high:
                x = float(self._x(np.array(event["step"])))
                colour = QColor(event_colour(event["kind"], self.theme))
                painter.setPen(QPen(colour, 1))
                painter.drawLine(QPointF(x, 4), QPointF(x, 4 + height))
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(colour)
                painter.drawPolygon(QPolygonF([QPointF(x - 4, 0), QPointF(x + 4, 0), QPointF(x, 6)]))
        painter.restore()

    def _paint_cursor(self, painter: QPainter, height: float) -> None:
        step = self.axis.cursor
        if step is not None and self.axis.low <= step <= self.axis.high:
            x = round(float(self._x(np.array(step))))
            painter.setPen(QColor(self.theme.text))
            painter.drawLine(QPointF(x, 0), QPointF(x, height + 8))

    def key(self, metrics: QFontMetricsF) -> dict[int, str]:
        """Stages beneath the strip: all; where room is short those that there were, then with shortened names."""
        texts = {number: f"{number} {stage.label}" for number, stage in enumerate(self.spec.stages, 1)}
        for _ in range(2):
            if sum(metrics.horizontalAdvance(text) + 30 for text in texts.values()) <= self._width() + self.axis.gutter:
                return texts
            texts = {number: texts[number] for number in sorted({*self._stages.tolist()} & {*texts})}
        room = self._width() / max(len(texts), 1) - 30
        return {n: metrics.elidedText(text, Qt.TextElideMode.ElideRight, room) for n, text in texts.items()}

    def _paint_key(self, painter: QPainter) -> None:
        metrics = QFontMetricsF(painter.font())
        x, y = float(LEFT_PX), self.height() - KEY_PX
        for number, text in self.key(metrics).items():
            painter.fillRect(QRectF(x, y + 7, 10, 10), self.colour(number))
            painter.setPen(QColor(self.theme.muted))
            painter.drawText(QPointF(x + 15, y + 12 + metrics.ascent() / 2 - 1), text)
            x += metrics.horizontalAdvance(text) + 30

    def _move_cursor(self) -> None:
        stage = self.stage_at(self.axis.cursor)
        self._read_out(f"{stage} {self.spec.stages[stage - 1].label}" if stage else "")
        self.update()

    # Mouse: the same habits as the plots.

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        place = event.position()
        if self._drag is not None:
            moved = (self._drag.x() - place.x()) / self._width() * (self.axis.high - self.axis.low)
            self._drag = place
            self.axis.hold(self.axis.low + moved, self.axis.high + moved)
            return
        inside = LEFT_PX <= place.x() <= LEFT_PX + self._width()
        step = max(0, round(self._step(place.x())))
        self.axis.hover(step if inside else None)
        stage = self.stage_at(step) if inside and step <= self.axis.end else 0
        if stage:
            told = self.spec.stages[stage - 1]
            lines = [f"{stage} {told.label}", told.help, f"step {whole(step)}"]
            lines += [event_text(e) for e in self._acts() if abs(float(self._x(np.array(e["step"]))) - place.x()) <= 4]
            QToolTip.showText(event.globalPosition().toPoint(), tip("\n".join(lines), told.label, told.help), self)
        else:
            QToolTip.hideText()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._drag = event.position()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._drag = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.maximise_requested.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        factor, at = ZOOM ** -event.angleDelta().y(), self._step(event.position().x())
        self.axis.hold(at + (self.axis.low - at) * factor, at + (self.axis.high - at) * factor)
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        self.axis.hover(None)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu().popup(event.globalPos())

    def numbers(self) -> str:
        rows = zip(self._starts.tolist(), self._stages.tolist(), strict=True)
        names = ["", *(stage.label for stage in self.spec.stages)]
        return "\n".join(["first step\tstage\tname", *(f"{step}\t{stage}\t{names[stage]}" for step, stage in rows)])
