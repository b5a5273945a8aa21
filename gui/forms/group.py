"""A heading that folds what is under it."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QToolButton, QVBoxLayout, QWidget

from gui.icons import put
from gui.named import named
from gui.theme import Theme


class Group(QWidget):
    """A collapsible group of widgets."""

    def __init__(self, title: str, theme: Theme, *, folded: bool = False) -> None:
        super().__init__()
        self._theme = theme
        self.head = named(QToolButton(), "group")
        self.head.setText(title)
        self.head.setCheckable(True)
        self.head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.head.setIconSize(QSize(16, 16))
        self.head.toggled.connect(self._show)
        self.body = QWidget()
        self.rows = QVBoxLayout(self.body)
        self.rows.setContentsMargins(0, 0, 0, 8)
        self.rows.setSpacing(0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.head)
        layout.addWidget(self.body)
        self.head.setChecked(not folded)
        self._show(not folded)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._show(self.head.isChecked())

    def open(self) -> None:
        self.head.setChecked(True)

    def _show(self, opened: bool) -> None:
        self.body.setVisible(opened)
        put(self.head, "chevron-down" if opened else "chevron-right", self._theme, "muted")
