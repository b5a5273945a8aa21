"""The panels of a comparison: overlays of many runs or of one, or views of single runs; split by a knob."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

from PySide6.QtCore import QObject, Signal

from gui.compare.axis import SharedAxis
from gui.compare.cells import Cell
from gui.compare.grouping import Grouping
from gui.compare.kinds import overlay_of
from gui.compare.members import first_with
from gui.compare.prepare import Panel, Prepared, reach, shown_views, step_at
from gui.compare.recipe import Recipe
from gui.theme import Theme
from lab.views import Curves, Ribbon, View

MOST_BESIDE = 8  # runs of a view side by side, or one for each value of the knob that splits them


class Panels(QObject):
    """Makes the cells, and moves all of them along the common axis.

    Attributes:
        axis: What overlays share.
        cells: The panels that are shown now.
        said: Why some views are not shown as they were asked for.
    """

    figure_requested = Signal(object)  # a view

    def __init__(self, theme: Theme, parent: QObject) -> None:
        super().__init__(parent)
        self._theme = theme
        self.axis = SharedAxis(self)
        self.cells: list[Cell] = []
        self.said: list[str] = []
        self._runs: list[Any] = []
        self._steps: list[tuple[int, Any]] = []
        self._found, self._recipe, self._grouping = Prepared(Recipe(()), [], [], {}, [], [], []), Recipe(()), Grouping()

    def make(self, found: Prepared, recipe: Recipe, grouping: Grouping, theme: Theme) -> list[Cell]:
        """Other panels in place of those of before."""
        self.axis.forget(keep=self._of_the_same(recipe))
        self.finish()
        self._found, self._recipe, self._grouping, self._theme = found, recipe, grouping, theme
        # a view chosen just now has no panel yet: it is being read
        panels = {v: found.panels[v.id] for v in shown_views(recipe, found.members) if v.id in found.panels}
        self.said = [panel.why for panel in panels.values() if panel.why]
        self.cells = [cell for view, panel in panels.items() for cell in self._cells(view, panel)]
        for view in panels:
            zoom_together([cell.view for cell in self.cells if cell.view.spec.id == view.id])
        return self.cells

    def _of_the_same(self, recipe: Recipe) -> bool:
        """Whether what is held on the axes means the same in this comparison."""
        before = self._recipe
        alike = before.along == recipe.along and (before.layout == "difference") == (recipe.layout == "difference")
        return alike and not {*before.runs}.isdisjoint(recipe.runs)

    def finish(self) -> None:
        """End what the panels still do."""
        for cell in self.cells:
            if hasattr(cell.view, "finish"):
                cell.view.finish()
        for run in self._runs:
            run.close()
        self.cells, self._runs, self._steps = [], [], []

    def refresh(self) -> None:
        for cell in self.cells:
            if hasattr(cell.view, "refresh"):
                cell.view.refresh()

    def _cells(self, view: View, panel: Panel) -> Iterator[Cell]:
        alone = panel.contents is None or self._recipe.layout == "side by side"
        return self._beside(view, panel) if alone else self._overlays(view, panel)

    def _overlays(self, view: View, panel: Panel) -> Iterator[Cell]:
        """One panel, or a small multiple for every value of the knob that splits them."""
        whole = f"{view.title} minus {self._reference}" if self._recipe.layout == "difference" else view.title
        for part, shown in (self._grouping.parts or {}).items():
            title = f"{whole} \N{EN DASH} {part}" if part else whole
            yield Cell(self._overlay(view, panel, shown, title), title, self._theme, view.help)

    def _overlay(self, view: View, panel: Panel, shown: Sequence[int], title: str) -> Any:
        from gui.compare.compared import Groups

        widget: Any = overlay_of(view)
        overlay = widget(panel.spec, self._theme, self.axis, self._recipe.along, title)
        configs = [self._member(group).config for group in shown]
        overlay.figure_requested.connect(lambda: self.figure_requested.emit(view))
        overlay.show_contents(panel.contents, Groups(self._grouping.colours, self._grouping.names, {*shown}, configs))
        return overlay

    def _beside(self, view: View, panel: Panel) -> Iterator[Cell]:
        """A cell for each run, or for the first of each group that has it; every value of a splitting knob is a row."""
        parts = self._grouping.parts or {}
        usual = {part: [group for group in groups if self._has(view, panel, group)] for part, groups in parts.items()}
        most = max(1, MOST_BESIDE // max(len(usual), 1))
        if left := sum(max(len(groups) - most, 0) for groups in usual.values()):
            self.said.append(f"{view.title}: {left} more would not fit side by side; hide others to see them")
        for part, groups in usual.items():
            head = f"{view.title} \N{EN DASH} {part}" if part else ""
            for group in groups[:most]:
                yield self._alone(view, panel, group, head)

    def _has(self, view: View, panel: Panel, group: int) -> bool:
        """Whether a run of a group can be shown in a view."""
        first = self._first(view, group)
        member = self._found.members[first]
        if member.experiment is None:
            return False
        own = (*member.experiment.views, *member.experiment.views_of(member.config, member.source.names()))
        if view.id not in {known.id for known in own}:
            return False
        return self._recipe.layout != "difference" or (first != self._reference_run and first not in panel.apart)

    def _alone(self, view: View, panel: Panel, group: int, head: str) -> Cell:
        """A group by itself: an overlay of one, on the axes of its neighbours, or the view of its first run."""
        name = self._grouping.names[group]
        if len(self._grouping.groups[group]) > 1:
            seed = self._found.members[self._first(view, group)].header["seed"]
            name = f"{name}, seed {seed}".removeprefix(", ")
        if self._recipe.layout == "difference":
            name = f"{name} minus {self._reference}"
        title = name if head else f"{view.title} \N{EN DASH} {name}"
        shown = (
            self._single(view, panel, group) if panel.contents is None else self._overlay(view, panel, [group], title)
        )
        return Cell(shown, title, self._theme, view.help, self._grouping.colours[group], head)

    def _single(self, view: View, panel: Panel, group: int) -> Any:
        from gui.compare.pair import DifferenceRun
        from gui.runs.stored import StoredRun
        from gui.views import make_view
        from gui.views.axes import StepAxis

        first = self._first(view, group)
        member = self._found.members[first]
        run: Any
        if self._recipe.layout == "difference":
            run = DifferenceRun(member, self._found.members[self._reference_run], view)
        else:
            run = StoredRun(member.path)
            self._runs.append(run)
        axis = StepAxis(self)
        widget = make_view(panel.spec, run, self._theme, axis)
        widget.figure_requested.connect(lambda: self.figure_requested.emit(view))
        run.setParent(widget)
        axis.setParent(widget)
        self._steps.append((first, axis))
        return widget

    def _first(self, view: View, group: int) -> int:
        return first_with(view, self._found.members, self._grouping.groups[group])

    def _member(self, group: int) -> Any:
        return self._found.members[self._grouping.groups[group][0]]

    @property
    def _reference_run(self) -> int:
        return min(self._recipe.reference, len(self._found.members) - 1)

    @property
    def _reference(self) -> str:
        return self._grouping.name_of(self._reference_run)

    # along the common axis

    def move(self, share: float | None) -> float | None:
        """Put every panel at a share of the common axis, and say where that is; None puts each at its own end."""
        x = None
        if share is not None:
            low, high = self.ends()
            x = low + (high - low) * share
        along, members = self._recipe.along, self._found.members
        moments = [cell.view for cell in self.cells if hasattr(cell.view, "show_at")]
        wanted = range(len(members)) if moments else {run for run, _ in self._steps}
        steps = {run: None if x is None else step_at(members[run], along, x) for run in wanted}
        self.axis.pin(x)
        for run, axis in self._steps:
            axis.pin(steps[run])
        for view in moments:
            view.show_at([steps[run] for run in range(len(members))])
        return x

    def ends(self) -> tuple[float, float]:
        """From where to where the common axis goes."""
        if any(isinstance(cell.view.spec, Curves | Ribbon) for cell in self.cells) and self.axis.ends != (0.0, 1.0):
            return self.axis.ends
        reaches = [reach(member, self._recipe.along) for member in self._found.members]
        there = [ends for ends in reaches if ends]
        return (min(low for low, _ in there), max(high for _, high in there)) if there else (0.0, 1.0)


def zoom_together(views: Sequence[Any]) -> None:
    """Let views of single runs, if they have axes, follow each other's zoom; overlays do so by their common axis."""
    plots = [view for view in views if hasattr(view, "zoom_as")]
    for one in plots:
        for other in plots:
            if other is not one:
                one.zoomed.connect(functools.partial(other.zoom_as, one))
                one.all_action.triggered.connect(other.show_all)
