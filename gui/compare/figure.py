"""A comparison as panels of a figure: the same views, runs, axis, bands, colours and differences, on paper. No Qt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gui.compare.grouping import split
from gui.compare.kinds import overlaid, why_whole
from gui.compare.members import Member, settings
from gui.compare.prepare import shown_views
from gui.compare.recipe import Recipe
from gui.export.means import summed_up
from lab.views import Curves, Ribbon, View

MOST_BESIDE = 8  # runs of a view that is not overlaid


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
            own = [member for member in drawn if member.experiment is experiment]
            if view.id in {other.id for other in getattr(experiment, "views", ())}:
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
        yield from ({**panel, "runs": [run.path]} for run in runs[:MOST_BESIDE])
        return
    for part, own in split(settings(runs), recipe.facet).items():
        files = [runs[number].path for number in own]
        title = {"title": f"{view.title} \N{EN DASH} {part}"} if part else {}
        yield {**panel, **title, "runs": files if overlaid(view) else files[:MOST_BESIDE]}
