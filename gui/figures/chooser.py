"""The left column: stored runs, the views that they have, and the button that puts a view of them on the page."""

from __future__ import annotations

from collections.abc import Sequence
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

from gui.catalogue import RowList
from gui.library.actions import seeds_repeat
from gui.named import named
from gui.recent import RunsModel
from gui.search_field import SearchField
from gui.theme import Theme
from lab import registry

if TYPE_CHECKING:
    from storage.catalogue import RunEntry


class Chooser(QWidget):
    """Runs above, views below."""

    add_requested = Signal(object, str, bool)  # entries, view, whether some differ only in their seeds

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.model = RunsModel()
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
            self.model.set_runs(usable, self.field.text())

    def _filter(self, words: str) -> None:
        if self.model.all:  # else they are still being looked for
            self.model.set_runs(list(self.model.all), words)

    def selected(self) -> list[RunEntry]:
        rows = sorted(index.row() for index in self.runs.selectionModel().selectedIndexes())
        return [self.model.rows[row] for row in rows if row < len(self.model.rows)]

    def _offer(self) -> None:
        """The views of the selected runs."""
        chosen = self.selected()
        names = {run.experiment for run in chosen}
        self.hint.setText(
            "Choose one run or several"
            if not chosen
            else "A view belongs to one experiment: choose runs of one"
            if len(names) > 1
            else f"{len(chosen)} run{'s' * (len(chosen) > 1)}"
        )
        before = self.views.currentData()
        self.views.clear()
        if len(names) == 1:
            try:
                views = registry.experiment(names.pop()).views
            except (registry.UnknownName, ImportError) as error:
                self.hint.setText(str(error))
                views = ()
            for view in views:
                self.views.addItem(view.title, view.id)
            self.views.setCurrentIndex(max(self.views.findData(before), 0))
        self.add.setEnabled(self.views.count() > 0)
        self.views.setEnabled(self.views.count() > 0)

    def _add(self) -> None:
        runs = self.selected()
        self.add_requested.emit(runs, self.views.currentData(), seeds_repeat(runs))
