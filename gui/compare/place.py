"""The Compare place: runs left, the same views over all of them in the centre, what differs right, one slider below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.background import Background
from gui.compare.cells import Cell
from gui.compare.colours import coloured, hues
from gui.compare.controls import Controls
from gui.compare.grid import Grid
from gui.compare.kinds import overlay_of
from gui.compare.members import Member, groups, names, settings, specs
from gui.compare.prepare import Panel, Prepared, prepared, reach, shown_views, step_at
from gui.compare.recipe import Recipe, RecipeError, load, save
from gui.compare.runs_list import RunsList
from gui.compare.tabs import Tabs
from gui.icons import put, recolour
from gui.named import named
from gui.theme import Theme
from gui.views.text import short, whole
from lab.differing import told_apart
from lab.views import Curves, Ribbon, View

LOOK_EVERY = 2500  # ms between looks at runs that grow
MOST_BESIDE = 8  # runs side by side
MOST_COLOURED = 12  # groups beyond which a knob colours them where one can
SLIDER = 1000
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
        self._prepared: Prepared | None = None
        self.axis: Any = None  # a SharedAxis: plots are loaded with the first comparison
        self._step_axes: list[tuple[Member, Any]] = []
        self._runs: list[Any] = []
        self.background = Background(self)
        self.background.done.connect(self._take)
        self.background.failed.connect(self.message)
        self.controls = Controls(theme)
        self.controls.chosen.connect(self.show_recipe)
        self.runs = RunsList(theme)
        self.runs.shown_changed.connect(self._show_runs)
        self.runs.reference_chosen.connect(lambda number: self.show_recipe(replace(self.recipe, reference=number)))
        self.runs.open_requested.connect(self.open_requested)
        self.runs.removed.connect(self._remove)
        self.tabs = Tabs(theme)
        self.tabs.numbers_chosen.connect(lambda numbers: self._keep(replace(self.recipe, numbers=tuple(numbers))))
        self.tabs.shown_only.connect(self._show_only)
        self.tabs.message.connect(self.message)
        self.grid = Grid()
        self._build(theme)
        self._timer = QTimer(self, interval=LOOK_EVERY)
        self._timer.timeout.connect(self._look)
        self._show_choices(False)
        self.grid.show_cells([], 1, EMPTY)

    def _show_choices(self, shown: bool) -> None:
        """Choices and tables are there once there are runs."""
        for widget in (self.controls, self._slider_bar, self.tabs, *self._whole):
            widget.setVisible(shown)

    def _build(self, theme: Theme) -> None:
        left, buttons = QWidget(), QHBoxLayout()
        buttons.setSpacing(4)
        add = QPushButton("Add runs …")
        add.clicked.connect(self.library_requested)
        buttons.addWidget(add, 1)
        self._whole: list[QToolButton] = []  # need a comparison
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
        centre = QWidget()
        middle = QVBoxLayout(centre)
        middle.setContentsMargins(0, 0, 0, 0)
        middle.setSpacing(0)
        middle.addWidget(self.controls)
        self.said = named(QLabel(wordWrap=True), "muted")
        self.said.setContentsMargins(14, 0, 12, 8)
        self.said.hide()
        middle.addWidget(self.said)
        middle.addWidget(self.grid, 1)
        middle.addWidget(self._slider_row())
        split = QSplitter()
        split.setHandleWidth(1)
        split.setChildrenCollapsible(False)
        for widget in (left, centre, self.tabs):
            split.addWidget(widget)
        split.setStretchFactor(1, 1)
        split.setSizes([232, 728, 320])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(split)

    def _slider_row(self) -> QWidget:
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, SLIDER)
        self.slider.setValue(SLIDER)
        self.slider.setAccessibleName("Place on the common axis")
        self.slider.valueChanged.connect(self._slide)
        self.place_label = named(QLabel("end"), "muted")
        self.place_label.setMinimumWidth(112)
        self._slider_bar = QWidget()
        row = QHBoxLayout(self._slider_bar)
        row.setContentsMargins(12, 4, 12, 6)
        row.setSpacing(12)
        row.addWidget(self.place_label)
        row.addWidget(self.slider, 1)
        return self._slider_bar

    # what is compared

    def compare(self, paths: Sequence[str]) -> None:
        """Compare these runs, in the way that was chosen last."""
        if paths:
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
        known = {member.path: member for member in self.members if not member.growing}
        if not self.members:
            self.grid.show_cells([], 1, "Reading the runs …")
        self.background.start(lambda: prepared(recipe, known))

    def _keep(self, recipe: Recipe) -> None:
        self.recipe = recipe

    def _look(self) -> None:
        if any(member.growing for member in self.members):
            self.show_recipe(self.recipe)

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
            self.grid.show_cells([], 1, "\n".join(found.problems) or EMPTY)
            return
        self._prepared, self.members = found, found.members
        self._show_choices(True)
        self._rebuild()

    # what is shown

    @property
    def shown_views(self) -> list[View]:
        return shown_views(self.recipe, self.members)

    def _rebuild(self) -> None:
        from gui.compare.axis import SharedAxis

        found, recipe = self._prepared, self.recipe
        if found is None:
            return
        self._group()
        members, views = self.members, specs(self.members)
        reference = recipe.reference if recipe.layout == "difference" else None
        self.runs.show_runs(members, self.groups, self.names, self.colours, recipe.hidden, reference)
        shown = self.shown_views
        self.controls.show_recipe(recipe, self._knobs, found.alongs, views, [view.id for view in shown])
        self.tabs.show_runs(found, recipe, self.groups, self.names, self.colours, self.shown)
        if self.axis is None:
            self.axis = SharedAxis(self)
        held = self.axis.held
        self.axis.forget()
        self.axis.held = held if found.recipe.along == recipe.along else None
        self._let_go()
        # a view chosen just now has no panel yet: it is being read
        panels = {view: found.panels[view.id] for view in shown if view.id in found.panels}
        cells = [cell for view, panel in panels.items() for cell in self._cells(view, panel)]
        said = [panel.why for panel in panels.values() if panel.why]
        self.said.setText("\n".join(said))
        self.said.setVisible(bool(said))
        message = "" if cells or said else "The runs have no view in common that this app knows."
        self.grid.show_cells(cells, 0, message)
        self._slide(self.slider.value())
        self._refresh()

    def _group(self) -> None:
        """Put runs into groups; give each a name and a colour."""
        recipe, members = self.recipe, self.members
        configs = settings(members)
        self.groups = groups(members, recipe.band if recipe.layout == "overlay" else "")
        self.names = names(members, self.groups)
        self._knobs = told_apart(configs)
        by = recipe.colour or (self._knobs[0] if len(self.groups) > MOST_COLOURED and self._knobs else "")
        self.colours = hues(coloured(configs, by, self.groups), self.theme)
        self.shown = {
            g for g, group in enumerate(self.groups) if any(members[n].path not in recipe.hidden for n in group)
        }

    def _let_go(self) -> None:
        """End what the panels of before still do."""
        for cell in self.grid.cells:
            if hasattr(cell.view, "finish"):
                cell.view.finish()
        for run in self._runs:
            run.close()
        self._runs, self._step_axes = [], []

    def _cells(self, view: View, panel: Panel) -> list[Cell]:
        return self._beside(view, panel) if panel.contents is None else self._overlays(view, panel)

    def _overlays(self, view: View, panel: Panel) -> list[Cell]:
        from gui.compare.compared import Groups

        widget: Any = overlay_of(view)
        cells = []
        for title, shown in self._facets(view.title):
            overlay = widget(panel.spec, self.theme, self.axis, self.recipe.along, title)
            cell = Cell(overlay, title, self.theme, view.help)
            configs = [self.members[self.groups[group][0]].config for group in sorted(shown)]
            overlay.figure_requested.connect(lambda view=view: self.send_to_figure(view))
            overlay.show_contents(panel.contents, Groups(self.colours, self.names, shown, configs))
            cells.append(cell)
        return cells

    def _facets(self, title: str) -> list[tuple[str, set[int]]]:
        """Groups of each small multiple, with its title."""
        by = self.recipe.facet
        title = f"{title} minus {self._reference_name()}" if self.recipe.layout == "difference" else title
        if not by:
            return [(title, self.shown)]
        configs = settings(self.members)
        parts: dict[str, set[int]] = {}
        for group in sorted(self.shown):
            parts.setdefault(str(configs[self.groups[group][0]].get(by)), set()).add(group)
        return [(f"{title} \N{EN DASH} {by} {value}", members) for value, members in parts.items()]

    def _reference_name(self) -> str:
        number = min(self.recipe.reference, len(self.members) - 1)
        return next(name for name, group in zip(self.names, self.groups, strict=True) if number in group)

    def _beside(self, view: View, panel: Panel) -> list[Cell]:
        """A cell for each run, or for the first run of each group."""
        from gui.compare.pair import DifferenceRun
        from gui.stored_run import StoredRun
        from gui.views import make_view
        from gui.views.axes import StepAxis

        number = min(self.recipe.reference, len(self.members) - 1)
        difference = self.recipe.layout == "difference"
        cells = []
        for group in sorted(self.shown)[:MOST_BESIDE]:
            first = self.groups[group][0]
            member = self.members[first]
            known = member.experiment is not None and view.id in {v.id for v in member.experiment.views}
            if not known or (difference and (first == number or first in panel.apart)):
                continue
            title = f"{view.title} \N{EN DASH} {self.names[group]}"
            run: Any
            if difference:
                run = DifferenceRun(member, self.members[number], view)
                title = f"{title} minus {self._reference_name()}"
            else:
                run = StoredRun(member.path)
                self._runs.append(run)
            axis = StepAxis(self)
            widget = make_view(panel.spec, run, self.theme, axis)
            widget.figure_requested.connect(lambda view=view: self.send_to_figure(view))
            run.setParent(widget)
            axis.setParent(widget)
            self._step_axes.append((member, axis))
            cells.append(Cell(widget, title, self.theme, view.help, self.colours[group]))
        return cells

    def _refresh(self) -> None:
        for cell in self.grid.cells:
            if hasattr(cell.view, "refresh"):
                cell.view.refresh()

    # the slider

    def _slide(self, value: int) -> None:
        """Put every panel at one place of the common axis; at the right end, each at its own."""
        if self.axis is None:
            return
        moments = [cell.view for cell in self.grid.cells if hasattr(cell.view, "show_at")]
        if value == SLIDER:
            self.axis.pin(None)
            for _, axis in self._step_axes:
                axis.pin(None)
            for view in moments:
                view.show_at([None] * len(self.members))
            self.place_label.setText("end")
            return
        low, high = self._ends()
        x = low + (high - low) * value / SLIDER
        self.axis.pin(x)
        for member, axis in self._step_axes:
            axis.pin(step_at(member, self.recipe.along, x))
        if moments:
            steps = [step_at(member, self.recipe.along, x) for member in self.members]
            for view in moments:
                view.show_at(steps)
        kind = self.recipe.along.kind
        said = whole(round(x)) if kind in ("step", "event") else short(x)
        self.place_label.setText(f"{'step' if kind == 'step' else self.recipe.along.label} {said}")

    def _ends(self) -> tuple[float, float]:
        if any(isinstance(view, Curves | Ribbon) for view in self.shown_views):
            low, high = self.axis.ends
            if (low, high) != (0.0, 1.0):
                return low, high
        reaches = [reach(member, self.recipe.along) for member in self.members]
        there = [ends for ends in reaches if ends]
        return (min(low for low, _ in there), max(high for _, high in there)) if there else (0.0, 1.0)

    def send_to_figure(self, view: View | None = None) -> None:
        """Send one view, or all that are shown, to the Figures place as they are compared here."""
        from gui.compare.figure import figure_panels

        panels = figure_panels(self.recipe, self.members, view)
        if panels:
            self.figure_requested.emit(panels)

    # files

    def ask_save(self) -> None:
        if not self.members:
            return
        dialog = QFileDialog(self, "Save comparison", str(Path(self.members[0].path).parent / "comparison.json"))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.fileSelected.connect(self.save)
        dialog.open()

    def save(self, path: str) -> None:
        try:
            save(self.recipe, path)
        except OSError as error:
            self.message.emit(f"{path} cannot be written: {error.strerror}")
            return
        self.message.emit(f"Comparison saved: {path}")

    def ask_open(self) -> None:
        dialog = QFileDialog(self, "Open comparison", "", "Comparisons (*.json);;All files (*)")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.open)
        dialog.open()

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
        self._let_go()
        for member in self.members:
            member.source.close()
