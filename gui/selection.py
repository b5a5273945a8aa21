"""What the user picked in one view of a run; the others show the same thing."""

from PySide6.QtCore import QObject, Signal


class Selection(QObject):
    """At most one thing of each kind (neuron, head, token, layer, frequency) by its number."""

    changed = Signal(str)  # kind

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._picked: dict[str, int] = {}

    def picked(self, kind: str) -> int | None:
        """Number of the picked thing of a kind; None where none is."""
        return self._picked.get(kind)

    def pick(self, kind: str, number: int | None) -> None:
        """Pick one; the picked one again, or None, lets go."""
        if number is None or number == self._picked.get(kind):
            if self._picked.pop(kind, None) is None:
                return
        else:
            self._picked[kind] = number
        self.changed.emit(kind)

    def clear(self) -> bool:
        """Let everything go; whether anything was picked."""
        kinds = list(self._picked)
        self._picked.clear()
        for kind in kinds:
            self.changed.emit(kind)
        return bool(kinds)
