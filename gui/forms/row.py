"""One knob in a form: label, editor, reset, and the line under it that says what is wrong."""

from html import escape
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QToolButton, QWidget

from gui.forms.editors import editor_for
from gui.forms.numbers import text_of, tidy
from gui.icons import put
from gui.named import named
from gui.theme import Theme
from gui.views.text import rich
from lab.config import Knob

EDITOR_PX, WIDEST_PX = 96, 152  # of an editor at least, and of one whose choices are long words


def describe(knob: Knob) -> str:
    """What a person wants to know of a knob, as one paragraph: meaning, limits, the paper's value."""
    parts = [knob.help.rstrip(".") + "." if knob.help else ""]
    if knob.kind not in ("bool", "text") and knob.limits != "any value":
        limits = tidy(knob.limits)
        parts.append(f"{limits[0].upper()}{limits[1:]}{' ' + knob.unit if knob.unit else ''}.")
    if knob.paper is not None:
        parts.append(f"In the paper: {text_of(knob.paper)}.")
    if knob.live:
        parts.append("May be changed while the run goes on.")
    return " ".join(part for part in parts if part)


class Row(QWidget):
    """The widgets of one knob."""

    edited = Signal()
    committed = Signal(str)  # the knob's name
    hinted = Signal(str)  # help text when the pointer or the focus enters, empty when it leaves

    def __init__(self, knob: Knob, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.knob = knob
        self.base: Any = knob.default
        self.changed = False
        self.hint = f"{knob.label}{' ' + knob.symbol if knob.symbol else ''}: {describe(knob)}"
        self.editor = editor_for(knob, self)
        self.editor.setAccessibleName(" ".join(filter(None, (knob.label, knob.symbol, knob.unit))))
        self.editor.setAccessibleDescription(describe(knob))
        self.editor.edited.connect(self.edited)
        self.editor.committed.connect(self._commit)
        self.editor.installEventFilter(self)
        self.label = QLabel(textFormat=Qt.TextFormat.RichText)  # by itself Qt takes a label without tags for plain text
        self.label.setWordWrap(True)
        self.label.setBuddy(self.editor)
        self.reset_button = named(QToolButton(self), "tiny")
        put(self.reset_button, "reset", theme, "warn")
        self.reset_button.clicked.connect(self.reset)
        policy = self.reset_button.sizePolicy()
        policy.setRetainSizeWhenHidden(True)  # so that fields do not jump
        self.reset_button.setSizePolicy(policy)
        self.error = named(QLabel(wordWrap=True), "error")
        self.error.hide()
        self._lay_out()
        self.set_theme(theme)
        self.set_base(knob.default)
        self.setToolTip(self.tip())

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 2, 0, 2)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(2)
        grid.addWidget(self.label, 0, 0)
        grid.addWidget(self.editor, 0, 1)
        grid.addWidget(self.reset_button, 0, 2)
        grid.addWidget(self.error, 1, 0, 1, 3)
        grid.setColumnStretch(0, 5)
        grid.setColumnStretch(1, 4)
        self.editor.ensurePolished()  # else it does not know its font
        self.editor.setMinimumWidth(min(max(EDITOR_PX, self.editor.minimumSizeHint().width()), WIDEST_PX))

    def tip(self) -> str:
        """The tooltip, as rich text so that it wraps."""
        knob = self.knob
        head = " ".join(filter(None, (knob.label, knob.symbol, f"[{knob.unit}]" if knob.unit else "")))
        base = text_of(self.base) or "not set"
        return f"<p><b>{rich(head)}</b></p><p>{rich(describe(knob))}</p><p>Reset gives {escape(base)}.</p>"

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._write_label()

    def set_base(self, value: Any) -> None:
        """The value that reset gives back and that "changed" compares with."""
        self.base = value
        self.setToolTip(self.tip())

    def set_value(self, value: Any) -> None:
        self.editor.set_value(value)

    def reset(self) -> None:
        self.editor.set_value(self.base)
        self.edited.emit()
        self._commit()

    def show_state(self, *, changed: bool, error: str) -> None:
        """Mark the row as changed from its base, and say what is wrong with it, if anything."""
        self.reset_button.setVisible(changed)
        self.reset_button.setToolTip(f"Back to {text_of(self.base) or 'not set'}")
        self.reset_button.setAccessibleName(f"Reset {self.knob.label}")
        self.changed = changed
        self._write_label()
        self.error.setText(tidy(error))
        self.error.setVisible(bool(error))
        if bool(error) != bool(self.editor.property("wrong")):
            self.editor.setProperty("wrong", bool(error))
            self.editor.style().unpolish(self.editor)
            self.editor.style().polish(self.editor)

    def matches(self, text: str) -> bool:
        """Whether a search for ``text`` finds this knob."""
        knob = self.knob
        return text.casefold() in f"{knob.name} {knob.label} {knob.symbol} {knob.help}".casefold()

    def _write_label(self) -> None:
        knob, theme = self.knob, self._theme
        unit = f" <span style='color:{theme.muted}'>{escape(knob.unit)}</span>" if knob.unit else ""
        symbol = f" <i>{rich(knob.symbol)}</i>" if knob.symbol else ""
        mark = f"&nbsp;<span style='color:{theme.warn}'>•</span>" if self.changed else ""  # never alone on a line
        live = f" <span style='color:{theme.accent};font-size:11px'>live</span>" if knob.live else ""
        self.label.setText(f"{rich(knob.label)}{symbol}{unit}{live}{mark}")

    def _commit(self) -> None:
        self.committed.emit(self.knob.name)

    def enterEvent(self, event: Any) -> None:
        self.hinted.emit(self.hint)
        super().enterEvent(event)

    def leaveEvent(self, event: Any) -> None:
        self.hinted.emit(self.hint if self.editor.hasFocus() else "")
        super().leaveEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.FocusIn:
            self.hinted.emit(self.hint)
        elif event.type() == QEvent.Type.FocusOut:
            self.hinted.emit("")
        return super().eventFilter(watched, event)
