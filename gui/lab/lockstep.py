"""Runs side by side in one tab: one step, one stretch of steps and one selection for the views of all of them."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSplitter

from gui.runs.open_run import OpenRun


class Lockstep(QSplitter):
    """The page of a tab's run, and to the right of it those of the runs that are set beside it.

    Attributes:
        beside: The other runs, from left to right.
    """

    changed = Signal()

    def __init__(self, page: Any) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setHandleWidth(8)
        self.setChildrenCollapsible(False)
        self.beside: list[OpenRun] = []
        self.pages: list[Any] = [page]
        self.addWidget(page)

    def add(self, run: OpenRun, page: Any) -> None:
        """Set a run beside the others; ``page`` shows it and shares the first page's axis and selection."""
        if not self.beside:
            self._mirror(self.pages[0])
            self.pages[0].set_narrow(True)  # while it still has the room that its layout was made for
        page.set_narrow(True)
        self.beside.append(run)
        self.pages.append(page)
        self.addWidget(page)
        self._mirror(page)
        page.close_requested.connect(lambda: self._remove(page))
        self.setSizes([1000] * len(self.pages))
        self._divide()

    def _mirror(self, page: Any) -> None:
        """What fills one page fills all."""
        page.maximise_changed.connect(lambda view: [other.show_maximised(view) for other in self.pages])

    def _remove(self, page: Any) -> None:
        place = self.pages.index(page)
        del self.pages[place], self.beside[place - 1]
        page.setParent(None)
        page.deleteLater()
        if not self.beside:
            self.pages[0].maximise_changed.disconnect()
            self.pages[0].set_narrow(False)
        self._divide()

    def _divide(self) -> None:
        """Let all pages together take the share of the window's time that one alone may take."""
        for page in self.pages:
            page.divide(len(self.pages))
        self.changed.emit()
