"""The live overview of a study: a tile for each run, coloured by its verdict or a number, with its curve in small."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QToolTip, QWidget

from gui.sparkline import polygon
from gui.style import font
from gui.theme import Theme
from gui.views.scale import Scale, palette
from gui.views.text import short

GAP, MOST_PX, SPARK_PX = 4, 176, 44  # between tiles; a tile at most; from here on a tile shows a curve


@dataclass(frozen=True)
class Tile:
    """What the grid shows of one run.

    Attributes:
        key: Which point of the study it is.
        label: All that tells its settings.
        name: What tells it from the other tiles, in few letters.
        turn: How many waiting ones start before it.
        value: The chosen number; NaN while there is none.
        outcome: Its verdict, which colours the tile where no number is chosen.
        done: Share of its steps taken.
        curve: Minima and maxima, (2, K), of stretches of its first series.
    """

    key: str
    label: str
    name: str
    state: str
    path: str
    turn: int = 0
    value: float = math.nan
    outcome: str = ""
    problem: str = ""
    done: float = 0.0
    curve: np.ndarray = field(default_factory=lambda: np.empty((2, 0)))


class StudyGrid(QWidget):
    """Tiles in rows; the pointer reads one, a click or Enter opens its run.

    Ctrl or Shift with a click, or Space, choose several; the context menu is asked for all that are chosen.
    """

    opened = Signal(str)
    menu_asked = Signal(list, QPoint)  # keys; where on the screen
    removal_asked = Signal(list)  # keys

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._tiles: Sequence[Tile | None] = ()
        self._columns = 0
        self._scale: Scale | None = None
        self._current = -1
        self._chosen: set[str] = set()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(160, 120)
        self.setAccessibleName("Runs of the study")

    def show_tiles(self, tiles: Sequence[Tile | None], columns: int, scale: Scale | None) -> None:
        """Show runs in their order, ``columns`` a row (0: as it fits); None: a gap.

        Args:
            scale: Colours their numbers; None: they are coloured by outcome.
        """
        self._tiles, self._columns, self._scale = tiles, columns, scale
        self._chosen &= {tile.key for tile in tiles if tile is not None}
        self.update()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.update()

    def _layout(self) -> tuple[int, float, float]:
        """Columns, width and height of a tile with its gap."""
        count = max(1, len(self._tiles))
        columns = self._columns or max(1, math.ceil(math.sqrt(count * self.width() / max(self.height(), 1))))
        rows = math.ceil(count / columns)
        width = min(MOST_PX, (self.width() - GAP) / columns)
        return columns, width, min(MOST_PX * 0.75, (self.height() - GAP) / rows)

    def tile_rect(self, index: int) -> QRectF:
        columns, width, height = self._layout()
        gap = GAP if min(width, height) > 16 else 1
        row, column = divmod(index, columns)
        return QRectF(GAP + column * width, GAP + row * height, width - gap, height - gap)

    def index_at(self, point: QPointF) -> int:
        """The tile under a point; -1 for none."""
        columns, width, height = self._layout()
        column, row = int((point.x() - GAP) // width), int((point.y() - GAP) // height)
        index = row * columns + column
        inside = 0 <= column < columns and 0 <= index < len(self._tiles)
        return index if inside and self._tiles[index] is not None else -1

    # drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(font(11))
        colours = palette(self._theme, self._scale is not None and self._scale.diverging)
        for index, tile in enumerate(self._tiles):
            if tile is None:
                continue
            fill = QColor(self._theme.sunken)
            if self._scale is not None and math.isfinite(tile.value):
                fill = QColor(*(int(part) for part in colours[int(self._scale.shades(np.array(tile.value)))]))
            self._paint_tile(painter, self.tile_rect(index), tile, fill)
            if tile.key in self._chosen or (index == self._current and self.hasFocus()):
                painter.setPen(QPen(QColor(self._theme.accent), 2))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRoundedRect(self.tile_rect(index).adjusted(-1, -1, 1, 1), 4, 4)

    def _paint_tile(self, painter: QPainter, box: QRectF, tile: Tile, fill: QColor) -> None:
        theme = self._theme
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(fill)
        painter.drawRoundedRect(box, 3, 3)
        light = 0.299 * fill.red() + 0.587 * fill.green() + 0.114 * fill.blue() > 140
        ink = QColor("#14171C" if light else "#FFFFFF")
        if tile.state == "running":
            painter.setBrush(QColor(theme.accent))
            painter.drawRect(QRectF(box.left(), box.bottom() - 4, box.width() * tile.done, 4))
        small = box.height() < SPARK_PX
        if tile.curve.shape[1] > 1 and not small:
            self._paint_curve(painter, box.adjusted(6, 20, -6, -18), tile.curve, ink)
        mark = {"failed": theme.bad, "reproduced": theme.good, "not reproduced": theme.warn}.get(
            "failed" if tile.state == "failed" else tile.outcome
        )
        if mark and (tile.state == "failed" or self._scale is None):
            self._paint_mark(painter, box, QColor(mark), tile, whole=small)
        if box.width() >= 64 and not small:
            painter.setPen(ink)
            text = painter.fontMetrics().elidedText(tile.name, Qt.TextElideMode.ElideRight, int(box.width()) - 12)
            painter.drawText(box.adjusted(6, 3, -6, 0), Qt.AlignmentFlag.AlignTop, text)
            counts = self._scale is not None and math.isfinite(tile.value)
            said = short(tile.value) if counts else tile.outcome or tile.state
            said = painter.fontMetrics().elidedText(said, Qt.TextElideMode.ElideRight, int(box.width()) - 24)
            painter.drawText(box.adjusted(6, 0, -6, -4), Qt.AlignmentFlag.AlignBottom, said)

    def _paint_mark(self, painter: QPainter, box: QRectF, colour: QColor, tile: Tile, *, whole: bool) -> None:
        """A dot for a verdict, a cross for a failure: told apart without colour too."""
        side = min(10.0, box.width() / 2, box.height() / 2)
        place = QRectF(box.right() - side - 4, box.bottom() - side - 5, side, side)
        if whole:
            place.moveCenter(box.center())
        painter.setPen(QPen(colour, 2))
        if tile.state == "failed":
            painter.drawLine(place.topLeft(), place.bottomRight())
            painter.drawLine(place.topRight(), place.bottomLeft())
        else:
            painter.setBrush(colour if tile.outcome == "reproduced" else Qt.BrushStyle.NoBrush)
            painter.drawEllipse(place)

    def _paint_curve(self, painter: QPainter, box: QRectF, curve: np.ndarray, ink: QColor) -> None:
        painter.setBrush(ink)
        painter.setPen(QPen(ink, 1))
        painter.drawPolygon(polygon(curve, box))

    # reading and opening

    def said(self, index: int) -> str:
        """All that is known of a run, in lines."""
        tile = self._tiles[index]
        if tile is None:
            return ""
        words: Mapping[str, str] = {
            "elsewhere": "run by another process",
            "waiting": f"waiting, {tile.turn} before it" if tile.turn else "next to start",
        }
        lines = [tile.label, tile.outcome or words.get(tile.state, tile.state)]
        if math.isfinite(tile.value):
            lines.append(short(tile.value))
        if tile.state == "running":
            lines.append(f"{tile.done:.0%} of its steps")
        return "\n".join([*lines, *([tile.problem] if tile.problem else [])])

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            index = self.index_at(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), self.said(index) if index >= 0 else "", self)
            return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            before, self._current = self._current, self.index_at(event.position())
            if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
                self._chosen ^= set(self._keys(self._current, self._current))
            elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self._chosen |= set(self._keys(*sorted((max(before, 0), self._current))))
            else:
                self._chosen.clear()
                self._open()
            self.update()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        index, at = self.index_at(QPointF(event.pos())), event.globalPos()
        if event.reason() is QContextMenuEvent.Reason.Keyboard:
            index, at = self._current, self.mapToGlobal(self.tile_rect(max(self._current, 0)).center().toPoint())
        here = self._keys(index, index)
        if here and not self._chosen & set(here):
            self._chosen = set(here)
            self._current = index
            self.update()
        if self._chosen:
            self.menu_asked.emit(self.chosen(), at)

    def chosen(self) -> list[str]:
        """Keys of the chosen tiles, in their order."""
        return [tile.key for tile in self._tiles if tile is not None and tile.key in self._chosen]

    def _keys(self, first: int, last: int) -> list[str]:
        tiles = self._tiles[first : last + 1] if first >= 0 else ()
        return [tile.key for tile in tiles if tile is not None]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        columns = self._layout()[0]
        moves = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: -columns, Qt.Key.Key_Down: columns}
        if event.key() in moves:
            self._current = min(max(self._current + moves[Qt.Key(event.key())], 0), len(self._tiles) - 1)
            self.setAccessibleDescription(self.said(self._current) if self._tiles else "")
        elif event.key() == Qt.Key.Key_Space:
            self._chosen ^= set(self._keys(self._current, self._current))
        elif event.key() == Qt.Key.Key_Delete and (self._chosen or self._current >= 0):
            self.removal_asked.emit(self.chosen() or self._keys(self._current, self._current))
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open()
        else:
            super().keyPressEvent(event)
        self.update()

    def _open(self) -> None:
        tile = self._tiles[self._current] if 0 <= self._current < len(self._tiles) else None
        if tile is not None and tile.path:
            self.opened.emit(tile.path)
