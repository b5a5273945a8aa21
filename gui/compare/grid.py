"""The panels of a comparison in rows, all on one axis, moved along by one slider."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QScrollArea, QWidget

from gui.compare.cells import Cell
from gui.named import named
from gui.theme import Theme

WIDE_PX = 340  # least width of a cell before a row holds fewer


class Grid(QScrollArea):
    """Cells two to four in a row; one may fill the centre, Esc goes back."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("panel_scroll")
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.cells: list[Cell] = []
        self._across = self._placed = 0
        self._alone: Cell | None = None
        self._heads: dict[str, QLabel] = {}
        self.show_cells([], 0)

    def show_cells(self, cells: Sequence[Cell], across: int, message: str = "") -> None:
        """Show other cells, ``across`` in a row (0: as many as there is room for), or say why there are none."""
        self.cells, self._across, self._alone = list(cells), across, None
        body = QWidget()
        body.setObjectName("panel_body")
        layout = QGridLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        self._heads = {head: self._head(head) for head in dict.fromkeys(cell.head for cell in self.cells) if head}
        for cell in self.cells:
            cell.maximise_requested.connect(self._maximise)
        if message:
            label = named(QLabel(message, wordWrap=True, alignment=Qt.AlignmentFlag.AlignCenter), "muted")
            layout.addWidget(label, 0, 0)
        self.setWidget(body)  # deletes the cells of before
        self._place()

    def _place(self) -> None:
        body = self.widget()
        layout = None if body is None else body.layout()
        if not isinstance(layout, QGridLayout):
            return
        across = self._fitting()
        self._placed = across
        row = column = 0
        head = ""
        for cell in self.cells:
            if cell.head != head or column == across:
                row, column = row + 1, 0
            if cell.head != head and cell.head:
                layout.addWidget(self._heads[cell.head], row, 0, 1, across)
                self._heads[cell.head].setVisible(self._alone is None)
                row += 1
            head = cell.head
            layout.addWidget(cell, row, column)
            cell.setVisible(self._alone in (None, cell))
            column += 1

    def _fitting(self) -> int:
        """Cells in a row."""
        room = max(1, min(4, self.viewport().width() // WIDE_PX))
        return self._across or min(room, 2 if len(self.cells) <= 4 else room)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._fitting() != self._placed:
            self._place()

    def _head(self, text: str) -> QLabel:
        label = named(QLabel(text), "heading")
        label.setContentsMargins(12, 8, 8, 0)
        return label

    def _maximise(self, cell: QWidget) -> None:
        self._alone = None if self._alone is cell or not isinstance(cell, Cell) else cell
        self._place()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self._alone is not None:
            self._alone = None
            self._place()
        else:
            super().keyPressEvent(event)

    def set_theme(self, theme: Theme) -> None:
        for cell in self.cells:
            cell.set_theme(theme)
