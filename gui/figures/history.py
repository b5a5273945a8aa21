"""The recipe that is edited, and every earlier one to go back to."""

from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from gui.export.recipe import Recipe, checked

EMPTY = checked({"panels": []})


class Edits(QObject):
    """Holds the recipe; every change can be undone. Changes of one field in a row count as one."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.recipe = EMPTY
        self.stack = QUndoStack(self)

    def open(self, recipe: Recipe) -> None:
        """Begin with another figure."""
        self.stack.clear()
        self.show(recipe)

    def change(self, text: str, field: str = "", **values: Any) -> None:
        """Set fields of the page. Raises FigureError when they are not admissible."""
        self.put(text, self.recipe.changed(**values), field)

    def put(self, text: str, recipe: Recipe, field: str = "") -> None:
        if recipe != self.recipe:
            self.stack.push(_Edit(self, text, recipe, field))

    def show(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.changed.emit()


class _Edit(QUndoCommand):
    def __init__(self, edits: Edits, text: str, recipe: Recipe, field: str) -> None:
        super().__init__(text)
        self._edits, self._before, self._after, self.field = edits, edits.recipe, recipe, field

    def id(self) -> int:
        return 1 if self.field else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, _Edit) or other.field != self.field:
            return False
        self._after = other._after
        return True

    def undo(self) -> None:
        self._edits.show(self._before)

    def redo(self) -> None:
        self._edits.show(self._after)
