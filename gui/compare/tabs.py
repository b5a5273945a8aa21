"""The right side of a comparison: what differs, numbers, their plots, verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from gui.compare.differs import Differs
from gui.compare.grouping import Grouping
from gui.compare.members import Member
from gui.compare.numbers import Numbers
from gui.compare.prepare import Prepared
from gui.compare.recipe import Recipe
from gui.compare.verdicts import Verdicts
from gui.icons import recolour
from gui.theme import Theme


class Tabs(QTabWidget):
    """Tables over the runs that are shown."""

    shown_only = Signal(list)  # paths of the brushed runs

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setDocumentMode(True)
        self.setMinimumWidth(288)  # all tabs in sight
        self._theme = theme
        self._members: Sequence[Member] = ()
        self._colours: Sequence[str] = ()
        self.differs, self.numbers, self.verdicts = Differs(), Numbers(theme), Verdicts(theme)
        self.numbers.chosen.connect(self._show_plots)
        self.plots: Any = None  # made when its tab is first shown: plots are heavy
        self._plots_page = QWidget()
        QVBoxLayout(self._plots_page).setContentsMargins(0, 0, 0, 0)
        self.addTab(self.differs.tree, "Differs")
        self.addTab(self.numbers, "Numbers")
        self.addTab(self._plots_page, "Plots")
        self.addTab(self.verdicts.tree, "Verdict")
        self.setElideMode(Qt.TextElideMode.ElideNone)
        self.currentChanged.connect(self._show_plots)

    def show_runs(self, found: Prepared, recipe: Recipe, grouping: Grouping) -> None:
        """Show the tables of the groups that are drawn."""
        self._members = found.members
        colour_of = {run: grouping.colours[group] for group, runs in enumerate(grouping.groups) for run in runs}
        self._colours = [colour_of[run] for run in range(len(found.members))]
        self.differs.show_runs(found, grouping)
        self.verdicts.show_runs(found, grouping)
        self.numbers.show_runs(found, recipe, grouping)
        self._show_plots()

    def _show_plots(self) -> None:
        if self.currentWidget() is not self._plots_page or not self._members:
            return
        if self.plots is None:
            from gui.compare.plots import Plots

            self.plots = Plots(self._theme)
            self.plots.brushed.connect(self._brushed)
            layout = self._plots_page.layout()
            assert layout is not None
            layout.addWidget(self.plots)
        self.plots.show_rows(self.numbers.single_rows(), self._colours)

    def _brushed(self, chosen: list[int]) -> None:
        self.shown_only.emit([self._members[number].path for number in chosen])

    def set_theme(self, theme: Theme) -> None:
        self._theme = self.verdicts.theme = theme
        recolour(self, theme)
        if self.plots is not None:
            self.plots.set_theme(theme)
