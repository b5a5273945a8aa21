"""Instruments that are off unless asked for: a folded group of boxes."""

from PySide6.QtCore import QRegularExpression, Qt, Signal
from PySide6.QtGui import QRegularExpressionValidator
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QLineEdit, QSpinBox, QWidget

from gui.forms.editors import Quiet
from gui.forms.group import Group
from gui.named import named
from gui.theme import Theme
from lab.experiment import Experiment, Instrument

LATE = "Chosen before a run. Of a run that is over: Measure afterwards, in the menu Run."
INDENT = 22  # pixels: what belongs to a box stands under its text


def label(item: Instrument) -> str:
    """What a person calls an instrument."""
    return " · ".join(dict.fromkeys(series.label for series in item.series[:1]))


def boxes(experiment: type[Experiment], parent: QWidget | None = None) -> dict[str, QCheckBox]:
    """A box for each optional instrument, by its name."""
    found: dict[str, QCheckBox] = {}
    for item in experiment.instruments():
        if item.optional:
            box = found[item.method] = QCheckBox(label(item), parent)
            box.setAccessibleName(f"Also measure: {label(item)}")
            how = f"{item.series[0].estimator}. " if item.series[0].estimator else ""
            box.setToolTip(f"{how}Read {_own(item)}, less often where the measurement budget is short")
    return found


def _own(item: Instrument) -> str:
    return f"every {item.every} steps" if isinstance(item.every, int) else f"as often as {item.every} says"


class Every(Quiet, QSpinBox):
    """Steps from one reading to the next; 0 leaves it to the instrument and the budget."""

    def __init__(self, item: Instrument) -> None:
        super().__init__(minimum=0, maximum=1_000_000_000, prefix="every ", suffix=" steps")
        self.setSpecialValueText("as the budget allows")
        self.setStepType(QSpinBox.StepType.AdaptiveDecimalStepType)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setVisible(False)
        self.setAccessibleName(f"Steps between readings: {label(item)}")
        self.setToolTip(
            f"Lowest: read {_own(item)}, less often where the measurement budget is short. "
            "A number is kept to, whatever it costs"
        )


class Choice(QLineEdit):
    """The steps that an instrument is to use; empty leaves them to it."""

    def __init__(self, item: Instrument) -> None:
        super().__init__()
        self.setPlaceholderText("steps: 0, 500, 1000")
        self.setValidator(QRegularExpressionValidator(QRegularExpression(r"\s*(\d+\s*(,\s*\d+\s*)*)?")))
        self.setVisible(False)
        self.setAccessibleName(f"Steps for: {label(item)}")
        self.setToolTip(f"{item.choice[:1].upper()}{item.choice[1:]}")

    def steps(self) -> str:
        """As ``Request.also`` takes them."""
        return "@" + "".join(self.text().split()) if self.hasAcceptableInput() and self.text().strip() else ""


def choices(experiment: type[Experiment]) -> dict[str, Choice]:
    """A field for each optional instrument that takes steps, by its name."""
    return {item.method: Choice(item) for item in experiment.instruments() if item.optional and item.choice}


class AlsoGroup(Group):
    """ "Also measure" in the form of a new run."""

    changed = Signal()

    def __init__(self, experiment: type[Experiment], theme: Theme) -> None:
        super().__init__("Also measure", theme, folded=True)
        self.boxes = boxes(experiment)
        self.every = {item.method: Every(item) for item in experiment.instruments() if item.optional}
        self.choices = choices(experiment)
        for name, box in self.boxes.items():
            row = QHBoxLayout()
            row.addSpacing(INDENT)
            row.addWidget(self.every[name], 1)
            self.rows.addWidget(box)
            self.rows.addLayout(row)
            box.toggled.connect(self.every[name].setVisible)
            if name in self.choices:
                row.addWidget(self.choices[name], 1)
                box.toggled.connect(self.choices[name].setVisible)
            box.toggled.connect(self.changed)
            self.every[name].valueChanged.connect(self.changed)
        self.late = named(QLabel(LATE, wordWrap=True), "muted")
        self.late.hide()
        self.rows.addWidget(self.late)
        note = experiment.also_note or ("" if self.boxes else "This experiment has no optional instruments.")
        if note:
            self.rows.addWidget(named(QLabel(note, wordWrap=True), "muted"))

    def set_running(self, running: bool) -> None:
        """While a run goes on nothing can be switched on: say when it can."""
        for name, box in self.boxes.items():
            box.setDisabled(running)
            self.every[name].setDisabled(running)
        self.late.setVisible(running and bool(self.boxes))

    def chosen(self) -> tuple[str, ...]:
        """The instruments that are on, as ``Request.also`` names them."""
        on = [(name, self.every[name].value()) for name, box in self.boxes.items() if box.isChecked()]
        chosen = {name: field.steps() for name, field in self.choices.items()}
        return tuple(name + chosen.get(name, "") + (f"={every}" if every else "") for name, every in on)
