"""What a comparison shows, read in a thread: lines, shapes and strips, and views on a common scale. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gui.compare.kinds import overlaid, placed_apart, why_alone, why_whole
from gui.compare.members import Member, first_number, groups, model_of, opened, specs, study_row
from gui.compare.recipe import Recipe
from lab.compare import Along, Laid, NotAligned, laid_along
from lab.differing import Difference, difference_view, flat, on_common_scale
from lab.stream import steps_of
from lab.verdict import StudyRow
from lab.views import Curves, Ribbon, View


@dataclass(frozen=True)
class Panel:
    """A view of the comparison.

    Attributes:
        spec: As it is drawn: a difference, on a common scale.
        contents: What its overlays show; None where each run has a view of its own.
        why: Why it is not shown as it was asked for; empty where it is.
        apart: Numbers of the runs that cannot be subtracted from the reference.
    """

    spec: View
    contents: Any = None
    why: str = ""
    apart: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Prepared:
    """What the thread hands over.

    Attributes:
        problems: A line for each file that cannot be read.
        panels: Of the views that are shown, by their ids.
        alongs: What the runs can be laid along.
        rows: The runs reduced to numbers, for their verdict together.
        models: Their modules and shapes.
        number: A scalar series to begin their table with.
    """

    recipe: Recipe
    members: list[Member]
    problems: list[str]
    panels: dict[str, Panel]
    alongs: list[Along]
    rows: list[StudyRow | None]
    models: list[dict[str, str]]
    number: str = ""


def prepared(recipe: Recipe, known: dict[str, Member]) -> Prepared:
    """Read what a comparison shows."""
    fresh, problems = opened([path for path in recipe.runs if path not in known])
    by_path = {**known, **{member.path: member for member in fresh}}
    members = [by_path[path] for path in dict.fromkeys(recipe.runs) if path in by_path]
    if not members:
        return Prepared(recipe, members, problems, {}, [], [], [])
    shown = shown_views(recipe, members)
    grouped = groups(members, recipe.band if recipe.layout == "overlay" else "")
    panels = {view.id: panel(view, recipe, members, grouped) for view in shown}
    rows, models = [study_row(member) for member in members], [model_of(member) for member in members]
    return Prepared(recipe, members, problems, panels, alongs(members), rows, models, first_number(members))


def shown_views(recipe: Recipe, members: Sequence[Member]) -> list[View]:
    """The views that were chosen; at first those that overlay, are open in the Lab at first, and show something."""
    there = specs(members)
    wanted = recipe.views or _first(there, members)
    return [view for view in there if view.id in wanted]


def _first(views: Sequence[View], members: Sequence[Member]) -> tuple[str, ...]:
    recorded = {name for member in members[:8] for name in member.source.names()}
    full = [view for view in views if view.shows(recorded)]
    curves = [view.id for view in full if isinstance(view, Curves) and view.primary]
    return tuple(curves[:4] or [view.id for view in (full or views)[:1]])


def panel(view: View, recipe: Recipe, members: Sequence[Member], grouped: Sequence[Sequence[int]]) -> Panel:
    """Read one view of the runs."""
    if recipe.layout == "difference":
        return _difference(view, recipe, members, grouped)
    sources = [member.source for member in members]
    if overlaid(view):
        return Panel(view, _contents(view, members, grouped, recipe))
    why = f"{view.title} stands side by side: {why_alone(view)}" if recipe.layout == "overlay" else ""
    return Panel(on_common_scale(view, sources), why=why)


def _difference(view: View, recipe: Recipe, members: Sequence[Member], grouped: Sequence[Sequence[int]]) -> Panel:
    if why := why_whole(view):
        return Panel(view, why=f"{view.title} has no difference: {why}", apart=frozenset(range(len(members))))
    number = min(recipe.reference, len(members) - 1)
    reference = members[number].source
    laid = isinstance(view, Curves) and recipe.along.common  # rows meet where the runs are laid to meet
    parts = [Laid(m.source, recipe.along, m.knobs) if laid else m.source for m in members]
    sources = [Difference(part, parts[number], view.places) for part in parts]
    told = [placed_apart(view, member.source, reference) for member in members]
    apart = frozenset(run for run, reason in enumerate(told) if reason)
    why = f"{view.title}: {len(apart)} left out, {next(filter(None, told))} from the reference" if apart else ""
    spec = difference_view(view)
    if not overlaid(view):
        kept = [source for run, source in enumerate(sources) if run not in apart and run != number]
        return Panel(on_common_scale(spec, kept), why=why, apart=apart)
    subtracted = [replace(member, source=source) for member, source in zip(members, sources, strict=True)]  # pyright: ignore[reportArgumentType]  # a difference is read like a file
    left = [[run for run in group if run not in apart] for group in grouped]
    placed = replace(recipe, along=Along()) if laid else recipe
    return Panel(spec, _contents(spec, subtracted, left, placed), why, apart)


def _contents(spec: Any, members: Sequence[Member], grouped: Sequence[Sequence[int]], recipe: Recipe) -> Any:
    from gui.compare.lines import contents
    from gui.compare.strips import strips
    from gui.export.outlines import outlines

    if isinstance(spec, Curves):
        return contents(spec, members, grouped, recipe.along, recipe.band)
    if isinstance(spec, Ribbon):
        return strips(spec, members, grouped, recipe.along)
    return outlines(spec, [member.source for member in members], grouped, recipe.band)


def alongs(members: Sequence[Member]) -> list[Along]:
    """Axes that at least one run can be laid along."""
    found = [Along()]
    series = {name for member in members[:12] for name in member.source.scalars()[0]}
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
