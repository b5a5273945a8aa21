"""One series against another, coloured by step: a phase plot."""

import contextlib
import functools
import itertools
import math
from collections.abc import Iterator

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QLinearGradient, QPainter
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from gui.runs.open_run import OpenRun
from gui.theme import Theme
from gui.views.axes import TICK_PX, Axis, StepAxis, font_px
from gui.views.far_pairs import FarPairs
from gui.views.pairs import Pairs
from gui.views.plot import Plot
from gui.views.step_plot import CRISP
from gui.views.text import rich, short, whole, with_step
from lab.naming import symbol
from lab.stream import PART, parts_of
from lab.views import Trace

SHADES = 32
KEY_PX = 64


class _Key(QGraphicsItem):
    """What the colours mean: a bar from the first step, beneath, to the newest, on top."""

    def __init__(self) -> None:
        super().__init__()
        self.colours: list[QColor] = []
        self.ink = QColor()
        self.first = self.last = 0
        self.height = 0.0

    def boundingRect(self) -> QRectF:
        return QRectF(0, 0, KEY_PX, self.height)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        bar = QRectF(8, 16, 8, max(self.height - 32, 1))
        shades = QLinearGradient(bar.bottomLeft(), bar.topLeft())
        for number, colour in enumerate(self.colours):
            shades.setColorAt(number / max(len(self.colours) - 1, 1), colour)
        painter.fillRect(bar, shades)
        painter.setFont(font_px(TICK_PX))
        painter.setPen(self.ink)
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(4, 0, KEY_PX, 14), left, whole(self.last))
        painter.drawText(QRectF(4, self.height - 14, KEY_PX, 14), left, f"step {whole(self.first)}")


