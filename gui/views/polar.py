"""The ground of a polar plot: rings and spokes with their names."""

import math

import numpy as np
import pyqtgraph as pg

from gui.theme import Theme
from gui.views.axes import TICK_PX, font_px, log_ticks, round_ticks
from gui.views.plot import Box
from gui.views.text import decade, short

ANGLES = ((0.0, "0", (0.0, 0.5)), (0.5, "π/2", (0.5, 1.0)), (1.0, "π", (1.0, 0.5)), (1.5, "−π/2", (0.5, 0.0)))
TURN = np.linspace(0, 2 * np.pi, 181)


class PolarGrid:
    """Rings at round radii, spokes every 45 degrees."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._lines = pg.PlotCurveItem()
        self._lines.setZValue(-5)
        box.addItem(self._lines, ignoreBounds=True)
        self._angles = [pg.TextItem(anchor=anchor) for _, _, anchor in ANGLES]
        self._radii: list[pg.TextItem] = []
        for item in self._angles:
            item.setFont(font_px(TICK_PX + 1))
            box.addItem(item, ignoreBounds=True)
        self._theme: Theme | None = None

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._lines.setPen(pg.mkPen(theme.edge, width=1))
        for item, (_, text, _) in zip(self._angles, ANGLES, strict=True):
            item.setText(text, theme.muted)

    def draw(self, reach: float, zero: float | None) -> None:
        """Draw as far as radius ``reach`` in box coordinates; ``zero`` is the exponent at radius 0 of a logarithmic
        plot, None in a linear one."""
        if zero is None:
            _, radii = round_ticks(0.0, reach, 3.5)
            rings = [(float(r), short(float(r))) for r in radii if r > 0]
        else:
            named, _ = log_ticks(zero, zero + reach, 3.5)
            rings = [(float(e - zero), decade(round(float(e)))) for e in named if e > zero]
        rim = [] if rings and rings[-1][0] > 0.9 * reach else [reach]
        circles = [np.stack([r * np.cos(TURN), r * np.sin(TURN)]) for r in [*(r for r, _ in rings), *rim]]
        spokes = [np.array([[0, reach * math.cos(a)], [0, reach * math.sin(a)]]) for a in np.arange(8) * math.pi / 4]
        gap = np.full((2, 1), np.nan)
        points = np.concatenate([part for line in (*circles, *spokes) for part in (line, gap)], axis=1)
        self._lines.setData(points[0], points[1], connect="finite")
        for item, (half_turns, _, _) in zip(self._angles, ANGLES, strict=True):
            item.setPos(reach * math.cos(half_turns * math.pi), reach * math.sin(half_turns * math.pi))
        self._name(rings)

    def _name(self, rings: list[tuple[float, str]]) -> None:
        while len(self._radii) < len(rings):
            item = pg.TextItem(anchor=(0.5, 0.5))
            item.setFont(font_px(TICK_PX))
            self._box.addItem(item, ignoreBounds=True)
            self._radii.append(item)
        for number, item in enumerate(self._radii):
            item.setVisible(number < len(rings))
            if number < len(rings) and self._theme is not None:
                radius, text = rings[number]
                item.setText(text, self._theme.muted)
                item.setPos(radius * math.cos(math.pi / 8), radius * math.sin(math.pi / 8))
