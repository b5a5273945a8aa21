"""What the user picked in one view of a run; the others show the same thing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

if TYPE_CHECKING:
    import numpy as np

PLACE = "place"  # where the picked thing stands on the axis of its kind, for example its frequency


def nearest(places: np.ndarray, place: float) -> int | None:
    """Which of the places (K,) is meant by ``place``: the nearest, where that is nearer than half way to the next."""
    far = abs(places - place)
    if not (far == far).any():
        return None
    found = min((distance, number) for number, distance in enumerate(far.tolist()) if distance == distance)[1]
    others = abs(places - places[found])
    gap = min((d for d in others.tolist() if d > 0), default=0.0)
    return found if far[found] <= max(gap / 2, 1e-9 * abs(place)) else None


class Selection(QObject):
    """At most one thing of each kind (neuron, head, token, layer, frequency) by its number.

    Whoever picks may tell more of it: its :data:`PLACE`, so that views that number things otherwise find it too, and
    the arguments by which an action of the experiment would name it.
    """

    changed = Signal(str)  # kind

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._picked: dict[str, int] = {}
        self._told: dict[str, Mapping[str, float]] = {}

    def picked(self, kind: str) -> int | None:
        """Number of the picked thing of a kind; None where none is."""
        return self._picked.get(kind)

    def place(self, kind: str) -> float | None:
        """Where the picked thing of a kind stands; None where nobody told."""
        return self._told.get(kind, {}).get(PLACE)

    def arguments(self) -> dict[str, int]:
        """How actions name what is picked: layer, head, token and so on."""
        return {name: int(value) for told in self._told.values() for name, value in told.items() if name != PLACE}

    def pick(self, kind: str, number: int | None, **told: float) -> None:
        """Pick one; the picked one again, or None, lets go."""
        if number is None or (number, told) == (self._picked.get(kind), self._told.get(kind)):
            self._told.pop(kind, None)
            if self._picked.pop(kind, None) is None:
                return
        else:
            self._picked[kind], self._told[kind] = number, told
        self.changed.emit(kind)

    def clear(self) -> bool:
        """Let everything go; whether anything was picked."""
        kinds = list(self._picked)
        self._picked.clear()
        self._told.clear()
        for kind in kinds:
            self.changed.emit(kind)
        return bool(kinds)
