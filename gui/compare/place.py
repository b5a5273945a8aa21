"""The Compare place: runs left, the same views over all of them in the centre, what differs right, one slider below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
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
from gui.compare.lines import Contents, contents
from gui.compare.members import Member, groups, names, opened, settings, specs
from gui.compare.recipe import Recipe, RecipeError, load, save
from gui.compare.runs_list import RunsList
from gui.compare.tabs import Tabs
from gui.icons import put, recolour
from gui.named import named
from gui.theme import Theme
from gui.views.text import short, whole
from lab.compare import Along, NotAligned, laid_along
from lab.differing import Difference, flat, told_apart
from lab.stream import steps_of
from lab.views import Curves, View

LOOK_EVERY = 2500  # ms between looks at runs that grow
MOST_BESIDE = 8  # runs side by side
MOST_COLOURED = 12  # groups beyond which a knob colours them where one can
SLIDER = 1000
EMPTY = (
    "Choose several runs in the Library and press Enter, or drop their files here. "
    "They are shown in the same views, with what differs between them at the side."
)


@dataclass
class Prepared:
    """What the thread hands over: lines of each overlay, sources on common scales."""

    recipe: Recipe
    members: list[Member]
    problems: list[str]
    lines: dict[str, Contents]
    specs: dict[str, View]
    alongs: list[Along]


class ComparePlace(QWidget):
    """Compares runs. Files are read in the background; choices redraw what is there."""

    message = Signal(str)
    open_requested = Signal(str)
    library_requested = Signal()

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
        self.grid.show_cells([], 1, EMPTY)

    def _build(self, theme: Theme) -> None:
        left, buttons = QWidget(), QHBoxLayout()
        buttons.setSpacing(4)
        add = QPushButton("Add runs …")
        add.clicked.connect(self.library_requested)
        buttons.addWidget(add, 1)
        for name, tip, slot in (
            ("open", "Open a comparison", self.ask_open),
            ("copy", "Save this comparison", self.ask_save),
        ):
            button = QToolButton()
            button.setToolTip(tip)
            button.setAccessibleName(tip)
            button.setIconSize(QSize(18, 18))
            put(button, name, theme, "muted")
            button.clicked.connect(slot)
            buttons.addWidget(button)
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
        middle.addWidget(self.grid, 1)
        middle.addLayout(self._slider_row())
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

    def _slider_row(self) -> QHBoxLayout:
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, SLIDER)
        self.slider.setValue(SLIDER)
        self.slider.setAccessibleName("Place on the common axis")
        self.slider.valueChanged.connect(self._slide)
        self.place_label = named(QLabel("end"), "muted")
        self.place_label.setMinimumWidth(112)
        row = QHBoxLayout()
        row.setContentsMargins(12, 4, 12, 6)
        row.setSpacing(12)
        row.addWidget(self.place_label)
        row.addWidget(self.slider, 1)
        return row

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
        self._rebuild()

    # what is shown

    @property
    def shown_views(self) -> list[View]:
        there = specs(self.members)
        wanted = self.recipe.views or _first(there, self.members)
        return [view for view in there if view.id in wanted]

    def _rebuild(self) -> None:
        from gui.compare.overlay import SharedAxis

        found, recipe = self._prepared, self.recipe
        if found is None:
            return
        members = self.members
        configs = settings(members)
        self.groups = groups(members, recipe.band if recipe.layout == "overlay" else "")
        self.names = names(members, self.groups)
        knobs = told_apart(configs)
        by = recipe.colour or (knobs[0] if len(self.groups) > MOST_COLOURED and knobs else "")
        placed = coloured(configs, by, self.groups)
        self.colours = hues(placed, self.theme)
        self.shown = {
            g for g, group in enumerate(self.groups) if any(members[n].path not in recipe.hidden for n in group)
        }
        reference = recipe.reference if recipe.layout == "difference" else None
        self.runs.show_runs(members, self.groups, self.names, self.colours, recipe.hidden, reference)
        views = specs(members)
        self.controls.show_recipe(recipe, knobs, found.alongs, views, [view.id for view in self.shown_views])
        self.tabs.show_members(members, self.groups, self.names, self.colours, self.shown, recipe)
        if self.axis is None:
            self.axis = SharedAxis(self)
        held = self.axis.held
        self.axis.forget()
        self.axis.held = held if found.recipe.along == recipe.along else None
        for run in self._runs:
            run.close()
        self._runs, self._step_axes = [], []
        cells = [cell for view in self.shown_views for cell in self._cells(view)]
        message = "" if cells else "The runs have no view in common that this app knows."
        self.grid.show_cells(cells, 0, message)
        self._slide(self.slider.value())
        self._refresh()

    def _cells(self, view: View) -> list[Cell]:
        if isinstance(view, Curves) and self.recipe.layout != "side by side":
            return self._overlays(view)
        return self._beside(view)

    def _overlays(self, view: Curves) -> list[Cell]:
        from gui.compare.overlay import Overlay
        from gui.compare.pair import difference_spec

        assert self._prepared is not None
        found = self._prepared.lines.get(view.id)
        if found is None:  # chosen just now: its lines are being read
            return []
        spec: Any = difference_spec(view) if self.recipe.layout == "difference" else view
        cells = []
        for title, shown in self._facets(view.title):
            overlay = Overlay(spec, self.theme, self.axis, self.recipe.along, title)
            cell = Cell(overlay, title, self.theme, view.help)
            configs = [self.members[self.groups[group][0]].config for group in sorted(shown)]
            overlay.show_lines(found, self.colours, self.names, shown, configs)
            cells.append(cell)
        return cells

    def _facets(self, title: str) -> list[tuple[str, set[int]]]:
        """Groups of each small multiple, with its title."""
        by = self.recipe.facet
        if not by:
            reference = f" minus {self._reference_name()}" if self.recipe.layout == "difference" else ""
            return [(f"{title}{reference}", self.shown)]
        configs = settings(self.members)
        parts: dict[str, set[int]] = {}
        for group in sorted(self.shown):
            parts.setdefault(str(configs[self.groups[group][0]].get(by)), set()).add(group)
        return [(f"{title} \N{EN DASH} {by} {value}", members) for value, members in parts.items()]

    def _reference_name(self) -> str:
        number = min(self.recipe.reference, len(self.members) - 1)
        return next(name for name, group in zip(self.names, self.groups, strict=True) if number in group)

    def _beside(self, view: View) -> list[Cell]:
        """A cell for each run, or for the first run of each group."""
        from gui.compare.pair import DifferenceRun, difference_spec
        from gui.stored_run import StoredRun
        from gui.views import make_view
        from gui.views.axes import StepAxis

        assert self._prepared is not None
        spec = self._prepared.specs.get(view.id, view)
        reference = self.members[min(self.recipe.reference, len(self.members) - 1)]
        cells = []
        for group in sorted(self.shown)[:MOST_BESIDE]:
            member = self.members[self.groups[group][0]]
            if not (member.experiment and view.id in {v.id for v in member.experiment.views}):
                continue
            title = f"{view.title} \N{EN DASH} {self.names[group]}"
            run: Any
            if self.recipe.layout == "difference":
                if member is reference:
                    continue
                run, spec = DifferenceRun(member, reference), difference_spec(view)
                title = f"{title} minus {self._reference_name()}"
            else:
                run = StoredRun(member.path)
                self._runs.append(run)
            axis = StepAxis(self)
            widget = make_view(spec, run, self.theme, axis)
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
        if value == SLIDER:
            self.axis.pin(None)
            for _, axis in self._step_axes:
                axis.pin(None)
            self.place_label.setText("end")
            return
        low, high = self._ends()
        x = low + (high - low) * value / SLIDER
        self.axis.pin(x)
        for member, axis in self._step_axes:
            axis.pin(step_at(member, self.recipe.along, x))
        kind = self.recipe.along.kind
        said = whole(round(x)) if kind in ("step", "event") else short(x)
        self.place_label.setText(f"{'step' if kind == 'step' else self.recipe.along.label} {said}")

    def _ends(self) -> tuple[float, float]:
        if not self._step_axes or any(isinstance(view, Curves) for view in self.shown_views):
            low, high = self.axis.ends
            if (low, high) != (0.0, 1.0):
                return low, high
        reaches = [reach(member, self.recipe.along) for member, _ in self._step_axes]
        there = [ends for ends in reaches if ends]
        return (min(low for low, _ in there), max(high for _, high in there)) if there else (0.0, 1.0)

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
        """The window closes: let the thread end and the files go."""
        self.background.wait()
        for run in self._runs:
            run.close()
        for member in self.members:
            member.source.close()


def _first(views: Sequence[View], members: Sequence[Member]) -> tuple[str, ...]:
    """Views that are shown at first: those that overlay, are open in the Lab at first, and have something to show."""
    recorded = {name for member in members[:8] for name in member.source.names()}
    full = [view for view in views if recorded & set(view.names)]
    curves = [view.id for view in full if isinstance(view, Curves) and view.primary]
    return tuple(curves[:4] or [view.id for view in (full or views)[:1]])


def prepared(recipe: Recipe, known: dict[str, Member]) -> Prepared:
    """Read what a comparison shows. Called outside the window's thread."""
    from gui.compare.pair import difference_spec, on_common_scale

    fresh, problems = opened([path for path in recipe.runs if path not in known])
    by_path = {**known, **{member.path: member for member in fresh}}
    members = [by_path[path] for path in dict.fromkeys(recipe.runs) if path in by_path]
    if not members:
        return Prepared(recipe, members, problems, {}, {}, [])
    views = specs(members)
    shown = recipe.views or _first(views, members)
    grouped = groups(members, recipe.band if recipe.layout == "overlay" else "")
    lines: dict[str, Contents] = {}
    scaled: dict[str, View] = {}
    compared = members
    if recipe.layout == "difference":
        reference = members[min(recipe.reference, len(members) - 1)].source
        compared = [replace(member, source=Difference(member.source, reference)) for member in members]  # pyright: ignore[reportArgumentType]  # a difference is read like a file
    for view in (view for view in views if view.id in shown):
        if isinstance(view, Curves) and recipe.layout != "side by side":
            spec: Any = difference_spec(view) if recipe.layout == "difference" else view
            lines[view.id] = contents(spec, compared, grouped, recipe.along, recipe.band)
        elif recipe.layout != "difference":
            scaled[view.id] = on_common_scale(view, [member.source for member in members])
    return Prepared(recipe, members, problems, lines, scaled, alongs(members))


