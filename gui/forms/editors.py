"""One editor per kind of knob, and the table that says which. The wheel never changes an editor without focus."""

import json
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QValidator, QWheelEvent
from PySide6.QtWidgets import QAbstractSpinBox, QCheckBox, QComboBox, QLineEdit, QWidget

from gui.forms.numbers import clamp, climb, number, shift, text_of, typed
from gui.inset import inset
from lab.config import Knob

ARROW_PX = 12
EMPTY = "not set"  # shown where an optional knob has no value


class Quiet:
    """Mixin: the wheel scrolls the form, and changes a value only in the field that has the focus."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():  # type: ignore[attr-defined] - mixed into a QWidget
            super().wheelEvent(event)  # type: ignore[misc] - mixed into a QWidget
        else:
            event.ignore()


class NumberEditor(Quiet, QAbstractSpinBox):
    """A float or an int. Log knobs step by 1-2-5 factors. Text that is no number stays, for the form to explain."""

    edited = Signal()  # at every key
    committed = Signal()  # Enter, focus lost, a step

    def __init__(self, knob: Knob, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._knob = knob
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setKeyboardTracking(True)
        inset(self)
        self.lineEdit().setPlaceholderText(EMPTY if knob.optional else "")
        self.lineEdit().textEdited.connect(self._edit)
        self.editingFinished.connect(self._commit)

    def value(self) -> Any:
        """The text as typed (the config parses it), or None."""
        return typed(self.lineEdit().text())

    def set_value(self, value: Any) -> None:
        self.lineEdit().setText(text_of(value))
        self.lineEdit().setCursorPosition(0)  # of a long number the first digits count

    def stepBy(self, steps: int) -> None:
        knob, now = self._knob, number(self.lineEdit().text())
        if now is None:
            now, steps = float(knob.default if isinstance(knob.default, (int, float)) else knob.min or 0), 0
        if knob.log:
            moved = climb(now, steps, knob.min, knob.max)
        elif knob.kind == "int":
            moved = clamp(round(now) + steps, knob.min, knob.max)
        else:
            moved = shift(now, steps, knob.min, knob.max)
        self.set_value(round(moved) if knob.kind == "int" else float(moved))
        self.selectAll()
        self.edited.emit()
        self.committed.emit()

    def stepEnabled(self) -> QAbstractSpinBox.StepEnabledFlag:
        return QAbstractSpinBox.StepEnabledFlag.StepUpEnabled | QAbstractSpinBox.StepEnabledFlag.StepDownEnabled

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        return QValidator.State.Acceptable, text, position

    def _edit(self) -> None:
        self.edited.emit()

    def _commit(self) -> None:
        self.committed.emit()


class BoolEditor(QCheckBox):
    """On or off."""

    edited = Signal()
    committed = Signal()

    def __init__(self, knob: Knob, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.clicked.connect(self._click)

    def value(self) -> bool:
        return self.isChecked()

    def set_value(self, value: Any) -> None:
        self.setChecked(bool(value))

    def _click(self) -> None:
        self.edited.emit()
        self.committed.emit()


class ChoiceEditor(Quiet, QComboBox):
    """One of a few values; they need not be text."""

    edited = Signal()
    committed = Signal()

    def __init__(self, knob: Knob, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        choices = knob.choices or (True, False)
        self._choices: tuple[Any, ...] = (None, *choices) if knob.optional else choices
        self.addItems([_word(choice) for choice in self._choices])
        self.activated.connect(self._choose)

    def value(self) -> Any:
        return self._choices[self.currentIndex()]

    def set_value(self, value: Any) -> None:
        if value in self._choices:
            self.setCurrentIndex(self._choices.index(value))

    def minimumSizeHint(self) -> QSize:
        """Room for the longest word: Qt forgets that the style sheet's arrow takes some."""
        return super().minimumSizeHint() + QSize(ARROW_PX, 0)

    def _choose(self) -> None:
        self.edited.emit()
        self.committed.emit()


def _word(choice: Any) -> str:
    if choice is None:
        return EMPTY
    return {True: "on", False: "off"}[choice] if isinstance(choice, bool) else str(choice)


class TextEditor(QLineEdit):
    """Free text."""

    edited = Signal()
    committed = Signal()

    def __init__(self, knob: Knob, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._optional = knob.optional
        self.setPlaceholderText(EMPTY if knob.optional else "")
        self.textEdited.connect(self._edit)
        self.editingFinished.connect(self._commit)

    def value(self) -> Any:
        return None if self._optional and not self.text() else self.text()

    def set_value(self, value: Any) -> None:
        self.setText("" if value is None else str(value))
        self.setCursorPosition(0)

    def _edit(self) -> None:
        self.edited.emit()

    def _commit(self) -> None:
        self.committed.emit()


class ListEditor(TextEditor):
    """Values separated by commas; lists of lists as JSON."""

    def __init__(self, knob: Knob, parent: QWidget | None = None) -> None:
        super().__init__(knob, parent)
        if not knob.optional:
            self.setPlaceholderText("a, b, c")

    def value(self) -> Any:
        text = self.text().strip()
        if not text:
            return None if self._optional else []
        if text[0] in "[{":
            try:
                return json.loads(text)
            except ValueError:
                return text
        return [item.strip() for item in text.split(",")]

    def set_value(self, value: Any) -> None:
        plain = isinstance(value, list | tuple | set | frozenset) and value and not any(_needs_json(v) for v in value)
        if plain:
            super().set_value(", ".join(text_of(item) for item in value))
        else:
            super().set_value(json.dumps(value) if value else None)


def _needs_json(value: Any) -> bool:
    """Whether a comma-separated list would not give ``value`` back."""
    text = isinstance(value, str) and (not value or value != value.strip() or "," in value or value[0] in "[{")
    return text or isinstance(value, list | tuple | dict | bool) or value is None


EDITORS: dict[str, Callable[[Knob, QWidget | None], Any]] = {
    "float": NumberEditor,
    "int": NumberEditor,
    "bool": BoolEditor,
    "choice": ChoiceEditor,
    "text": TextEditor,
    "list": ListEditor,
}


def editor_for(knob: Knob, parent: QWidget | None = None) -> Any:
    """The editor of a knob: a widget with ``value()``, ``set_value(v)``, ``edited`` and ``committed``."""
    kind = ChoiceEditor if knob.kind == "bool" and knob.optional else EDITORS[knob.kind]
    return kind(knob, parent)
