"""The tabs of the centre: a welcome page, open runs, and pages that others put there."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QTabWidget, QToolButton

from gui.icons import put
from gui.lab.run_tab import MakePage, RunTab
from gui.named import named
from gui.runs.open_run import OpenRun
from gui.runs.runs import ACTIVE, short_title_of, title_of
from gui.theme import Theme


class RunTabs(QTabWidget):
    """Gives runs their tabs.

    Attributes:
        layouts: Where the user last left the panels of a run, by the name of its experiment.
    """

    close_asked = Signal(int)  # index of a tab

    def __init__(self, make_page: MakePage, theme: Theme) -> None:
        super().__init__(documentMode=True, movable=True, tabBarAutoHide=True)
        self.tabBar().setElideMode(Qt.TextElideMode.ElideNone)
        self._make_page, self._theme = make_page, theme
        self.layouts: dict[str, dict[str, Any]] = {}

    def all(self) -> list[RunTab]:
        """The tabs of runs, from left to right."""
        return [tab for i in range(self.count()) if isinstance(tab := self.widget(i), RunTab)]

    def shown(self) -> RunTab | None:
        """The run's tab on screen."""
        tab = self.currentWidget()
        return tab if isinstance(tab, RunTab) else None

    def active_runs(self) -> list[OpenRun]:
        """Runs that still compute or wait to."""
        return [tab.run for tab in self.all() if tab.run.live and tab.run.state in ACTIVE]

    def add_run(self, run: OpenRun) -> RunTab:
        """Give a run a tab, its panels as the user last left those of the experiment."""
        self.keep_layout()
        tab = RunTab(run, self._make_page, self._theme)
        if run.experiment is not None and (layout := self.layouts.get(run.experiment.name)):
            tab.page.restore_layout(layout)
        index = self.addTab(tab, short_title_of(run))
        self.tabBar().setTabButton(index, self.tabBar().ButtonPosition.RightSide, self._close_button(tab))
        self.setTabToolTip(index, f"{title_of(run)}\n{run.path}".strip())
        return tab

    def _close_button(self, tab: RunTab) -> QToolButton:
        close = named(QToolButton(), "tiny")
        close.setAccessibleName("Close this run")
        close.setToolTip("Close this run  (Ctrl+W)")
        close.setIconSize(QSize(16, 16))
        put(close, "close", self._theme, "muted")
        close.clicked.connect(lambda: self.close_asked.emit(self.indexOf(tab)))
        return close

    def drop(self, tab: RunTab) -> None:
        """Take a tab away."""
        self.keep_layout()
        self.removeTab(self.indexOf(tab))
        tab.deleteLater()

    def keep_layout(self) -> None:
        """Remember the panels of the run on screen for later runs of its experiment."""
        tab = self.shown()
        if tab is not None and tab.run.experiment is not None and tab.page.isVisible():
            self.layouts[tab.run.experiment.name] = tab.page.save_layout()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        for tab in self.all():
            tab.set_theme(theme)
