"""A small dialog before a branch: the step, and by name the knobs that the new run changes and what is done at once."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QComboBox, QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

from gui.forms.action_form import Arguments
from gui.forms.row import Row
from gui.named import named
from gui.question import MARGIN, Question
from gui.theme import Theme
from gui.views.text import tip, whole
from lab.config import Config, ConfigError
from lab.experiment import Action, Experiment

ADD = "Change a knob …"
ADD_OR_ACT = "Change a knob, or do something at once …"


class BranchDialog(Question):
    """Asks which knobs the branch changes, and which actions of the experiment it begins with.

    Args:
        step: Where the branch begins.
        experiment: Of the run.
        parent_config: The knobs of the run.
        wanted: Those of the form: what differs is listed from the start.
        picked: Arguments of actions that the views' selection tells.
    """

    given = Signal(int, object, list)  # step, the branch's config, pairs of an action's method and its arguments

    def __init__(
        self,
        step: int,
        experiment: type[Experiment],
        parent_config: Config,
        wanted: Config,
        theme: Theme,
        parent: QWidget,
        picked: Mapping[str, int] | None = None,
    ) -> None:
        text = "A new run goes on from here. It keeps every knob of this run but those listed."
        super().__init__("Branch", f"Branch at step {whole(step)}", text, "Branch", parent)
        self._step, self._old, self._theme = step, parent_config, theme
        self._experiment, self._picked = experiment, picked
        self._knobs = type(parent_config).knobs()
        self._actions: dict[str, Action] = {action.method: action for action in experiment.actions()}
        self._config: Config | None = parent_config
        self.rows: dict[str, Row] = {}
        self.acts: dict[str, Arguments] = {}
        self.add = QComboBox()
        self.add.setAccessibleName("Knob to change in the branch, or action to begin it with")
        self.add.setToolTip("Live knobs come first; the others change too, as the branch is a run of its own")
        self.add.activated.connect(self._chosen)
        self._listed = QWidget()
        self._list = QVBoxLayout(self._listed)
        self._list.setContentsMargins(0, 0, 0, 0)
        self.room = named(QScrollArea(widgetResizable=True), "panel_scroll")
        self.room.setFrameShape(QFrame.Shape.NoFrame)
        self.room.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.room.setWidget(self._listed)
        self.body.addWidget(self.room)
        self.body.addWidget(self.add)
        for name, (new, _) in wanted.difference(parent_config).items():
            self.change(name, new)
        self._check()
        (next(iter(self.rows.values())).editor if self.rows else self.add).setFocus()

    def change(self, name: str, value: Any = None) -> None:
        """List a knob, with a value where one is given."""
        if name not in self.rows:
            row = self.rows[name] = Row(self._knobs[name], self._theme)
            row.set_base(getattr(self._old, name))
            row.edited.connect(self._check)
            self._list.addWidget(row)
        self.rows[name].set_value(getattr(self._old, name) if value is None else value)
        self._check()

    def act(self, method: str) -> None:
        """List an action that the branch begins with."""
        action = self._actions[method]
        said = QLabel(f"At step {whole(self._step)}: {action.label}", wordWrap=True)
        said.setToolTip(tip(action.help))
        arguments = self.acts[method] = Arguments(self._experiment, action, self._theme, self._picked)
        arguments.edited.connect(self._check)
        self._list.addWidget(named(said, "action"))
        self._list.addWidget(arguments)
        self._check()

    def _chosen(self, index: int) -> None:
        name = self.add.itemData(index)
        if name in self._actions:
            self.act(name)
        elif name:
            self.change(name)
            self.rows[name].editor.setFocus()

    def _check(self) -> None:
        errors: dict[str, str] = {}
        try:
            self._config = self._old.changed({name: row.editor.value() for name, row in self.rows.items()})
        except ConfigError as error:
            self._config, errors = None, error.errors
        for name, row in self.rows.items():
            changed = self._config is None or getattr(self._config, name) != row.base
            row.show_state(changed=changed, error=errors.get(name, ""))
        acts = [arguments.values() for arguments in self.acts.values()]  # of each: its rows say what is wrong
        self.button.setEnabled(self._config is not None and None not in acts)
        self.button.setToolTip("\n".join(errors.values()))
        self._fill()
        QTimer.singleShot(0, self, self._fit)  # once what is new has its size

    def _fit(self) -> None:
        """Be as high as what is listed; where the screen is too low for that, let the list be scrolled."""
        there = self.screen().availableGeometry()
        frame = self.frameGeometry().height() - self.height()
        listed = self._list.totalHeightForWidth(self.width() - 2 * MARGIN)
        self.room.setVisible(self._list.count() > 0)
        self.room.setFixedHeight(0)
        self.room.setFixedHeight(max(min(listed, there.height() - frame - self._high()), 0))
        self.resize(self.width(), self._high())
        self.move(self.x(), max(there.top(), min(self.y(), there.bottom() - self.frameGeometry().height())))
        self.room.verticalScrollBar().setValue(self.room.verticalScrollBar().maximum())  # to what has come last

    def _high(self) -> int:
        layout = self.layout()
        assert layout is not None
        layout.activate()
        return layout.totalHeightForWidth(self.width())

    def _fill(self) -> None:
        self.add.clear()
        self.add.addItem(ADD_OR_ACT if self._actions else ADD)
        left = [knob for name, knob in self._knobs.items() if name not in self.rows]
        entries = [(" ".join(filter(None, (knob.label, knob.symbol))), knob) for knob in left]
        for text, knob in entries:
            if knob.live:
                self.add.addItem(text, knob.name)
        for method, action in self._actions.items():
            if method not in self.acts:
                self.add.addItem(f"{action.label}  (at once)", method)
        for text, knob in entries:
            if not knob.live:
                self.add.addItem(text, knob.name)

    def _give(self) -> None:
        if self._config is not None:
            acts = [(method, arguments.values()) for method, arguments in self.acts.items()]
            self.given.emit(self._step, self._config, acts)
            self.accept()
