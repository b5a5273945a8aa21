"""The one slider below the panels: a place on their common axis, or each at its own end."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QWidget

from gui.named import named
from gui.views.text import short, whole
from lab.compare import Along

STEPS = 1000


class Walk(QWidget):
    """Says how far along the axis the panels stand."""

    moved = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, STEPS)
        self.slider.setValue(STEPS)
        self.slider.setAccessibleName("Place on the common axis")
        self.slider.valueChanged.connect(self.moved)
        self.label = named(QLabel("end"), "muted")
        self.label.setMinimumWidth(112)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 4, 12, 6)
        row.setSpacing(12)
        row.addWidget(self.label)
        row.addWidget(self.slider, 1)

    @property
    def share(self) -> float | None:
        """Share of the axis; None at its right end, where each panel stands at its own."""
        return None if self.slider.value() == STEPS else self.slider.value() / STEPS

    def say(self, x: float | None, along: Along) -> None:
        """Name the place."""
        if x is None:
            self.label.setText("end")
            return
        said = whole(round(x)) if along.kind in ("step", "event") else short(x)
        self.label.setText(f"{'step' if along.kind == 'step' else along.label} {said}")
