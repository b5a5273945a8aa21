"""A vector series over the step as colours: every reading at its true step, every row at its true coordinate."""

import math
from typing import Any

import numpy as np
import pyqtgraph as pg
from contourpy import contour_generator
from PySide6.QtCore import QRectF, Signal, Slot
from PySide6.QtGui import QAction, QColor
from PySide6.QtWidgets import QMenu

from gui.runs.open_run import OpenRun
from gui.selection import PLACE, nearest
from gui.theme import Theme
from gui.views.axes import Axis, StepAxis
from gui.views.base import OUTSIDE_PX
from gui.views.colour_bar import BAR_PX, ColourBar
from gui.views.index_axis import IndexAxis
from gui.views.raster import Keep, Raster, Sampling, edges_of
from gui.views.rows import Block
from gui.views.scale import finite_range
from gui.views.step_plot import StepPlot
from gui.views.text import rich, short, with_step
from lab.views import Heatmap

FAR = 1e300  # coordinates beyond give rows no place that a plot could show


class _RowAxis(IndexAxis):
    """The rows' coordinate: true numbers, or names of evenly spaced rows."""

    even = False

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, np.ndarray]]:
        kind = IndexAxis if self.even else Axis
        return kind.tickValues(self, minVal, maxVal, size)

    def tickStrings(self, values: np.ndarray, scale: float, spacing: float) -> list[str]:
        kind = IndexAxis if self.even else Axis
        return kind.tickStrings(self, values, scale, spacing)


