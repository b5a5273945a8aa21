"""Where a form's values come from: the preset and the arm that the user picked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from gui.named import named
from gui.views.text import tip

if TYPE_CHECKING:
    from lab.experiment import Experiment

EXPECTED = {"reproduced": "should appear", "not reproduced": "control", "not comparable": "not judged"}


class Start(QWidget):
    """Preset and arm of an experiment, and whether the form has left them."""

    chosen = Signal()  # another preset or arm, or back to it

    def __init__(self, experiment: type[Experiment]) -> None:
        super().__init__()
        self._experiment = experiment
        self.presets = QComboBox()
        self.presets.setAccessibleName("Preset")
        self.presets.addItems(list(experiment.presets))
        for index, preset in enumerate(experiment.presets.values()):
            self.presets.setItemData(index, preset.note, Qt.ItemDataRole.ToolTipRole)
        self.presets.activated.connect(self._choose)
        self.arms = QButtonGroup(self)
        self.modified = named(QLabel(""), "pill")
        self.modified.setProperty("kind", "warn")
        self.back = QPushButton("Undo changes")
        self.back.clicked.connect(self._choose)
        top = QHBoxLayout()
        top.addWidget(QLabel("Preset"))
        top.addWidget(self.presets, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 8)
        layout.setSpacing(6)
        layout.addLayout(top)
        self.note = named(QLabel(wordWrap=True), "muted")
        layout.addWidget(self.note)
        layout.addLayout(self._arm_rows())
        for widget in (self.modified, self.back):  # they come as a knob is turned, which must not move meanwhile
            policy = widget.sizePolicy()
            policy.setRetainSizeWhenHidden(True)
            widget.setSizePolicy(policy)
        bottom = QHBoxLayout()
        bottom.addWidget(self.modified, 0, Qt.AlignmentFlag.AlignVCenter)
        bottom.addStretch(1)
        bottom.addWidget(self.back)
        layout.addLayout(bottom)
        self.show_modified(0)
        self._write_notes()

    def _arm_rows(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setVerticalSpacing(0)
        self._expected: dict[str, QLabel] = {}
        for index, (name, arm) in enumerate(self._experiment.arms.items()):
            button = QRadioButton(name)
            button.setChecked(index == 0)
            button.setToolTip(tip(arm.note))
            button.clicked.connect(self._choose)
            self.arms.addButton(button, index)
            self._expected[name] = named(QLabel(), "muted")
            grid.addWidget(button, index, 0)
            grid.addWidget(self._expected[name], index, 1, Qt.AlignmentFlag.AlignRight)
        return grid

    def preset(self) -> str:
        return self.presets.currentText()

    def arm(self) -> str:
        """The chosen arm; empty where the experiment has none."""
        return button.text() if (button := self.arms.checkedButton()) else ""

    def choose(self, preset: str, arm: str) -> None:
        """Show a preset and an arm as chosen, without filling the form."""
        self.presets.setCurrentText(preset)
        self.arms.setExclusive(False)  # or the last button could not be unchecked
        for button in self.arms.buttons():
            button.setChecked(button.text() == arm)
        self.arms.setExclusive(True)
        self._write_notes()

    def show_modified(self, count: int) -> None:
        self.modified.setText(f"modified: {count} knob{'s' if count != 1 else ''}")
        self.modified.setVisible(bool(count))
        self.back.setVisible(bool(count))

    def _choose(self) -> None:
        self._write_notes()
        self.chosen.emit()

    def _write_notes(self) -> None:
        """What the preset is, and how the arms should end beside it."""
        for name, label in self._expected.items():
            expected = self._experiment.expected(self.preset(), name)
            label.setText(EXPECTED[expected] if expected else "")
            label.setToolTip(f"The paper's claim predicts: {expected}.")
        note = self._experiment.presets[self.preset()].note if self.preset() else ""
        self.note.setText(note)
        self.note.setVisible(bool(note))
