"""Where the next run computes: a chip that opens the list of this machine's devices."""

import os
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu, QToolButton

from gui.background import Background
from gui.icons import put
from gui.theme import Theme

Devices = list[tuple[str, str]]


class DeviceChip(QToolButton):
    """Shows the chosen device. Which there are is asked of ``find``, in a thread, when the list is first opened."""

    chosen = Signal(str)

    def __init__(self, find: Callable[[], Devices], device: str, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("chip")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setToolTip("Where the next run computes")
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        put(self, "device", theme, "muted")
        self._find, self.device = find, device
        self._devices: Devices = [("cpu", "CPU")]
        self.background = Background(self)
        self.background.done.connect(self._found)
        self.background.failed.connect(self._not_found)
        self._list = QMenu(self)
        self._list.aboutToShow.connect(self._ask)
        self.setMenu(self._list)
        self._asked = False
        self._fill("Looking for devices …")
        self._show()

    def _ask(self) -> None:
        if not self._asked:
            self._asked = True
            self.background.start(self._find)

    def _found(self, devices: Devices) -> None:
        self._devices = devices
        self._fill()
        self._keep_on_screen()

    def _not_found(self, problem: str) -> None:
        self._asked = False
        self._fill(f"Devices could not be listed: {problem}")

    def _fill(self, note: str = "") -> None:
        """List the devices; the note, or why there is no other device, as a line that cannot be chosen."""
        self._list.clear()
        group = QActionGroup(self._list)
        for name, text in [*self._devices, *([("", note)] if note else [])]:
            if not name:
                self._list.addAction(text).setEnabled(False)
                continue
            action = self._list.addAction(text if name == "cpu" else f"{text}  ({name})")
            action.setCheckable(True)
            action.setChecked(name == self.device)
            action.triggered.connect(lambda _=False, name=name: self.choose(name))
            group.addAction(action)

    def _keep_on_screen(self) -> None:
        """A list that has grown while it was open stays in sight."""
        self._list.adjustSize()
        beyond = self._list.geometry().right() - self.screen().availableGeometry().right()
        if beyond > 0:
            self._list.move(self._list.x() - beyond, self._list.y())

    def choose(self, device: str) -> None:
        """Let the next run compute there."""
        self.device = device
        self._show()
        self.chosen.emit(device)

    def _show(self) -> None:
        text = f"CPU · {os.cpu_count()} cores" if self.device == "cpu" else self.device
        self.setText(text)
        self.setAccessibleName(f"Device: {text}")

    def devices(self) -> list[Any]:
        """Entries of the list, for tests."""
        return self._list.actions()
