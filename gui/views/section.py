"""A loss section as arrays: checked, looked up between its points, resampled for the screen."""

from dataclasses import dataclass

import numpy as np

from gui.views.axes import log_ticks, round_ticks
from gui.views.scale import Scale


@dataclass(frozen=True)
class Section:
    """Values on a grid.

    Attributes:
        x: Rising coordinates along the first direction (m,).
        y: Rising coordinates along the second direction (n,).
        values: Loss (n, m).
    """

    x: np.ndarray
    y: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, x: np.ndarray, y: np.ndarray) -> "Section":
        """A section of recorded rows; ValueError where they do not fit together."""
        values, x, y = (np.asarray(part, float) for part in (values, x, y))
        if x.ndim != 1 or y.ndim != 1 or values.shape != (len(y), len(x)) or min(len(x), len(y), 2) < 2:
            raise ValueError(f"values {values.shape} do not fit coordinates {y.shape} and {x.shape} of at least 2 each")
        across, up = np.argsort(x, kind="stable"), np.argsort(y, kind="stable")
        x, y = x[across], y[up]
        if not (np.isfinite([x[0], x[-1], y[0], y[-1]]).all() and (np.diff(x) > 0).all() and (np.diff(y) > 0).all()):
            raise ValueError("coordinates of the section are not finite or not distinct")
        return cls(x, y, values[up][:, across])

    def at(self, field: np.ndarray, points: np.ndarray) -> np.ndarray:
        """A field (n, m) on the grid, read linearly at points (k, 2); NaN outside."""
        x, y = points[:, 0], points[:, 1]
        j, across = _between(self.x, x)
        i, up = _between(self.y, y)
        with np.errstate(invalid="ignore"):
            low = (1 - across) * field[i, j] + across * field[i, j + 1]
            high = (1 - across) * field[i + 1, j] + across * field[i + 1, j + 1]
            found = (1 - up) * low + up * high
            inside = (x >= self.x[0]) & (x <= self.x[-1]) & (y >= self.y[0]) & (y <= self.y[-1])
        return np.where(inside, found, np.nan)

    def resampled(self, field: np.ndarray, columns: int, rows: int) -> np.ndarray:
        """A field (n, m) at the centres of ``columns`` x ``rows`` even cells that cover the section."""
        x0, y0 = self.x[0], self.y[0]
        j, across = _between(self.x, x0 + (self.x[-1] - x0) * (np.arange(columns) + 0.5) / columns)
        i, up = _between(self.y, y0 + (self.y[-1] - y0) * (np.arange(rows) + 0.5) / rows)
        with np.errstate(invalid="ignore"):
            field = (1 - across) * field[:, j] + across * field[:, j + 1]
            return (1 - up)[:, None] * field[i] + up[:, None] * field[i + 1]


def _between(places: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number of the interval of ``places`` that holds each of ``wanted``, and the share of it that lies before."""
    wanted = np.clip(wanted, places[0], places[-1])
    left = np.clip(np.searchsorted(places, wanted, side="right") - 1, 0, len(places) - 2)
    return left, (wanted - places[left]) / (places[left + 1] - places[left])


def levels_of(scale: Scale, count: int = 10) -> np.ndarray:
    """About ``count`` round values strictly within a scale, for contour lines."""
    if scale.log:
        low, high = float(np.log10(scale.low)), float(np.log10(scale.high))
        named, others = log_ticks(low, high, count)
        if len(named) < 6 and len(others):  # few decades: 2 and 5 of each as well
            digit = np.round(10.0 ** (others - np.floor(others + 1e-9)))
            named = np.sort(np.concatenate([named, others[np.isin(digit, (2, 5))]]))
        values = 10.0**named
    else:
        _, values = round_ticks(scale.low, scale.high, count)
    return values[(values > scale.low) & (values < scale.high)]
