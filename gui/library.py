"""The Library place: every stored run in one table, filtered by words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from gui.named import named
from gui.recent import when
from gui.runs import STATE_COLOUR, search_text, started
from gui.theme import Theme

if TYPE_CHECKING:
    from storage.catalogue import RunEntry  # brings HDF5, which the first paint does without

Index = QModelIndex | QPersistentModelIndex
SORT = Qt.ItemDataRole.UserRole + 1
COLUMNS = ("Run", "Preset", "Arm", "Seed", "State", "Verdict", "Size", "Started")
WIDTHS = {"Preset": 144, "Arm": 144, "Seed": 64, "State": 112, "Verdict": 136, "Size": 88, "Started": 112}
STATE, SIZE, STARTED = COLUMNS.index("State"), COLUMNS.index("Size"), COLUMNS.index("Started")


class RunTable(QAbstractTableModel):
    """Stored runs, one a row."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.rows: list[RunEntry] = []

    def set_runs(self, runs: list[RunEntry]) -> None:
        self.beginResetModel()
        self.rows = list(runs)
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        run, column = self.rows[index.row()], index.column()
        if role == SORT and column in (SIZE, STARTED):
            return run.size if column == SIZE else started(run)
        if role in (Qt.ItemDataRole.DisplayRole, SORT):
            name, seed = run.title or run.experiment or run.path.name, "" if run.seed is None else str(run.seed)
            state, size = run.problem or run.state, f"{run.size / 1e6:.1f} MB"
            return (name, run.preset, run.arm, seed, state, run.outcome, size, when(started(run)))[column] or ""
        if role == Qt.ItemDataRole.ForegroundRole and column == STATE:
            return QColor(getattr(self.theme, "bad" if run.problem else STATE_COLOUR.get(run.state, "muted")))
        if role == Qt.ItemDataRole.TextAlignmentRole and column == SIZE:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return str(run.path) if role == Qt.ItemDataRole.ToolTipRole else None


class _Filter(QSortFilterProxyModel):
    def __init__(self, table: RunTable) -> None:
        super().__init__()
        self._table, self.words = table, []
        self.setSourceModel(table)
        self.setSortRole(SORT)

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:
        text = search_text(self._table.rows[row])
        return all(word in text for word in self.words)


class Library(QWidget):
    """Filter on top, table below; Enter or a double click opens a run."""

    chosen = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.table = RunTable(theme)
        self._filter = _Filter(self.table)
        self.field = QLineEdit(placeholderText="Filter runs by any words", clearButtonEnabled=True)
        self.field.setAccessibleName("Filter runs")
        self.field.textChanged.connect(self._search)
        self.count = named(QLabel(), "muted")
        self.view = QTableView(sortingEnabled=True, showGrid=False)
        self.view.setAccessibleName("Runs")
        self.view.setModel(self._filter)
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.view.verticalHeader().hide()
        self.view.verticalHeader().setDefaultSectionSize(32)
        header = self.view.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.view.setWordWrap(False)
        for column, width in WIDTHS.items():
            self.view.setColumnWidth(COLUMNS.index(column), width)
        self.view.sortByColumn(STARTED, Qt.SortOrder.DescendingOrder)
        self.view.doubleClicked.connect(self._open)
        top = QHBoxLayout()
        top.addWidget(self.field, 1)
        top.addWidget(self.count)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.setSpacing(16)
        layout.addLayout(top)
        layout.addWidget(self.view)
        self._count()

    def set_runs(self, runs: list[RunEntry]) -> None:
        self.table.set_runs(runs)
        self._count()

    def set_theme(self, theme: Theme) -> None:
        self.table.theme = theme
        self.view.viewport().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.view.currentIndex().isValid():
            self._open(self.view.currentIndex())
        else:
            super().keyPressEvent(event)

    def _search(self, text: str) -> None:
        self._filter.words = text.casefold().split()
        self._filter.invalidate()
        self._count()

    def _count(self) -> None:
        shown, total = self._filter.rowCount(), self.table.rowCount()
        some = f"{shown} of {total} runs" if shown != total else f"{total} run{'s' if total != 1 else ''}"
        self.count.setText(some)

    def _open(self, index: QModelIndex) -> None:
        self.chosen.emit(str(self.table.rows[self._filter.mapToSource(index).row()].path))
