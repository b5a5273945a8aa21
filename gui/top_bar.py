"""The one row on top: menus, places, finder, device, theme."""

from collections.abc import Mapping

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QHBoxLayout, QMenuBar, QSizePolicy, QToolButton, QWidget

from gui.actions import COMMANDS
from gui.icons import put
from gui.named import named
from gui.theme import Theme


class TopBar(QWidget):
    """Shows the actions that are needed all the time; all others are in its menus."""

    def __init__(self, actions: Mapping[str, QAction], device: QWidget, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("top_bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.menus = self._menus(actions)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 4, 12, 4)
        layout.setSpacing(4)
        layout.addWidget(self.menus, 0, Qt.AlignmentFlag.AlignVCenter)
        layout.addSpacing(16)
        group = QActionGroup(self)
        for name in ("lab", "library", "compare", "figures"):
            actions[name].setCheckable(True)
            group.addAction(actions[name])
            place = named(QToolButton(), "place")
            place.setDefaultAction(actions[name])
            place.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            layout.addWidget(place)
        actions["lab"].setChecked(True)
        layout.addStretch(1)
        finder = named(QToolButton(), "finder_field")
        finder.setText("Find anything      Ctrl+P")
        put(finder, "search", theme, "muted")
        finder.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        finder.setToolTip("Find any experiment, run or command")
        finder.setMinimumWidth(240)
        finder.clicked.connect(actions["finder"].trigger)
        layout.addWidget(finder)
        layout.addStretch(1)
        layout.addWidget(device, 0, Qt.AlignmentFlag.AlignVCenter)
        layout.addSpacing(8)
        for name in ("shortcuts", "theme"):
            button = QToolButton()
            button.setDefaultAction(actions[name])
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
            button.setIconSize(QSize(20, 20))
            button.setAccessibleName(actions[name].text())
            layout.addWidget(button)

    def _menus(self, actions: Mapping[str, QAction]) -> QMenuBar:
        bar = QMenuBar()
        bar.setNativeMenuBar(False)
        bar.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        menus = {name: bar.addMenu(name) for name in ("File", "Run", "View", "Help")}
        for command in COMMANDS:
            if command.gap:
                menus[command.menu].addSeparator()
            menus[command.menu].addAction(actions[command.id])
        return bar
