"""The catalogue: every experiment by theme with its claim in one line, and the files that could not be loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QLineEdit, QListView, QVBoxLayout, QWidget

from gui.delegate import Role, TwoLines
from gui.icons import icon
from gui.search_field import SearchField
from gui.theme import Theme

if TYPE_CHECKING:
    from lab.experiment import Experiment
    from lab.registry import Broken

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class Entry:
    """A heading (no name), an experiment, or a broken file (``error``)."""

    text: str
    second: str = ""
    name: str = ""
    error: str = ""
    tip: str = ""
    found_by: str = ""


def entries(found: Mapping[str, type[Experiment]], broken: Sequence[Broken], search: str = "") -> list[Entry]:
    """Rows of the catalogue that match every word of ``search``, under their headings."""
    words = search.casefold().split()
    themes: dict[str, list[Entry]] = {}
    for name, cls in found.items():
        tip = f"<p><b>{cls.title}</b></p><p>{cls.claim}</p><p>{cls.paper}</p>"
        text = " ".join((name, cls.title, cls.theme, cls.claim, cls.paper)).casefold()
        themes.setdefault(cls.theme, []).append(Entry(cls.title, cls.claim, name, "", tip, text))
    for item in broken:
        entry = Entry(item.name, item.error, item.name, item.error, item.error, f"{item.name} broken".casefold())
        themes.setdefault("Could not be loaded", []).append(entry)
    rows: list[Entry] = []
    for theme, group in themes.items():
        matching = [entry for entry in group if all(word in entry.found_by for word in words)]
        if matching:
            rows += [Entry(theme.upper()), *matching]
    return rows


class CatalogueModel(QAbstractListModel):
    """Entries as a list model."""

    def __init__(self) -> None:
        super().__init__()
        self._found: Mapping[str, type[Experiment]] = {}
        self._broken: Sequence[Broken] = ()
        self._search = ""
        self.rows: list[Entry] = [Entry("LOADING EXPERIMENTS …")]

    def set_experiments(self, found: Mapping[str, type[Experiment]], broken: Sequence[Broken]) -> None:
        self._found, self._broken = found, broken
        self._fill()

    def search(self, text: str) -> None:
        self._search = text
        self._fill()

    def _fill(self) -> None:
        self.beginResetModel()
        rows = entries(self._found, self._broken, self._search)
        self.rows = rows or [Entry("NOTHING FOUND" if self._search else "NO EXPERIMENTS")]
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self.rows)

    def flags(self, index: Index) -> Qt.ItemFlag:
        entry = self.rows[index.row()]
        if not entry.name or entry.error:
            return Qt.ItemFlag.ItemIsEnabled
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        entry = self.rows[index.row()]
        values = {
            Qt.ItemDataRole.DisplayRole: entry.text,
            Qt.ItemDataRole.ToolTipRole: entry.tip,
            Qt.ItemDataRole.AccessibleTextRole: f"{entry.text}. {entry.second}",
            Role.SECOND: entry.second,
            Role.HEADING: not entry.name,
            Role.KEY: "" if entry.error else entry.name,
            Role.DOT: "bad" if entry.error else "",
        }
        return values.get(role)

    def row_of(self, name: str) -> int:
        return next((i for i, entry in enumerate(self.rows) if entry.name == name and not entry.error), -1)


class RowList(QListView):
    """A list of two-line rows; Enter, Space or a double click choose one."""

    chosen = Signal(str)

    def __init__(self, model: QAbstractListModel, theme: Theme, name: str, lines: int = 1) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self._delegate = TwoLines(theme, lines)
        self.setModel(model)
        self.setItemDelegate(self._delegate)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.doubleClicked.connect(self._choose)

    def set_theme(self, theme: Theme) -> None:
        self._delegate.theme = theme
        self.viewport().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._choose(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def _choose(self, index: Index) -> None:
        if key := index.data(Role.KEY):
            self.chosen.emit(key)


class Catalogue(QWidget):
    """Search field and list. One click selects an experiment: its knobs and its claim are then shown."""

    selected = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.model = CatalogueModel()
        self.search = SearchField("Search experiments", "Search experiments")
        self._lens = self.search.addAction(icon("search", theme, "muted"), QLineEdit.ActionPosition.LeadingPosition)
        self.search.textChanged.connect(self._search)
        self.search.returnPressed.connect(self._take_first)
        self.list = RowList(self.model, theme, "Experiments", lines=2)
        self.list.clicked.connect(self._select)
        self.list.chosen.connect(self.selected)
        self.list.selectionModel().currentChanged.connect(self._select)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 0, 8, 0)
        layout.setSpacing(8)
        layout.addWidget(self.search)
        layout.addWidget(self.list)
        self._name = ""

    def set_experiments(self, found: Mapping[str, type[Experiment]], broken: Sequence[Broken]) -> None:
        self.model.set_experiments(found, broken)

    def set_theme(self, theme: Theme) -> None:
        self._lens.setIcon(icon("search", theme, "muted"))
        self.list.set_theme(theme)

    def show_selected(self, name: str) -> None:
        """Mark an experiment as the one whose knobs are shown."""
        self._name = name
        row = self.model.row_of(name)
        if row >= 0:
            self.list.setCurrentIndex(self.model.index(row))

    def _search(self, text: str) -> None:
        self.model.search(text)

    def _take_first(self) -> None:
        first = next((entry.name for entry in self.model.rows if entry.name and not entry.error), "")
        if first:
            self.selected.emit(first)
            self.show_selected(first)
            self.list.setFocus()

    def _select(self, index: Index, _previous: Index | None = None) -> None:
        name = index.data(Role.KEY) if index.isValid() else ""
        if name and name != self._name:
            self._name = name
            self.selected.emit(name)
