"""Cells of any width and height as one picture of screen pixels, in which no cell is lost."""

from typing import Literal

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QRectF

from gui.views.scale import COUNT

Keep = Literal["largest", "smallest"]


def edges_of(places: np.ndarray) -> np.ndarray:
    """Edges (n + 1,) of cells about rising ``places`` (n,): half way to the neighbours."""
    if len(places) == 1:
        return np.array([places[0] - 0.5, places[0] + 0.5])
    middle = (places[1:] + places[:-1]) / 2
    return np.concatenate([[2 * places[0] - middle[0]], middle, [2 * places[-1] - middle[-1]]])


class Sampling:
    """Which cells each pixel of one direction shows.

    A pixel in which cells begin shows all of those, reduced to one; any other shows the cell that began before. So
    every cell in sight is in at least one pixel, however many there are.

    Attributes:
        pick: Column of the reduced cells that each pixel shows (pixels,); -1 for none.
    """

    def __init__(self, edges: np.ndarray, low: float, high: float, pixels: int) -> None:
        places = np.linspace(low, high, pixels + 1)
        begun = np.searchsorted(edges[:-1], places, side="left")  # cells that begin left of each pixel edge
        first, stop = begun[:-1], begun[1:]
        many = stop > first
        self._start, self._stop = int(begun[0]), int(begun[-1])
        self._groups = first[many] - self._start
        single, self.pick = np.unique(np.where(many, -1, first - 1), return_inverse=True)
        self._single = single[single >= 0]
        self.pick = self.pick - (len(single) - len(self._single))
        self.pick[(first == 0) & ~many] = -1
        self.pick[many] = len(self._single) + np.arange(int(many.sum()))
        self.pick[places[:-1] >= edges[-1]] = -1

    def leave_out(self, empty: NDArray[np.bool_]) -> None:
        """Let pixels that show nothing but cells that are ``empty`` (n,) show none."""
        filled = self.reduce(np.where(empty, 0.0, 1.0)[:, None], "largest", None)[:, 0]
        self.pick[filled[self.pick] == 0] = -1

    def reduce(self, cells: np.ndarray, keep: Keep, centre: float | None) -> np.ndarray:
        """Cells (n, m) reduced along their first axis, to (k, m).

        Where cells share a pixel it shows the largest or the smallest of them, or with a ``centre`` the one that is
        farthest from it. NaN shows only where there is nothing else.
        """
        single = cells[self._single]
        if not len(self._groups):
            return single
        within = cells[self._start : self._stop]
        if len(self._groups) == len(within):  # one each
            return np.concatenate([single, within])
        if centre is None:
            shared = (np.fmax if keep == "largest" else np.fmin).reduceat(within, self._groups, axis=0)
        else:
            top = np.fmax.reduceat(within, self._groups, axis=0)
            bottom = np.fmin.reduceat(within, self._groups, axis=0)
            with np.errstate(invalid="ignore", over="ignore"):
                shared = np.where(centre - bottom > top - centre, bottom, top)
        return np.concatenate([single, shared])


class Raster(pg.ImageItem):
    """The picture of cells within a view box, made anew for every stretch shown, one pixel per screen pixel."""

    def __init__(self) -> None:
        super().__init__(axisOrder="row-major")
        self.setZValue(-10)

    def paint_cells(
        self, shades: NDArray[np.uint16], across: Sampling, up: Sampling, area: QRectF, colours: NDArray[np.uint8]
    ) -> None:
        """Show reduced cells.

        Args:
            shades: Numbers of colours (k, l), first axis across.
            across: Sampling that reduced the first axis.
            up: Sampling that reduced the second axis.
            area: The stretch that both cover, in box coordinates.
            colours: Red, green, blue, alpha of each number (COUNT + 1, 4).
        """
        # beyond the cells there is nothing: one number more, which has no colour
        table = np.concatenate([np.ascontiguousarray(colours).view(np.uint32).ravel(), np.zeros(1, np.uint32)])
        framed = np.full((shades.shape[1] + 1, shades.shape[0] + 1), COUNT + 1, np.uint16)
        framed[:-1, :-1] = shades.T
        picture = table[framed][:, across.pick][up.pick]
        self.setImage(picture.view(np.uint8).reshape(*picture.shape, 4), autoLevels=False)
        self.setRect(area)
