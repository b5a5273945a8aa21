"""The common axis of a comparison: the stretch that all panels show, and where their crosshair stands."""

from __future__ import annotations

import math

from PySide6.QtCore import QObject, Signal


class SharedAxis(QObject):
    """What the panels share.

    Attributes:
        held: The stretch that the user chose; None shows everything.
        held_values: The same of values, by what they are: panels of one view stand on the same axes.
        pinned: Where the slider stands; None at the end.
        gutter: Points right of the data for the names of lines.
    """

    range_changed = Signal()
    values_changed = Signal()
    cursor_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.held: tuple[float, float] | None = None
        self.held_values: dict[str, tuple[float, float]] = {}
        self._ends: dict[int, tuple[float, float]] = {}
        self.pinned: float | None = None
        self._hovered: float | None = None
        self.gutter = 44  # the word under the end of the axis fits
        self._values: dict[str, dict[int, tuple[float, float]]] = {}

    @property
    def cursor(self) -> float | None:
        return self.pinned if self._hovered is None else self._hovered

    @property
    def ends(self) -> tuple[float, float]:
        """From the first to the last point of any panel."""
        if not self._ends:
            return 0.0, 1.0
        low, high = min(low for low, _ in self._ends.values()), max(high for _, high in self._ends.values())
        return low, high if high > low else low + 1.0

    @property
    def stretch(self) -> tuple[float, float]:
        return self.held or self.ends

    def reach(self, who: QObject, low: float, high: float) -> None:
        """Take note of how far a panel's lines reach."""
        before = self.stretch
        self._ends[id(who)] = low, high
        if self.stretch != before:
            self.range_changed.emit()

    def values(self, who: QObject, what: str, low: float, high: float) -> tuple[float, float]:
        """What small multiples of one view share: what is held, else from the least low to the largest high."""
        panels = self._values.setdefault(what, {})
        before = panels.get(id(who))
        panels[id(who)] = low, high
        if len(panels) > 1 and before != (low, high):
            self.values_changed.emit()
        every = min(low for low, _ in panels.values()), max(high for _, high in panels.values())
        return self.held_values.get(what, every)

    def hold_values(self, what: str, low: float, high: float) -> None:
        if math.isfinite(low) and low < high < math.inf and self.held_values.get(what) != (low, high):
            self.held_values[what] = low, high
            self.values_changed.emit()

    def free_values(self, what: str) -> None:
        if self.held_values.pop(what, None) is not None:
            self.values_changed.emit()

    def forget(self, *, keep: bool = False) -> None:
        """Other panels come; what is held is kept where it means the same to them."""
        self._ends, self._values = {}, {}
        if not keep:
            self.held, self.held_values = None, {}

    def hold(self, low: float, high: float) -> None:
        if math.isfinite(low) and low < high < math.inf and (low, high) != self.stretch:
            self.held = low, high
            self.range_changed.emit()

    def show_all(self) -> None:
        self.held = None
        self.range_changed.emit()

    def pin(self, x: float | None) -> None:
        if x != self.pinned:
            self.pinned = x
            self.cursor_changed.emit()

    def hover(self, x: float | None) -> None:
        if x != self._hovered:
            self._hovered = x
            self.cursor_changed.emit()

    def need(self, gutter: int) -> None:
        if gutter > self.gutter:
            self.gutter = gutter
            self.range_changed.emit()
