"""The panels left and right of the runs: where they stand, how large they are, and how they come back."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QSize, Qt
from PySide6.QtWidgets import QDockWidget, QHBoxLayout, QLabel, QMainWindow, QToolButton, QWidget

from gui.icons import put
from gui.named import named
from gui.theme import Theme

LAYOUT_VERSION = 1  # a stored layout of another version is not restored
LEFT, RIGHT = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea
DOWN, ACROSS = Qt.Orientation.Vertical, Qt.Orientation.Horizontal


class SideDocks:
    """Docks of a window, by name. The queue's stays hidden until there is one."""

    def __init__(self, window: QMainWindow, theme: Theme) -> None:
        self._window, self._theme = window, theme
        self._docks: dict[str, QDockWidget] = {}
        self._initial = QByteArray()
        self._sized = False

    def __getitem__(self, name: str) -> QDockWidget:
        return self._docks[name]

    def add(self, name: str, title: str, widget: QWidget, area: Qt.DockWidgetArea) -> None:
        """Put a panel beneath those that stand on a side already."""
        dock = self._docks[name] = named(QDockWidget(title, self._window), name)
        dock.setWidget(widget)
        widget.setMinimumWidth(208 if area is LEFT else 304)
        dock.setTitleBarWidget(DockTitle(dock, title, self._theme))
        self._window.addDockWidget(area, dock)

    def settle(self) -> None:
        """All are there: this is the layout that a reset gives back."""
        self._docks["queue"].hide()
        self._initial = self._window.saveState(LAYOUT_VERSION)

    def window_shown(self) -> None:
        """Give the panels their first sizes; Qt takes them only once the window is seen."""
        if not self._sized:
            self._sized = True
            self._size()

    def _size(self) -> None:
        docks = self._docks
        self._window.resizeDocks([docks["catalogue"], docks["knobs"]], [248, 320], ACROSS)
        self._window.resizeDocks([docks["catalogue"], docks["recent"]], [420, 240], DOWN)
        self._window.resizeDocks([docks["knobs"], docks["cards"]], [480, 240], DOWN)

    def show_queue(self) -> None:
        """Make room for the queue, where it has none yet."""
        if self._docks["queue"].isHidden():
            self._docks["queue"].show()
            column = [self._docks[name] for name in ("catalogue", "recent", "queue")]
            self._window.resizeDocks(column, [300, 180, 230], DOWN)

    def toggle(self, name: str) -> None:
        self._docks[name].setVisible(self._docks[name].isHidden())

    def state(self) -> QByteArray:
        return self._window.saveState(LAYOUT_VERSION)

    def restore(self, state: QByteArray) -> None:
        self._sized = self._window.restoreState(state, LAYOUT_VERSION)

    def reset(self, *, queue: bool) -> None:
        """Put every panel back where it was at first; the queue where there is one."""
        self._window.restoreState(self._initial, LAYOUT_VERSION)
        for name, dock in self._docks.items():
            dock.setVisible(name != "queue" or queue)
        self._size()


class DockTitle(QWidget):
    """A quiet title bar: heading, and a cross that hides the panel."""

    def __init__(self, dock: QDockWidget, title: str, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("panel_title")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        close = named(QToolButton(), "tiny")
        close.setAccessibleName(f"Hide {title}")
        close.setToolTip(f"Hide {title}")
        close.setIconSize(QSize(16, 16))
        close.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        put(close, "close", theme, "muted")
        close.clicked.connect(dock.hide)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 6, 8, 4)
        layout.addWidget(named(QLabel(title.upper()), "heading"))
        layout.addStretch(1)
        layout.addWidget(close)
