"""The four places of the window: Lab and Library from the start, Compare and Figures when they are first wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget

from gui.lab.place import LabPlace
from gui.library import Library
from gui.theme import Theme

if TYPE_CHECKING:
    from gui.compare.place import ComparePlace
    from gui.figures.place import FiguresPlace

SENT = "Sent to the figure  (Ctrl+4 shows it)"


class Places(QStackedWidget):
    """One place at a time.

    Args:
        folder: Of the runs, where figures find theirs.
    """

    message = Signal(str)
    went = Signal(str)  # name of the place that is shown
    open_requested = Signal(str)  # run file

    def __init__(self, lab: LabPlace, library: Library, folder: Path, theme: Theme) -> None:
        super().__init__()
        self._lab, self._library, self._folder, self._theme = lab, library, folder, theme
        self._comparison: ComparePlace | None = None
        self._figures: FiguresPlace | None = None
        self.addWidget(lab)
        self.addWidget(library)
        library.compare_requested.connect(self.compare)
        library.figure_requested.connect(self.send_panels)
        lab.figure_requested.connect(self.send_to_figure)

    @property
    def comparison(self) -> ComparePlace:
        """The Compare place, made when it is first asked for: it brings plots and HDF5."""
        if self._comparison is None:
            from gui.compare.place import ComparePlace

            self._comparison = place = ComparePlace(self._theme)
            place.message.connect(self.message)
            place.open_requested.connect(self.open_requested)
            place.library_requested.connect(self.go_library)
            place.figure_requested.connect(self.send_panels)
            self.addWidget(place)
        return self._comparison

    @property
    def figures(self) -> FiguresPlace:
        """The Figures place; it is built when it is first wanted, so that the window is seen earlier."""
        if self._figures is None:
            from gui.figures.place import FiguresPlace

            self._figures = FiguresPlace(self._folder, self._theme)
            self._figures.message.connect(self.message)
            self.addWidget(self._figures)
            if self._lab.recent.model.all:
                self.list_runs()
        return self._figures

    def list_runs(self) -> None:
        """Tell the figures which runs there are."""
        if self._figures is not None:
            self._figures.set_runs(self._lab.recent.model.all)

    @property
    def comparing(self) -> bool:
        """Whether the Compare place is shown."""
        return self._comparison is not None and self.currentWidget() is self._comparison

    def go_lab(self) -> None:
        self.setCurrentWidget(self._lab)
        self.went.emit("lab")

    def go_library(self) -> None:
        self._lab.recent.refresh()
        self.setCurrentWidget(self._library)
        self.went.emit("library")
        self._library.field.setFocus()

    def go_compare(self) -> None:
        self.setCurrentWidget(self.comparison)
        self.went.emit("compare")

    def go_figures(self) -> None:
        self._lab.recent.refresh()
        self.setCurrentWidget(self.figures)
        self.went.emit("figures")

    def compare(self, paths: Sequence[str]) -> None:
        """Compare these runs."""
        self.go_compare()
        self.comparison.compare(paths)

    def send_to_figure(self, path: str, view: str, step: int | None) -> None:
        """Put a view of an open run on the page of the Figures place."""
        self.send_panels([{"view": view, "runs": [path], "step": step}])

    def send_panels(self, panels: list[dict[str, Any]]) -> None:
        """Put panels, as a figure's recipe takes them, on the page of the Figures place."""
        self.figures.add_panels(panels)
        self.message.emit(SENT)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        for place in (self._lab, self._library, self._comparison, self._figures):
            if place is not None:
                place.set_theme(theme)

    def finish(self) -> None:
        """The window closes: let the threads end."""
        self._library.commands.work.wait()
        for place in (self._comparison, self._lab, self._figures):
            if place is not None:
                place.finish()
