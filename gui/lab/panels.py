"""The panels of a run's page: how they stand at first, beside other pages, and while one of them fills the page."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from PySide6.QtCore import QByteArray, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QMainWindow, QMenu, QScrollArea, QWidget

from gui.panel import HEAD_PX, Panel
from gui.theme import Theme
from gui.views.base import ViewWidget
from lab.views import Ribbon

RIBBON_PX, LEAST_PX = 76, 150  # heights of a ribbon at most, of any other view at least
STACKED = 3  # plots in sight where runs stand side by side
NO_LIMIT = 16_777_215  # Qt's own largest height


class Room(QScrollArea):
    """Lets views that would be too low to read be scrolled to. The keys are the slider's."""

    def __init__(self, content: QWidget) -> None:
        super().__init__(widgetResizable=True)
        self.setObjectName("page")
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        event.ignore()


class Panels(QMainWindow):
    """A panel for each view, which the user moves, closes and lets fill the page.

    Args:
        views: From the most important one on.
    """

    maximise_changed = Signal(str)  # id of the view that fills the page, or nothing
    shown = Signal(bool)  # a panel came into sight, or went

    def __init__(self, views: Sequence[ViewWidget], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowFlags(Qt.WindowType.Widget)
        self.setDockNestingEnabled(True)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self._menu: QMenu | None = None
        self._maximised: tuple[Panel, QByteArray, set[str]] | None = None
        self._rows: list[list[Panel]] = []
        self._wide: tuple[QByteArray, set[str]] | None = None  # where the panels were before the page became narrow
        self.all = [self._panel(view) for view in views]
        self._arrange()
        self._initial = self._kept()

    def add(self, view: ViewWidget) -> Panel:
        """Add a panel below the others, which stay as they are."""
        panel = self._panel(view)
        view.setMinimumHeight(LEAST_PX)
        self.all.append(panel)
        if self._menu is not None:
            self._menu.insertAction(self._menu.actions()[-2], panel.toggleViewAction())
        if self._maximised is None:
            self._below(panel)
        else:
            panel.hide()
        return panel

    def _below(self, panel: Panel) -> None:
        self.addDockWidget(Qt.DockWidgetArea.TopDockWidgetArea, panel, Qt.Orientation.Vertical)
        panel.setVisible(panel.view.spec.primary)

    def _kept(self) -> tuple[QByteArray, set[str]]:
        return self.saveState(), {panel.view.spec.id for panel in self.all}

    def put_back(self, state: QByteArray, known: Collection[str]) -> None:
        """Let the panels stand as they were; below them those that were not ``known`` then."""
        if self.restoreState(state):
            for panel in self.all:
                if panel.view.spec.id not in known:  # Qt would squeeze it in at the side
                    self._below(panel)

    def _panel(self, view: ViewWidget) -> Panel:
        panel = Panel(view, self)
        panel.maximise_requested.connect(self.maximise)
        panel.visibilityChanged.connect(self.shown)
        return panel

    def menu(self, parent: QWidget) -> QMenu:
        """Shows, hides and resets panels."""
        menu = QMenu(parent)
        for panel in self.all:
            menu.addAction(panel.toggleViewAction())
        menu.addSeparator()
        menu.addAction("Reset layout").triggered.connect(self.reset)
        self._menu = menu
        return menu

    # Where they stand.

    def _arrange(self, *, stacked: bool = False) -> None:
        """Ribbons across the full width on top, the rest in rows of two; views that wait have rows below, closed.

        Args:
            stacked: All under each other instead, the first few in sight.
        """
        ribbons = [panel for panel in self.all if isinstance(panel.view.spec, Ribbon)]
        plots = [panel for panel in self.all if panel not in ribbons]
        rows = [[panel] for panel in ribbons]
        for group in ([p for p in plots if p.view.spec.primary], [p for p in plots if not p.view.spec.primary]):
            # two side by side; with an odd number the first has a row of its own
            odd = len(group) if stacked else len(group) % 2 if len(group) > 2 else 0
            rows += [[panel] for panel in group[:odd]] + [group[i : i + 2] for i in range(odd, len(group), 2)]
        self._stand(rows)
        self._rows = rows
        self._share_evenly()
        for panel in ribbons:
            panel.view.setMaximumHeight(RIBBON_PX)
        for panel in plots:
            panel.view.setMinimumHeight(LEAST_PX)
        for panel in self.all:
            panel.setVisible(panel.view.spec.primary and not (stacked and panel in plots[STACKED:]))

    def _share_evenly(self) -> None:
        """Rows of one height but for the ribbons, columns of one width."""
        firsts = [row[0] for row in self._rows]
        heights = [RIBBON_PX + HEAD_PX if isinstance(panel.view.spec, Ribbon) else 400 for panel in firsts]
        self.resizeDocks(firsts, heights, Qt.Orientation.Vertical)
        for row in self._rows:
            if len(row) == 2:
                self.resizeDocks(row, [400, 400], Qt.Orientation.Horizontal)

    def _stand(self, rows: list[list[Panel]]) -> None:
        above = None
        for row in rows:
            if above is None:
                self.addDockWidget(Qt.DockWidgetArea.TopDockWidgetArea, row[0])
            else:
                self.splitDockWidget(above, row[0], Qt.Orientation.Vertical)
            above = row[0]
        for row in rows:
            if len(row) == 2:
                self.splitDockWidget(row[0], row[1], Qt.Orientation.Horizontal)

    @property
    def narrow(self) -> bool:
        """Whether the page stands beside others."""
        return self._wide is not None

    def set_narrow(self, narrow: bool) -> None:
        """Stand beside other pages, or alone again with the panels as they were."""
        if narrow and self._wide is None:
            self.restore_all()
            self._wide = self._kept()
            self._arrange(stacked=True)
        elif not narrow and self._wide is not None:
            self.restore_all()
            self.put_back(*self._wide)
            self._wide = None

    @Slot()
    def reset(self) -> None:
        """Put every panel back where it was at first."""
        self._maximised = None
        for panel in self.all:
            panel.setFloating(False)
            panel.show()
        self.put_back(*self._initial)
        self._share_evenly()  # the state is from before the page had a size

    def state(self) -> QByteArray:
        """Where the panels are while none fills the page and it stands alone."""
        kept = self._wide or (self._maximised[1:] if self._maximised else self._kept())
        return kept[0]

    # One that fills the page.

    @property
    def maximised(self) -> Panel | None:
        return self._maximised[0] if self._maximised else None

    @Slot(object)
    def maximise(self, panel: Panel) -> None:
        """Let one panel fill the page; again, or Esc, goes back."""
        if self._maximised is not None:
            self.restore_all()
            return
        self._maximised = (panel, *self._kept())
        for other in self.all:
            if other is not panel:
                other.hide()
        panel.show()  # it may be closed here, where the page goes along with another one
        panel.view.setMaximumHeight(NO_LIMIT)
        panel.view.setFocus()
        self.maximise_changed.emit(panel.view.spec.id)

    @Slot()
    def restore_all(self) -> None:
        """Go back from a maximised panel."""
        if self._maximised is not None:
            panel, state, known = self._maximised
            self._maximised = None
            if isinstance(panel.view.spec, Ribbon):
                panel.view.setMaximumHeight(RIBBON_PX)
            self.put_back(state, known)
            panel.view.setFocus()  # Qt would give it to the first button of the page
            self.maximise_changed.emit("")

    def show_maximised(self, view: str) -> None:
        """Let the panel of that view fill the page; nothing for none."""
        if view != (self.maximised.view.spec.id if self.maximised else ""):
            self.restore_all()
            for panel in self.all:
                if panel.view.spec.id == view:
                    self.maximise(panel)

    def set_theme(self, theme: Theme) -> None:
        for panel in self.all:
            panel.set_theme(theme)
        self.setStyleSheet(
            f"QMainWindow {{ background: {theme.edge}; }}"
            f"QMainWindow::separator {{ background: {theme.raised}; width: 8px; height: 8px; }}"
        )
