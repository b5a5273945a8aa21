"""Draws the first view's line of a run into a table cell, extremes kept."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from gui.library.tree import RUN_ROLE
from gui.sparkline import polygon
from gui.theme import Theme


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
        outline = polygon(run.sparkline, QRectF(option.rect.adjusted(6, 5, -6, -5)))
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QColor(self.theme.lines[0]))
        painter.setBrush(QColor(self.theme.lines[0]))
        painter.drawPolygon(outline)
        painter.restore()
