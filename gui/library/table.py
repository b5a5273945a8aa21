"""The table of runs: what is chosen and folded stays so while the list changes; words of groups are not cut off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFont, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QWidget,
)

from gui.library.columns import RUN, SPARK, STAR
from gui.library.spark import SparkDelegate
from gui.library.tree import Node, RunTree
from gui.theme import Theme

if TYPE_CHECKING:
    from storage.catalogue import RunEntry  # brings HDF5, which the first paint does without

Index = QModelIndex | QPersistentModelIndex
CELL_PADDING = 5  # pixels before the text of a cell: the style sheet's padding and Qt's own


class _Cells(QStyledItemDelegate):
    """Cells of text; those of a group are left to the row, which has room beyond them."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: Index) -> None:
        super().initStyleOption(option, index)
        model = index.model()
        if isinstance(model, RunTree) and model.node(index).run is None:
            option.text = ""


class RunTable(QTreeView):
    """Runs and groups of runs in columns.

    Args:
        model: The rows.
        theme: Colours.
    """

    entered = Signal()  # Enter on what is chosen
    opened = Signal(str)  # path of a run
    starred = Signal(object)  # a run whose star was clicked

    def __init__(self, model: RunTree, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent, uniformRowHeights=True, allColumnsShowFocus=True)
        self.setObjectName("runs")
        self.setAccessibleName("Runs")
        self.tree = model
        self.setModel(model)
        self._folded: set[str] = set()
        self._spark, self._cells = SparkDelegate(theme), _Cells()
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setIconSize(QSize(16, 16))
        self.setIndentation(16)
        self.setExpandsOnDoubleClick(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.doubleClicked.connect(self._double_clicked)
        self.clicked.connect(self._clicked)
        self.collapsed.connect(lambda index: self._folded.add(model.node(index).title))
        self.expanded.connect(lambda index: self._folded.discard(model.node(index).title))
        header = self.header()
        header.setSectionsMovable(False)
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(32)
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)

    # what is shown

    def show_rows(self, root: Node, columns: Sequence[str]) -> None:
        """Show other rows; what was chosen and folded stays so."""
        chosen = {str(run.path) for run in self.chosen_runs()}
        top = self.verticalScrollBar().value()
        self.tree.show(root, columns)
        self.expandAll()
        for row in range(self.tree.rowCount()):
            index = self.tree.index(row, 0)
            node = self.tree.node(index)
            if node.title in self._folded and node.run is None:
                self.collapse(index)
        self.choose(chosen)
        self.verticalScrollBar().setValue(top)

    def lay_out(self, sort: str, descending: bool) -> None:
        """Give the columns their widths, and say by which of them the rows are in order."""
        header, keys = self.header(), [column.key for column in self.tree.columns]
        for number, column in enumerate(self.tree.columns):
            fixed = column.key == STAR
            header.setSectionResizeMode(
                number, QHeaderView.ResizeMode.Fixed if fixed else QHeaderView.ResizeMode.Interactive
            )
            self.setColumnWidth(number, column.width)
            self.setItemDelegateForColumn(number, self._spark if column.key == SPARK else self._cells)
        self.setTreePosition(keys.index(RUN))
        if sort in keys:
            order = Qt.SortOrder.DescendingOrder if descending else Qt.SortOrder.AscendingOrder
            header.setSortIndicator(keys.index(sort), order)

    def bring_into_sight(self, column: str) -> None:
        """Scroll sideways until a column is seen."""
        number = [known.key for known in self.tree.columns].index(column)
        left, bar = self.columnViewportPosition(number), self.horizontalScrollBar()
        bar.setMaximum(max(self.header().length() - self.viewport().width(), 0))  # the view itself does so only later
        beyond = left + self.columnWidth(number) - self.viewport().width()
        bar.setValue(bar.value() + (beyond if beyond > 0 else min(left, 0)))

    def set_theme(self, theme: Theme) -> None:
        self.tree.theme = self._spark.theme = theme
        self.viewport().update()

    def drawRow(self, painter: QPainter, options: QStyleOptionViewItem, index: Index) -> None:
        super().drawRow(painter, options, index)
        if self.tree.node(index).run is not None:
            return
        font = QFont(self.font())
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        for text, place, right, cell in self.group_words(index):
            painter.setPen(cell.data(Qt.ItemDataRole.ForegroundRole))
            side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
            words = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, place.width())
            painter.drawText(place, side | Qt.AlignmentFlag.AlignVCenter, words)

    def group_words(self, index: Index) -> list[tuple[str, QRect, bool, QModelIndex]]:
        """Text, place, whether it stands right, and cell of every word of a group's row.

        A word has the empty cells behind it, too.
        """
        cells = [
            self.tree.index(index.row(), number, self.tree.parent(index)) for number in range(len(self.tree.columns))
        ]
        margin = self.style().pixelMetric(QStyle.PixelMetric.PM_FocusFrameHMargin, None, self) + CELL_PADDING
        words: list[tuple[str, QRect, bool, QModelIndex]] = []
        for cell, column in zip(cells, self.tree.columns, strict=True):
            place, text = self.visualRect(cell), cell.data()
            if text:
                words.append((text, place.adjusted(margin, 0, -margin, 0), column.right, cell))
            elif words and not words[-1][2]:
                words[-1][1].setRight(place.right() - margin)
        return words

    # what is chosen

    def chosen_runs(self) -> list[RunEntry]:
        """The chosen runs in the order of the table; a chosen group stands for its runs."""
        rows = sorted(self.selectionModel().selectedRows(), key=lambda index: index.internalId())
        return list({str(run.path): run for index in rows for run in self._runs_of(index)}.values())

    def _runs_of(self, index: QModelIndex) -> list[RunEntry]:
        node = self.tree.node(index)
        return [node.run] if node.run is not None else list(node.runs())

    def choose(self, paths: set[str]) -> None:
        """Choose runs by their paths."""
        flags = QItemSelectionModel.SelectionFlag
        for path in paths:
            if (index := self.tree.index_of(path)).isValid():
                self.selectionModel().select(index, flags.Select | flags.Rows)

    def _double_clicked(self, index: QModelIndex) -> None:
        if (run := self.tree.node(index).run) is not None:
            self.opened.emit(str(run.path))

    def _clicked(self, index: QModelIndex) -> None:
        run = self.tree.node(index).run
        if run is not None and self.tree.columns[index.column()].key == STAR:
            self.starred.emit(run)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.chosen_runs():
            self.entered.emit()
        else:
            super().keyPressEvent(event)
