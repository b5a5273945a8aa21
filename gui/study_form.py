"""Asks which runs a study is to have: knobs that become axes, arms, seeds; and says how many runs that makes."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.background import Background
from gui.forms import Form
from gui.icons import put
from gui.local_runs import duration
from gui.named import named
from gui.runs import Runs
from gui.theme import Theme
from lab.config import Config, ConfigError
from lab.experiment import Experiment
from lab.machine import worker_devices
from lab.registry import UnknownName
from lab.study import Axis, Study, StudyError


def _changed(config: Config, base: Config) -> dict[str, Any]:
    """Knobs of ``config`` that differ from ``base``."""
    return {name: mine for name, (mine, _) in config.difference(base).items()}


class AxisRow(QWidget):
    """One axis: a knob and its values as text."""

    edited = Signal()
    removed = Signal()

    def __init__(self, experiment: type[Experiment], theme: Theme, knob: str = "") -> None:
        super().__init__()
        self.knob = QComboBox()
        self.knob.setAccessibleName("Knob")
        for name, known in experiment.Config.knobs().items():
            if name not in ("seed", "threads"):
                self.knob.addItem(f"{known.label} {known.symbol}".strip(), name)
        self.knob.setCurrentIndex(max(0, self.knob.findData(knob)))
        self.values = QLineEdit()
        self.values.setAccessibleName("Values")
        self.values.setPlaceholderText("1, 2, 5   or   0.1:10:5:log")
        self.values.setToolTip("A list a, b, c; or a range low:high:count, by equal factors with :log behind it")
        remove = named(QToolButton(), "tiny")
        put(remove, "close", theme, "muted")
        remove.setAccessibleName("Remove this axis")
        remove.setToolTip("Remove this axis")
        remove.clicked.connect(self.removed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.knob, 2)
        layout.addWidget(self.values, 3)
        layout.addWidget(remove)
        self.knob.currentIndexChanged.connect(self.edited)
        self.values.textChanged.connect(self.edited)

    def name(self) -> str:
        return str(self.knob.currentData())


class StudyForm(QDialog):
    """A study from the knobs that a form shows.

    Args:
        form: Experiment, preset, arm and knobs to start from.
        runs: Says what a run costs.
        claim: Begin with all arms and no axis.
    """

    chosen = Signal(object)  # Study

    def __init__(
        self, form: Form, theme: Theme, runs: Runs, *, claim: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        experiment = self._experiment = form.experiment
        self.setWindowTitle(f"Study: {experiment.title}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(560)
        self._preset, arm, config = form.preset(), form.arm(), form.config()
        assert config is not None
        # over the shown arm, whose own settings a study makes for itself; over the preset, for one without arms
        self._settings, self._whole = (_changed(config, experiment.configure(self._preset, a)) for a in (arm, ""))
        self._theme, self._runs = theme, runs
        self.study: Study | None = None
        self._seconds = 0.0
        self.rows: list[AxisRow] = []
        self._axes = QVBoxLayout()
        self._add = QPushButton("Add an axis")
        self._add.setAutoDefault(False)
        self._add.clicked.connect(lambda: self.add_axis())
        self.zipped = QCheckBox("Take values together (zip), not each with each")
        self.arms = [QCheckBox(name) for name in experiment.arms]
        for box in self.arms:
            box.setChecked(claim or box.text() == arm)
        self.seeds = QSpinBox(minimum=0, maximum=1000)
        self.seeds.setSpecialValueText("as in the knobs")
        self.seeds.setAccessibleName("Seeds")
        self.said = named(QLabel(wordWrap=True), "muted")
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.run_button = self.buttons.button(QDialogButtonBox.StandardButton.Ok)
        self.run_button.setProperty("primary", True)
        for button in self.buttons.buttons():
            button.setIcon(QIcon())  # the style's own do not go with ours
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self._lay_out()
        self._background = Background(self)
        self._background.done.connect(self._costs)
        for box in (self.zipped, *self.arms):
            box.toggled.connect(self._check)
        self.seeds.valueChanged.connect(self._check)
        if not claim:
            self.add_axis()
        self._check()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(8)
        start = f"From the preset {self._preset}" + (
            f" with {len(self._settings)} changed knobs" * bool(self._settings)
        )
        layout.addWidget(named(QLabel(start), "muted"))
        layout.addWidget(named(QLabel("AXES"), "heading"))
        layout.addLayout(self._axes)
        below = QHBoxLayout()
        below.addWidget(self._add)
        below.addWidget(self.zipped)
        below.addStretch(1)
        layout.addLayout(below)
        layout.addWidget(named(QLabel("ARMS"), "heading"))
        grid = QGridLayout()
        for index, box in enumerate(self.arms):
            grid.addWidget(box, index // 3, index % 3)
        layout.addLayout(grid)
        seeds = QHBoxLayout()
        seeds.addWidget(named(QLabel("SEEDS"), "heading"))
        seeds.addWidget(self.seeds)
        seeds.addStretch(1)
        layout.addLayout(seeds)
        layout.addWidget(self.said)
        layout.addWidget(self.buttons)

    def add_axis(self, knob: str = "", values: str = "") -> None:
        """One axis more; empty values leave it out."""
        row = AxisRow(self._experiment, self._theme, knob)
        row.values.setText(values)
        row.edited.connect(self._check)
        row.removed.connect(lambda: self._remove(row))
        self.rows.append(row)
        self._axes.addWidget(row)
        row.values.setFocus()
        self._check()

    def _remove(self, row: AxisRow) -> None:
        self.rows.remove(row)
        row.hide()
        row.deleteLater()
        self._check()

    def _read(self) -> Study:
        axes = [(row.name(), row.values.text().strip()) for row in self.rows if row.values.text().strip()]
        taken = {knob for knob, _ in axes} | ({"seed"} if self.seeds.value() else set())
        arms = tuple(box.text() for box in self.arms if box.isChecked())
        settings = self._settings if arms else self._whole
        return Study.of(
            experiment=self._experiment.name,
            preset=self._preset,
            settings={knob: value for knob, value in settings.items() if knob not in taken},
            arms=arms,
            seeds=tuple(range(self.seeds.value())),
            combine="zip" if self.zipped.isChecked() else "outer",
            device=self._runs.device,
            axes=tuple(Axis.parse(knob, text, self._experiment.Config) for knob, text in axes),
        )

    def _check(self) -> None:
        self.study = None
        try:
            study = self._read()
            points = study.points(self._experiment)
        except (StudyError, ConfigError, UnknownName) as error:
            self._say(str(error), wrong=True)
            return
        self.study, self._count = study, len(points)
        workers = len(worker_devices(study.device, self._count, threads=points[0].config.threads))
        self._workers = workers
        self._say(f"{self._count} run{'s' * (self._count > 1)} on {workers} worker{'s' * (workers > 1)}")
        config = points[len(points) // 2].config
        self._background.start(lambda: (study, self._runs.seconds(self._experiment, config)))

    def _costs(self, answer: tuple[Study, float]) -> None:
        study, seconds = answer
        if study is self.study and seconds > 0:
            whole = seconds * self._count / self._workers
            batched = self._experiment.batch_key(study.points(self._experiment)[0].config) is not None
            less = "; less, because they are trained in batches" if batched and self._count > 1 else ""
            self._say(f"{self._count} runs on {self._workers} workers, about {duration(whole)}{less}")

    def _say(self, text: str, *, wrong: bool = False) -> None:
        self.said.setObjectName("error" if wrong else "muted")
        self.said.style().unpolish(self.said)
        self.said.style().polish(self.said)
        self.said.setText(text)
        self.run_button.setEnabled(not wrong)
        self.run_button.setText("Run" if wrong else f"Run {self._count} run{'s' * (self._count > 1)}")

    def done(self, result: int) -> None:
        self._background.wait()
        super().done(result)
        if result and self.study is not None:
            self.chosen.emit(self.study)
