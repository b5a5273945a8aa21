"""Matrices of one size side by side, at the slider's step, as colours."""

import math
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtWidgets import QMenu

from gui.runs.open_run import OpenRun
from gui.theme import Theme
from gui.views.axes import StepAxis
from gui.views.base import Spec
from gui.views.colour_bar import ColourBar
from gui.views.index_axis import IndexAxis
from gui.views.raster import Raster, Sampling
from gui.views.scale import finite_range
from gui.views.snapshot import SnapshotPlot


class TiledPlot(SnapshotPlot[Spec]):
    """Tiles (rows, columns, N, M) of cells; the first index of a matrix runs downwards."""

    def __init__(self, spec: Spec, run: OpenRun, theme: Theme, axis: StepAxis | None, bar: ColourBar) -> None:
        super().__init__(spec, run, theme, axis, IndexAxis("bottom"), IndexAxis("left"))
        self.tiles = np.empty((0, 0, 0, 0))
        self.bar = bar
        self.bar.setParentItem(self.canvas.frame)
        self.bar.changed.connect(self._later)
        self.raster = Raster()
        self.box.addItem(self.raster, ignoreBounds=True)
        self.box.invertY(True)
        self.canvas.set_gutter(bar.room)
        self._bounds = (0.0, 0.0)

    @property
    def gap(self) -> tuple[float, float]:
        """Room between tiles, down and across, in cells."""
        _, _, down, across = self.tiles.shape
        return max(1, round(down / 12)), max(1, round(across / 12))

    @property
    def period(self) -> tuple[float, float]:
        """Distance from tile to tile, down and across, in cells."""
        return self.tiles.shape[2] + self.gap[0], self.tiles.shape[3] + self.gap[1]

    def centres(self) -> tuple[np.ndarray, np.ndarray]:
        """Places of the middles of the tiles, down and across."""
        rows, columns, down, across = self.tiles.shape
        return np.arange(rows) * self.period[0] + down / 2, np.arange(columns) * self.period[1] + across / 2

    def cell_at(self, x: float, y: float) -> tuple[int, int, int, int] | None:
        """Tile row, tile column, i, j of the cell at a place of the plot; None between and beyond the tiles."""
        rows, columns, down, across = self.tiles.shape
        if not self.tiles.size or x < 0 or y < 0:
            return None
        (row, i), (column, j) = divmod(y, self.period[0]), divmod(x, self.period[1])
        if row >= rows or column >= columns or i >= down or j >= across:
            return None
        return int(row), int(column), math.floor(i), math.floor(j)

    def paint_tiles(self, tiles: np.ndarray, *, locked: bool, margin: float = 0.0) -> None:
        """Draw the tiles.

        Args:
            tiles: Cells (rows, columns, N, M).
            locked: Cells are squares.
            margin: Room beneath the last row of tiles, in cells.
        """
        rows, columns, down, across = tiles.shape
        self.tiles = tiles
        self.box.setAspectLocked(locked)
        bounds = (columns * self.period[1] - self.gap[1], rows * self.period[0] - self.gap[0] + margin)
        self._held &= bounds == self._bounds
        self._bounds = bounds
        area = self.box.geometry()
        if not self._held:
            # at the upper left, where the axes' names are
            x, y = (max(area.width(), 1.0) / bounds[0], max(area.height(), 1.0) / bounds[1])
            x, y = (min(x, y), min(x, y)) if locked else (x, y)
            shown = ((0, max(area.width(), 1.0) / x), (0, max(area.height(), 1.0) / y))
            self.box.setRange(xRange=shown[0], yRange=shown[1], padding=0, disableAutoRange=True)
        self.bar.fit(*finite_range(tiles, positive=self.bar.log))
        beside = min(area.right(), self.box.mapToParent(self.box.mapFromView(QPointF(bounds[0], 0.0))).x())
        self.canvas.bottom_axis.name_within(area.width() if self._held else beside - area.left())
        self.bar.place(area if self._held else QRectF(area.topLeft(), QPointF(beside, area.bottom())))
        (x0, x1), (y0, y1) = self.box.viewRange()
        ratio = self.devicePixelRatioF()
        side = [_side(rows, down, self.gap[0]), _side(columns, across, self.gap[1])]
        up = Sampling(side[0][0], y0, y1, max(2, round(self.box.height() * ratio)))
        right = Sampling(side[1][0], x0, x1, self.columns)
        cells = np.full((len(side[1][0]) - 1, len(side[0][0]) - 1), np.nan, tiles.dtype)
        filled = np.ix_(~side[1][1], ~side[0][1])
        cells[filled] = tiles.transpose(1, 3, 0, 2).reshape(columns * across, rows * down)
        centre = self.bar.centre if self.bar.colour_scale.diverging else None
        shown = up.reduce(right.reduce(cells, "largest", centre).T, "largest", centre).T
        for sampling, (_, empty) in ((up, side[0]), (right, side[1])):
            sampling.leave_out(empty)
        area = QRectF(x0, y0, x1 - x0, y1 - y0)
        self.raster.paint_cells(self.bar.colour_scale.shades(shown), right, up, area, self.bar.colours)

    def clear(self) -> None:
        self.tiles = np.empty((0, 0, 0, 0))
        self.raster.clear()

    def _paint(self) -> None:
        super()._paint()
        for axis in (self.canvas.left_axis, self.canvas.bottom_axis):
            axis.setPen(pg.mkPen(self.theme.ground))  # the cells are their own frame
            axis.setTickPen(pg.mkPen(None))
            axis.setTextPen(pg.mkPen(self.theme.muted))
        self.bar.set_theme(self.theme)

    def menu(self) -> QMenu:
        menu = super().menu()
        menu.addSeparator()
        self.bar.add_actions(menu)
        return menu

    def settings(self) -> dict[str, Any]:
        return self.bar.settings()

    def restore(self, settings: dict[str, Any]) -> None:
        self.bar.restore(settings)


def _side(tiles: int, cells: int, gap: float) -> tuple[np.ndarray, np.ndarray]:
    """Edges along one direction of tiles, each with a gap behind it, and which of the stretches are gaps."""
    edges = (np.arange(tiles)[:, None] * (cells + gap) + np.arange(cells + 1)).ravel()
    empty = np.zeros(len(edges) - 1, bool)
    empty[cells :: cells + 1] = True
    return edges.astype(float), empty
