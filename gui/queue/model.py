"""The rows of the queue: what runs, what waits and what has ended, to be dragged into another order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractListModel, QMimeData, QModelIndex, QPersistentModelIndex, Qt, Signal

from gui.delegate import Role
from gui.lab.transport import time_left

if TYPE_CHECKING:
    from lab.studies.cells import Cell  # its queue brings pydantic, which the first paint does without

Index = QModelIndex | QPersistentModelIndex
ROWS = "application/x-tdlab-queue"
DOTS = {"waiting": "muted", "running": "accent", "elsewhere": "accent", "finished": "good", "failed": "bad"}


class QueueModel(QAbstractListModel):
    """Cells of a queue as a list model.

    Args:
        words: Name and settings of a cell.
    """

    dragged = Signal(int, int)  # the row that was taken, and the row before which it was dropped

    def __init__(self, words: Callable[[Cell], tuple[str, str]]) -> None:
        super().__init__()
        self._words = words
        self.cells: Sequence[Cell] = ()

    def show_cells(self, cells: Sequence[Cell]) -> bool:
        """Take the cells as they are now; whether they are others than before."""
        if [id(cell) for cell in cells] == [id(cell) for cell in self.cells]:
            if cells:
                self.dataChanged.emit(self.index(0), self.index(len(cells) - 1))
            return False
        self.beginResetModel()
        self.cells = cells
        self.endResetModel()
        return True

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self.cells)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        cell = self.cells[index.row()]
        name, settings = self._words(cell)
        running = cell.state == "running"
        steps = cell.point.config.steps
        share, left = min(cell.step / steps, 1.0), max(steps - cell.step, 0)
        going = time_left(left / cell.rate) if cell.rate > 0 else "starting …"
        said = going if running else cell.problem or cell.outcome or cell.state
        values = {
            Qt.ItemDataRole.DisplayRole: name,
            Qt.ItemDataRole.ToolTipRole: f"{name} – {settings}\n{said}\n{cell.path}",
            Qt.ItemDataRole.AccessibleTextRole: f"{name}, {settings}, {cell.state}, {said}",
            Role.SECOND: cell.problem or settings,
            Role.DOT: DOTS[cell.state],
            Role.ASIDE: going if running else cell.outcome or cell.state,
            Role.DONE: share if running else None,
            Role.KEY: cell.point.key,
        }
        return values.get(role)

    # dragging

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.ItemIsDropEnabled  # between rows, not on one
        waiting = self.cells[index.row()].state == "waiting"
        drag = Qt.ItemFlag.ItemIsDragEnabled if waiting else Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | drag

    def supportedDropActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction

    def mimeTypes(self) -> list[str]:
        return [ROWS]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        data = QMimeData()
        data.setData(ROWS, str(indexes[0].row()).encode())
        return data

    def dropMimeData(self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: Index) -> bool:
        if not data.hasFormat(ROWS):
            return False
        self.dragged.emit(int(bytes(data.data(ROWS).data())), row if row >= 0 else len(self.cells))
        return False  # moved here already: the view has nothing to take out
