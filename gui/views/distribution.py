"""A vector series as a distribution at the slider's step: histogram, density or eigenvalues."""

import math
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Slot
from PySide6.QtGui import QAction, QColor
from PySide6.QtWidgets import QMenu

from gui.runs.open_run import OpenRun
from gui.theme import Theme
from gui.views.axes import Axis, StepAxis
from gui.views.reference import References
from gui.views.snapshot import SnapshotPlot, Stretch, flat, picked_line, stretch_of
from gui.views.text import rich, short, whole
from lab.views import Distribution

DEPTH = 1e-8  # a density on a logarithmic axis is shown so far below its top
Outline = tuple[np.ndarray, np.ndarray]  # edges (n + 1,) and heights (n,) of a histogram, or places and heights (n,)


def histogram(samples: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Counts (n,) of finite samples between rising edges (n + 1,)."""
    return np.histogram(samples[np.isfinite(samples)], edges)[0].astype(float)


def bin_edges(samples: list[np.ndarray], bins: int, log: bool) -> np.ndarray:
    """Edges (bins + 1,) that cover every finite sample, even in the logarithm of those above 0 where ``log``."""
    values = np.concatenate([np.asarray(part, float) for part in samples])
    values = values[np.isfinite(values) & ((values > 0) | (not log))]
    if not len(values):
        return np.linspace(0.1, 1.0, bins + 1)
    low, high = float(values.min()), float(values.max())
    if log:
        low, high = (low, high) if low < high else (low / 2, high * 2)
        edges = np.logspace(np.log10(low), np.log10(high), bins + 1)
    else:
        if not high - low > 1e-12 * max(abs(low), abs(high)):
            low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
        edges = low * (1 - np.linspace(0, 1, bins + 1)) + high * np.linspace(0, 1, bins + 1)
    edges[[0, -1]] = min(low, edges[0]), max(high, edges[-1])  # rounding must not lose the outermost sample
    return edges


class DistributionView(SnapshotPlot[Distribution]):
    """A histogram of samples, or a density over its grid; the first row is pale behind the present one."""

    valued = True

    def __init__(self, spec: Distribution, run: OpenRun, theme: Theme, axis: StepAxis | None = None) -> None:
        super().__init__(spec, run, theme, axis, Axis("bottom"), Axis("left"))
        self._x_log, self._y_log = spec.x_log, spec.y_log
        self._first, self._now = pg.PlotCurveItem(), pg.PlotCurveItem()
        for item in (self._first, self._now):
            self.box.addItem(item, ignoreBounds=True)
        self._picked = picked_line(self.box)
        self._references = References(self.box, spec.lines, vertical=True)
        self._outlines: list[Outline | None] = [None, None]
        self._missing = 0
        label = spec.x_label or self.symbol(spec.series)
        self.canvas.bottom_axis.setLabel(rich(label))
        self.canvas.left_axis.setLabel("density" if spec.grid else "count")
        self._set_axes()
        self._paint()

    def outlines(self) -> tuple[Outline | None, Outline | None]:
        """The first row's distribution, where the view shows it, and the present one."""
        first = self.moment.first(self.spec.series) if self.spec.initial else None
        first, now = flat(first, self.spec.series), flat(self.moment.value(self.spec.series), self.spec.series)
        if now is None or not len(now):
            return None, None
        if self.spec.grid is not None:
            start, grid = self.moment.first(self.spec.grid), self.moment.value(self.spec.grid)
            return self._density(start, first), self._density(grid, now)
        self._missing = int(len(now) - np.isfinite(now).sum())
        edges = bin_edges([now] if first is None else [now, first], self.spec.bins, self._x_log)
        return None if first is None else (edges, histogram(first, edges)), (edges, histogram(now, edges))

    def _density(self, grid: np.ndarray | None, value: np.ndarray | None) -> Outline | None:
        places = flat(grid, self.spec.grid or "")
        if places is None or value is None:
            return None
        if len(places) != len(value):
            raise ValueError(f"{self.spec.series} has {len(value)} values, {self.spec.grid} {len(places)}")
        order = np.argsort(places, kind="stable")
        return places[order], value[order]

    def _draw(self) -> bool:
        outlines = self.outlines()
        self._outlines = list(outlines)
        shown = [outline for outline in outlines if outline is not None]
        floor = self._floor(shown)
        levels = self._x_of(self._references.values(self.config)) if self.spec.lines else np.empty(0)
        xs = [self._x_of(x) for x, _ in shown]
        ys = [self._y_of(y, floor) for _, y in shown]
        if shown:
            self._fit(*self._stretches(xs, ys, levels))
        for item, outline in ((self._first, outlines[0]), (self._now, outlines[1])):
            self._set(item, outline, floor)
        top = self.box.viewRange()[1][1]
        self._references.place(levels, top)
        self._mark_picked()
        return outlines[1] is not None and len(outlines[1][1]) > 0

    def picked_value(self) -> float | None:
        """The picked one's sample; None where none is picked or the series is a density."""
        number, row = self.selection.picked(self.kind), self.moment.value(self.spec.series)
        known = self.spec.of and self.spec.grid is None and number is not None and row is not None
        return float(row[number]) if known and row is not None and number is not None and number < len(row) else None

    def _show_picked(self, kind: str) -> None:
        if kind == self.kind:
            self._mark_picked()

    def _mark_picked(self) -> None:
        value = self.picked_value()
        across = math.nan if value is None else float(self._x_of(np.array(value)))
        self._picked.setVisible(math.isfinite(across))
        if math.isfinite(across):
            self._picked.setPos(across)

    def _stretches(self, xs: list[np.ndarray], ys: list[np.ndarray], levels: np.ndarray) -> tuple[Stretch, Stretch]:
        x = stretch_of(*xs, margin=0.03)
        near = levels[np.isfinite(levels) & (np.abs(levels - sum(x) / 2) < 4 * (x[1] - x[0]))]
        low, high = stretch_of(*ys, np.zeros(0 if self._y_log else 1), margin=0.08)
        return stretch_of(*xs, near, margin=0.03), (low if self._y_log else 0.0 if low > -0.1 * high else low, high)

    def _set(self, item: pg.PlotCurveItem, outline: Outline | None, floor: float) -> None:
        if outline is None:
            item.setData([], [], stepMode=None, fillLevel=None)
            return
        x, y = self._x_of(outline[0]), self._y_of(outline[1], floor)
        base = float(self._y_of(np.zeros(1), floor)[0])
        item.setData(x, y, stepMode="center" if len(x) == len(y) + 1 else None, fillLevel=base, connect="finite")

    # Coordinates: exponents of ten on logarithmic axes.

    def _x_of(self, x: np.ndarray) -> np.ndarray:
        if not self._x_log:
            return np.asarray(x, float)
        return np.log10(np.where(np.asarray(x) > 0, x, np.nan))

    def _y_of(self, y: np.ndarray, floor: float) -> np.ndarray:
        return np.log10(np.maximum(y, floor)) if self._y_log else np.asarray(y, float)

    def _floor(self, outlines: list[Outline]) -> float:
        if self.spec.grid is None:
            return 0.5  # half a sample: a bin with one stands out, an empty one lies on the axis
        above = np.concatenate([y[np.isfinite(y) & (y > 0)] for _, y in outlines] or [np.empty(0)])
        return float(max(above.min(), above.max() * DEPTH, 1e-300)) if len(above) else DEPTH

    def _said(self) -> str:
        outline = self._outlines[1]
        lost = f"{whole(self._missing)} not finite" if self._missing else ""
        if self._pointer is None or outline is None:
            return lost
        x = 10.0 ** min(self._pointer[0], 300.0) if self._x_log else self._pointer[0]
        edges, heights = outline
        place = int(np.searchsorted(edges, x, side="right")) - 1
        if not 0 <= place < len(heights):
            return lost
        if len(edges) == len(heights):
            return f"{short(float(edges[place]))}&nbsp; density&nbsp;{short(float(heights[place]))}"
        return f"{short(float(edges[place]))} … {short(float(edges[place + 1]))}&nbsp; {whole(heights[place])}"

    # Colours and settings.

    def _paint(self) -> None:
        super()._paint()
        self._references.set_theme(self.theme)
        self._picked.setPen(pg.mkPen(self.theme.bad, width=2))
        for item, colour, alpha in ((self._first, self.theme.muted, 60), (self._now, self.theme.line(0)[0], 70)):
            fill = QColor(colour)
            fill.setAlpha(alpha)
            line = QColor(colour)
            line.setAlpha(110 if item is self._first else 255)
            item.setBrush(pg.mkBrush(fill))
            item.setPen(pg.mkPen(line, width=1))

    def _set_axes(self) -> None:
        self.canvas.bottom_axis.set_log(self._x_log)
        self.canvas.left_axis.set_log(self._y_log)
        self.show_all()

    @Slot(bool)
    def set_x_log(self, log: bool) -> None:
        """Make the horizontal axis, and the bins, logarithmic or linear."""
        self._x_log = log
        self._set_axes()

    @Slot(bool)
    def set_y_log(self, log: bool) -> None:
        """Make the vertical axis logarithmic or linear."""
        self._y_log = log
        self._set_axes()

    def menu(self) -> QMenu:
        menu = super().menu()
        menu.addSeparator()
        for text, on, slot in (
            ("Logarithmic values", self._x_log, self.set_x_log),
            ("Logarithmic heights", self._y_log, self.set_y_log),
        ):
            action = QAction(text, menu, checkable=True, checked=on)
            action.toggled.connect(slot)
            menu.addAction(action)
        return menu

    def settings(self) -> dict[str, Any]:
        return {"x_log": self._x_log, "y_log": self._y_log, **super().settings()}

    def restore(self, settings: dict[str, Any]) -> None:
        super().restore(settings)
        self.set_x_log(bool(settings.get("x_log", self._x_log)))
        self.set_y_log(bool(settings.get("y_log", self._y_log)))

    def numbers(self) -> str:
        outline = self._outlines[1]
        if outline is None:
            return ""
        x, y = (part.tolist() for part in outline)
        if len(x) == len(y):
            return "\n".join(["place\tdensity", *(f"{a!r}\t{b!r}" for a, b in zip(x, y, strict=True))])
        return "\n".join(["from\tto\tcount", *(f"{a!r}\t{b!r}\t{n:.0f}" for a, b, n in zip(x, x[1:], y, strict=False))])
