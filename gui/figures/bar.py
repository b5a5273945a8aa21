"""The row above the page: open, save, undo, redo, remove, words, and the button that writes the figure."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QUndoStack
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget

from gui.icons import put
from gui.named import named
from gui.theme import Theme

TIPS = {
    "open": "Open a recipe, or a PDF, SVG or PNG that this app wrote",
    "save": "Save the recipe, for export --recipe and for the next time",
    "remove": "Remove the chosen panel  (Del)",
    "words": "Copy a draft of the caption, for LaTeX",
    "table": "Copy the runs' hyper-parameters as a LaTeX table (booktabs)",
}
BUTTONS = (
    ("open", "Open", "open"),
    ("save", "Save", "folder"),
    ("undo", "Undo", "reset"),
    ("redo", "Redo", "follow"),
    ("remove", "Remove panel", "cross"),
    ("words", "Caption", "copy"),
    ("table", "Table", "copy"),
)
PAGE_BUTTONS = ("save", "words", "table")  # need a panel


class Bar(QWidget):
    """Says which button was pressed; undo and redo belong to ``stack``."""

    pressed = Signal(str)
    export_requested = Signal()

    def __init__(self, stack: QUndoStack, theme: Theme) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 8, 16, 8)
        row.setSpacing(4)
        self.undo, self.redo = stack.createUndoAction(self, "Undo"), stack.createRedoAction(self, "Redo")
        self.undo.setShortcut(QKeySequence.StandardKey.Undo)
        self.redo.setShortcut(QKeySequence.StandardKey.Redo)
        self.buttons: dict[str, QToolButton] = {}
        for name, text, icon in BUTTONS:
            button = self.buttons[name] = QToolButton()
            if name in ("undo", "redo"):
                action = self.undo if name == "undo" else self.redo
                action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
                put(action, icon, theme, "muted")
                button.setDefaultAction(action)
            else:
                button.setText(text)
                button.clicked.connect(lambda _=False, name=name: self.pressed.emit(name))
                put(button, icon, theme, "muted")
            button.setAccessibleName(text)
            button.setToolTip(TIPS.get(name, text))
            compact = name in ("undo", "redo", "remove")
            style = Qt.ToolButtonStyle
            button.setToolButtonStyle(style.ToolButtonIconOnly if compact else style.ToolButtonTextBesideIcon)
            row.addWidget(button)
        row.addStretch(1)
        self.scale = named(QLabel(), "muted")
        row.addWidget(self.scale)
        row.addSpacing(8)
        self.export = QPushButton("Export …")
        self.export.setAccessibleName("Export")
        self.export.setProperty("primary", True)
        self.export.clicked.connect(self.export_requested)
        row.addWidget(self.export)

    def show_page(self, size: tuple[float, float], *, empty: bool) -> None:
        """Name the size of the page; only a page with a panel can be kept or written."""
        for button in (self.export, *(self.buttons[name] for name in PAGE_BUTTONS)):
            button.setEnabled(not empty)
        self.scale.setText(f"{size[0]:g} x {size[1]:g} mm")