class TraceView(Plot[Trace]):
    """A path through the plane of two series."""

    valued = True

    def __init__(self, spec: Trace, run: OpenRun, theme: Theme, axis: StepAxis | None = None) -> None:
        super().__init__(spec, run, theme, axis, Axis("bottom"), Axis("left"))
        self._pairs: Pairs | FarPairs = Pairs()
        self._drawn = self._pairs.rows
        self._taken = {spec.x: 0, spec.y: 0}
        self._labels = (spec.x_label or symbol(run.source, spec.x), spec.y_label or symbol(run.source, spec.y))
        self._held = False
        self._pieces = [pg.PlotCurveItem() for _ in range(SHADES)]
        self._dot = pg.ScatterPlotItem(size=9, **CRISP)
        for item in (*self._pieces, self._dot):
            self.box.addItem(item, ignoreBounds=True)
        self._key = _Key()
        self._key.setParentItem(self.canvas.frame)
        self.canvas.set_gutter(KEY_PX)
        self.canvas.left_axis.setLabel(rich(self._labels[1]))
        self.canvas.bottom_axis.setLabel(rich(self._labels[0]))
        self._paint()

    def _pull(self) -> bool:
        new = self.history.pull()
        parts = [self._parts(name) for name in (self.spec.x, self.spec.y)]
        for both in itertools.zip_longest(*parts):  # in turns, so that few rows of one wait for the other's
            if not len(self._pairs) and all(rows is not None and len(rows[0]) == PART for rows in both):
                self._pairs = self._far_pairs()
            for which, rows in enumerate(both):
                if rows is not None:
                    self._pairs.append(which, *rows)
                    self.axis.grow(int(rows[0].max()))
                    new = True
        return new

    def _parts(self, name: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """New rows of a series, some at a time."""
        with contextlib.suppress(KeyError):  # not recorded yet
            for step, value in parts_of(self.run.source, name, self._taken[name]):
                count = min(len(step), len(value))
                if count:
                    self._taken[name] += count
                    yield step[:count], np.asarray(value[:count], float).reshape(count, -1)[:, 0]

    def _far_pairs(self) -> Pairs | FarPairs:
        """For two long series: pairs that stay where they are, if rows can be read there again."""
        part = getattr(self.run.source, "part", None)
        if part is None:
            return self._pairs

        def read(name: str, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
            step, value = part(name, start, stop)
            return step, np.asarray(value, float).reshape(len(step), -1)[:, 0]

        return FarPairs([functools.partial(read, name) for name in (self.spec.x, self.spec.y)])

    def points(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Steps (T,) and both values (T,) of the rows that both series have; of a long run those that stand out."""
        return self._pairs.rows

    def _draw(self) -> bool:
        steps, x, y = self._drawn = self._pairs.rows
        usable = np.isfinite(x) & np.isfinite(y)
        (left, right), (bottom, top) = self.box.viewRange()
        wide, high = (left, right), (bottom, top)
        if not self._held and usable.any():
            wide, high = _wide(x[usable]), self.limited(_wide(y[usable]))
        self.canvas.show_range(wide, high, columns=True)
        first = int(steps[0]) if len(steps) else 0
        if isinstance(self._pairs, FarPairs) and (near := self._pairs.near(*self.box.viewRange())) is not None:
            steps, x, y = self._drawn = near
        place, x, y = self._thinned(x, y)
        shade = np.minimum((steps[place] - first) * SHADES // max(self.axis.end - first, 1), SHADES - 1)
        cuts = np.searchsorted(shade, np.arange(SHADES + 1))
        for number, item in enumerate(self._pieces):
            # one point more joins a piece to the next
            piece = slice(cuts[number], cuts[number + 1] + 1 if cuts[number + 1] > cuts[number] else cuts[number])
            item.setData(x[piece], y[piece], connect="finite")
        area = self.box.geometry()
        self._key.prepareGeometryChange()
        self._key.first, self._key.last, self._key.height = first, self.axis.end, area.height()
        self._key.setPos(area.topRight())
        self._key.update()
        return len(self._pairs) > 0

    def _thinned(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows and their points without those that stay on the pixel of the one before."""
        (x0, x1), (y0, y1) = self.box.viewRange()
        reach_x, reach_y = 1e4 * (x1 - x0), 1e4 * (y1 - y0)
        x, y = np.clip(x, x0 - reach_x, x1 + reach_x), np.clip(y, y0 - reach_y, y1 + reach_y)
        if len(x) <= 4 * self.columns:
            return np.arange(len(x)), x, y
        rate = self.devicePixelRatioF()
        with np.errstate(invalid="ignore"):
            column = np.floor((x - x0) / (x1 - x0) * self.box.width() * rate)
            row = np.floor((y - y0) / (y1 - y0) * self.box.height() * rate)
        moved = np.append(True, (column[1:] != column[:-1]) | (row[1:] != row[:-1]))
        place = np.flatnonzero(moved)
        return place, x[place], y[place]

    def _shades(self) -> list[QColor]:
        low, high = (0.2, 1.0) if self.theme.dark else (0.0, 0.88)  # the ends that would drown in the ground
        table = pg.colormap.get("viridis")
        assert table is not None  # pyqtgraph brings it along
        return [QColor(*rgba) for rgba in np.asarray(table.map(np.linspace(low, high, SHADES))).tolist()]

    def _paint(self) -> None:
        super()._paint()
        shades = self._shades()
        for item, colour in zip(self._pieces, shades, strict=True):
            item.setPen(pg.mkPen(colour, width=1))
        self._key.colours, self._key.ink = shades, QColor(self.theme.muted)
        self._dot.setBrush(pg.mkBrush(self.theme.bad))

    def show_all(self) -> None:
        self._held = False
        self._later()

    def follow(self) -> None:
        self.show_all()

    def _let_go(self) -> None:
        self._held = False

    def _held_by_hand(self) -> None:
        self._held = True
        self._later()

    def _hovered(self, x: float, y: float) -> None:
        steps, xs, ys = self._drawn
        if not len(steps):
            return
        (x0, x1), (y0, y1) = self.box.viewRange()
        far = np.hypot((xs - x) / (x1 - x0) * self.box.width(), (ys - y) / (y1 - y0) * self.box.height())
        nearest = int(np.argmin(np.where(np.isnan(far), np.inf, far)))
        self.axis.hover(int(steps[nearest]) if far[nearest] <= 12 else None)

    def _move_cursor(self) -> None:
        step = self.axis.cursor
        found = self._pairs.at(math.inf if step is None else step)
        if found is None:
            self._read_out("")
            self._dot.setData([], [])
            return
        at, x, y = found
        self._read_out(
            with_step(
                f"{rich(self._labels[0])}&nbsp;{short(x)}&nbsp;&nbsp; {rich(self._labels[1])}&nbsp;{short(y)}",
                at,
                self.theme,
                self.history.last_act(at),
            )
        )
        inside = math.isfinite(x) and math.isfinite(y)
        self._dot.setData([x] * inside, [y] * inside)

    def numbers(self) -> str:
        lines = [f"step\t{self.spec.x}\t{self.spec.y}"]
        for part in self._pairs.parts():
            lines += [f"{step}\t{x!r}\t{y!r}" for step, x, y in zip(*map(np.ndarray.tolist, part), strict=True)]
        return "\n".join(lines)


def _wide(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if not math.isfinite(high - low):
        low, high = low / 4, high / 4
    margin = 0.06 * (high - low) or 0.5 * (abs(high) or 1.0)
    return low - margin, high + margin
