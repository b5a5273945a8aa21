"""The filter of the library: words or an expression, and what is wrong with one that is not finished."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel

from gui.named import named
from gui.search_field import SearchField

if TYPE_CHECKING:
    from storage.catalogue import RunEntry  # brings HDF5, which the first paint does without
    from storage.numbers import Number


class FilterField(SearchField):
    """Matches runs; an expression that is not finished leaves the last one in force.

    Attributes:
        problem: Says what is missing; it is shown by whoever lays it out.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__('Filter: any words, or lr > 0.01 and verdict == "reproduced"', "Filter runs")
        self.problem = named(QLabel(wordWrap=True), "error")
        self.problem.setContentsMargins(16, 0, 16, 8)
        self.problem.hide()
        self._names: set[str] = set()
        self._series: set[str] = set()
        self._wanted: Any = None
        self.textChanged.connect(self._search)

    def set_runs(self, runs: Sequence[RunEntry]) -> None:
        """Know the knobs and series of these runs."""
        self._names = known_names(runs)
        self._series = {name for run in runs for name in run.numbers}
        self._compile()

    def matches(self, run: RunEntry) -> bool:
        return self._wanted is None or self._wanted(lambda name: _look(run, name))

    def numbers(self) -> list[Number]:
        """Numbers that the expression asks for."""
        from storage.filter import numbers_in

        return list(numbers_in(self.text()))

    def _search(self) -> None:
        if self._compile():
            self.changed.emit()

    def _compile(self) -> bool:
        from storage.filter import FilterError, compiled

        try:
            self._wanted = compiled(self.text(), self._names, self._series)
        except FilterError as error:
            self.problem.setText(str(error))
            self.problem.show()
            return False
        self.problem.hide()
        return True


def known_names(runs: Sequence[RunEntry]) -> set[str]:
    """Facts, and the knobs of these runs, by the names that filters use."""
    from storage.catalogue import FACTS

    return {*FACTS, *(name for run in runs for name in run.config)}


def _look(run: RunEntry, name: str | Number) -> Any:
    if not isinstance(name, str):
        return run.number(name)
    return run.fact(name) if name else run.text
