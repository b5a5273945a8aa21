"""A panel of the Compare place: a head with title and values, and a view of one run or an overlay of many under it."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from gui.panel import HEAD_PX, ReadOut, Title
from gui.theme import Theme

CELL_PX = 268  # least height


class Cell(QWidget):
    """Shows ``view``, anything with ``readout_changed`` and ``maximise_requested``, under its title.

    Attributes:
        head: What it has in common with its neighbours; cells of one head stand below it, in rows of their own.
    """

    maximise_requested = Signal(QWidget)

    def __init__(self, view: Any, title: str, theme: Theme, help: str = "", colour: str = "", head: str = "") -> None:
        super().__init__()
        self.head = head
        self.setObjectName("page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumHeight(CELL_PX)
        self.view = view
        # a panel of one run keeps the end, which tells it from its neighbours
        elide = Qt.TextElideMode.ElideLeft if colour else Qt.TextElideMode.ElideMiddle
        self.title = Title(title, help, elide=elide)
        self.readout = ReadOut()
        titled = QHBoxLayout()
        titled.setContentsMargins(12, 0, 8, 0)
        titled.setSpacing(12)
        if colour:
            titled.addWidget(QLabel(f'<span style="color:{colour}">\N{BLACK CIRCLE}</span>'))
        titled.addWidget(self.title)
        titled.addWidget(self.readout, 1)
        bar = QWidget()
        bar.setFixedHeight(HEAD_PX)
        bar.setLayout(titled)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(bar)
        layout.addWidget(view, 1)
        view.readout_changed.connect(self.readout.show_html)
        view.maximise_requested.connect(lambda: self.maximise_requested.emit(self))

    def set_theme(self, theme: Theme) -> None:
        self.view.set_theme(theme)
