"""The colour bar beside a plot: what the colours mean, with limits that can be dragged, typed or left to the data."""

import math
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt, Signal, Slot
from PySide6.QtGui import QAction, QActionGroup, QColor, QFontMetricsF, QImage, QPainter, QPen
from PySide6.QtWidgets import (
    QGraphicsObject,
    QGraphicsSceneMouseEvent,
    QGraphicsTextItem,
    QMenu,
    QStyleOptionGraphicsItem,
    QWidget,
)

from gui.theme import LIGHT, Theme
from gui.views.axes import TICK_PX, font_px, log_ticks, round_ticks
from gui.views.base import stage_colour
from gui.views.limits import LimitsDialog
from gui.views.scale import COUNT, MAPS, Scale, palette
from gui.views.text import decade, rich, short, tip

BAR_PX = 84
LEFT, WIDE, GAP = 12, 10, 7


class ColourBar(QGraphicsObject):
    """Scale and colours of a view, drawn as a bar.

    Limits follow the data until the user drags the upper or the lower half of the bar, or types them.

    Args:
        label: Symbol and unit of what the colours show.
        log: Logarithmic colours.
        centre: Middle of diverging colours; None for sequential ones.
        fixed: Limits that the view declares.
        dots: The colours are for dots, not for areas.
        stages: Names of the values 1, 2, ..., each with a colour of its own; none where values are quantities.

    Attributes:
        room: Width in pixels.
    """

    changed = Signal()

    def __init__(
        self,
        label: str,
        *,
        log: bool = False,
        centre: float | None = None,
        fixed: tuple[float, float] | None = None,
        dots: bool = False,
        stages: Sequence[str] = (),
    ) -> None:
        super().__init__()
        fixed = (0.5, len(stages) + 0.5) if stages else fixed
        self.stages = tuple(stages)
        named = max((QFontMetricsF(font_px(TICK_PX)).horizontalAdvance(name) for name in stages), default=0.0)
        self.room = max(BAR_PX, math.ceil(LEFT + WIDE + GAP + named) + 4)
        self.label, self.log, self.centre = label, log, centre
        self.held = fixed
        self.map = MAPS[0]
        self._fixed, self._dots = fixed, dots
        self._data = (math.nan, math.nan)
        self.colour_scale = Scale.over(math.nan, math.nan)
        self.colours = palette(LIGHT, diverging=False)
        self.marks: tuple[float, ...] = ()
        self._height = 0.0
        self._theme = LIGHT
        self._drag: float | None = None
        self._name = QGraphicsTextItem(self)
        self._name.setFont(font_px(TICK_PX))
        self._name.setPos(4, -5)
        told = [f"{number} {name}" for number, name in enumerate(stages, 1)]
        hint = "\n".join(told) or "Drag the upper or lower half to move that limit."
        self.setToolTip(tip(f"{label}\n{hint}".strip()))
        self._rescale()

    # Limits.

    def fit(self, low: float, high: float) -> None:
        """Let the colours cover these values of the data, unless the user or the view holds other limits."""
        if (low, high) != self._data:
            self._data = (low, high)
            self._rescale()

    def hold(self, limits: tuple[float, float] | None) -> None:
        """Hold these limits; None returns to those that the view declares, or to the data's."""
        if limits is not None and not (math.isfinite(limits[0]) and limits[0] < limits[1] < math.inf):
            return
        self.held = limits or self._fixed
        self._rescale()
        self.changed.emit()

    def set_log(self, log: bool) -> None:
        self.log = log
        self._rescale()
        self.changed.emit()

    def set_map(self, name: str) -> None:
        """Take another sequential colour map; diverging colours keep theirs, whose middle is the ground."""
        self.map = name
        self._rescale()
        self.changed.emit()

    def _rescale(self) -> None:
        centre = self.centre
        if self.held is None:
            self.colour_scale = Scale.over(*self._data, log=self.log, centre=centre)
        else:
            # limits that somebody chose hold as they are; declared ones are made even about the middle
            middle = centre if self.held == self._fixed else None
            scale = Scale.over(*self.held, log=self.log, centre=middle)
            self.colour_scale = Scale(scale.low, scale.high, self.log, centre is not None)
        self.colours = palette(self._theme, self.colour_scale.diverging, dots=self._dots, name=self.map)
        if self.stages:
            every = [stage_colour(self._theme, number).getRgb() for number in range(1, len(self.stages) + 1)]
            self.colours[:COUNT] = np.array(every, np.uint8)[np.arange(COUNT) * len(every) // COUNT]
        self.update()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._name.setHtml(f'<span style="color:{theme.muted}">{rich(self.label)}</span>')
        if self._name.boundingRect().width() > BAR_PX - 4:  # the whole of it is in the tooltip and the read-out
            shown = QFontMetricsF(self._name.font()).elidedText(self.label, Qt.TextElideMode.ElideRight, BAR_PX - 16)
            self._name.setHtml(f'<span style="color:{theme.muted}">{rich(shown)}</span>')
        self._rescale()

    # Drawing.

    def place(self, area: QRectF) -> None:
        """Stand at the right edge of the plot's area."""
        self.prepareGeometryChange()
        self._height = area.height()
        self.setPos(area.topRight())

    @property
    def _bar(self) -> QRectF:
        top = 18.0 if self.label else 4.0
        return QRectF(LEFT, top, WIDE, max(self._height - top - 2, 1.0))

    def boundingRect(self) -> QRectF:
        return QRectF(0, -6, self.room, self._height + 14)

    def ticks(self) -> list[tuple[float, str]]:
        """Place, 0 to 1, and text of each tick."""
        count = self._bar.height() / 34
        scale = self.colour_scale
        if self.stages:
            return [((number + 0.5) / len(self.stages), name) for number, name in enumerate(self.stages)]
        if scale.log:
            named, _ = log_ticks(math.log10(scale.low), math.log10(scale.high), count)
            values = [10.0**exponent for exponent in named]
            texts = [
                decade(round(e)) if abs(e - round(e)) < 1e-9 else short(v, 2)
                for e, v in zip(named, values, strict=True)
            ]
        else:
            spacing, values = round_ticks(scale.low, scale.high, count)
            if len(values) < 2:  # one number tells no scale
                spacing, values = round_ticks(scale.low, scale.high, 2 * count)
            largest = max((abs(v) for v in values), default=0.0)
            digits = max(3, math.ceil(math.log10(largest / spacing)) + 1) if largest > 0 else 3
            texts = [short(float(v), min(digits, 8)) if abs(v) > spacing * 1e-6 else "0" for v in values]
        places = scale.place(np.array(values, float))
        return [(float(place), text) for place, text in zip(places, texts, strict=True)]

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        bar = self._bar
        strip = np.ascontiguousarray(self.colours[:COUNT][::-1])
        image = QImage(strip.data, 1, COUNT, 4, QImage.Format.Format_RGBA8888)
        painter.drawImage(bar, image)
        painter.setFont(font_px(TICK_PX))
        muted, left = QColor(self._theme.muted), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        for place, text in self.ticks():
            y = bar.bottom() - place * bar.height()
            painter.setPen(QColor(self._theme.edge if self._theme.dark else self._theme.field_edge))
            painter.drawLine(QPointF(bar.right() + 1, y), QPointF(bar.right() + 4, y))
            painter.setPen(muted)
            painter.drawText(QRectF(bar.right() + GAP, y - 8, self.room - bar.right() - GAP, 16), left, text)
        painter.setPen(QPen(QColor(self._theme.text), 1))
        for value in self.marks:
            if self.colour_scale.low <= value <= self.colour_scale.high:
                y = bar.bottom() - float(self.colour_scale.place(np.array(value))) * bar.height()
                painter.drawLine(QPointF(bar.left() - 3, y), QPointF(bar.right() + 3, y))

    # Mouse and menu.

    def mousePressEvent(self, event: QGraphicsSceneMouseEvent) -> None:
        self._drag = None if self.stages else event.pos().y()
        event.accept()

    def mouseMoveEvent(self, event: QGraphicsSceneMouseEvent) -> None:
        if self._drag is None:
            return
        bar, scale = self._bar, self.colour_scale
        moved = (event.pos().y() - self._drag) / bar.height()
        upper = self._drag < bar.center().y()
        self._drag = event.pos().y()
        # the colour under the pointer goes along with it
        limits = (scale.low, scale.value(1 + moved)) if upper else (scale.value(moved), scale.high)
        self.hold(limits)

    def mouseReleaseEvent(self, event: QGraphicsSceneMouseEvent) -> None:
        self._drag = None

    def add_actions(self, menu: QMenu) -> None:
        """Put what can be set about the colours into a view's menu; nothing can about those of stages."""
        if self.stages:
            return
        limits = QAction("Colour limits…", menu)
        limits.triggered.connect(self.ask)
        menu.addAction(limits)
        follow = QAction("Colours as declared" if self._fixed else "Colours follow the data", menu)
        follow.setEnabled(self.held != self._fixed)
        follow.triggered.connect(self.release)
        menu.addAction(follow)
        if self.centre is None or self.centre > 0:
            log = QAction("Logarithmic colours", menu, checkable=True, checked=self.log)
            log.toggled.connect(self.set_log)
            menu.addAction(log)
        if not self.colour_scale.diverging:
            maps = menu.addMenu("Colour map")
            group = QActionGroup(maps)
            for name in MAPS:
                action = group.addAction(QAction(name, maps, checkable=True, checked=name == self.map))
                maps.addAction(action)
            group.triggered.connect(self._map_chosen)

    @Slot()
    def release(self) -> None:
        """Let the limits follow again what the view declares, or the data."""
        self.hold(None)

    @Slot()
    def ask(self) -> None:
        """Open a small window in which both limits can be typed."""
        views = self.scene().views() if self.scene() else []
        dialog = LimitsDialog(
            "colours", self.colour_scale.low, self.colour_scale.high, views[0] if views else None, positive=self.log
        )
        dialog.chosen.connect(self._chosen)
        dialog.open()

    @Slot(QAction)
    def _map_chosen(self, action: QAction) -> None:
        self.set_map(action.text())

    @Slot(float, float)
    def _chosen(self, low: float, high: float) -> None:
        self.hold((low, high))

    def settings(self) -> dict[str, object]:
        limits = None if self.held is None else list(self.held)
        return {"limits": limits, "log_colour": self.log, "colour_map": self.map}

    def restore(self, settings: dict[str, object]) -> None:
        if self.stages:
            return
        limits = settings.get("limits")
        if isinstance(limits, list) and len(limits) == 2 and all(isinstance(v, int | float) for v in limits):
            self.hold((float(limits[0]), float(limits[1])))
        if isinstance(log := settings.get("log_colour"), bool):
            self.set_log(log)
        if (name := settings.get("colour_map")) in MAPS:
            self.set_map(str(name))
