"""Points at the slider's step: orientation and amplitude of neurons, or any two numbers of each of many things."""

import math
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QAction, QColor
from PySide6.QtWidgets import QMenu

from gui.runs.open_run import OpenRun
from gui.theme import Theme
from gui.views.axes import TICK_PX, Axis, StepAxis, font_px
from gui.views.colour_bar import BAR_PX, ColourBar
from gui.views.plot import VEIL, Name
from gui.views.polar import PolarGrid
from gui.views.rows import Block
from gui.views.scale import COUNT, finite_range
from gui.views.snapshot import SnapshotPlot, flat, stretch_of
from gui.views.step_plot import CRISP
from gui.views.text import rich, short
from lab.views import Scatter

REACH_PX = 12  # a click or the pointer takes the nearest point within so many pixels
TRAIL_POINTS = 60_000  # trails are thinned to so many points in all, evenly in their rows
SHADES = 32
CRISP_POINTS = 400  # more are drawn from ready pictures, which is quicker and a little coarser
Points = tuple[np.ndarray, np.ndarray]


class ScatterView(SnapshotPlot[Scatter]):
    """Points of two series; a click selects one, and other views can select one by number.

    Attributes:
        selected: Number of the point with a ring around it; None for none.
    """

    picked = Signal(str, int)  # "point" and its number

    def __init__(self, spec: Scatter, run: OpenRun, theme: Theme, axis: StepAxis | None = None) -> None:
        super().__init__(spec, run, theme, axis, Axis("bottom"), Axis("left"))
        self.selected: int | None = None
        self.valued, self.grid_lines = not spec.polar, "" if spec.polar else "both"
        self.trails = spec.trails
        self._blocks = (Block(run.source, spec.x), Block(run.source, spec.y)) if spec.trails else None
        self._now: Points = (np.empty(0), np.empty(0))
        self._raw: Points = self._now
        self._zero: float | None = None
        self._trail = pg.PlotCurveItem()
        self._first = pg.ScatterPlotItem(size=6, **CRISP)
        self._dots = pg.ScatterPlotItem(size=8, **CRISP)
        self._ring = pg.ScatterPlotItem(size=16, **{**CRISP, "brush": None})
        self.grid = PolarGrid(self.box) if spec.polar else None
        for item in (self._trail, self._first, self._dots, self._ring):
            self.box.addItem(item, ignoreBounds=True)
        self._key = Name(self.canvas.frame)
        self._key.setFont(font_px(TICK_PX))
        self.bar = ColourBar(self.symbol(spec.colour), dots=True) if spec.colour else None
        if self.bar is not None:
            self.bar.setParentItem(self.canvas.frame)
            self.bar.changed.connect(self._later)
            self.canvas.set_gutter(BAR_PX)
        self._set_axes()
        self._paint()

    def _set_axes(self) -> None:
        spec, bottom, left = self.spec, self.canvas.bottom_axis, self.canvas.left_axis
        if spec.polar:
            self.box.setAspectLocked(True)
            for plot_axis in (bottom, left):
                plot_axis.hide()
            left.setWidth(8)
            return
        bottom.set_log(spec.x_log)
        left.set_log(spec.y_log)
        bottom.setLabel(rich(spec.x_label or self.symbol(spec.x)))
        left.setLabel(rich(spec.y_label or self.symbol(spec.y)))

    # Reading.

    def _pull(self) -> bool:
        if self._blocks is not None:
            for block in self._blocks:
                block.pull()
        return super()._pull()

    def points(self, *, first: bool = False) -> Points | None:
        """Values (N,) of both series that hold at the slider's step, or their first rows."""
        read = self.moment.first if first else self.moment.value
        x, y = flat(read(self.spec.x), self.spec.x), flat(read(self.spec.y), self.spec.y)
        if x is None or y is None:
            return None
        if len(x) != len(y):
            raise ValueError(f"{self.spec.x} has {len(x)} values, {self.spec.y} {len(y)}")
        return x, y

    def path(self) -> Points:
        """Values (T, N) of both series up to the step shown, at the steps that both have."""
        assert self._blocks is not None
        (x, y), step = self._blocks, self.moment.step
        steps, at_x, at_y = np.intersect1d(x.steps, y.steps, assume_unique=True, return_indices=True)
        stop = len(steps) if step is None else int(np.searchsorted(steps, step, side="right"))
        every = max(1, math.ceil(stop * max(x.values.shape[1], 1) / TRAIL_POINTS))
        chosen = np.unique(np.append(np.arange(0, stop, every), max(stop - 1, 0)))[: stop or None]
        chosen = chosen if stop else chosen[:0]
        return x.values[at_x[chosen]].astype(float), y.values[at_y[chosen]].astype(float)

    # Drawing.

    def place(self, points: Points) -> Points:
        """Box coordinates of values; NaN where a logarithmic axis has no place for them."""
        x, y = (np.asarray(part, float) for part in points)
        if self.spec.polar:
            radius = y if self._zero is None else np.maximum(_log(y) - self._zero, 0.0)
            with np.errstate(invalid="ignore"):
                return radius * np.cos(x), radius * np.sin(x)
        return _log(x) if self.spec.x_log else x, _log(y) if self.spec.y_log else y

    def _draw(self) -> bool:
        raw = self.points()
        start = self.points(first=True) if self.spec.initial else None
        path = self.path() if self.trails and self._blocks is not None and raw is not None else None
        self._raw = raw or (np.empty(0), np.empty(0))
        shown = [points for points in (raw, start, path) if points is not None]
        self._find_zero(shown)
        self._now = self.place(self._raw)
        self._fit_points([self.place(points) for points in shown])
        self._set(self._first, self.place(start) if start is not None and raw is not None else None)
        self._set(self._dots, self._now, self._brushes())
        self._draw_trail(self.place(path) if path is not None else None)
        self._place_key()
        self._ring_at(self.selected)
        return raw is not None and len(raw[0]) > 0

    def _find_zero(self, shown: list[Points]) -> None:
        """The exponent at the middle of a logarithmic polar plot: a decade below the smallest radius."""
        if self.spec.polar and self.spec.y_log:
            low, high = finite_range(np.concatenate([y.ravel() for _, y in shown] or [np.ones(1)]), positive=True)
            low, high = (low, high) if low == low else (1.0, 1.0)
            self._zero = max(math.floor(math.log10(low)), math.floor(math.log10(high)) - 8) - 1.0

    def _fit_points(self, placed: list[Points]) -> None:
        if not placed:
            return
        if self.grid is None:
            self._fit(*(stretch_of(*(points[side].ravel() for points in placed)) for side in (0, 1)))
            return
        radius = stretch_of(*(np.hypot(*points).ravel() for points in placed), margin=0.0)[1]
        reach = 1.05 * radius if radius > 0 else 1.0
        # room for the names of angles
        self._fit((-1.18 * reach, 1.18 * reach), (-1.18 * reach, 1.18 * reach))
        self.grid.draw(self._stretch[0][1] / 1.18 if self._stretch else reach, self._zero)

    def _set(self, item: pg.ScatterPlotItem, points: Points | None, brushes: np.ndarray | None = None) -> None:
        x, y = points or (np.empty(0), np.empty(0))
        kept = np.isfinite(x) & np.isfinite(y)
        many = len(x) > 3000
        item.opts["useCache"] = len(x) > CRISP_POINTS
        item.setSize((3 if many else 6) if item is self._first else (4 if many else 8))
        if brushes is None:
            item.setData(x[kept], y[kept])
        else:
            item.setData(x[kept], y[kept], brush=list(brushes[kept]))

    def _brushes(self) -> np.ndarray | None:
        """One brush for each point, by the colour series; None for one colour."""
        count = len(self._raw[0])
        values = flat(self.moment.value(self.spec.colour), self.spec.colour) if self.spec.colour else None
        if self.bar is None or values is None or not count:
            return None
        if len(values) != count:
            raise ValueError(f"{self.spec.colour} has {len(values)} values for {count} points")
        self.bar.fit(*finite_range(values, positive=self.bar.log))
        self.bar.place(self.box.geometry())
        # few brushes, so that many points are drawn quickly
        palette = [pg.mkBrush(*map(int, rgba)) for rgba in self.bar.colours]
        shades = self.bar.colour_scale.shades(values).astype(int)
        step = COUNT // SHADES
        coarse = np.where(shades == COUNT, COUNT, np.minimum(shades // step * step + step // 2, COUNT - 1))
        return np.array(palette, dtype=object)[coarse]

    def _draw_trail(self, path: Points | None) -> None:
        if path is None or len(path[0]) < 2:
            self._trail.setData([], [])
            return
        x, y = (part.T for part in path)
        joined = np.ones(x.shape, bool)
        joined[:, -1] = False
        joined &= np.isfinite(x) & np.isfinite(y)
        joined[:, :-1] &= joined[:, 1:] | (np.arange(1, x.shape[1]) == x.shape[1] - 1)
        self._trail.setData(x.ravel(), y.ravel(), connect=joined.ravel())

    def _place_key(self) -> None:
        area = self.box.geometry()
        self._key.setVisible(self.spec.initial and len(self._raw[0]) > 0)
        self._key.setPos(area.right() - self._key.boundingRect().width(), area.top())

    # The pointer and the selection.

    def nearest(self, x: float, y: float) -> int | None:
        """Number of the point at these box coordinates; None when none is near."""
        xs, ys = self._now
        if not len(xs):
            return None
        (x0, x1), (y0, y1) = self.box.viewRange()
        far = np.hypot((xs - x) / (x1 - x0) * self.box.width(), (ys - y) / (y1 - y0) * self.box.height())
        far = np.where(np.isnan(far), np.inf, far)
        place = int(np.argmin(far))
        return place if far[place] <= REACH_PX else None

    def _clicked(self, x: float, y: float) -> None:
        number = self.nearest(x, y)
        self.selection.pick(self.kind, number)
        if number is not None:
            self.picked.emit("point", number)

    def _show_picked(self, kind: str) -> None:
        if kind == self.kind:
            self.select("point", self.selection.picked(kind))

    def select(self, kind: str, number: int | None) -> None:
        """Put a ring around a point; None takes it away. Kinds other than "point" mean nothing here."""
        if kind == "point":
            self.selected = number
            self._ring_at(number)
            self._move_cursor()

    def _ring_at(self, number: int | None) -> None:
        inside = number is not None and number < len(self._now[0])
        x, y = (float(part[number]) for part in self._now) if inside else (math.nan, math.nan)
        usable = math.isfinite(x) and math.isfinite(y)
        self._ring.setData([x] * usable, [y] * usable)

    def _said(self) -> str:
        under = self.nearest(*self._pointer) if self._pointer else None
        number = self.selected if under is None else under
        if number is None or number >= len(self._raw[0]):
            return ""
        texts = [f"{self.spec.of} {number}".strip().replace(" ", "&nbsp;")]
        names = (self.spec.x_label or self.symbol(self.spec.x), self.spec.y_label or self.symbol(self.spec.y))
        for name, values in zip(names, self._raw, strict=True):
            texts.append(f"{rich(name)}&nbsp;{short(float(values[number]))}")
        return "&nbsp;&nbsp; ".join(texts)

    # Colours, settings, numbers.

    def _paint(self) -> None:
        super()._paint()
        theme = self.theme
        if self.grid is not None:
            self.grid.set_theme(theme)
        if self.bar is not None:
            self.bar.set_theme(theme)
        now, first = theme.line(0)[0], theme.line(1)[0]
        for item, colour in ((self._dots, now), (self._first, first)):
            faint = QColor(colour)
            faint.setAlpha(210 if item is self._dots else 150)
            item.setBrush(pg.mkBrush(faint))
        trail = QColor(theme.muted)
        trail.setAlpha(70)
        self._trail.setPen(pg.mkPen(trail, width=1))
        self._ring.setPen(pg.mkPen(theme.text, width=1.6))
        self._key.veil = QColor(theme.ground)
        self._key.veil.setAlpha(VEIL)
        one = "" if self.bar else f'<span style="color:{self.readable(now)}">● now</span>&nbsp;&nbsp; '
        self._key.setHtml(f'{one}<span style="color:{self.readable(first)}">● first</span>')

    @Slot(bool)
    def set_trails(self, on: bool) -> None:
        """Show the ways of the points, or hide them."""
        self.trails = on
        self._later()

    def menu(self) -> QMenu:
        menu = super().menu()
        menu.addSeparator()
        if self._blocks is not None:
            action = QAction("Trails", menu, checkable=True, checked=self.trails)
            action.toggled.connect(self.set_trails)
            menu.addAction(action)
        if self.bar is not None:
            self.bar.add_actions(menu)
        return menu

    def settings(self) -> dict[str, Any]:
        return {"trails": self.trails, **(self.bar.settings() if self.bar else {}), **super().settings()}

    def restore(self, settings: dict[str, Any]) -> None:
        super().restore(settings)
        self.set_trails(bool(settings.get("trails", self.trails)))
        if self.bar is not None:
            self.bar.restore(settings)

    def numbers(self) -> str:
        rows = zip(*(part.tolist() for part in self._raw), strict=True)
        head = f"point\t{self.spec.x}\t{self.spec.y}"
        return "\n".join([head, *(f"{i}\t{x!r}\t{y!r}" for i, (x, y) in enumerate(rows))])


def _log(values: np.ndarray) -> np.ndarray:
    return np.log10(np.where(values > 0, values, np.nan))
