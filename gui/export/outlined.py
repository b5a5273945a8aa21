"""Shapes of groups of runs drawn with matplotlib: lines, dots and bars, each group in its colour, with its band."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gui.export.means import Mean
from gui.export.outlines import Outline, outlines, shared
from gui.export.parts import dot, inked, typeset, width
from gui.theme import LIGHT
from lab.naming import symbols
from lab.views import Profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BAND_ALPHA, SINGLE_ALPHA = 0.2, 0.45


def averaged(panels: Sequence[Any]) -> bool:
    """Whether runs are drawn together, as seeds are."""
    return any(isinstance(panel.source, Mean) for panel in panels)


def shapes_of(spec: Any, panels: Sequence[Any]) -> Sequence[Outline]:
    """What each panel shows of a view of one moment; group numbers count the panels."""
    runs = [getattr(panel.source, "members", [panel.source]) for panel in panels]
    ends = np.cumsum([len(own) for own in runs])
    groups = [list(range(end - len(own), end)) for own, end in zip(runs, ends.tolist(), strict=True)]
    steps = [panel.step for panel, own in zip(panels, runs, strict=True) for _ in own]
    band = next((panel.source.spread for panel in panels if isinstance(panel.source, Mean)), "")
    return outlines(spec, [run for own in runs for run in own], groups, band, steps).shapes


def draw_shapes(axes: Axes, spec: Any, panels: Sequence[Any]) -> int:
    """Draw them with names for a legend; what all groups have in common once, in grey. Returns how many were drawn."""
    found = shapes_of(spec, panels)
    same = shared(found)
    several = spec.series if isinstance(spec, Profile) and len(spec.series) > 1 else ()
    drawn = [o for place, o in enumerate(found) if o.shape.series not in same or _first(found, place)]
    named: set[int] = set()
    for number, outline in enumerate(drawn):
        panel, name = panels[outline.group], outline.shape.series
        grey = {"color": LIGHT.muted, "linestyle": "-"} if name in same else {}
        if several:
            style = inked(panel, number, several.index(name))
            own = symbols(panel.source, [other for other in several if other in panel.source.names()])[name]
            label = own if grey else ", ".join(part for part in (own, panel.label) if part)
        else:
            style = inked(panel, outline.group)
            label = "" if grey or outline.group in named else panel.label
        named.add(outline.group)
        _draw(axes, outline, style | grey, typeset(label))
    return len(drawn)


def _first(found: Sequence[Outline], place: int) -> bool:
    """Whether no earlier shape is of the same series."""
    return all(other.shape.series != found[place].shape.series for other in found[:place])


def _draw(axes: Axes, outline: Outline, style: dict[str, Any], label: str) -> None:
    x, y, form = outline.shape.x, outline.shape.y, outline.shape.form
    for single in outline.single:
        axes.plot(single.x, single.y, **style, linewidth=width(0.4), alpha=SINGLE_ALPHA)
    if form == "dots":
        plain = {"linestyle": "", "marker": ".", "markersize": 1.7 * dot() ** 0.5, "markeredgewidth": 0}
        axes.plot(x, y, label=label, color=style["color"], **plain)
        return
    axes.plot(x, y, label=label, **style)
    if outline.low is not None and outline.high is not None:
        axes.fill_between(x, outline.low, outline.high, color=style["color"], alpha=BAND_ALPHA, linewidth=0)
