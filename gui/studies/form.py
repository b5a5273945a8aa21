"""Asks which runs a study is to have: knobs that become axes, arms, seeds; and says how many runs that makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
from gui.inset import inset
from gui.named import named
from gui.runs.local import duration
from gui.runs.runs import Runs
from gui.theme import Theme
from lab.config import Config, ConfigError
from lab.experiment import Experiment
from lab.registry import UnknownName
from lab.studies.machine import worker_devices
from lab.studies.study import Axis, Study, StudyError


@dataclass(frozen=True)
class Basis:
    """What the form begins with.

    Attributes:
        study: What it shows.
        whole: The settings without an arm; those of the study are over its arms, which make some for themselves.
        begun: The study is there already, and is changed.
    """

    experiment: type[Experiment]
    study: Study
    whole: Mapping[str, Any]
    begun: bool = False

    @classmethod
    def of_form(cls, form: Form, device: str, *, claim: bool = False) -> Basis:
        """From the knobs that a form shows; ``claim``: with all arms and no axis."""
        experiment, preset, arm, config = form.experiment, form.preset(), form.arm(), form.config()
        assert config is not None
        settings, whole = (_changed(config, experiment.configure(preset, a)) for a in (arm, ""))
        arms = tuple(experiment.arms) if claim else (arm,) if arm else ()
        study = Study(experiment=experiment.name, preset=preset, settings=settings, arms=arms, device=device)
        return cls(experiment, study, whole)

    @classmethod
    def of_study(cls, experiment: type[Experiment], study: Study) -> Basis:
        return cls(experiment, study, study.settings, begun=True)


def _changed(config: Config, base: Config) -> dict[str, Any]:
    """Knobs of ``config`` that differ from ``base``."""
    return {name: mine for name, (mine, _) in config.difference(base).items()}


def _likely_axes(experiment: type[Experiment]) -> list[str]:
    """Knobs in the order in which axes are offered: those of the experiment's phase diagrams, then its own numbers."""
    diagrams = [knob for view in experiment.study_views for knob in view.knobs]
    numbers = [name for name, knob in experiment.Config.knobs().items() if knob.kind in ("float", "int")]
    return [*dict.fromkeys([*diagrams, *numbers])]


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)}"


class AxisRow(QWidget):
    """One axis: a knob and its values as text."""

    edited = Signal()
    removed = Signal()

    def __init__(self, experiment: type[Experiment], theme: Theme, knob: str = "") -> None:
        super().__init__()
        self.knob = QComboBox()
        self.knob.setAccessibleName("Knob")
        self._known = experiment.Config.knobs()
        for name, known in self._known.items():
            if name not in ("seed", "threads"):
                self.knob.addItem(f"{known.label} {known.symbol}".strip(), name)
        self.knob.setCurrentIndex(max(0, self.knob.findData(knob)))
        self.values = QLineEdit()
        self.values.setAccessibleName("Values")
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
        self.knob.currentIndexChanged.connect(self._hint)
        self.knob.currentIndexChanged.connect(self.edited)
        self._hint()
        self.values.textChanged.connect(self.edited)

    def name(self) -> str:
        return str(self.knob.currentData())

    def _hint(self) -> None:
        knob = self._known[self.name()]
        ways = "" if knob.choices or knob.kind == "bool" else ": a, b, c or low:high:count" + ":log" * knob.log
        self.values.setPlaceholderText(knob.limits + ways)


