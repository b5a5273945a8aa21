"""A small dialog in which two limits are typed: of colours, or of the values on an axis."""

import math

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QDoubleValidator
from PySide6.QtWidgets import QFormLayout, QLineEdit, QWidget

from gui.question import Question


class LimitsDialog(Question):
    """Two numbers, the lower one first.

    Args:
        what: What is limited, for example ``colours``.
        positive: The axis is logarithmic.
    """

    chosen = Signal(float, float)

    def __init__(self, what: str, low: float, high: float, parent: QWidget | None, *, positive: bool = False) -> None:
        super().__init__(f"Limits of the {what}", f"Limits of the {what}", "", "Hold", parent)
        self._positive = positive
        self.low, self.high = QLineEdit(f"{low:.6g}"), QLineEdit(f"{high:.6g}")
        form = QFormLayout()
        for name, field in (("Highest", self.high), ("Lowest", self.low)):
            field.setValidator(QDoubleValidator(field))
            field.setAccessibleName(f"{name} of the {what}")
            field.textChanged.connect(self._check)
            form.addRow(name, field)
        self.body.addLayout(form)

    def _limits(self) -> tuple[float, float]:
        try:
            return float(self.low.text()), float(self.high.text())
        except ValueError:
            return math.nan, math.nan

    @Slot()
    def _check(self) -> None:
        low, high = self._limits()
        self.button.setEnabled(low < high and (low > 0 or not self._positive))
        self.button.setToolTip("Both above 0: the axis is logarithmic" if self._positive and low <= 0 else "")

    def _give(self) -> None:
        self.chosen.emit(*self._limits())
        self.accept()
