"""A comparison as panels of a figure: the same views, runs, axis, bands, colours and differences, on paper. No Qt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gui.compare.grouping import split
from gui.compare.kinds import overlaid, why_whole
from gui.compare.members import Member, first_with, groups, names, settings
from gui.compare.prepare import shown_views
from gui.compare.recipe import Recipe
from gui.export.look import FigureError
from gui.export.means import summed_up
from gui.export.parts import beside
from gui.export.recipe import Recipe as FigureRecipe
from gui.export.recipe import checked, places_of
from lab.views import Curves, Ribbon, View

MOST_BESIDE = 8  # runs of a view that is not overlaid
FEW_BESIDE = 2  # so many have room in one column; more take the row


def figure_panels(recipe: Recipe, members: Sequence[Member], only: View | None = None) -> list[dict[str, Any]]:
    """Panels, as a figure's recipe takes them.

    Args:
        recipe: The comparison.
        members: Its runs.
        only: One view of it; None for all that are shown.
    """
    reference = members[min(recipe.reference, len(members) - 1)]
    drawn = [member for member in members if member.path not in recipe.hidden and member.experiment is not None]
    found = []
    for view in [only] if only is not None else shown_views(recipe, members):
        if recipe.layout == "difference" and why_whole(view):
            continue
        for experiment in dict.fromkeys(member.experiment for member in drawn):
            there = [member for member in drawn if member.experiment is experiment]
            own = [there[run] for (run,) in groups(there, "")]
            if experiment is not None and view.id in {other.id for other in experiment.every_view()}:
                found += _panels(view, recipe, own, reference)
    return found


def _panels(view: View, recipe: Recipe, runs: Sequence[Member], reference: Member) -> Iterator[dict[str, Any]]:
    panel: dict[str, Any] = {"view": view.id, "colour": recipe.colour}
    if isinstance(view, Curves | Ribbon):
        panel["along"] = f"{recipe.along.kind} {recipe.along.name}".strip()
    if recipe.layout == "difference":
        panel["minus"] = reference.path
        runs = [run for run in runs if run is not reference]
    if recipe.layout == "overlay" and summed_up(view):
        panel["band"] = recipe.band or "none"
    if recipe.layout == "side by side" and overlaid(view):
        for run, name in list(zip(runs, names(runs, groups(runs, "")), strict=True))[:MOST_BESIDE]:
            yield {**panel, "runs": [run.path], "title": f"{view.title} \N{EN DASH} {name}", "shared": True}
        return
    parts = split(settings(runs), recipe.facet)
    for part, own in parts.items():
        members = [runs[number] for number in own]
        title = {"title": f"{view.title} \N{EN DASH} {part}", "shared": len(parts) > 1} if part else {}
        if overlaid(view):
            yield {**panel, **title, "runs": [run.path for run in members]}
            continue
        firsts = groups(members, recipe.band if recipe.layout == "overlay" else "")[:MOST_BESIDE]
        files = [members[first_with(view, members, group)].path for group in firsts]
        yield {**panel, **title, "runs": files, "columns": 1 if len(files) <= FEW_BESIDE else 2}


def figure_page(recipe: Recipe, members: Sequence[Member], size: str, *, data: bool = False) -> FigureRecipe:
    """A page of everything that is shown, as high as it needs to be.

    Args:
        recipe: The comparison.
        members: Its runs.
        size: Of a page of one row of panels.
        data: Whether their numbers are written, too.

    Raises:
        FigureError: Nothing of it can be drawn so.
    """
    panels = figure_panels(recipe, members)
    if not panels:
        raise FigureError("these runs have no view in common that can be drawn so")
    columns = 1 if size == "single" else min(sum(panel.get("columns", 1) for panel in panels), 2)
    page = checked({"panels": panels, "size": size, "columns": columns, "data": "csv" if data else "none"})
    heights = [1] * (1 + max(row for row, _, _ in places_of(page)))
    for panel, (row, _, _) in zip(panels, places_of(page), strict=True):
        if "columns" in panel:  # its runs stand side by side
            heights[row] = max(heights[row], beside(len(panel["runs"]))[0])
    across, down = page.millimetres
    return page if sum(heights) == 1 else page.changed(size=(across, sum(heights) * down), heights=heights)
