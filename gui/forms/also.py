"""Instruments that are off unless asked for: a folded group of boxes."""

from collections.abc import Iterable

from PySide6.QtCore import QRegularExpression, Qt, Signal
from PySide6.QtGui import QRegularExpressionValidator
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QLineEdit, QSpinBox, QWidget

from gui.forms.editors import Quiet
from gui.forms.group import Group
from gui.inset import inset
from gui.named import named
from gui.theme import Theme
from lab.experiment import Experiment, Instrument

LIVE = "A box switches on or off at the next step; the measurement budget says how often it reads."
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
        inset(self)
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
    """ "Also measure" in the form of a new run, and of one that goes on."""

    changed = Signal()
    switched = Signal(tuple, tuple)  # while a run goes on: what to read from now on, and what to leave

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
                self.choices[name].editingFinished.connect(self._switch)
            box.toggled.connect(self.changed)
            box.toggled.connect(self._switch)
            self.every[name].valueChanged.connect(self.changed)
            self.every[name].editingFinished.connect(self._switch)
        self.running = False
        self._on: dict[str, str] = {}  # of the run that goes on
        self.live = named(QLabel(LIVE, wordWrap=True), "muted")
        self.live.hide()
        self.rows.addWidget(self.live)
        note = experiment.also_note or ("" if self.boxes else "This experiment has no optional instruments.")
        if note:
            self.rows.addWidget(named(QLabel(note, wordWrap=True), "muted"))

    def set_running(self, running: bool) -> None:
        """While a run goes on a box switches its instrument at once: say so."""
        self.running = running
        self.live.setVisible(running and bool(self.boxes))

    def chosen(self) -> tuple[str, ...]:
        """The instruments that are on, as ``Request.also`` names them."""
        return tuple(self._asked().values())

    def show_run(self, also: Iterable[str]) -> None:
        """Put the boxes as a run has them."""
        on = {item.partition("=")[0].partition("@")[0]: item for item in also}
        self._on = {name: item for name, item in on.items() if name in self.boxes}
        for name, box in self.boxes.items():
            asking, _, every = self._on.get(name, "").partition("=")
            for widget in (box, self.every[name]):
                widget.blockSignals(True)
            box.setChecked(name in self._on)
            self.every[name].setValue(int(every or 0))
            self.every[name].setVisible(name in self._on)
            for widget in (box, self.every[name]):
                widget.blockSignals(False)
            if name in self.choices:
                self.choices[name].setText(asking.partition("@")[2])
                self.choices[name].setVisible(name in self._on)

    def _asked(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, box in self.boxes.items():
            if box.isChecked():
                steps = self.choices[name].steps() if name in self.choices else ""
                every = self.every[name].value()
                found[name] = name + steps + (f"={every}" if every else "")
        return found

    def _switch(self) -> None:
        """Tell the run that goes on what is different now."""
        before, now = self._on, self._asked()
        if self.running and now != before:
            self._on = now
            on = tuple(item for name, item in now.items() if before.get(name) != item)
            self.switched.emit(on, tuple(before.keys() - now.keys()))
