"""Ctrl+P: finds any experiment, run or command from a few letters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractListModel, QEvent, QModelIndex, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QDialog, QFrame, QLineEdit, QVBoxLayout, QWidget

from gui.delegate import Role
from gui.fuzzy import score
from gui.lab.catalogue import Index, RowList
from gui.named import named
from gui.theme import Theme

MOST = 50
MOVES = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


@dataclass(frozen=True)
class Findable:
    """Something the finder offers; ``kind`` is experiment, run or command."""

    text: str
    kind: str
    second: str
    act: Callable[[], Any]


def find(items: Sequence[Findable], query: str) -> list[Findable]:
    """The best matches, best first; everything in its own order while nothing is typed."""
    if not query.strip():
        return list(items[:MOST])
    scored = []
    for place, item in enumerate(items):
        by_text = score(query, item.text)
        by_all = score(query, f"{item.text} {item.second} {item.kind}")
        if by_text is not None or by_all is not None:
            best = max(5 + by_text if by_text is not None else -1e9, by_all if by_all is not None else -1e9)
            scored.append((-best, place, item))
    return [item for _, _, item in sorted(scored, key=lambda row: row[:2])[:MOST]]


class _Found(QAbstractListModel):
    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Findable] = []

    def set_rows(self, rows: list[Findable]) -> None:
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self.rows[index.row()]
        values = {
            Qt.ItemDataRole.DisplayRole: row.text,
            Role.SECOND: row.second,
            Role.ASIDE: row.kind,
            Role.KEY: str(index.row()),
        }
        return values.get(role)


class Finder(QDialog):
    """Type, move with the arrows, Enter to go, Esc to leave."""

    def __init__(
        self, items: Sequence[Findable], theme: Theme, parent: QWidget | None = None, what: str = "Find anything"
    ) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self.setWindowTitle(what)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._items = items
        self.model = _Found()
        self.field = QLineEdit(placeholderText=what)
        self.field.setAccessibleName(what)
        self.field.textChanged.connect(self._search)
        self.field.installEventFilter(self)
        self.list = RowList(self.model, theme, "Found")
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.chosen.connect(self._choose)
        self.list.clicked.connect(self._click)
        frame = named(QFrame(), "overlay")
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(frame)
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self.field)
        layout.addWidget(self.list)
        self.resize(560, 420)
        self._search("")
        self.field.setFocus()

    def _search(self, text: str) -> None:
        self.model.set_rows(find(self._items, text))
        self.list.setCurrentIndex(self.model.index(0))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() in MOVES:
                self.list.keyPressEvent(event)
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._click(self.list.currentIndex())
                return True
        return super().eventFilter(watched, event)

    def _click(self, index: QModelIndex) -> None:
        if index.isValid():
            self._choose(index.data(Role.KEY))

    def _choose(self, key: str) -> None:
        act = self.model.rows[int(key)].act
        self.close()
        act()
