"""Numbers at the slider's step, closed forms beside measured ones."""

import math
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QPoint, Qt, Slot
from PySide6.QtGui import QColor, QKeySequence, QShortcut
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from gui.runs.open_run import OpenRun
from gui.theme import Theme
from gui.views.axes import StepAxis, font_px
from gui.views.base import ViewWidget
from gui.views.rows import Moment
from gui.views.snapshot import flat, not_yet
from gui.views.text import short, tip, whole, with_step
from lab.views import Table, TableRow

HEADS = ("", "measured", "closed form", "difference")
TEXT_PX = 13
WIDE_PX = 420  # from which all columns fit beside names that can be read
Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class Entry:
    """One row: what was measured, what theory says, and how far apart they are, relative to theory. NaN for none.

    Attributes:
        read: Whether anything was measured so far; what was may be NaN.
    """

    label: str
    measured: float
    expected: float
    read: bool = True

    @property
    def difference(self) -> float:
        return (self.measured - self.expected) / abs(self.expected) if self.expected else math.nan

    def numbers(self) -> tuple[float, float, float]:
        return self.measured, self.expected, self.difference


class _Model(QAbstractTableModel):
    def __init__(self) -> None:
        super().__init__()
        self.entries: list[Entry] = []
        self.muted = QColor()

    def show(self, entries: list[Entry]) -> None:
        if len(entries) != len(self.entries):
            self.beginResetModel()
            self.entries = entries
            self.endResetModel()
        elif repr(entries) != repr(self.entries):  # NaN differs from itself, its text does not
            self.entries = entries
            self.dataChanged.emit(self.index(0, 0), self.index(len(entries) - 1, len(HEADS) - 1))

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self.entries)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(HEADS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return HEADS[section]
        return _side(section) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        entry, column = self.entries[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            if column == 1 and not entry.read:
                return "–"
            return entry.label if column == 0 else _text(entry.numbers()[column - 1], column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip(entry.label) if column == 0 else repr(entry.numbers()[column - 1])
        if role == Qt.ItemDataRole.ForegroundRole:
            return self.muted if column == 2 else None
        return _side(column) if role == Qt.ItemDataRole.TextAlignmentRole else None


def _side(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter


def _text(value: float, column: int) -> str:
    if math.isnan(value):
        return "NaN" if column == 1 else "–"
    if column == 3 and math.isfinite(value):
        percent = 100 * value
        sign = "+" if percent > 0 else ""
        digits = 2 if abs(percent) < 99.5 else 3
        return f"{sign}{short(percent, digits) if abs(percent) >= 0.01 else '0'} %"
    return whole(value) if abs(value) < 1e5 and value == round(value) else short(value, 4)


class TableView(ViewWidget[Table]):
    """A table whose cells can be selected and copied with every digit."""

    def __init__(self, spec: Table, run: OpenRun, theme: Theme, axis: StepAxis | None = None) -> None:
        super().__init__(spec, run, theme, axis)
        self.moment = Moment(run.source, spec.names)
        self.model = _Model()
        self.table = QTableView(self)
        self.table.setModel(self.model)
        self.table.setAccessibleName(spec.title)
        self.table.setFont(font_px(TEXT_PX))
        self.table.setShowGrid(False)
        self.table.setFrameShape(QTableView.Shape.NoFrame)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(28)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.ContiguousSelection)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self._open_menu)
        self.table.doubleClicked.connect(self.maximise_requested)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setHighlightSections(False)
        header.setFont(font_px(TEXT_PX - 1))
        layout = self.layout()
        assert layout is not None
        layout.addWidget(self.table)
        self._copy = QShortcut(QKeySequence.StandardKey.Copy, self.table, self.copy_selection)
        self._copy.setContext(Qt.ShortcutContext.WidgetShortcut)
        self._paint()

    def _pull(self) -> bool:
        new = self.history.pull() | self.moment.pull(self.axis.cursor)
        self.axis.grow(self.moment.end)
        return new

    @Slot()
    def _cursor_changed(self) -> None:
        if self.moment.move(self.axis.cursor):
            self._later()

    @Slot()
    def _range_changed(self) -> None:
        """The stretch of steps on show changes nothing here."""

    def empty_text(self) -> str:
        return not_yet(self.moment, self.spec.names, self.axis.cursor) or super().empty_text()

    def entries(self) -> list[Entry]:
        """What the table says at the slider's step."""
        step = self.moment.step
        configs = self.history.configs()
        config = [config for first, config in configs if step is None or first <= step] or [configs[0][1]]
        read = set(self.run.source.names())
        rows = [row for row in self.spec.rows if row.series in read]
        return [
            Entry(row.label, self._measured(row), _expected(row, config[-1]), self.moment.value(row.series) is not None)
            for row in rows
        ]

    def _measured(self, row: TableRow) -> float:
        values = self.moment.value(row.series)
        if values is None:
            return math.nan
        values = flat(values, row.series) if row.index is not None or values.ndim else values.reshape(1)
        place = row.index or 0
        if values is None or not -len(values) <= place < len(values):
            raise ValueError(f"{row.series} has no value number {row.index}")
        return float(values[place])

    def _draw(self) -> bool:
        shown = self.moment.step is not None
        entries = self.entries() if shown else []
        self.model.show(entries)
        measured_alone = all(math.isnan(entry.expected) for entry in entries)  # the names have the room of the rest
        self.table.setColumnHidden(2, measured_alone)
        self.table.setColumnHidden(3, measured_alone or self.width() < WIDE_PX)
        self.table.setVisible(shown)
        return shown

    def _move_cursor(self) -> None:
        step = self.moment.step
        self._read_out("" if step is None else with_step("", step, self.theme, self.history.last_act(step)))

    def _paint(self) -> None:
        theme = self.theme
        self.model.muted = QColor(theme.muted)
        self.table.setStyleSheet(
            f"QTableView {{ background: {theme.ground}; color: {theme.text}; border: none; outline: none;"
            f" selection-background-color: {theme.selected}; selection-color: {theme.text}; }}"
            f"QTableView::item {{ padding: 0 8px; border-bottom: 1px solid {theme.edge}; }}"
            f"QTableView::item:focus {{ border: 1px solid {theme.accent}; }}"
            f"QHeaderView {{ background: {theme.ground}; }}"
            f"QHeaderView::section {{ background: {theme.ground}; color: {theme.muted}; border: none;"
            f" border-bottom: 1px solid {theme.field_edge}; padding: 4px 8px; }}"
        )

    @Slot(QPoint)
    def _open_menu(self, place: QPoint) -> None:
        self.menu().popup(self.table.viewport().mapToGlobal(place))

    @Slot()
    def copy_selection(self) -> None:
        """Copy the selected rows, or all, with every digit."""
        self.copy_numbers()

    def numbers(self) -> str:
        rows = sorted({index.row() for index in self.table.selectionModel().selectedIndexes()})
        entries = [self.model.entries[row] for row in rows] or self.model.entries
        lines = ["\t".join(("quantity", *HEADS[1:]))]
        lines += ["\t".join([entry.label, *map(repr, entry.numbers())]) for entry in entries]
        return "\n".join(lines)


def _expected(row: TableRow, config: Any) -> float:
    """The closed form under a config; NaN where there is none."""
    try:
        return math.nan if row.expected is None else float(row.expected(config))
    except (AttributeError, ArithmeticError, ValueError):  # it holds for other settings only
        return math.nan