def alongs(members: Sequence[Member]) -> list[Along]:
    """Axes that at least one run can be laid along."""
    found = [Along()]
    series = {name for member in members for name in member.source.scalars()[0]} if len(members) <= 12 else set()
    events = {event["kind"] for member in members[:24] for event in member.source.events()}
    probe = np.zeros(1, np.int64)
    for kind in ("epoch", "time"):
        try:
            laid_along(Along(kind), probe, members[0].source, flat(members[0].knobs))
        except NotAligned:
            continue
        found.append(Along(kind))
    hidden = {"schedule", "checkpoint"}
    found += [Along("event", kind) for kind in sorted(events - hidden)]
    return found + [Along("series", name) for name in sorted(series)]


def reach(member: Member, along: Along) -> tuple[float, float] | None:
    """From where to where a run goes on the common axis."""
    steps = _longest(member)
    try:
        x = laid_along(along, steps, member.source, member.knobs)
    except NotAligned:
        return None
    x = x[np.isfinite(x)]
    return (float(x.min()), float(x.max())) if len(x) else None


def step_at(member: Member, along: Along, x: float) -> int | None:
    """The last step of a run before ``x`` on the common axis; None where it cannot be laid along it."""
    steps = _longest(member)
    if along.kind == "step":
        return round(x)
    try:
        there = laid_along(along, steps, member.source, member.knobs)
    except NotAligned:
        return None
    row = int(np.searchsorted(np.maximum.accumulate(np.nan_to_num(there, nan=-np.inf)), x, side="right")) - 1
    return int(steps[max(row, 0)])


def _longest(member: Member) -> np.ndarray:
    found = [steps_of(member.source, name) for name in member.source.names()[:8]]
    return max(found, key=len, default=np.empty(0, np.int64))
