"""A small dialog: a heading, what it asks, and two buttons."""

from __future__ import annotations

from abc import abstractmethod

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from gui.named import named

MARGIN = 24  # pixels


class Question(QDialog):
    """Enter gives the answer, Esc leaves everything as it is.

    Args:
        title: Of the dialog's window.
        heading: What stands on top, in large.
        text: A line that explains it.
        yes: What the button that gives the answer says.

    Attributes:
        body: Where whatever is asked is put.
        button: Gives the answer; off while there is none.
    """

    def __init__(self, title: str, heading: str, text: str, yes: str, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.setMinimumWidth(360)
        self.body = QVBoxLayout()
        self.body.setSpacing(8)
        self.button = QPushButton(yes, default=True)
        self.button.setProperty("primary", True)
        self.button.clicked.connect(self._give)
        cancel = QPushButton("Cancel", autoDefault=False)
        cancel.clicked.connect(self.reject)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(8)
        layout.addWidget(named(QLabel(heading), "title"))
        if text:
            layout.addWidget(named(QLabel(text, wordWrap=True), "muted"))
        layout.addLayout(self.body)
        layout.addLayout(buttons)

    @abstractmethod
    def _give(self) -> None:
        """Hand the answer out and close."""
