"""Instruments that are off unless asked for: a folded group of boxes."""

from PySide6.QtWidgets import QCheckBox, QLabel, QWidget

from gui.forms.group import Group
from gui.named import named
from gui.theme import Theme
from lab.experiment import Experiment, Instrument


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
            every = f"every {item.every} steps" if isinstance(item.every, int) else f"as often as {item.every} says"
            how = f"{item.series[0].estimator}. " if item.series[0].estimator else ""
            box.setToolTip(f"{how}Read {every}, less often where the measurement budget is short")
    return found


class AlsoGroup(Group):
    """ "Also measure" in the form of a new run."""

    def __init__(self, experiment: type[Experiment], theme: Theme) -> None:
        super().__init__("Also measure", theme, folded=True)
        self.boxes = boxes(experiment)
        for box in self.boxes.values():
            self.rows.addWidget(box)
        note = experiment.also_note or ("" if self.boxes else "This experiment has no optional instruments.")
        if note:
            self.rows.addWidget(named(QLabel(note, wordWrap=True), "muted"))

    def chosen(self) -> tuple[str, ...]:
        """Names of the instruments that are on."""
        return tuple(name for name, box in self.boxes.items() if box.isChecked())
