"""What the library says of the chosen runs: labels to edit, and settings to take over one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QToolButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gui.icons import put, recolour
from gui.library.columns import clock, name_of, written
from gui.named import named
from gui.theme import Theme

if TYPE_CHECKING:
    from storage.catalogue import RunEntry  # brings HDF5, which the first paint does without

NAME_ROOM = 52  # pixels beside a name: its box, and the margins of the style

FormValues = tuple[str, Mapping[str, Any]]
"""Experiment and knobs of the form in the Lab."""


class Note(QPlainTextEdit):
    """A text that is done when the user leaves it."""

    done = Signal(str)

    def __init__(self) -> None:
        super().__init__(placeholderText="What you want to remember of this run", tabChangesFocus=True)
        self._was = ""

    def show_text(self, text: str) -> None:
        self._was = text
        self.setPlainText(text)

    def focusOutEvent(self, e: QFocusEvent) -> None:
        super().focusOutEvent(e)
        if self.toPlainText() != self._was:
            self._was = self.toPlainText()
            self.done.emit(self._was)


class Details(QWidget):
    """The right side of the library."""

    compare_requested = Signal()
    open_requested = Signal()
    labels_changed = Signal(dict)  # star, tags or note of every chosen run
    settings_taken = Signal(object, dict)  # run, the knobs to take over

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumWidth(280)
        self._theme = theme
        self._runs: Sequence[RunEntry] = ()
        self._form: FormValues = "", {}
        self.title = named(QLabel(wordWrap=True), "title")
        self.facts = named(QLabel(wordWrap=True), "muted")
        self.compare = QPushButton("Compare")
        self.compare.setProperty("primary", True)
        self.compare.clicked.connect(self.compare_requested)
        self.open = QPushButton("Open")
        self.open.setProperty("primary", True)
        self.open.clicked.connect(self.open_requested)
        self.star = QToolButton()
        self.star.setCheckable(True)
        self.star.setAccessibleName("Star")
        self.star.setToolTip("Star")
        put(self.star, "star", theme, "muted")
        self.star.clicked.connect(lambda on: self.labels_changed.emit({"star": on}))
        self.tags = QLineEdit(placeholderText="Tags, separated by commas")
        self.tags.setAccessibleName("Tags")
        self.tags.editingFinished.connect(self._tag)
        self.note = Note()
        self.note.setAccessibleName("Note")
        self.note.setMaximumHeight(72)
        self.note.done.connect(lambda text: self.labels_changed.emit({"note": text}))
        self.knobs = QTreeWidget()
        self.knobs.setRootIsDecorated(False)
        self.knobs.setUniformRowHeights(True)
        self.knobs.setAccessibleName("Settings of the run")
        self.knobs.setObjectName("settings")
        self.knobs.setColumnCount(2)
        for column, mode in enumerate(("Interactive", "Stretch")):
            self.knobs.header().setSectionResizeMode(column, QHeaderView.ResizeMode[mode])
        self.knobs.header().setStretchLastSection(False)
        self.knobs.itemChanged.connect(self._count)
        self.take = QPushButton("Use these settings")
        self.take.clicked.connect(self._take)
        self._build()
        self.show_runs((), ("", {}))

    def _build(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for button in (self.compare, self.open):
            buttons.addWidget(button, 1)
        buttons.addWidget(self.star)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.setSpacing(8)
        layout.addWidget(self.title)
        layout.addWidget(self.facts)
        layout.addLayout(buttons)
        for widget in (self.tags, self.note, self.knobs, self.take):
            layout.addWidget(widget, int(widget is self.knobs))
        layout.addStretch(0)

    def show_runs(self, runs: Sequence[RunEntry], form: FormValues) -> None:
        """Show what is chosen; ``form`` is what its settings are compared with."""
        again = [run.path for run in runs] == [run.path for run in self._runs]
        self._runs, self._form = runs, form
        one = runs[0] if len(runs) == 1 else None
        self.title.setText(name_of(one) if one else f"{len(runs)} runs" if runs else "Choose a run")
        self.facts.setText(_said(runs) if runs else "Its labels and settings are shown here; several can be compared.")
        self.compare.setVisible(len(runs) > 1)
        self.open.setVisible(one is not None)
        for widget in (self.star, self.tags):
            widget.setVisible(bool(runs))
        for widget in (self.note, self.knobs, self.take):
            widget.setVisible(one is not None)
        self.compare.setText(f"Compare {len(runs)} runs")
        self.star.setChecked(bool(runs) and all(run.star for run in runs))
        self._colour_star()
        if not (again and self.tags.hasFocus()):
            shared = [tag for tag in runs[0].tags if all(tag in run.tags for run in runs)] if runs else []
            self.tags.setText(", ".join(shared))
        if one is not None and not (again and self.note.hasFocus()):
            self.note.show_text(one.note)
        if one is not None:
            self._show_knobs(one)

    def _show_knobs(self, run: RunEntry) -> None:
        experiment, current = self._form
        self.knobs.blockSignals(True)
        self.knobs.clear()
        for name, value in run.config.items():
            other = current.get(name) if experiment == run.experiment else None
            differs = experiment == run.experiment and other != value
            shown = f"{written(value)}  ({written(other)})" if differs else written(value)
            item = QTreeWidgetItem([name, shown])
            item.setData(0, Qt.ItemDataRole.UserRole, value)
            item.setToolTip(0, name)
            item.setToolTip(1, f"{value}; in the Lab {other}" if differs else str(value))
            checked = differs or experiment != run.experiment
            item.setCheckState(0, Qt.CheckState.Checked if checked else Qt.CheckState.Unchecked)
            if not checked:
                for column in range(2):
                    item.setForeground(column, QColor(self._theme.muted))
            self.knobs.addTopLevelItem(item)
        longest = max(map(self.knobs.fontMetrics().horizontalAdvance, run.config), default=0)
        self.knobs.setColumnWidth(0, longest + NAME_ROOM)
        self.knobs.setHeaderLabels(["Setting", "Value (Lab)" if experiment == run.experiment else "Value"])
        self.knobs.blockSignals(False)
        self._count()

    def taken(self) -> dict[str, Any]:
        """The settings that are ticked."""
        items = [self.knobs.topLevelItem(row) for row in range(self.knobs.topLevelItemCount())]
        ticked = [item for item in items if item is not None and item.checkState(0) == Qt.CheckState.Checked]
        return {item.text(0): item.data(0, Qt.ItemDataRole.UserRole) for item in ticked}

    def _count(self) -> None:
        count = len(self.taken())
        self.take.setEnabled(count > 0)
        self.take.setText(f"Use {count} setting{'s' if count != 1 else ''} in the Lab")

    def _take(self) -> None:
        if len(self._runs) == 1:
            self.settings_taken.emit(self._runs[0], self.taken())

    def _tag(self) -> None:
        tags = tuple(dict.fromkeys(" ".join(tag.split()) for tag in self.tags.text().split(",") if tag.strip()))
        shared = {tag for tag in (self._runs[0].tags if self._runs else ()) if all(tag in r.tags for r in self._runs)}
        if set(tags) != shared:
            self.labels_changed.emit({"tags": tags, "instead_of": tuple(shared)})

    def _colour_star(self) -> None:
        put(self.star, "star", self._theme, "warn" if self.star.isChecked() else "muted")

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        recolour(self, theme)
        self._colour_star()
        self.show_runs(self._runs, self._form)


def _said(runs: Sequence[RunEntry]) -> str:
    if len(runs) == 1:
        run = runs[0]
        parts = [run.problem or run.state, run.outcome or "", clock(run.duration) if run.duration else ""]
        return " · ".join(filter(None, [*parts, f"{run.size / 1e6:.1f} MB", run.device or ""]))
    outcomes = Counter(run.outcome or "not judged" for run in runs)
    return " · ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
