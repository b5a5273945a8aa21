"""Asks where studies compute: on this machine, or on the workers of a Dask scheduler."""

from __future__ import annotations

import re
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from gui.dialogs import ask_to_open
from gui.named import named

ADDRESS = re.compile(r"[a-z]+://\S+:\d+")


class SchedulerDialog(QDialog):
    """One line: an address, the path of a scheduler file, or nothing for this machine."""

    chosen = Signal(str)

    def __init__(self, scheduler: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Where studies compute")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(520)
        self.place = QLineEdit(scheduler)
        self.place.setPlaceholderText("This machine")
        self.place.setAccessibleName("Scheduler")
        self.place.setClearButtonEnabled(True)
        self.file_button = QPushButton("Scheduler file …")
        self.file_button.setAutoDefault(False)
        self.file_button.clicked.connect(self._ask_file)
        text = (
            "Leave it empty for worker processes on this machine. A Dask scheduler is named by its address, "
            "tcp://HOST:PORT, or by its scheduler file; its workers must see the runs folder under the same path."
        )
        self.said = named(QLabel(wordWrap=True), "error")
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setProperty("primary", True)
        for button in self.buttons.buttons():
            button.setIcon(QIcon())  # the style's own do not go with ours
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        line = QHBoxLayout()
        line.addWidget(self.place, 1)
        line.addWidget(self.file_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(8)
        layout.addWidget(named(QLabel(text, wordWrap=True), "muted"))
        layout.addLayout(line)
        layout.addWidget(self.said)
        layout.addWidget(self.buttons)
        self.place.textChanged.connect(self._check)
        self._check()

    def _check(self) -> None:
        place = self.place.text().strip()
        known = not place or ADDRESS.fullmatch(place) or Path(place).is_file()
        self.said.setText("" if known else f"{place} is neither an address such as tcp://host:8786 nor a file.")
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(bool(known))

    def _ask_file(self) -> None:
        ask_to_open(self, "Scheduler file", "Scheduler files (*.json);;All files (*)", self.place.setText)

    def done(self, result: int) -> None:
        super().done(result)
        if result:
            self.chosen.emit(self.place.text().strip())
