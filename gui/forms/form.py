"""The form of an experiment's knobs: made from the config type, validated by it at every key."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from gui import icons
from gui.forms.also import AlsoGroup
from gui.forms.group import Group
from gui.forms.row import Row
from gui.forms.start import Start
from gui.theme import LIGHT, Theme
from gui.views.text import tip
from lab.config import Config, ConfigError
from lab.experiment import Experiment

FOLDED = {"Seeds"}  # groups that most runs leave alone


class Form(QWidget):
    """Preset, arm and knobs of one experiment.

    A value is valid or is explained under its field; :meth:`config` is None while any is not. While a run goes on only
    live knobs are enabled, and each committed change of theirs is announced by ``live_changed``.
    """

    changed = Signal()
    live_changed = Signal(dict)
    action_requested = Signal(str)
    hinted = Signal(str)

    def __init__(self, experiment: type[Experiment], theme: Theme = LIGHT, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.experiment = experiment
        self._config: Config | None = None
        self._errors: dict[str, str] = {}
        self._sent: dict[str, Any] = {}
        self.running = False
        self.rows: dict[str, Row] = {}
        self.groups: dict[str, Group] = {}
        self.start = Start(experiment)
        self.start.chosen.connect(self.fill)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 8, 12, 16)
        layout.setSpacing(0)
        layout.addWidget(self.start)
        layout.addLayout(self._actions())
        self._build(layout, theme)
        self.also = AlsoGroup(experiment, theme)
        self.also.changed.connect(self.changed)  # what the run costs is another thing then
        self.groups["Also measure"] = self.also
        layout.addWidget(self.also)
        layout.addStretch(1)
        self.fill()

    def _actions(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(6)
        self.action_buttons: dict[str, QPushButton] = {}
        for action in self.experiment.actions():
            button = QPushButton(action.label)
            button.setToolTip(tip(action.help))
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # Space after a click goes on with the run, and acts once
            button.hide()
            button.clicked.connect(lambda _=False, method=action.method: self.action_requested.emit(method))
            self.action_buttons[action.method] = button
            column.addWidget(button)
        return column

    def _build(self, layout: QVBoxLayout, theme: Theme) -> None:
        for name, knob in self.experiment.Config.knobs().items():
            if knob.group not in self.groups:
                self.groups[knob.group] = group = Group(knob.group, theme, folded=knob.group in FOLDED)
                layout.addWidget(group)
            row = self.rows[name] = Row(knob, theme)
            row.edited.connect(self._check)
            row.committed.connect(self._commit)
            row.hinted.connect(self.hinted)
            self.groups[knob.group].rows.addWidget(row)

    def fill(self) -> None:
        """Take the values of the chosen preset and arm."""
        base = self.experiment.configure(self.start.preset(), self.start.arm())
        self.set_base(base.model_dump())
        self.set_values(base.model_dump())

    def set_base(self, values: Mapping[str, Any]) -> None:
        """The values that "changed" compares with and reset gives back."""
        for name, value in values.items():
            self.rows[name].set_base(value)

    def values(self) -> dict[str, Any]:
        """What is in the fields, as typed."""
        return {name: row.editor.value() for name, row in self.rows.items()}

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Put ``values`` into the fields; others stay as they are."""
        for name, value in values.items():
            self.rows[name].set_value(value)
        self._check()
        self._sent = {name: getattr(self._config, name) for name in values} if self._config else {}

    def show_run(self, config: Config, preset: str, arm: str) -> None:
        """Show the knobs of an open run, compared with the preset and arm it was started from."""
        if preset in self.experiment.presets:
            self.start.choose(preset, arm)
            self.set_base(self.experiment.configure(preset, arm if arm in self.experiment.arms else "").model_dump())
        self.set_values(config.model_dump())

    def config(self) -> Config | None:
        """The validated config, or None while a field is wrong."""
        return self._config

    def errors(self) -> dict[str, str]:
        return dict(self._errors)

    def preset(self) -> str:
        return self.start.preset()

    def arm(self) -> str:
        """The chosen arm while the knobs still have all of its settings, else empty: the run is then another one."""
        name = self.start.arm()
        if not name or self._config is None:
            return ""
        arm = self.experiment.arms[name]
        settings = {**arm.settings, **arm.presets.get(self.preset(), {})}
        wanted = self._config.changed(settings)
        return name if wanted == self._config else ""

    def set_running(self, running: bool) -> None:
        """While a run goes on: live knobs and actions only."""
        self.running = running
        self.start.setHidden(running)  # what can be acted on comes first; the page's title tells preset and arm
        for row in self.rows.values():
            row.editor.setEnabled(row.knob.live or not running)
            row.reset_button.setEnabled(row.knob.live or not running)
        for button in self.action_buttons.values():
            button.setVisible(running)
        self.also.set_running(running)

    def set_theme(self, theme: Theme) -> None:
        icons.recolour(self, theme)
        for part in (*self.rows.values(), *self.groups.values()):
            part.set_theme(theme)

    def first_error(self) -> str:
        """What has to be corrected first, with the knob's name; empty when all is well."""
        for name, why in self._errors.items():
            return f"{self.rows[name].knob.label}: {why}" if name in self.rows else why
        return ""

    def problem(self) -> str:
        """What is wrong with several knobs together; what is wrong with one stands under its field."""
        return "\n".join(why for name, why in self._errors.items() if name not in self.rows)

    def focus_first_error(self) -> None:
        """Put the cursor where something has to be corrected."""
        for name in self._errors:
            if name in self.rows:
                self.groups[self.rows[name].knob.group].open()
                self.rows[name].editor.setFocus()
                return

    def _check(self) -> None:
        try:
            self._config, self._errors = self.experiment.Config.parse(self.values()), {}
        except ConfigError as error:
            self._config, self._errors = None, error.errors
        count = 0
        for name, row in self.rows.items():
            error = self._errors.get(name, "")
            changed = bool(error) or (self._config is not None and getattr(self._config, name) != row.base)
            if self._config is None and not error:
                changed = row.changed  # cannot be compared while another field is wrong
            count += changed
            row.show_state(changed=changed, error=error)
        self.start.show_modified(count)
        self.changed.emit()

    def _commit(self, name: str) -> None:
        if not (self.running and self.rows[name].knob.live and self._config is not None):
            return
        value = getattr(self._config, name)
        if self._sent.get(name) != value:
            self._sent[name] = value
            self.live_changed.emit({name: value})
