"""The Compare place: runs left, the same views over all of them in the centre, what differs right, one slider below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.background import Background
from gui.compare.controls import Controls
from gui.compare.grid import Grid
from gui.compare.grouping import Grouping, grouping
from gui.compare.members import Member, specs
from gui.compare.panels import Panels
from gui.compare.prepare import Prepared, prepared, shown_views
from gui.compare.recipe import Recipe, RecipeError, load, save
from gui.compare.runs_list import RunsList
from gui.compare.tabs import Tabs
from gui.compare.walk import Walk
from gui.dialogs import ask_to_open, ask_to_save
from gui.icons import put, recolour
from gui.named import named
from gui.theme import Theme
from lab.views import View

KINDS = "Comparisons (*.json);;All files (*)"
LOOK_EVERY = 2500  # ms between looks at runs that grow
EMPTY = (
    "Choose several runs in the Library and press Enter, or drop their files here. "
    "They are shown in the same views, with what differs between them at the side."
)


class ComparePlace(QWidget):
    """Compares runs. Files are read in the background; choices redraw what is there."""

    message = Signal(str)
    open_requested = Signal(str)
    library_requested = Signal()
    figure_requested = Signal(list)  # panels, as a figure's recipe takes them

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.theme = theme
        self.recipe = Recipe(())
        self.members: list[Member] = []
        self.grouping = Grouping()
        self._prepared: Prepared | None = None
        self.background = Background(self)
        self.background.done.connect(self._take)
        self.background.failed.connect(self.message)
        self.panels, self.grid, self.walk = Panels(theme, self), Grid(), Walk()
        self.panels.figure_requested.connect(self.send_to_figure)
        self.walk.moved.connect(self._move)
        self.controls, self.runs, self.tabs = Controls(theme), RunsList(theme), Tabs(theme)
        self.controls.chosen.connect(self.show_recipe)
        self.runs.shown_changed.connect(self._show_runs)
        self.runs.reference_chosen.connect(lambda number: self.show_recipe(replace(self.recipe, reference=number)))
        self.runs.open_requested.connect(self.open_requested)
        self.runs.removed.connect(self._remove)
        self.tabs.numbers.chosen.connect(self._keep_numbers)
        self.tabs.numbers.message.connect(self.message)
        self.tabs.shown_only.connect(self._show_only)
        self._whole: list[QWidget] = [self.controls, self.walk, self.tabs]  # need a comparison
        self._build(theme)
        self._timer = QTimer(self, interval=LOOK_EVERY)
        self._timer.timeout.connect(self._look)
        self._show_choices(False)
        self.grid.show_cells([], 1, EMPTY)

    def _show_choices(self, shown: bool) -> None:
        for widget in self._whole:
            widget.setVisible(shown)

    def _build(self, theme: Theme) -> None:
        centre = QWidget()
        middle = QVBoxLayout(centre)
        middle.setContentsMargins(0, 0, 0, 0)
        middle.setSpacing(0)
        self.said = named(QLabel(wordWrap=True), "muted")
        self.said.setContentsMargins(14, 0, 12, 8)
        self.said.hide()
        for widget, share in ((self.controls, 0), (self.said, 0), (self.grid, 1), (self.walk, 0)):
            middle.addWidget(widget, share)
        split = QSplitter()
        split.setHandleWidth(1)
        split.setChildrenCollapsible(False)
        for widget in (self._left(theme), centre, self.tabs):
            split.addWidget(widget)
        split.setStretchFactor(1, 1)
        split.setSizes([256, 712, 312])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(split)

    def _left(self, theme: Theme) -> QWidget:
        left, buttons = QWidget(), QHBoxLayout()
        buttons.setSpacing(4)
        add = QPushButton("Add runs …")
        add.clicked.connect(self.library_requested)
        buttons.addWidget(add, 1)
        for name, tip, slot in (
            ("open", "Open a comparison", self.ask_open),
            ("copy", "Save this comparison", self.ask_save),
            ("figures", "Send these views to the figure", self.send_to_figure),
        ):
            button = QToolButton()
            button.setToolTip(tip)
            button.setAccessibleName(tip)
            button.setIconSize(QSize(18, 18))
            put(button, name, theme, "muted")
            button.clicked.connect(lambda _=False, slot=slot: slot())
            buttons.addWidget(button)
            self._whole += [button] * (name != "open")
        column = QVBoxLayout(left)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(8)
        column.addWidget(self.runs, 1)
        column.addLayout(buttons)
        return left

    # what is compared

    def compare(self, paths: Sequence[str]) -> None:
        """Compare these runs, in the way that was chosen last."""
        if paths:
            self.runs.field.clear()
            self.show_recipe(replace(self.recipe, runs=tuple(dict.fromkeys(paths)), hidden=(), reference=0, views=()))

    def add(self, paths: Sequence[str]) -> None:
        """Compare these runs too."""
        self.show_recipe(replace(self.recipe, runs=tuple(dict.fromkeys([*self.recipe.runs, *paths]))))

    def _remove(self, paths: Sequence[str]) -> None:
        left = tuple(run for run in self.recipe.runs if run not in paths)
        if left:
            self.show_recipe(replace(self.recipe, runs=left, reference=0))

    def show_recipe(self, recipe: Recipe) -> None:
        """Show a comparison; files are read in the background."""
        self.recipe = recipe
        if not self.members:
            self.grid.show_cells([], 1, "Reading the runs …")
        self._read(self.background.start)

    def _read(self, ask: Callable[[Callable[[], Prepared]], None]) -> None:
        recipe, known = self.recipe, {member.path: member for member in self.members if not member.growing}
        ask(lambda: prepared(recipe, known))

    def _keep_numbers(self, numbers: Sequence[str]) -> None:
        self.recipe = replace(self.recipe, numbers=tuple(numbers))

    def _look(self) -> None:
        if any(member.growing for member in self.members):
            self._read(self.background.follow)

    def _show_runs(self, paths: Sequence[str], shown: bool) -> None:
        recipe = self.recipe
        for path in paths:
            recipe = recipe.with_run(path, shown=shown)
        self.recipe = recipe
        self._rebuild()

    def _show_only(self, paths: Sequence[str]) -> None:
        """Hide every other run, as brushing asks for."""
        self.recipe = replace(self.recipe, hidden=tuple(m.path for m in self.members if m.path not in paths))
        self._rebuild()

    def _take(self, found: Prepared) -> None:
        for problem in found.problems:
            self.message.emit(problem)
        if not found.members:
            self._clear("\n".join(found.problems) or EMPTY)
            return
        self._prepared, self.members = found, found.members
        self._show_choices(True)
        self._rebuild()

    def _clear(self, why: str) -> None:
        """None of the runs can be read: nothing of those of before is left beside the reason."""
        self.panels.finish()
        for member in self.members:
            member.source.close()
        self.members, self._prepared = [], None
        self.runs.show_runs([], Grouping(), (), None)
        self._show_choices(False)
        self.said.hide()
        self.grid.show_cells([], 1, why)

    # what is shown

    def _rebuild(self) -> None:
        found, recipe = self._prepared, self.recipe
        if found is None:
            return
        grouped = self.grouping = grouping(recipe, self.members, self.theme)
        reference = recipe.reference if recipe.layout == "difference" else None
        shown = [view.id for view in shown_views(recipe, self.members)]
        self.runs.show_runs(self.members, grouped, recipe.hidden, reference)
        self.controls.show_recipe(recipe, grouped.knobs, found.alongs, specs(self.members), shown)
        self.tabs.show_runs(found, recipe, grouped)
        cells = self.panels.make(found, recipe, grouped, self.theme)
        self.said.setText("\n".join(self.panels.said))
        self.said.setVisible(bool(self.panels.said))
        message = "" if cells or self.panels.said else "The runs have no view in common that this app knows."
        self.grid.show_cells(cells, 0, message)
        self._move()
        self.panels.refresh()

    def _move(self) -> None:
        self.walk.say(self.panels.move(self.walk.share), self.recipe.along)

    def send_to_figure(self, view: View | None = None) -> None:
        """Send one view, or all that are shown, to the Figures place as they are compared here."""
        from gui.compare.figure import figure_panels

        panels = figure_panels(self.recipe, self.members, view)
        if panels:
            self.figure_requested.emit(panels)

    # files

    def ask_save(self) -> None:
        if self.members:
            beside = str(Path(self.members[0].path).parent)
            ask_to_save(self, "Save comparison", "comparison.json", KINDS, self.save, folder=beside)

    def ask_open(self) -> None:
        ask_to_open(self, "Open comparison", KINDS, self.open)

    def save(self, path: str) -> None:
        try:
            save(self.recipe, path)
        except OSError as error:
            self.message.emit(f"{path} cannot be written: {error.strerror}")
            return
        self.message.emit(f"Comparison saved: {path}")

    def open(self, path: str) -> None:
        """Open a comparison that was saved."""
        try:
            self.show_recipe(load(path))
        except RecipeError as error:
            self.message.emit(str(error))

    # the rest

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self._timer.start()

    def hideEvent(self, event: Any) -> None:
        super().hideEvent(event)
        self._timer.stop()

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        recolour(self, theme)
        self.runs.set_theme(theme)
        self.tabs.set_theme(theme)
        self._rebuild()

    def finish(self) -> None:
        """The window closes: let the threads end and the files go."""
        self.background.wait()
        self.panels.finish()
        for member in self.members:
            member.source.close()
