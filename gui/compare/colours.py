"""A colour for each run, fixed by the run: hiding others or choosing another view never changes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gui.theme import Theme
from lab.differing import ABSENT, Places, places

MAP = "viridis"
ENDS = (0.0, 0.9)  # the stretch of the map that is seen on white
DARK_ENDS = (0.2, 1.0)


def coloured(settings: Sequence[Mapping[str, Any]], by: str, groups: Sequence[Sequence[int]]) -> Places:
    """Places of the groups in a colour map, by a knob, or each its own."""
    if not by:
        return Places(False, np.arange(len(groups), dtype=float), ())
    return places([settings[group[0]].get(by, ABSENT) for group in groups])


def hues(placed: Places, theme: Theme) -> list[str]:
    """A colour for each place; a run without the knob is grey."""
    if not placed.continuous:
        return [theme.line(int(place))[0] for place in placed.place]
    import pyqtgraph as pg  # plots are heavy, and the window is seen before the first one

    low, high = DARK_ENDS if theme.dark else ENDS
    colour_map: Any = pg.colormap.get(MAP)
    return [
        theme.muted if np.isnan(place) else _hex(colour_map.map(low + (high - low) * place)) for place in placed.place
    ]


def _hex(rgba: Sequence[Any]) -> str:
    return "#{:02X}{:02X}{:02X}".format(*(int(part) for part in rgba[:3]))
