"""The colours of lines in their order: a known cycle, or one's own, colour by colour."""

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import QColorDialog, QComboBox, QMenu, QToolButton, QVBoxLayout, QWidget
from superqt import QFlowLayout

from gui.export.look import CYCLES

SWATCH_PX = 16
MOST = 32  # as a style file may have


class Cycle(QWidget):
    """Names the cycle, and shows a button for each of its colours."""

    changed = Signal(list)  # of #RRGGBB

    def __init__(self) -> None:
        super().__init__()
        self.colours: list[str] = []
        self.names = QComboBox()
        self.names.setAccessibleName("Colour cycle")
        for name in CYCLES:
            self.names.addItem(name, name)
        self.names.addItem("Own colours", "")
        self.names.activated.connect(lambda _: self._choose(CYCLES.get(self.names.currentData(), self.colours)))
        self.swatches = QWidget()
        self._row = QFlowLayout(self.swatches)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setHorizontalSpacing(2)
        self._row.setVerticalSpacing(2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.names)
        layout.addWidget(self.swatches)

    def show_colours(self, colours: Sequence[str]) -> None:
        """Show a cycle, by its name where it has one."""
        same = next((name for name, known in CYCLES.items() if [*known] == [*colours]), "")
        self.names.setCurrentIndex(self.names.findData(same))
        if [*colours] == self.colours:
            return
        self.colours = [*colours]
        while (item := self._row.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for place, colour in enumerate(self.colours):
            self._add_swatch(place, colour)
        add = QToolButton()
        add.setText("+")
        add.setAccessibleName("Add a colour")
        add.setToolTip("Add a colour")
        add.setEnabled(len(self.colours) < MOST)
        add.clicked.connect(lambda: self._choose([*self.colours, self._next()]))
        self._row.addWidget(add)

    def _add_swatch(self, place: int, colour: str) -> None:
        picture = QPixmap(SWATCH_PX, SWATCH_PX)
        picture.fill(QColor(colour))
        swatch = QToolButton()
        swatch.setIcon(QIcon(picture))
        swatch.setIconSize(QSize(SWATCH_PX, SWATCH_PX))
        swatch.setAccessibleName(f"Colour {place + 1}")
        swatch.setToolTip(f"Line {place + 1}: {colour}")
        swatch.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        swatch.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        menu = QMenu(swatch)
        menu.addAction("Change …").triggered.connect(lambda: self._ask(place))
        earlier = menu.addAction("Take it earlier")
        earlier.setEnabled(place > 0)
        earlier.triggered.connect(lambda: self._choose(self._swapped(place)))
        out = menu.addAction("Take it out")
        out.setEnabled(len(self.colours) > 1)
        out.triggered.connect(lambda: self._choose(self.colours[:place] + self.colours[place + 1 :]))
        swatch.setMenu(menu)
        self._row.addWidget(swatch)

    def _swapped(self, place: int) -> list[str]:
        colours = [*self.colours]
        colours[place - 1 : place + 1] = colours[place], colours[place - 1]
        return colours

    def _next(self) -> str:
        """A colour that is not in the cycle yet."""
        known = (colour for cycle in CYCLES.values() for colour in cycle)
        return next((colour for colour in known if colour not in self.colours), "#000000")

    def _ask(self, place: int) -> None:
        dialog = QColorDialog(QColor(self.colours[place]), self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.colorSelected.connect(lambda colour: self.put(place, colour.name().upper()))
        dialog.open()

    def put(self, place: int, colour: str) -> None:
        """Another colour at a place."""
        self._choose([*self.colours[:place], colour, *self.colours[place + 1 :]])

    def _choose(self, colours: Sequence[str]) -> None:
        self.changed.emit([*colours])
