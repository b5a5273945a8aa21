"""Fields of the right column in groups. Each says what the user changed; none keeps a state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from gui.forms.editors import Quiet
from gui.named import named


class Choice(Quiet, QComboBox):
    """One of a few."""


class Decimal(Quiet, QDoubleSpinBox):
    """A number."""


class Whole(Quiet, QSpinBox):
    """A whole number."""


class Fields(QScrollArea):
    """A column of named fields.

    Attributes:
        fields: By the names that their owner gives them.
    """

    def __init__(self) -> None:
        super().__init__(widgetResizable=True)
        self.setObjectName("panel_scroll")
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.fields: dict[str, QWidget] = {}
        self._filling = False
        body = QWidget()
        self._column = QVBoxLayout(body)
        self._column.setContentsMargins(16, 16, 16, 16)
        self._column.setSpacing(8)
        self.setWidget(body)

    def _group(self, title: str) -> QFormLayout:
        self._column.addWidget(named(QLabel(title), "heading"))
        holder = QWidget()
        form = QFormLayout(holder)
        form.setContentsMargins(0, 0, 0, 8)
        form.setHorizontalSpacing(12)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        self._column.addWidget(holder)
        return form

    def _add(self, form: QFormLayout, name: str, label: str, widget: QWidget, tip: str = "") -> None:
        widget.setAccessibleName(label)
        widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # the wheel scrolls the column, whatever it meets
        widget.setToolTip(tip)
        widget.setMinimumWidth(96)
        widget.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.fields[name] = widget
        form.addRow(label, widget)

    def _choice(self, items: dict[str, str], changed: Callable[[Any], None]) -> QComboBox:
        box = Choice()
        box.setMinimumContentsLength(6)
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        for key, text in items.items():
            box.addItem(text, key)
        box.activated.connect(lambda _: self._said(changed, box.currentData()))
        return box

    def _number(self, low: float, high: float, unit: str, changed: Callable[[Any], None], decimals: int = 1) -> QWidget:
        box = Decimal() if decimals else Whole()
        box.setRange(low, high)  # type: ignore[arg-type] - whole numbers where decimals is 0
        if isinstance(box, QDoubleSpinBox):
            box.setDecimals(decimals)
        box.setSuffix(f" {unit}" if unit else "")
        box.lineEdit().setTextMargins(6, 0, 0, 0)
        box.setKeyboardTracking(False)  # typing 120 is one change, not three
        box.valueChanged.connect(lambda value: self._said(changed, value))
        return box

    def _tick(self, changed: Callable[[Any], None]) -> QCheckBox:
        box = QCheckBox()
        box.toggled.connect(lambda on: self._said(changed, on))
        return box

    def _line(self, hint: str, changed: Callable[[str], None]) -> QLineEdit:
        line = QLineEdit(placeholderText=hint)
        line.editingFinished.connect(lambda: self._said(changed, line.text().strip()))
        return line

    def _said(self, changed: Callable[[Any], None], value: Any) -> None:
        if not self._filling:
            changed(value)

    def value(self, name: str) -> Any:
        widget = self.fields[name]
        assert isinstance(widget, QSpinBox | QDoubleSpinBox)
        return widget.value()

    def _fill(self, name: str, value: Any) -> None:
        match self.fields[name]:
            case QComboBox() as box:
                box.setCurrentIndex(box.findData(value))
            case QSpinBox() | QDoubleSpinBox() as box:
                box.setValue(value)
            case QCheckBox() as box:
                box.setChecked(value)
            case QLineEdit() as line if not line.hasFocus() or line.text().strip() != value:
                line.setText(value)
