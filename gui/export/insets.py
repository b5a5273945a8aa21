"""A part of a panel once more, enlarged, where it hides least."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gui.export.drawing import draw
from gui.export.look import FigureError
from gui.export.parts import width
from gui.export.recipe import Inset
from gui.export.sources import Content
from gui.export.ticks import write_small_ranges
from gui.theme import LIGHT
from lab.views import Curves, Distribution, Profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CORNERS = ((0.5, 0.5, 0.46, 0.44), (0.16, 0.14, 0.42, 0.38), (0.16, 0.54, 0.42, 0.4), (0.5, 0.14, 0.46, 0.38))
"""Where an inset may stand, the first of equals: its ticks are to its left and below."""
ENLARGEABLE = (Curves, Distribution, Profile)


def draw_inset(axes: Axes, inset: Inset, content: Content) -> None:
    """Draw a part of a panel's content over the panel."""
    if not isinstance(content.spec, ENLARGEABLE):
        raise FigureError(f"an inset enlarges curves, profiles or distributions, not {type(content.spec).__name__}")
    part: Any = axes.inset_axes(inset.place or free_corner(axes))
    draw(part, content.spec, content.panels)
    part.set(title="", xlabel="", ylabel="", xlim=inset.x)
    part.set_ylim(*(inset.y or _extent(part, *inset.x)))
    write_small_ranges(part)
    if part.get_legend() is not None:
        part.get_legend().remove()
    for spine in part.spines.values():
        spine.set(visible=True, edgecolor=LIGHT.muted)
    axes.indicate_inset_zoom(part, edgecolor=LIGHT.muted, linewidth=width(0.6))


def free_corner(axes: Axes) -> tuple[float, float, float, float]:
    """Left, bottom, width and height, as shares of the panel, of the corner in which least is drawn."""
    return min(CORNERS, key=lambda corner: _drawn_in(axes, *corner))


def _drawn_in(axes: Axes, left: float, bottom: float, across: float, up: float) -> float:
    """The share of the lines and of the edges of bands that lies in a part of the panel, its ticks included."""
    from matplotlib.collections import PolyCollection

    bands = [path for part in axes.collections if isinstance(part, PolyCollection) for path in part.get_paths()]
    lines = [line.get_path() for line in axes.lines if np.shape(line.get_path().vertices)[0] > 2]  # no thresholds
    shares = [0.0]
    for path in (*lines, *bands):
        x, y = (axes.transData - axes.transAxes).transform(path.vertices).T
        inside = (x > left - 0.12) & (x < left + across) & (y > bottom - 0.1) & (y < bottom + up)
        shares.append(float(inside.mean()))
    return sum(shares)


def _extent(axes: Axes, low: float, high: float) -> tuple[float, float]:
    """The values of the lines between two places, with a little air."""
    found = [np.asarray(line.get_ydata(), float)[_between(line.get_xdata(), low, high)] for line in axes.lines]
    values = np.concatenate([[np.nan], *found])
    values = values[np.isfinite(values) & ((values > 0) | (axes.get_yscale() != "log"))]
    if not values.size:
        return axes.get_ylim()
    bottom, top = float(values.min()), float(values.max())
    if axes.get_yscale() == "log":
        air = (top / bottom) ** 0.08 * 1.02
        return bottom / air, top * air
    air = 0.08 * (top - bottom) or 0.5
    return bottom - air, top + air


def _between(x: Any, low: float, high: float) -> np.ndarray:
    return (np.asarray(x, float) >= low) & (np.asarray(x, float) <= high)
