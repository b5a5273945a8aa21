"""Reference lines of plots that show one moment."""

import math
from typing import Any

import numpy as np
import pyqtgraph as pg

from gui.theme import Theme
from gui.views.axes import TICK_PX, font_px
from gui.views.plot import Box
from gui.views.text import rich
from lab.views import Line


class References:
    """Dashed lines across a plot; vertical ones have their names at the top of the plot."""

    def __init__(self, box: Box, lines: tuple[Line, ...], *, vertical: bool) -> None:
        self._lines, self._vertical = lines, vertical
        self._items = [pg.InfiniteLine(angle=90 if vertical else 0, movable=False) for _ in lines]
        self._texts = [pg.TextItem(anchor=(0.0, 0.0)) for _ in lines] if vertical else []
        for item in (*self._items, *self._texts):
            box.addItem(item, ignoreBounds=True)
        for text in self._texts:
            text.setFont(font_px(TICK_PX))

    def values(self, config: Any) -> np.ndarray:
        """Value of each line under a config; NaN where the config gives none."""
        return np.array([_level(line, config) for line in self._lines])

    def place(self, places: np.ndarray, top: float) -> None:
        """Draw the lines at box coordinates (n,), their names at height ``top``; none at NaN."""
        for item, place in zip(self._items, places, strict=True):
            item.setVisible(math.isfinite(place))
            item.setPos(float(place) if math.isfinite(place) else 0.0)
        for text, place in zip(self._texts, places, strict=False):
            text.setVisible(math.isfinite(place))
            text.setPos(float(place) if math.isfinite(place) else 0.0, top)

    def names(self, places: np.ndarray, x: float, theme: Theme) -> list[tuple[str, str, float, float]]:
        """Names of horizontal lines for the margin, as :class:`gui.views.plot.Names` takes them."""
        found = zip(self._lines, places, strict=True)
        return [(line.label, theme.muted, x, float(place)) for line, place in found if math.isfinite(place)]

    def set_theme(self, theme: Theme) -> None:
        for item in self._items:
            item.setPen(pg.mkPen(theme.muted, width=1, dash=[5, 4]))
        for text, line in zip(self._texts, self._lines, strict=False):
            text.setHtml(f'<span style="color:{theme.muted}">{rich(line.label)}</span>')


def _level(line: Line, config: Any) -> float:
    try:
        return line.at(config)
    except (AttributeError, ArithmeticError):
        return math.nan
