"""Asks what to measure of a stored run, and where: at its checkpoints, or at the step shown."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QRadioButton, QWidget

from gui.forms.also import boxes, choices
from gui.question import Question
from gui.views.text import whole
from lab.experiment import Experiment


class MeasureDialog(Question):
    """Boxes for the optional instruments of an experiment."""

    given = Signal(tuple, tuple)  # instruments; steps, none for every checkpoint

    def __init__(self, experiment: type[Experiment], checkpoints: int, step: int, parent: QWidget | None) -> None:
        text = "The states come from the run's checkpoints; what is read goes into its file."
        super().__init__("Measure afterwards", "Measure afterwards", text, "Measure", parent)
        self._step = step
        self.boxes = boxes(experiment)
        self.everywhere = QRadioButton(f"at every checkpoint ({checkpoints})")
        self.here = QRadioButton(f"at step {whole(step)}, computed again from the checkpoint before it")
        self.everywhere.setChecked(True)
        self.choices = choices(experiment)
        for name, box in self.boxes.items():
            box.toggled.connect(self._check)
            self.body.addWidget(box)
            if name in self.choices:
                self.body.addWidget(self.choices[name])
                box.toggled.connect(self.choices[name].setVisible)
        self.body.addWidget(self.everywhere)
        self.body.addWidget(self.here)
        self._check()

    def _chosen(self) -> tuple[str, ...]:
        chosen = {name: field.steps() for name, field in self.choices.items()}
        return tuple(name + chosen.get(name, "") for name, box in self.boxes.items() if box.isChecked())

    def _check(self) -> None:
        self.button.setEnabled(bool(self._chosen()))
        self.button.setToolTip("" if self._chosen() else "Choose what to measure first")

    def _give(self) -> None:
        self.given.emit(self._chosen(), (self._step,) if self.here.isChecked() else ())
        self.accept()
