"""Text that stands off the edge of a spin box, as it does in other fields."""

from PySide6.QtWidgets import QAbstractSpinBox

PIXELS = 6


def inset(box: QAbstractSpinBox) -> None:
    """Keep the text off the left edge: a spin box's own field heeds no padding of the style sheet."""
    box.lineEdit().setTextMargins(PIXELS, 0, 0, 0)
