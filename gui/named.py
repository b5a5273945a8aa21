"""Object names: the style sheet and saved layouts know widgets by them."""

from typing import TypeVar

from PySide6.QtWidgets import QWidget

W = TypeVar("W", bound=QWidget)


def named(widget: W, name: str) -> W:
    """The widget under its object name. PySide's stubs let a constructor set only properties of its own class."""
    widget.setObjectName(name)
    return widget
