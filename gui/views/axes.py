"""Axes of plots: ticks at round numbers, true logarithmic decades, and the step axis that the views of a run share."""

import math
from typing import Any, Literal

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QFont, QPainter, QPicture

from gui.theme import Theme
from gui.views.text import decade, short, whole

TICK_PX = 11
WHOLE_TEXT = 6  # letters of a tick on the left that leave the axis's name its room
AT_END = 0.08  # of an axis along the bottom: a number there would be written beyond it
SMALLEST = 0.85  # of its size: a name that is set smaller than that cannot be read
_UP_TO_DATE = QPicture()  # the base class takes a picture as a sign that nothing changed


class StepAxis(QObject):
    """The stretch of steps that the views of a run show, and the step that their crosshairs stand on.

    Attributes:
        mode: "all" shows the whole run as it grows, "follow" moves along with the newest step, "held" stays where the
            user put it.
        low, high: The stretch shown.
        end: The newest step that any view has met.
        gutter: Points right of the data for the names of lines: the same on all views, so that steps stand in line.
    """

    range_changed = Signal()
    cursor_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.mode: Literal["all", "follow", "held"] = "all"
        self.low, self.high, self.end = 0.0, 1.0, 0
        self.gutter = 44  # the word under the end of the axis fits, before there are names
        self._hovered: int | None = None
        self._pinned: int | None = None

    @property
    def cursor(self) -> int | None:
        """The step under the pointer, else the slider's; None while the newest step is shown."""
        return self._pinned if self._hovered is None else self._hovered

    @property
    def pinned(self) -> int | None:
        """The slider's step; None while it follows."""
        return self._pinned

    def pin(self, step: int | None) -> None:
        """Put the crosshair of every view on ``step``, as the slider does."""
        if step != self._pinned:
            self._pinned = step
            self.cursor_changed.emit()

    def hover(self, step: int | None) -> None:
        """Put the crosshair of every view on the step under the pointer; None when the pointer leaves."""
        if step != self._hovered:
            self._hovered = step
            self.cursor_changed.emit()

    def need(self, gutter: int) -> None:
        """Ask for room for names."""
        if gutter > self.gutter:
            self.gutter = gutter
            self.range_changed.emit()

    def grow(self, step: int) -> None:
        """Take note of the newest step of a view."""
        if step > self.end:
            moved, self.end = step - self.end, step
            if self.mode == "all":
                self._show(0.0, float(step))
            elif self.mode == "follow":
                self._show(self.low + moved, self.high + moved)

    def hold(self, low: float, high: float) -> None:
        """Show this stretch and stay there."""
        self.mode = "held"
        self._show(low, high)

    def show_all(self) -> None:
        """Show the whole run, also as it grows."""
        self.mode = "all"
        self._show(0.0, float(max(self.end, 1)))

    def follow(self) -> None:
        """Keep the width and move along with the newest step."""
        self.mode = "follow"
        self._show(self.end - (self.high - self.low), float(self.end))

    def _show(self, low: float, high: float) -> None:
        if (low, high) != (self.low, self.high) and math.isfinite(low) and low < high < math.inf:
            self.low, self.high = low, high
            self.range_changed.emit()


def round_ticks(low: float, high: float, count: float, smallest: float = 0.0) -> tuple[float, np.ndarray]:
    """About ``count`` multiples of 1, 2 or 5 times a power of ten between ``low`` and ``high``; spacing and places."""
    span = high - low
    if not (math.isfinite(span) and span > 0):
        return 1.0, np.empty(0)
    rough = span / max(count, 1.0)
    power = 10.0 ** math.floor(math.log10(rough))
    spacing = max(next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999), smallest)
    return spacing, np.arange(math.ceil(low / spacing), math.floor(high / spacing) + 1) * spacing


