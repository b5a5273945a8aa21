"""A small form for an action that takes arguments: made from the method's own signature."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from gui.forms.row import Row
from gui.question import Question
from gui.theme import Theme
from lab.config import Knob, explain, knob_of
from lab.experiment import Action, Experiment


def arguments(method: Callable[..., Any]) -> type[BaseModel]:
    """The arguments of an action as a model: names, types and defaults of the method's signature."""
    hints = get_type_hints(method)
    fields: dict[str, Any] = {}
    for name, parameter in list(inspect.signature(method).parameters.items())[1:]:
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[name] = (hints.get(name, Any), Field(default, title=name.replace("_", " ").capitalize()))
    return create_model("Arguments", __config__=ConfigDict(extra="forbid", allow_inf_nan=False), **fields)


def first_value(knob: Knob) -> Any:
    """The default; 0 where the method has none and counts something, so that no field is empty and wrong at first."""
    return 0 if knob.default is None and knob.kind == "int" and not knob.optional else knob.default


class Arguments(QWidget):
    """A row for each argument of an action; those that the views' selection tells are there from the start."""

    edited = Signal()

    def __init__(
        self, experiment: type[Experiment], action: Action, theme: Theme, picked: Mapping[str, int] | None = None
    ) -> None:
        super().__init__()
        self._model = arguments(getattr(experiment, action.method))
        self._knobs = {name: knob_of(name, field) for name, field in self._model.model_fields.items()}
        self.rows = {name: Row(knob, theme) for name, knob in self._knobs.items()}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for name, row in self.rows.items():
            row.set_value((picked or {}).get(name, first_value(self._knobs[name])))
            row.edited.connect(self.edited)
            layout.addWidget(row)

    def values(self) -> dict[str, Any] | None:
        """The arguments, validated; None while one is wrong, which its row then says."""
        typed = {name: row.editor.value() for name, row in self.rows.items()}
        errors: dict[str, str] = {}
        found = None
        try:
            found = self._model.model_validate(typed).model_dump(mode="json")
        except ValidationError as error:
            errors = explain(self._knobs, error)
        for name, row in self.rows.items():
            row.show_state(changed=False, error=errors.get(name, ""))
        return found


class ActionForm(Question):
    """Asks for the arguments and hands them out validated."""

    given = Signal(str, dict)  # the action's method, its arguments

    def __init__(
        self,
        experiment: type[Experiment],
        action: Action,
        theme: Theme,
        parent: QWidget,
        picked: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(action.label, action.label, action.help, action.label, parent)
        self._action = action
        self._arguments = Arguments(experiment, action, theme, picked)
        self._arguments.edited.connect(self._check)
        self.rows = self._arguments.rows
        self.body.addWidget(self._arguments)
        self._check()
        next(iter(self.rows.values())).editor.setFocus()

    def _check(self) -> None:
        self.button.setEnabled(self._arguments.values() is not None)

    def _give(self) -> None:
        if (values := self._arguments.values()) is not None:
            self.given.emit(self._action.method, values)
            self.accept()
