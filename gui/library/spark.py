"""Draws the first view's line of a run into a table cell, extremes kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect
from PySide6.QtGui import QColor, QPainter, QPolygonF
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from gui.library.tree import RUN_ROLE
from gui.theme import Theme

if TYPE_CHECKING:
    import numpy as np

LOG_FROM = 100.0  # a line over more than two decades is drawn on a logarithmic axis


class SparkDelegate(QStyledItemDelegate):
    """A line without axes."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        QApplication.style().drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, option.widget)
        run = index.data(RUN_ROLE)
        if run is None or not run.spark:
            return
        outline = polygon(run.sparkline, option.rect.adjusted(6, 5, -6, -5))
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QColor(self.theme.lines[0]))
        painter.setBrush(QColor(self.theme.lines[0]))
        painter.drawPolygon(outline)
        painter.restore()


def polygon(extremes: np.ndarray, rect: QRect) -> QPolygonF:
    """The area between minima and maxima (2, K), as high as ``rect``; NaN and infinite values are left out."""
    import numpy as np  # the window is painted before its first line

    kept = np.isfinite(extremes).all(axis=0)
    low, high = extremes[:, kept].astype(float)
    if not len(low):
        return QPolygonF()
    if low.min() > 0 and high.max() > LOG_FROM * low.min():
        low, high = np.log(low), np.log(high)
    x = rect.left() + np.flatnonzero(kept) / max(extremes.shape[1] - 1, 1) * rect.width()
    bottom, span = low.min(), (high.max() - low.min()) or 1.0
    tops, lows = (rect.bottom() - (part - bottom) / span * rect.height() for part in (high, low))
    there = [QPointF(*point) for point in zip(x.tolist(), tops.tolist(), strict=True)]
    back = [QPointF(*point) for point in zip(x.tolist(), lows.tolist(), strict=True)]
    return QPolygonF([*there, *reversed(back)])
