"""The overlay that shows every shortcut."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QFrame, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from gui.actions import COMMANDS
from gui.named import named

PLOTS = (
    ("Drag", "Move the plot"),
    ("Wheel", "Zoom at the cursor"),
    ("Double click", "Fill the centre, again to go back"),
    ("A", "Show all data"),
    ("F", "Follow the run"),
    ("Left, Right", "Move the slider by a step, with Shift far"),
    ("Home, End", "First step, follow the newest"),
    ("Esc", "Back from a filled plot, close a list"),
)


class Shortcuts(QDialog):
    """Commands by menu, with their keys; any key or click closes it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setWindowTitle("Keyboard shortcuts")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        frame = named(QFrame(), "overlay")
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(frame)
        columns = QHBoxLayout(frame)
        columns.setContentsMargins(24, 24, 24, 24)
        columns.setSpacing(40)
        for menus in (("File", "Run"), ("View", "Help")):
            column = QVBoxLayout()
            column.setSpacing(0)  # else that of the columns
            for menu in menus:
                keys = [(c.shortcut, c.text.rstrip(" …")) for c in COMMANDS if c.menu == menu and c.shortcut]
                self._block(column, menu, keys)
            column.addStretch(1)
            columns.addLayout(column)
        column = QVBoxLayout()
        column.setSpacing(0)
        self._block(column, "Plots", list(PLOTS))
        column.addStretch(1)
        columns.addLayout(column)

    def _block(self, column: QVBoxLayout, title: str, rows: list[tuple[str, str]]) -> None:
        column.addWidget(named(QLabel(title.upper()), "heading"))
        grid = QGridLayout()
        grid.setContentsMargins(0, 8, 0, 24)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(6)
        for row, (keys, text) in enumerate(rows):
            native = QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText) if title != "Plots" else keys
            grid.addWidget(named(QLabel(native), "key"), row, 0)
            grid.addWidget(QLabel(text), row, 1)
        grid.setColumnStretch(1, 1)
        column.addLayout(grid)
