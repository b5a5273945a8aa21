"""The left column: stored runs, the views that they have, and the button that puts a view of them on the page."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from gui.background import Background
from gui.lab.catalogue import RowList
from gui.lab.recent import RunsModel
from gui.library.actions import UnknownView, seeds_repeat, views_of
from gui.library.menus import differing_by_experiment
from gui.named import named
from gui.search_field import SearchField
from gui.theme import Theme
from lab.differing import rank

if TYPE_CHECKING:
    from storage.catalogue import RunEntry


MOST_READ = 3  # about so many of the chosen runs say which views have something to show


class Chooser(QWidget):
    """Runs above, views below."""

    add_requested = Signal(object, str, bool)  # entries, view, whether some differ only in their seeds

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.model = RunsModel()
        self._reading = Background(self)
        self._reading.done.connect(self._leave_out)
        self.field = SearchField("Filter runs", "Filter runs")
        self.field.textChanged.connect(self._filter)
        self.runs = RowList(self.model, theme, "Runs for a panel", lines=2)
        self.runs.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.runs.selectionModel().selectionChanged.connect(self._offer)
        self.model.modelReset.connect(self._offer)
        self.views = QComboBox()
        self.views.setAccessibleName("View")
        self.hint = named(QLabel(wordWrap=True), "hint")
        self.add = QPushButton("Add panel")
        self.add.setProperty("primary", True)
        self.add.clicked.connect(self._add)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(8)
        layout.addWidget(named(QLabel("RUNS"), "heading"))
        layout.addWidget(self.field)
        layout.addWidget(self.runs, 1)
        layout.addWidget(self.hint)
        layout.addWidget(named(QLabel("VIEW"), "heading"))
        layout.addWidget(self.views)
        layout.addWidget(self.add)
        self._offer()

    def set_theme(self, theme: Theme) -> None:
        self.runs.set_theme(theme)

    def set_runs(self, runs: Sequence[RunEntry]) -> None:
        """List these; while they are the ones that are listed, what is selected stays."""
        usable = [run for run in runs if not run.problem]
        if usable != self.model.all:
            self.model.apart = differing_by_experiment(usable)
            self.model.set_runs(usable, self.field.text())

    def _filter(self, words: str) -> None:
        if self.model.all:  # else they are still being looked for
            self.model.set_runs(list(self.model.all), words)

    def selected(self) -> list[RunEntry]:
        """In the order of the knobs that tell them apart, then of their seeds: so a legend has them."""
        rows = sorted(index.row() for index in self.runs.selectionModel().selectedIndexes())
        runs = [self.model.rows[row] for row in rows if row < len(self.model.rows)]
        return sorted(runs, key=lambda run: (*(rank(value) for value in self.model.values(run)), run.seed or 0))

    def _offer(self) -> None:
        """The views of the selected runs."""
        chosen = self.selected()
        before = self.views.currentData()
        self.views.clear()
        if not chosen:
            self.hint.setText("Choose one run or several")
        else:
            self.hint.setText(f"{len(chosen)} run{'s' * (len(chosen) > 1)}")
            try:
                for view in views_of(chosen, also=True):
                    self.views.addItem(view.title, view.id)
            except UnknownView as error:
                self.hint.setText(str(error))
            self.views.setCurrentIndex(max(self.views.findData(before), 0))
            paths = [run.path for run in chosen[:: max(1, len(chosen) // MOST_READ)]]
            self._reading.start(lambda: recorded(paths))
        self.add.setEnabled(self.views.count() > 0)
        self.views.setEnabled(self.views.count() > 0)

    def _leave_out(self, names: set[str]) -> None:
        """Take views away that these runs recorded nothing for."""
        try:
            shown = {view.id for view in views_of(self.selected(), also=True) if not names or view.shows(names)}
        except UnknownView:
            return
        for place in reversed(range(self.views.count())):
            if self.views.itemData(place) not in shown:
                self.views.removeItem(place)

    def finish(self) -> None:
        """The window closes: let the thread end."""
        self._reading.wait()

    def _add(self) -> None:
        runs = self.selected()
        self.add_requested.emit(runs, self.views.currentData(), seeds_repeat(runs))


def recorded(paths: Sequence[Path]) -> set[str]:
    """Names of the series in run files; those that cannot be read have none."""
    from storage.errors import RunFileError
    from storage.reader import RunReader

    names: set[str] = set()
    for path in paths:
        with contextlib.suppress(RunFileError), RunReader(path) as run:
            names |= {*run.names()}
    return names
