"""A small dialog before a branch: the step, and by name the knobs that the new run changes."""

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QVBoxLayout, QWidget

from gui.forms.row import Row
from gui.question import Question
from gui.theme import Theme
from gui.views.text import whole
from lab.config import Config, ConfigError

ADD = "Change a knob …"


class BranchDialog(Question):
    """Asks which knobs the branch changes.

    Args:
        step: Where the branch begins.
        parent_config: The knobs of the run.
        wanted: Those of the form: what differs is listed from the start.
    """

    given = Signal(int, object)  # step, the branch's config

    def __init__(self, step: int, parent_config: Config, wanted: Config, theme: Theme, parent: QWidget) -> None:
        text = "A new run goes on from here. It keeps every knob of this run but those listed."
        super().__init__("Branch", f"Branch at step {whole(step)}", text, "Branch", parent)
        self._step, self._old, self._theme = step, parent_config, theme
        self._knobs = type(parent_config).knobs()
        self._config: Config | None = parent_config
        self.rows: dict[str, Row] = {}
        self.add = QComboBox()
        self.add.setAccessibleName("Knob to change in the branch")
        self.add.setToolTip("Live knobs come first; the others change too, as the branch is a run of its own")
        self.add.activated.connect(self._chosen)
        self._list = QVBoxLayout()
        self.body.addLayout(self._list)
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

    def _chosen(self, index: int) -> None:
        if name := self.add.itemData(index):
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
        self.button.setEnabled(self._config is not None)
        self.button.setToolTip("\n".join(errors.values()))
        self._fill()

    def _fill(self) -> None:
        self.add.clear()
        self.add.addItem(ADD)
        left = [knob for name, knob in self._knobs.items() if name not in self.rows]
        for knob in sorted(left, key=lambda knob: not knob.live):
            self.add.addItem(" ".join(filter(None, (knob.label, knob.symbol))), knob.name)

    def _give(self) -> None:
        if self._config is not None:
            self.given.emit(self._step, self._config)
            self.accept()
