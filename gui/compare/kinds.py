"""How each kind of view compares runs: overlaid, or side by side; and where one run minus another means nothing.

A kind that is not listed is shown side by side, and its differences number by number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from lab.differing import difference_view
from lab.stream import Source, row_of, steps_of
from lab.views import (
    Bars,
    Curves,
    Distribution,
    FlowGraph,
    Heatmap,
    ImageGrid,
    Landscape,
    Matrix,
    Profile,
    Ribbon,
    Scatter,
    Table,
    Trace,
    View,
)

if TYPE_CHECKING:  # plots are heavy, and are loaded with the first comparison
    from gui.compare.compared import Compared


@dataclass(frozen=True)
class Kind:
    """A kind of view.

    Attributes:
        overlay: Widget over several runs, as module.Class of this folder; empty where runs stand side by side.
        alone: Why they do.
        whole: Why runs cannot be subtracted; empty where they can.
    """

    overlay: str = ""
    alone: str = "it has no overlay"
    whole: str = ""


COLOURS = "colours cannot lie over one another"
KINDS: Mapping[type[View], Kind] = {
    Curves: Kind("overlay.Overlay"),
    Ribbon: Kind("strips.Strips", whole="stages are names, not numbers"),
    Profile: Kind("moment.MomentOverlay"),
    Bars: Kind("moment.MomentOverlay"),
    Trace: Kind("moment.MomentOverlay"),
    Distribution: Kind("moment.MomentOverlay", whole="a sample of one run has no partner in another"),
    Scatter: Kind("moment.MomentOverlay", whole="a point of one run has no partner in another"),
    Heatmap: Kind(alone=COLOURS),
    Matrix: Kind(alone=COLOURS),
    Landscape: Kind(alone=COLOURS),
    ImageGrid: Kind(alone=COLOURS),
    FlowGraph: Kind(alone="edges of several runs would hide one another"),
    Table: Kind(alone="the tab Numbers puts runs into one table"),
}


def overlaid(spec: View) -> bool:
    """Whether runs lie over one another in this view."""
    polar = isinstance(spec, Scatter) and spec.polar
    return bool(KINDS.get(type(spec), Kind()).overlay) and not polar


def overlay_of(spec: View) -> type[Compared]:
    """The widget that overlays runs in a view where they are :func:`overlaid`."""
    module, name = KINDS[type(spec)].overlay.split(".")
    return getattr(import_module(f"gui.compare.{module}"), name)


def why_alone(spec: View) -> str:
    """Why runs are not overlaid in this view."""
    return (
        "a polar plot has no room for several runs"
        if isinstance(spec, Scatter)
        else KINDS.get(type(spec), Kind()).alone
    )


def why_whole(spec: View) -> str:
    """Why runs cannot be subtracted in this view; empty where they can."""
    density = isinstance(spec, Distribution) and spec.grid is not None  # which has a value at each place
    return "" if density else KINDS.get(type(spec), Kind()).whole


def placed_apart(spec: View, run: Source, reference: Source) -> str:
    """Why the values of two runs stand at places that cannot be compared; empty where they can."""
    for name in difference_view(spec).places:
        one, other = (_last(source, name) for source in (run, reference))
        if one is not None and other is not None and not np.array_equal(one, other, equal_nan=True):
            return f"{name} differs"
    return ""


def _last(source: Source, name: str) -> np.ndarray | None:
    try:
        return np.asarray(row_of(source, name, len(steps_of(source, name)) - 1))
    except (KeyError, IndexError):
        return None