def two_ticks(low: float, high: float, smallest: float = 0.0) -> np.ndarray:
    """Two or three round places on an axis that is too short for more; fewer where there are no two."""
    for count in (2, 4, 8):
        _, places = round_ticks(low, high, count, smallest)
        if len(places) > 1:
            return places[:: len(places) // 2]
    return round_ticks(low, high, 8, smallest)[1]


def log_ticks(low: float, high: float, count: float) -> tuple[np.ndarray, np.ndarray]:
    """Ticks of a logarithmic axis from 10**low to 10**high: exponents that get a label, and those that do not."""
    span = high - low
    if span < 0.75:
        _, places = round_ticks(10.0**low, 10.0**high, count)
        if len(places) < 2:  # one number tells no scale
            _, places = round_ticks(10.0**low, 10.0**high, 2 * count)
        return np.log10(places[places > 0]), np.empty(0)
    decades = np.arange(math.ceil(low), math.floor(high) + 1)
    within = np.log10(np.arange(2, 10)) + np.arange(math.floor(low), math.floor(high) + 1)[:, None]
    within = within[(within >= low) & (within <= high)]
    if span < 1.5:
        digits = np.round(10.0 ** (within - np.floor(within + 1e-9)))
        named = np.isin(digits, (2, 5))
        return np.sort(np.concatenate([decades, within[named]])), within[~named]
    every = math.ceil(span / max(count, 1.0))
    if every == 1:
        return decades.astype(float), within if span <= 7 else np.empty(0)
    return decades[decades % every == 0].astype(float), decades[decades % every != 0].astype(float)


def font_px(size: int) -> QFont:
    """The application's font at a size in pixels."""
    font = QFont()
    font.setPixelSize(size)
    return font


class Axis(pg.AxisItem):
    """An axis whose ticks read well: linear, logarithmic (coordinates are then exponents of ten), or in whole steps."""

    _reach: float | None = None  # the base class asks for it while it is made

    def __init__(self, orientation: str, *, steps: bool = False) -> None:
        super().__init__(orientation, maxTickLength=-4)
        self.log = False
        self._steps = steps
        self._drawing: Any = None
        self.enableAutoSIPrefix(False)
        self.setStyle(tickFont=font_px(TICK_PX), maxTextLevel=0, tickTextOffset=4, hideOverlappingLabels=False)

    def name_within(self, reach: float) -> None:
        """Let the name stand below the first ``reach`` pixels of the axis, where what it names ends there."""
        if reach != self._reach:
            self._reach = reach
            self.resizeEvent()

    def set_log(self, log: bool) -> None:
        if log != self.log:
            self.log = log
            self.picture = None
            self.update()

    def set_theme(self, theme: Theme) -> None:
        self.setPen(pg.mkPen(theme.field_edge))
        self.setTickPen(pg.mkPen(theme.edge))
        self.setTextPen(pg.mkPen(theme.muted))

    def resizeEvent(self, ev: object = None) -> None:
        super().resizeEvent(ev)
        if self.label is None:  # once the axis is closed
            return
        long = self.label.boundingRect().width()
        if self.orientation == "bottom":
            reach = self.size().width() if self._reach is None else self._reach
            frame = self.parentWidget()
            end = frame.size().width() - self.x() if frame is not None else self.size().width()
            scale = min(1.0, max((end + self.x()) / max(long, 1.0), SMALLEST))
            self.label.setScale(scale)
            place = min(max(reach - scale * long, 0.0) / 2, end - scale * long)  # rather beneath the axis on the left
            self.label.setX(round(max(place, -self.x())))
        if self.orientation != "left":
            return
        scale = min(1.0, max(self.size().height() / max(long, 1.0), SMALLEST))  # a long name beside a short plot
        self.label.setScale(scale)
        middle = round((self.size().height() + scale * long) / 2)
        self.label.setY(max(middle, math.ceil(scale * long - self.y())))  # rather into the corner than out at the top

    def paint(self, p: QPainter, opt: object, widget: object) -> None:
        # painted directly: playing back a recorded picture, as the base class does, makes its fonts anew every time
        if self.picture is None:
            self._drawing = self.generateDrawSpecs(p)
            self.picture = _UP_TO_DATE
        if self._drawing is not None:
            p.save()
            self.drawPicture(p, *self._drawing)
            p.restore()

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, np.ndarray]]:
        low, high = sorted((minVal, maxVal))
        count = size / (85 if self.orientation in ("bottom", "top") else 36)
        if self.log:
            named, others = log_ticks(max(low, -320.0), min(high, 308.0), count)
            return [(1.0, named), (0.1, others)]
        spacing, places = round_ticks(low, high, count, smallest=1.0 if self._steps else 0.0)
        at_the_end = self.orientation == "bottom" and len(places) == 2 and high - places[1] < AT_END * (high - low)
        if (len(places) < 2 or at_the_end) and size > 0:  # one number tells no scale, and one at the end is left out
            places = two_ticks(low, high, smallest=1.0 if self._steps else 0.0)
        if self.orientation == "left" and len(places) > 2 and self._longest(places, spacing) > WHOLE_TEXT:
            few = two_ticks(low, high)  # farther apart they need fewer digits, and leave the axis's name its room
            if len(few) > 1 and self._longest(few, few[1] - few[0]) < self._longest(places, spacing):
                spacing, places = few[1] - few[0], few
        return [(spacing, places)]

    def _longest(self, places: np.ndarray, spacing: float) -> int:
        return max(map(len, self.tickStrings(places, 1.0, spacing)), default=0)

    def tickStrings(self, values: Any, scale: float, spacing: float) -> list[str]:
        if self.log:
            near = [round(v) for v in values]
            return [decade(n) if abs(v - n) < 1e-9 else short(10.0**v) for v, n in zip(values, near, strict=True)]
        if self._steps:
            return [whole(v) for v in values]
        # digits enough to tell neighbours apart, however far from zero they lie
        largest = max((abs(v) for v in values), default=0.0)
        digits = max(3, math.ceil(math.log10(largest / spacing)) + 1) if largest > 0 else 3
        return [short(v, min(digits, 8)) if abs(v) > spacing * 1e-6 else "0" for v in values]
