"""A field that searches or filters a list."""

from PySide6.QtWidgets import QLineEdit


class SearchField(QLineEdit):
    """Words to look for. Files that are dropped on it go to the window, which opens them."""

    def __init__(self, hint: str, name: str) -> None:
        super().__init__(placeholderText=hint, clearButtonEnabled=True)
        self.setAccessibleName(name)
        self.setAcceptDrops(False)
