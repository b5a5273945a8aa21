"""Functions of one variable at the slider's step: target, output, residual; spectra against frequency."""

import math
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtWidgets import QMenu

from gui.runs.open_run import OpenRun
from gui.selection import PLACE
from gui.theme import Theme
from gui.views.axes import Axis, StepAxis
from gui.views.line_colours import LineColours
from gui.views.reference import References
from gui.views.snapshot import SnapshotPlot, flat, picked_line, stretch_of
from gui.views.step_plot import CRISP
from gui.views.text import rich, short
from lab.views import Profile

FEW_POINTS = 80  # up to so many dots are large
SMOOTH_POINTS = 300  # up to so many points a line is drawn smooth and thicker


class ProfileView(SnapshotPlot[Profile]):
    """Lines and dots over one variable; a series with a single row, a target, stays as it is."""

    valued = True
    grid_lines = "both"

    def __init__(self, spec: Profile, run: OpenRun, theme: Theme, axis: StepAxis | None = None) -> None:
        super().__init__(spec, run, theme, axis, Axis("bottom"), Axis("left"))
        self.colours = LineColours(self)
        self.colours.changed.connect(self._later)
        self._curves = {name: pg.PlotCurveItem() for name in spec.series if name not in spec.points}
        self._dots = {name: pg.ScatterPlotItem(size=7, **CRISP) for name in spec.points}
        for item in self._curves.values():
            item.setSegmentedLineMode("on")  # piece by piece: strokes of long thick paths take seconds
        self._rows: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for number, item in enumerate((*self._dots.values(), *self._curves.values())):
            item.setZValue(number)
            self.box.addItem(item, ignoreBounds=True)
        self._picked = picked_line(self.box)
        self._references = References(self.box, spec.lines, vertical=False)
        for plot_axis, log in ((self.canvas.bottom_axis, spec.x_log), (self.canvas.left_axis, spec.y_log)):
            plot_axis.set_log(log)
        self.canvas.bottom_axis.setLabel(rich(spec.x_label or self.symbol(spec.x)))
        self.canvas.left_axis.setLabel(rich(spec.y_label) if spec.y_label else None)
        self._paint()

    def rows(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Places and values (K,) of each series that holds at the slider's step, places rising."""
        x = flat(self.moment.value(self.spec.x), self.spec.x)
        found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for name in self.spec.series if x is not None else ():
            y = flat(self._value(name), name)
            if x is None or y is None:
                continue
            if len(x) != len(y):
                raise ValueError(f"{name} has {len(y)} values, {self.spec.x} {len(x)}")
            order = np.argsort(x, kind="stable")
            found[name] = (x[order], y[order])
        return found

    def _value(self, name: str) -> np.ndarray | None:
        # a target is recorded once, and not always at step 0
        return self.moment.first(name) if self.moment.count(name) == 1 else self.moment.value(name)

    def _draw(self) -> bool:
        self._rows = self.rows()
        paths = {name: (_of(x, self.spec.x_log), _of(y, self.spec.y_log)) for name, (x, y) in self._rows.items()}
        values = self._references.values(self.config) if self.spec.lines else np.empty(0)
        levels = _of(values, self.spec.y_log)
        if paths:
            y = stretch_of(*(y for _, y in paths.values()), margin=0.08)
            near = levels[np.isfinite(levels) & (np.abs(levels - sum(y) / 2) < 4 * (y[1] - y[0]))]
            y = stretch_of(*(y for _, y in paths.values()), near, margin=0.08)
            self._fit(stretch_of(*(x for x, _ in paths.values()), margin=0.02), y)
        for name, item in self._curves.items():
            x, y = paths.get(name, (np.empty(0), np.empty(0)))
            item.setData(x, y, connect="finite", antialias=len(x) <= SMOOTH_POINTS)
        for name, item in self._dots.items():
            x, y = paths.get(name, (np.empty(0), np.empty(0)))
            kept = np.isfinite(x) & np.isfinite(y)
            item.setData(x[kept], y[kept], size=7 if len(x) <= FEW_POINTS else 4)
        self._pens()
        self._references.place(levels, 0.0)
        self._mark_picked()
        self._draw_names(paths, levels)
        return any(len(x) for x, _ in paths.values())

    # What is picked.

    def _clicked(self, x: float, y: float) -> None:
        places = flat(self.moment.value(self.spec.x), self.spec.x)
        if not self.spec.of or places is None or not len(places):
            return
        across = _of(places, self.spec.x_log)
        number = int(np.argmin(np.abs(np.where(np.isfinite(across), across, np.inf) - x)))
        self.selection.pick(self.kind, number, **{PLACE: float(places[number])})

    def picked_place(self) -> float | None:
        """Where the picked thing of this view's kind stands, on its axis; None where none is."""
        number, place = self.selection.picked(self.kind), self.selection.place(self.kind)
        if number is None or place is not None:
            return place
        places = flat(self.moment.value(self.spec.x), self.spec.x)
        return None if places is None or number >= len(places) else float(places[number])

    def _show_picked(self, kind: str) -> None:
        if kind == self.kind:
            self._mark_picked()

    def _mark_picked(self) -> None:
        place = self.picked_place() if self.spec.of else None
        across = math.nan if place is None else float(_of(np.array(place), self.spec.x_log))
        self._picked.setVisible(math.isfinite(across))
        if math.isfinite(across):
            self._picked.setPos(across)

    def _draw_names(self, paths: dict[str, tuple[np.ndarray, np.ndarray]], levels: np.ndarray) -> None:
        (_, right), (low, high) = self.box.viewRange()
        names = self._references.names(levels, right, self.theme)
        for name, (x, y) in paths.items():
            shown = np.flatnonzero(np.isfinite(x) & np.isfinite(y) & (x <= right))[-1:]
            if len(shown):
                colour = self.readable(self._colour(name))
                names.append((self.symbol(name), colour, right, float(np.clip(y[shown[0]], low, high))))
        self._name_ends([name for name in names if low <= name[3] <= high])

    def _colour(self, name: str) -> str:
        return self.colours.line(name, self.spec.series.index(name), self.theme)[0]

    def _pens(self) -> None:
        for name, item in self._curves.items():
            dense = len(self._rows.get(name, ((),))[0]) > SMOOTH_POINTS
            _, dash = self.theme.line(self.spec.series.index(name))
            more = {"dash": list(dash)} if dash else {}
            item.setPen(pg.mkPen(self._colour(name), width=1 if dense else 1.6, **more))
        for name, item in self._dots.items():
            item.setBrush(pg.mkBrush(self._colour(name)))

    def _paint(self) -> None:
        super()._paint()
        self._references.set_theme(self.theme)
        self._picked.setPen(pg.mkPen(self.theme.bad, width=2))
        self._pens()

    def _said(self) -> str:
        if self._pointer is None or not self._rows:
            return ""
        at = 10.0 ** min(self._pointer[0], 300.0) if self.spec.x_log else self._pointer[0]
        texts = []
        for name, (x, y) in self._rows.items():
            place = int(np.argmin(np.abs(np.where(np.isfinite(x), x, np.inf) - at)))
            if not texts:
                texts.append(f"{rich(self.spec.x_label or self.symbol(self.spec.x))}&nbsp;{short(float(x[place]))}")
            colour = self.readable(self._colour(name))
            value = short(float(y[place]))
            texts.append(f'<span style="color:{colour}">{rich(self.symbol(name))}&nbsp;{value}</span>')
        return "&nbsp;&nbsp; ".join(texts)

    def menu(self) -> QMenu:
        menu = super().menu()
        self.colours.add_menu(menu, {name: self.symbol(name) for name in self.spec.series}, self.theme)
        return menu

    def settings(self) -> dict[str, Any]:
        return {"colours": self.colours.settings(), **super().settings()}

    def restore(self, settings: dict[str, Any]) -> None:
        super().restore(settings)
        self.colours.restore(settings.get("colours"))

    def numbers(self) -> str:
        if not self._rows:
            return ""
        x = next(iter(self._rows.values()))[0]
        columns = [x.tolist(), *(y.tolist() for _, y in self._rows.values())]
        head = "\t".join([self.spec.x, *self._rows])
        return "\n".join([head, *("\t".join(map(repr, row)) for row in zip(*columns, strict=True))])


def _of(values: np.ndarray, log: bool) -> np.ndarray:
    """Box coordinates: exponents of ten on a logarithmic axis, which shows nothing at or below 0."""
    values = np.asarray(values, float)
    return np.log10(np.where(values > 0, values, np.nan)) if log else np.where(np.isfinite(values), values, np.nan)
