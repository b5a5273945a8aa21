"""Asks what to measure of a stored run, and where: at its checkpoints, or at the step shown."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QRadioButton, QVBoxLayout, QWidget

from gui.forms.also import boxes
from gui.named import named
from gui.views.text import whole
from lab.experiment import Experiment


class MeasureDialog(QDialog):
    """Boxes for the optional instruments of an experiment; Enter measures, Esc leaves the file alone."""

    given = Signal(tuple, tuple)  # instruments; steps, none for every checkpoint

    def __init__(self, experiment: type[Experiment], checkpoints: int, step: int, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Measure afterwards")
        self.setMinimumWidth(360)
        self._step = step
        self.boxes = boxes(experiment)
        self.everywhere = QRadioButton(f"at every checkpoint ({checkpoints})")
        self.here = QRadioButton(f"at step {whole(step)}, computed again from the checkpoint before it")
        self.everywhere.setChecked(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 24)
        layout.setSpacing(8)
        layout.addWidget(named(QLabel("Measure afterwards"), "title"))
        text = "The states come from the run's checkpoints; what is read goes into its file."
        layout.addWidget(named(QLabel(text, wordWrap=True), "muted"))
        for box in self.boxes.values():
            box.toggled.connect(self._check)
            layout.addWidget(box)
        layout.addWidget(self.everywhere)
        layout.addWidget(self.here)
        layout.addLayout(self._buttons())
        self._check()

    def _buttons(self) -> QHBoxLayout:
        self.button = QPushButton("Measure", default=True)
        self.button.setProperty("primary", True)
        self.button.clicked.connect(self._give)
        cancel = QPushButton("Cancel", autoDefault=False)
        cancel.clicked.connect(self.reject)
        line = QHBoxLayout()
        line.addStretch(1)
        line.addWidget(cancel)
        line.addWidget(self.button)
        return line

    def _chosen(self) -> tuple[str, ...]:
        return tuple(name for name, box in self.boxes.items() if box.isChecked())

    def _check(self) -> None:
        self.button.setEnabled(bool(self._chosen()))
        self.button.setToolTip("" if self._chosen() else "Choose what to measure first")

    def _give(self) -> None:
        self.given.emit(self._chosen(), (self._step,) if self.here.isChecked() else ())
        self.accept()
