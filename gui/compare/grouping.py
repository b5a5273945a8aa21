"""Runs of a comparison as it shows them: in groups, each with a name and a colour, split by a knob. No window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gui.compare.colours import coloured, hues
from gui.compare.members import Member, groups, names, settings, short
from gui.compare.recipe import Recipe
from gui.theme import Theme
from lab.differing import ABSENT, rank, told_apart

MOST_COLOURED = 12  # groups beyond which a knob colours them where one can


@dataclass(frozen=True)
class Grouping:
    """What is one line, or one picture.

    Attributes:
        groups: Numbers of the runs of each group.
        names: Of the groups.
        colours: Of the groups; hiding others changes none.
        shown: Numbers of the groups that are drawn.
        knobs: What tells the runs apart.
        parts: Value of the knob that splits the panels, and the drawn groups that have it; one part without a knob.
    """

    groups: Sequence[Sequence[int]] = ()
    names: Sequence[str] = ()
    colours: Sequence[str] = ()
    shown: frozenset[int] = frozenset()
    knobs: Sequence[str] = ()
    parts: Mapping[str, Sequence[int]] | None = None

    def name_of(self, run: int) -> str:
        """The name of the group that a run is in."""
        return next(name for name, group in zip(self.names, self.groups, strict=True) if run in group)


def grouping(recipe: Recipe, members: Sequence[Member], theme: Theme) -> Grouping:
    """Put runs into groups."""
    configs = settings(members)
    grouped = groups(members, recipe.band if recipe.layout == "overlay" else "")
    knobs = told_apart(configs)
    by = recipe.colour or (knobs[0] if len(grouped) > MOST_COLOURED and knobs else "")
    colours = hues(coloured(configs, by, grouped), theme)
    shown = [number for number, group in enumerate(grouped) if any(members[n].path not in recipe.hidden for n in group)]
    firsts = [configs[grouped[number][0]] for number in shown]
    parts = {said: [shown[place] for place in found] for said, found in split(firsts, recipe.facet).items()}
    return Grouping(grouped, names(members, grouped), colours, frozenset(shown), knobs, parts)


def split(configs: Sequence[Mapping[str, Any]], knob: str) -> dict[str, list[int]]:
    """Numbers of the configs by their values of a knob, least first; all of them without a knob."""
    if not knob:
        return {"": list(range(len(configs)))}
    values = [config.get(knob, ABSENT) for config in configs]
    words = [short(value) for value in values]
    if len(set(words)) < len({repr(value) for value in values}):  # too short to tell them apart
        words = [str(value) for value in values]
    parts: dict[str, list[int]] = {}
    for number in sorted(range(len(values)), key=lambda place: rank(values[place])):
        parts.setdefault(f"{knob} {words[number]}", []).append(number)
    return parts