class HeatmapView(StepPlot[Heatmap]):
    """Colours over step and row. Where cells share a pixel it shows the largest, or as the menu says the smallest, of
    them; with diverging colours the one farthest from their middle."""

    picked = Signal(str, int)

    def __init__(self, spec: Heatmap, run: OpenRun, theme: Theme, axis: StepAxis | None = None) -> None:
        self._row_axis = _RowAxis("left")
        super().__init__(spec, run, theme, axis, self._row_axis, spec.x_label, spec.x_log)
        self._cells = Block(run.source, spec.series)
        self._places = Block(run.source, spec.rows) if spec.rows else None
        self._ranges = {False: (math.inf, -math.inf), True: (math.inf, -math.inf)}  # of all values, of those above 0
        self._even = False
        self._keep: Keep = "largest"
        self._pointer_y: float | None = None
        self.bar = ColourBar(spec.z_label, log=spec.z_log, centre=spec.centre, fixed=spec.z_range)
        self.bar.marks = spec.contours
        self.bar.setParentItem(self.canvas.frame)
        self.bar.changed.connect(self._later)
        self._raster = Raster()
        self._contours = pg.PlotCurveItem()
        self._halo = pg.InfiniteLine(angle=90, movable=False)  # so that the crosshair is seen on every colour
        self._halo.hide()
        self._outline = pg.PlotCurveItem()
        self._outline.setZValue(12)
        for item in (self._raster, self._contours, self._halo, self._outline):
            self.box.addItem(item, ignoreBounds=True)
        self.clicked.connect(self._pick_row)
        self.canvas.left_axis.setLabel(rich(spec.y_label) if spec.y_label else None)
        self.axis.need(BAR_PX)
        self._paint()

    # Reading.

    def _pull(self) -> bool:
        new = self.history.pull()
        fresh = self._cells.pull()
        if self._places is not None:
            new |= bool(len(self._places.pull()))
        if not len(fresh):
            return new
        for positive, (low, high) in self._ranges.items():
            least, most = finite_range(fresh, positive=positive)
            self._ranges[positive] = (min(low, least if least == least else low), max(high, most))
        self.axis.grow(int(self._cells.steps[-1]))
        return True

    def coordinates(self) -> np.ndarray:
        """Coordinate of each row (K,), in the order of the series."""
        count = self._cells.values.shape[1]
        if self._places is None or not len(self._places.values):
            return np.arange(count, dtype=float)
        places = self._places.values[-1].astype(float)
        if len(places) != count:
            raise ValueError(f"{self.spec.series} has {count} rows, {self.spec.rows} {len(places)}")
        return places

    @property
    def even(self) -> bool:
        """Rows stand at equal distances: by choice, or because their coordinates give them no place."""
        places = self.coordinates()
        usable = (np.abs(places) < FAR).all() and len(np.unique(places)) == len(places)  # NaN is below nothing
        return self._even or not usable

    def rows_shown(self) -> tuple[np.ndarray, np.ndarray]:
        """Edges (K + 1,) of the rows from below, and which row of the series each is (K,)."""
        places = self.coordinates()
        if self.even:
            return np.arange(len(places) + 1, dtype=float), np.arange(len(places))
        order = np.argsort(places, kind="stable")
        return edges_of(places[order]), order

    # Drawing.

    def _draw(self) -> bool:
        steps, cells = self._cells.steps, self._cells.values
        if not cells.size:
            self._raster.clear()
            self._contours.setData([], [])
            return False
        rows, order = self.rows_shown()
        self._row_axis.even = self.even
        if self.even:
            self._row_axis.name([short(float(place)) for place in self.coordinates()])
        low, high = self._ranges[self.bar.log]
        self.bar.fit(low, high)
        self._show_range((float(rows[0]), float(rows[-1])))
        self.bar.place(self.box.geometry())
        (x0, x1), (y0, y1) = self.x_range, self._y
        across = Sampling(self.column_cells(), x0, x1, self.columns)
        up = Sampling(rows, y0, y1, max(2, round(self.box.height() * self.devicePixelRatioF())))
        centre = self.spec.centre if self.bar.colour_scale.diverging else None
        seen = across.reduce(cells, self._keep, centre)[:, order]
        shown = up.reduce(seen.T, self._keep, centre).T
        area = QRectF(x0, y0, x1 - x0, y1 - y0)
        self._raster.paint_cells(self.bar.colour_scale.shades(shown), across, up, area, self.bar.colours)
        self._draw_contours(seen, across, rows)
        self._draw_marks()
        self._outline_picked()
        return bool(len(steps))

    def _pick_row(self, _: float, y: float) -> None:
        row = self.row_under(y) if self._cells.values.size else None
        place = {PLACE: float(self.coordinates()[row])} if row is not None and self.spec.rows else {}
        self.selection.pick(self.kind, row, **place)
        if row is not None:
            self.picked.emit("row", row)

    def _show_picked(self, kind: str) -> None:
        if kind == self.kind:
            self._outline_picked()

    def outlined(self) -> tuple[float, float] | None:
        """Lower and upper edge of the picked row; None where none is."""
        number, place = self.selection.picked(self.kind), self.selection.place(self.kind)
        if number is None or not self._cells.values.size:
            return None
        edges, order = self.rows_shown()
        if place is not None and self.spec.rows:  # picked in a view that may number its rows otherwise
            number = nearest(self.coordinates(), place)
        row = np.flatnonzero(order == number)
        return (float(edges[row[0]]), float(edges[row[0] + 1])) if len(row) else None

    def _outline_picked(self) -> None:
        found, (x0, x1) = self.outlined(), self.x_range
        low, high = found or (0.0, 0.0)
        off = OUTSIDE_PX * self.box.viewPixelSize()[1]  # beside the row, not over it
        x, y = np.array([x0, x1, x0, x1]), np.array([low - off, low - off, high + off, high + off])
        self._outline.setData(x[: 4 * bool(found)], y[: 4 * bool(found)], connect="pairs")

    def column_cells(self) -> np.ndarray:
        """Edges (T + 1,) of the readings in box coordinates: each reaches half way to the next."""
        x = self.x_of(self._cells.steps)
        if len(x) == 1:
            return np.array([x[0], max(x[0] + 1.0, self.x_range[1])])
        # steps 0 and 1 share a place on a logarithmic axis
        return np.maximum.accumulate(edges_of(x))

    def _draw_contours(self, seen: np.ndarray, across: Sampling, rows: np.ndarray) -> None:
        pieces: list[np.ndarray] = []
        used, first = np.unique(across.pick, return_index=True)
        first = np.sort(first[used >= 0])
        if self.spec.contours and len(first) > 1 and len(rows) > 2:
            low, high = self.x_range
            begin = low + (high - low) * first / len(across.pick)
            x = np.append((begin[1:] + begin[:-1]) / 2, (begin[-1] + high) / 2)
            lines = contour_generator(x, (rows[1:] + rows[:-1]) / 2, np.ma.masked_invalid(seen[across.pick[first]].T))
            pieces = [np.asarray(line) for level in self.spec.contours for line in lines.lines(level)]
        if not pieces:
            self._contours.setData([], [])
            return
        points = np.concatenate(pieces)
        joined = np.ones(len(points), bool)
        joined[np.cumsum([len(piece) for piece in pieces]) - 1] = False
        self._contours.setData(points[:, 0], points[:, 1], connect=joined)

    def _paint(self) -> None:
        super()._paint()
        self.bar.set_theme(self.theme)
        light = self.spec.centre is None or self.theme.dark
        self._contours.setPen(pg.mkPen("#FFFFFF" if light else "#14171C", width=1))
        self._cursor_line.setPen(pg.mkPen(self.theme.text, width=1))
        ground = QColor(self.theme.ground)
        ground.setAlpha(150)
        self._halo.setPen(pg.mkPen(ground, width=3))
        self._outline.setPen(pg.mkPen(self.theme.bad, width=2))
        self._outline.setShadowPen(pg.mkPen(self.theme.ground, width=2 * OUTSIDE_PX))

    # The crosshair.

    def at(self, step: int | None) -> int | None:
        """Row of the newest reading at or before ``step`` (None: the newest); None before the first."""
        row = int(np.searchsorted(self._cells.steps, math.inf if step is None else step, side="right")) - 1
        return row if row >= 0 else None

    def row_under(self, y: float) -> int | None:
        """Row of the series at a height of the plot."""
        edges, order = self.rows_shown()
        place = int(np.searchsorted(edges, y, side="right")) - 1
        return int(order[place]) if 0 <= place < len(order) else None

    def _hovered(self, x: float, y: float) -> None:
        self._pointer_y = y
        super()._hovered(x, y)
        if len(self._cells.steps):  # to the reading under the pointer, so that its colour and the read-out agree
            cell = int(np.searchsorted(self.column_cells(), x, side="right")) - 1
            self.axis.hover(int(self._cells.steps[np.clip(cell, 0, len(self._cells.steps) - 1)]))
            self._read_at(self.axis.cursor)

    @Slot()
    def _mouse_left(self) -> None:
        self._pointer_y = None
        super()._mouse_left()

    def _move_cursor(self) -> None:
        super()._move_cursor()
        self._halo.setVisible(self._cursor_line.isVisible())
        self._halo.setPos(self._cursor_line.pos())

    def _read_at(self, step: int | None) -> None:
        row = self.at(step)
        if row is None:
            self._read_out("")
            return
        values = self._cells.values[row]
        name = rich(self.spec.z_label or "value")
        column = None if self._pointer_y is None else self.row_under(self._pointer_y)
        if column is None:
            low, high = finite_range(values)
            said = f"{name}&nbsp;{short(low)} … {short(high)}" if low == low else f"{name}&nbsp;NaN"
        else:
            where = f"{rich(self.spec.y_label or 'row')}&nbsp;{short(float(self.coordinates()[column]))}"
            said = f"{name}&nbsp;{short(float(values[column]))}&nbsp;&nbsp; {where}"
        self._read_out(with_step(said, int(self._cells.steps[row]), self.theme))

    # Settings and numbers.

    @Slot(bool)
    def set_even(self, even: bool) -> None:
        """Put the rows at equal distances, each with its coordinate as its name."""
        self._even, self._y_held = even, None
        self._later()

    @Slot(bool)
    def keep_smallest(self, smallest: bool) -> None:
        """Show the smallest instead of the largest value of cells that share a pixel."""
        self._keep = "smallest" if smallest else "largest"
        self._later()

    def menu(self) -> QMenu:
        menu = super().menu()
        menu.addSeparator()
        self.bar.add_actions(menu)
        for text, on, slot in (
            ("Rows at equal distances", self._even, self.set_even),
            ("Crowded cells show their smallest value", self._keep == "smallest", self.keep_smallest),
        ):
            action = QAction(text, menu, checkable=True, checked=on)
            action.toggled.connect(slot)
            menu.addAction(action)
        return menu

    def settings(self) -> dict[str, Any]:
        return {"even": self._even, "smallest": self._keep == "smallest", **self.bar.settings()}

    def restore(self, settings: dict[str, Any]) -> None:
        self.set_even(bool(settings.get("even", False)))
        self.keep_smallest(bool(settings.get("smallest", False)))
        self.bar.restore(settings)

    def numbers(self) -> str:
        start, stop = np.searchsorted(self._cells.steps, [self.axis.low, math.floor(self.axis.high) + 1])
        head = "\t".join(["step", *(repr(float(place)) for place in self.coordinates())])
        rows = zip(self._cells.steps[start:stop].tolist(), self._cells.values[start:stop].tolist(), strict=True)
        return "\n".join([head, *("\t".join([str(step), *map(repr, values)]) for step, values in rows)])
