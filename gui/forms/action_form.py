"""A small form for an action that takes arguments: made from the method's own signature."""

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from gui.forms.row import Row
from gui.question import Question
from gui.theme import Theme
from lab.config import explain, knob_of
from lab.experiment import Action, Experiment


def arguments(method: Callable[..., Any]) -> type[BaseModel]:
    """The arguments of an action as a model: names, types and defaults of the method's signature."""
    hints = get_type_hints(method)
    fields: dict[str, Any] = {}
    for name, parameter in list(inspect.signature(method).parameters.items())[1:]:
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[name] = (hints.get(name, Any), Field(default, title=name.replace("_", " ").capitalize()))
    return create_model("Arguments", __config__=ConfigDict(extra="forbid", allow_inf_nan=False), **fields)


class ActionForm(Question):
    """Asks for the arguments and hands them out validated."""

    given = Signal(str, dict)  # the action's method, its arguments

    def __init__(self, experiment: type[Experiment], action: Action, theme: Theme, parent: QWidget) -> None:
        super().__init__(action.label, action.label, action.help, action.label, parent)
        self._action = action
        self._model = arguments(getattr(experiment, action.method))
        self._knobs = {name: knob_of(name, field) for name, field in self._model.model_fields.items()}
        self.rows = {name: Row(knob, theme) for name, knob in self._knobs.items()}
        for name, row in self.rows.items():
            row.set_value(self._knobs[name].default)
            row.edited.connect(self._check)
            self.body.addWidget(row)
        self._check()
        next(iter(self.rows.values())).editor.setFocus()

    def _values(self) -> dict[str, Any] | dict[str, str]:
        return {name: row.editor.value() for name, row in self.rows.items()}

    def _check(self) -> None:
        errors: dict[str, str] = {}
        try:
            self._model.model_validate(self._values())
        except ValidationError as error:
            errors = explain(self._knobs, error)
        for name, row in self.rows.items():
            row.show_state(changed=False, error=errors.get(name, ""))
        self.button.setEnabled(not errors)

    def _give(self) -> None:
        self.given.emit(self._action.method, self._model.model_validate(self._values()).model_dump(mode="json"))
        self.accept()
