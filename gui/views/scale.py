"""From values to colours: linear or logarithmic, sequential or diverging about the value that means nothing."""

import math
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from gui.colour_maps import DIVERGING, DIVERGING_DARK, steps_between
from gui.theme import Theme

COUNT = 256
MAPS = ("viridis", "cividis", "magma", "grey")  # sequential ones, even in lightness
DECADES = 12  # a logarithmic scale reaches so far below its top; what is smaller has the lowest colour


@dataclass(frozen=True)
class Scale:
    """Limits of the colours.

    Attributes:
        low, high: Values of the first and the last colour, low < high; above 0 where ``log``.
        log: Logarithmic.
        diverging: The colours part at the middle.
    """

    low: float
    high: float
    log: bool = False
    diverging: bool = False

    @classmethod
    def over(cls, low: float, high: float, *, log: bool = False, centre: float | None = None) -> "Scale":
        """A scale over values from ``low`` to ``high``; with a ``centre`` it reaches equally far to both sides."""
        if not (math.isfinite(low) and math.isfinite(high)):
            low, high = (1e-3, 1.0) if log else (0.0, 1.0)
        diverging = centre is not None and (centre > 0 or not log)
        if log:
            high = high if high > 0 else 1.0
            low = max(low if low > 0 else high, high * 10.0**-DECADES, 1e-300)
            low, high = (low, high) if low < high else (high / 2, high * 2)
            if diverging and centre is not None:
                reach = max(high / centre, centre / low, 1.0 + 1e-9)
                low, high = centre / reach, centre * reach
        else:
            low, high = (low, high) if low < high else (low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0))
            if diverging and centre is not None:
                reach = max(high - centre, centre - low)
                low, high = centre - reach, centre + reach
        return cls(low, high, log, diverging)

    def place(self, values: np.ndarray) -> np.ndarray:
        """Place between the first colour, 0, and the last, 1, of values of any shape; NaN stays NaN."""
        values = np.asarray(values)
        values = values if values.dtype.kind == "f" else values.astype(float)
        with np.errstate(all="ignore"):
            if not self.log:
                # halves, so that limits near the largest number do not overflow
                return np.clip((values / 2 - self.low / 2) / (self.high / 2 - self.low / 2), 0.0, 1.0)
            low, high = math.log10(self.low), math.log10(self.high)
            exponent = np.log10(np.where(values > 0, values, np.where(np.isnan(values), np.nan, self.low)))
            return np.clip((exponent - low) / (high - low), 0.0, 1.0)

    def value(self, place: float) -> float:
        """The value whose colour is at ``place``, 0 to 1."""
        if self.log:
            return 10.0 ** ((1 - place) * math.log10(self.low) + place * math.log10(self.high))
        return (1 - place) * self.low + place * self.high

    def shades(self, values: np.ndarray) -> NDArray[np.uint16]:
        """Number of the colour, 0 to COUNT - 1, of each value; COUNT for NaN."""
        place = self.place(values)
        shade = np.where(np.isnan(place), COUNT, place * (COUNT - 1) + 0.5)
        return shade.astype(np.uint16)


def viridis(places: np.ndarray, name: str = MAPS[0]) -> NDArray[np.uint8]:
    """Colours (n, 4) of viridis, or of another sequential map, at places (n,) from 0 to 1."""
    found = pg.colormap.get("CET-L1" if name == "grey" else name)
    assert found is not None  # pyqtgraph ships it
    return np.asarray(found.map(places, mode=pg.ColorMap.BYTE))


def palette(theme: Theme, diverging: bool, *, dots: bool = False, name: str = MAPS[0]) -> NDArray[np.uint8]:
    """Colours (COUNT + 1, 4) as red, green, blue, alpha; the last one is for missing values.

    Args:
        theme: Which ground they are for.
        diverging: They part at their middle.
        dots: They are for dots: none that would drown in the ground.
        name: The sequential map.
    """
    ends = ((0.2, 1.0) if theme.dark else (0.0, 0.9)) if dots else (0.0, 1.0)
    rgba = np.full((COUNT + 1, 4), 255, np.uint8)
    if diverging:
        rgba[:COUNT, :3] = steps_between(DIVERGING_DARK if theme.dark else DIVERGING, COUNT)
    else:
        rgba[:COUNT] = viridis(np.linspace(*ends, COUNT), name)
    missing = theme.sunken
    rgba[COUNT, :3] = [int(missing[i : i + 2], 16) for i in (1, 3, 5)]
    return rgba


def finite_range(values: np.ndarray, *, positive: bool = False) -> tuple[float, float]:
    """Smallest and largest finite value, of those above 0 where ``positive``; NaN, NaN where there is none."""
    values = np.asarray(values)
    usable = values[np.isfinite(values) & (values > 0)] if positive else values[np.isfinite(values)]
    return (float(usable.min()), float(usable.max())) if usable.size else (math.nan, math.nan)