class StudyForm(QDialog):
    """A study from the knobs that a form shows, or another shape of a study that goes on.

    Args:
        basis: What to begin with.
        scheduler: Where studies compute; empty for this machine.
    """

    chosen = Signal(object)  # Study
    where_asked = Signal()

    def __init__(
        self, basis: Basis, theme: Theme, runs: Runs, scheduler: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._basis, self._experiment, study = basis, basis.experiment, basis.study
        self.setWindowTitle(f"Study: {basis.experiment.title}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(560)
        self._theme, self._runs, self._scheduler = theme, runs, scheduler
        self.study: Study | None = None
        self._seconds = 0.0
        self.rows: list[AxisRow] = []
        self._axes = QVBoxLayout()
        self._add = QPushButton("Add an axis")
        self._add.setAutoDefault(False)
        self._add.clicked.connect(lambda: self.add_axis())
        self.zipped = QCheckBox("Take values together (zip), not each with each")
        self.zipped.setChecked(study.combine == "zip")
        self.arms = [QCheckBox(name) for name in basis.experiment.arms]
        for box in self.arms:
            box.setChecked(box.text() in study.arms)
        self.seeds = QSpinBox(minimum=0, maximum=1000, value=len(study.seeds))
        self.seeds.setSpecialValueText("as in the knobs")
        inset(self.seeds)
        self.seeds.setAccessibleName("Seeds")
        self.back = QCheckBox(f"Put back what was taken out ({len(study.removed)})")
        self.back.setVisible(bool(study.removed))
        self.where = QPushButton()
        self.where.setAutoDefault(False)
        self.where.setToolTip("Where studies compute: on this machine, or on the workers of a Dask scheduler")
        self.where.clicked.connect(self.where_asked)
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
        for box in (self.zipped, self.back, *self.arms):
            box.toggled.connect(self._check)
        self.seeds.valueChanged.connect(self._check)
        for axis in study.axes:
            self.add_axis(axis.knob, axis.text)
        if not (basis.begun or len(study.arms) > 1):
            for _ in range(len(basis.experiment.study_views[0].knobs) if basis.experiment.study_views else 1):
                self.add_axis()
            self.rows[0].values.setFocus()
        self.set_scheduler(scheduler)

    def set_scheduler(self, scheduler: str) -> None:
        """Count on the workers of another place."""
        self._scheduler = scheduler
        self.where.setText(scheduler or "This machine")
        self._check()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(8)
        settings, preset = self._basis.study.settings, self._basis.study.preset
        start = (
            f"From the preset {preset or next(iter(self._experiment.presets))}"
            + f" with {len(settings)} changed knobs" * bool(settings)
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
        seeds.addWidget(named(QLabel("COMPUTES ON"), "heading"))
        seeds.addWidget(self.where)
        layout.addLayout(seeds)
        layout.addWidget(self.back)
        layout.addWidget(self.said)
        layout.addWidget(self.buttons)

    def add_axis(self, knob: str = "", values: str = "") -> None:
        """One axis more, of a likely knob that is none yet unless told which; empty values leave it out."""
        taken = [row.name() for row in self.rows]
        knob = knob or next((name for name in _likely_axes(self._experiment) if name not in taken), "")
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
        basis = self._basis.study
        settings = basis.settings if arms else self._basis.whole
        kept = {"shuffle": basis.shuffle, "first": basis.first, "removed": basis.removed}
        if self.back.isChecked():
            kept["removed"] = ()
        same = self.seeds.value() == len(basis.seeds)  # written by hand, they may be others than 0, 1, 2 ...
        return Study.of(
            **kept,
            experiment=self._experiment.name,
            preset=basis.preset,
            settings={knob: value for knob, value in settings.items() if knob not in taken},
            arms=arms,
            seeds=basis.seeds if same else tuple(range(self.seeds.value())),
            combine="zip" if self.zipped.isChecked() else "outer",
            device=basis.device,
            axes=tuple(Axis.parse(knob, text, self._experiment.Config) for knob, text in axes),
        )

    def _check(self) -> None:
        self.study = None
        try:
            study = self._read()
            points = study.points(self._experiment)
            if not points:
                raise StudyError("no point is left; put some back, or choose other values")
        except (StudyError, ConfigError, UnknownName) as error:
            self._say(str(error), wrong=True)
            return
        self.study, self._count = study, len(points)
        config = points[len(points) // 2].config
        if self._scheduler:
            self._say(f"{_counted(self._count, 'run')} on the workers of {self._scheduler}")
            return
        self._workers = len(worker_devices(study.device, self._count, threads=points[0].config.threads))
        self._say(self._how_many())
        self._background.start(lambda: (study, self._runs.seconds(self._experiment, config)))

    def _costs(self, answer: tuple[Study, float]) -> None:
        study, seconds = answer
        if study is self.study and seconds > 0 and not self._scheduler:
            whole = seconds * self._count / self._workers
            batched = self._experiment.batch_key(study.points(self._experiment)[0].config) is not None
            less = "; less, because they are trained in batches" if batched and self._count > 1 else ""
            less += "; less, because some are done" if self._basis.begun else ""
            self._say(f"{self._how_many()}, about {duration(whole)}{less}")

    def _how_many(self) -> str:
        return f"{_counted(self._count, 'run')} on {_counted(self._workers, 'worker')}"

    def _say(self, text: str, *, wrong: bool = False) -> None:
        self.said.setObjectName("error" if wrong else "muted")
        self.said.style().unpolish(self.said)
        self.said.style().polish(self.said)
        self.said.setText(text)
        self.run_button.setEnabled(not wrong)
        self.run_button.setText("Run" if wrong else f"Run {_counted(self._count, 'run')}")

    def done(self, result: int) -> None:
        self._background.wait()
        super().done(result)
        if result and self.study is not None:
            self.chosen.emit(self.study)
