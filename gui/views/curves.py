"""Scalar series against the step: exact at every zoom, true logarithmic axes, thresholds that follow turned knobs."""

import functools
import math
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Slot
from PySide6.QtGui import QAction, QActionGroup, QColor
from PySide6.QtWidgets import QGraphicsTextItem, QMenu

from gui.runs.open_run import OpenRun
from gui.theme import Theme
from gui.views.axes import TICK_PX, Axis, StepAxis, font_px
from gui.views.distant import Distant
from gui.views.line_colours import LineColours
from gui.views.marks import marked
from gui.views.point_wide import PointWide
from gui.views.pyramid import Pyramid
from gui.views.smoothing import Smoother
from gui.views.step_plot import CRISP, StepPlot
from gui.views.text import rich, short, whole
from lab.naming import symbols
from lab.stream import PART, Event, parts_of
from lab.views import Curves

MOST_LINES = 8
REACH_PX = 10  # a click takes the nearest line within so many pixels
RAW_ROWS = 4  # up to so many rows per pixel column are drawn as they are
FAR = 1e4  # heights of the box beyond which values are cut: painters overflow on coordinates like 1e300
WINDOWS = (0, 10, 30, 100, 300, 1000)
Path = tuple[np.ndarray, np.ndarray]


@dataclass(eq=False)
class Track:
    """One drawn line: its rows, raw and smoothed, and its items."""

    key: str  # what its colour is kept under
    number: int  # within a vector series
    symbol: str
    order: int  # its place in the colour table
    colour: str = ""
    dash: tuple[float, ...] = ()
    raw: Pyramid | Distant = field(default_factory=Pyramid)
    smooth: Pyramid = field(default_factory=Pyramid)
    smoother: Smoother | None = None
    curve: PointWide = field(default_factory=lambda: PointWide(skipFiniteCheck=False))
    behind: pg.PlotCurveItem = field(default_factory=lambda: pg.PlotCurveItem(skipFiniteCheck=False))

    def append(self, step: np.ndarray, value: np.ndarray) -> None:
        self.raw.append(step, value)
        if self.smoother is not None:
            self.smooth.append(step, self.smoother(value))

    def smooth_over(self, window: int, log: bool) -> None:
        """Begin anew with another window of rows; 0 draws the raw line alone."""
        self.smooth, self.smoother = Pyramid(), Smoother(window, log) if window else None
        if self.smoother is not None:
            for step, value in self.raw.parts():
                self.smooth.append(step, self.smoother(value))


class CurvesView(StepPlot[Curves]):
    """Lines over the step. Of a wide vector series a few are drawn, evenly spaced, and the picked one among them."""

    valued = True

    def __init__(self, spec: Curves, run: OpenRun, theme: Theme, axis: StepAxis | None = None) -> None:
        super().__init__(spec, run, theme, axis, Axis("left"), spec.x_label, spec.x_log)
        self._tracks: dict[str, list[Track]] = {}
        self._taken: dict[str, int] = dict.fromkeys(spec.series, 0)
        self._y_log = spec.y_log
        self._smoothing = 0
        self._least = 1e-12  # what the logarithmic axis showed at the last drawing
        self._widths: dict[str, int] = {}
        self.colours = LineColours(self)
        self.colours.changed.connect(self._recolour)
        self._count = QGraphicsTextItem(self.canvas.frame)
        self._count.setFont(font_px(TICK_PX))
        self._count.setToolTip("Evenly spaced; one that is picked in another view is drawn too")
        self._thresholds = [PointWide() for _ in spec.lines]
        self._guides = [pg.PlotCurveItem() for _ in spec.guides]
        self._guide_rows: list[Path | None] = [None] * len(spec.guides)
        self._guides_at = -math.inf
        self._dots = pg.ScatterPlotItem(size=7, **CRISP)
        self._dots.setZValue(25)
        for item in (*self._thresholds, *self._guides, self._dots):
            self.box.addItem(item, ignoreBounds=True)
        self.clicked.connect(self._pick_line)
        self.canvas.left_axis.set_log(self._y_log)
        self.canvas.left_axis.setLabel(rich(spec.y_label) if spec.y_label else None)
        written = [*symbols(run.source, spec.series).values(), *(line.label for line in spec.lines)]
        if spec.primary:  # before the first rows, so that no name is cut off then
            self.axis.need(self.names.announce(written))
        self._paint()

    # Reading.

    def _pull(self) -> bool:
        new = self.history.pull()
        for name in self.spec.series:
            try:
                for step, value in parts_of(self.run.source, name, self._taken[name]):
                    count = min(len(step), len(value))
                    if count:
                        self._taken[name] += count
                        self._take(name, step[:count], np.asarray(value[:count]))
                        new = True
            except KeyError:  # not recorded yet
                continue
        return new

    def _take(self, name: str, step: np.ndarray, value: np.ndarray) -> None:
        value = value.astype(float, copy=False).reshape(len(step), -1)
        if name not in self._tracks:
            self._tracks[name] = self._new_tracks(name, value.shape[1])
            part, row = (getattr(self.run.source, read, None) for read in ("part", "row"))
            if part is not None and row is not None and value.shape == (PART, 1):
                self._tracks[name][0].raw = Distant(functools.partial(part, name), functools.partial(row, name))
        for track in self._tracks[name]:
            if track.number < value.shape[1]:
                track.append(step, value[:, track.number])
        self.axis.grow(int(step.max()))

    def _new_tracks(self, name: str, width: int) -> list[Track]:
        place = self.spec.series.index(name)
        before = sum(len(tracks) for tracks in self._tracks.values())
        self._widths[name] = width
        tracks = []
        for rank, number in enumerate(self._drawn(width, min(width, max(MOST_LINES - before, 1)))):
            order = place if width == 1 else before + rank
            key = name if width == 1 else f"{name} {rank}"
            track = Track(key, number, self._symbol(name, number), order)
            track.smooth_over(self._smoothing, self._y_log)
            self.box.addItem(track.behind, ignoreBounds=True)
            self.box.addItem(track.curve, ignoreBounds=True)
            track.curve.setZValue(10 - order * 0.01)
            track.behind.setZValue(5)
            tracks.append(track)
        self._pen(tracks)
        self._say_count({**self._tracks, name: tracks})
        return tracks

    def _symbol(self, name: str, number: int) -> str:
        symbol = symbols(self.run.source, self.spec.series)[name]
        return symbol if self._widths[name] == 1 else self.spec.called(symbol, number, self.run.config)

    def _drawn(self, width: int, count: int) -> list[int]:
        """Which of the ``width`` lines of a series are drawn: even spaced, the nearest giving way to the pick."""
        numbers = np.round(np.linspace(0, width - 1, count)).astype(int)
        picked = self._picked_line()
        if picked is not None and 0 <= picked < width:
            numbers[np.argmin(np.abs(numbers - picked))] = picked
        return numbers.tolist()

    def _say_count(self, tracks: dict[str, list[Track]]) -> None:
        cut = {name: len(drawn) for name, drawn in tracks.items() if self._widths[name] > len(drawn)}
        there = sum(self._widths[name] for name in cut)
        self._count.setPlainText(f"{sum(cut.values())} of {there} lines shown" if cut else "")

    def _draw_the_picked(self) -> None:
        """Read the picked line of a series that has more of them than are drawn."""
        for name, tracks in self._tracks.items():
            wanted = self._drawn(self._widths[name], len(tracks))
            changed = [(track, number) for track, number in zip(tracks, wanted, strict=True) if track.number != number]
            if not changed:
                continue
            step, value = (part[: self._taken[name]] for part in self.run.source.series(name))
            value = np.asarray(value, float).reshape(len(step), -1)
            for track, number in changed:
                track.number, track.symbol, track.raw = number, self._symbol(name, number), Pyramid()
                track.smooth_over(self._smoothing, self._y_log)
                track.append(step, value[:, number])
            self._later()

    def tracks(self) -> list[Track]:
        """Lines in the order of the declaration."""
        return [track for name in self.spec.series for track in self._tracks.get(name, ())]

    # Drawing.

    def _draw(self) -> bool:
        tracks = [track for track in self.tracks() if len(track.raw)]
        main = [self._path(track.smooth if track.smoother else track.raw) for track in tracks]
        behind = [self._path(track.raw) if track.smoother else None for track in tracks]
        self._least = floor = self._floor([path for path in (*main, *behind) if path])
        levels = self._levels()
        self._show_range(self._fit([*main, *filter(None, behind)], levels, floor))
        for track, path, raw in zip(tracks, main, behind, strict=True):
            track.curve.setData(*self._cut(path, floor), connect="finite")
            track.behind.setVisible(raw is not None)  # drawing an empty line takes a while, too
            if raw is not None:
                track.behind.setData(*self._cut(raw, floor), connect="finite")
        self._draw_thresholds(levels, floor)
        self._draw_guides(floor)
        self._draw_marks()
        self._draw_names(tracks, main, levels, floor)
        return bool(tracks)

    def _path(self, pyramid: Pyramid | Distant) -> Path:
        """Steps and values to draw: every row, or the extremes of each pixel column and one row on either side."""
        edges = self.column_edges()
        rows = pyramid.rows(edges)
        start, stop = max(int(rows[0]) - 1, 0), min(int(rows[-1]) + 2, len(pyramid))
        if stop - start <= RAW_ROWS * self.columns:
            steps, values = pyramid.part(start, stop)
            return steps.astype(float), values
        low, high = pyramid.extremes(rows)
        filled = np.diff(rows) > 0
        middle = ((edges[:-1] + edges[1:]) / 2)[filled]
        before, after = pyramid.part(start, int(rows[0])), pyramid.part(int(rows[-1]), stop)
        step = np.concatenate([before[0], np.repeat(middle, 2), after[0]])
        pairs = np.stack([low[filled], high[filled]], axis=1).ravel()
        return step, np.concatenate([before[1], pairs, after[1]])

    def _floor(self, paths: list[Path]) -> float:
        """The smallest value that a logarithmic axis shows."""
        if self.spec.floor is not None:
            return self.spec.floor
        least = [values[(values > 0) & np.isfinite(values)].min(initial=np.inf) for _, values in paths]
        return float(min([*least, 1e300])) if least and min(least) < np.inf else 1e-12

    def y_of(self, value: np.ndarray, floor: float) -> np.ndarray:
        """Vertical box coordinate of values."""
        if not self._y_log:
            return np.asarray(value, float)
        return np.log10(np.maximum(value, floor))

    def _fit(self, paths: list[Path], levels: list[Path | None], floor: float) -> tuple[float, float]:
        """The vertical stretch that shows the data, and the thresholds unless they would flatten it."""
        values = [self.y_of(v, floor) for _, v in paths]
        finite = np.concatenate([v[np.isfinite(v)] for v in values]) if values else np.empty(0)
        if not len(finite):
            return (0.0, 1.0)
        low, high = float(finite.min()), float(finite.max())
        for level in levels:
            if level is not None and np.isfinite(marks := self.y_of(level[1], floor)).all():
                wide = max(high, float(marks.max())) - min(low, float(marks.min()))
                if wide <= 8 * (high - low) or high == low:
                    low, high = min(low, float(marks.min())), max(high, float(marks.max()))
        if not math.isfinite(high - low):
            low, high = low / 4, high / 4
        margin = 0.06 * (high - low) or 0.5 * (1.0 if self._y_log else abs(high) or 1.0)
        return low - margin, high + 1.5 * margin

    def _cut(self, path: Path, floor: float) -> Path:
        low, high = self._y
        reach = FAR * (high - low)
        y = self.y_of(path[1], floor)
        return self.x_of(path[0]), np.clip(y, low - reach, high + reach)

    def _levels(self) -> list[Path | None]:
        """Every threshold as steps and values, one pair per stretch of equal knobs."""
        if not self.spec.lines:
            return []
        configs = self.history.configs()
        edges = [min(self.axis.low, 0.0), *(float(step) for step, _ in configs[1:]), math.inf]
        edges[-1] = max(self.axis.high, edges[-2]) + 1.0
        steps = np.repeat(edges, 2)[1:-1]
        levels: list[Path | None] = []
        for line in self.spec.lines:
            values = np.array([_level(line, config) for _, config in configs])
            levels.append((steps, np.repeat(values, 2)))
        return levels

    def _draw_thresholds(self, levels: list[Path | None], floor: float) -> None:
        for item, level in zip(self._thresholds, levels, strict=True):
            if level is not None:
                item.setData(*self._cut(level, floor), connect="finite")

    def _draw_guides(self, floor: float) -> None:
        for item, rows in zip(self._guides, self._guide_paths(), strict=True):
            item.setData(*(self._cut(rows, floor) if rows else ([], [])), connect="finite")

    def _guide_paths(self) -> list[Path | None]:
        # a guide may look at the whole run, so it is made anew once a second at most
        if self.spec.guides and time.monotonic() - self._guides_at > 1.0:
            self._guides_at = time.monotonic()
            for number, (_, guide) in enumerate(self.spec.guides):
                try:
                    rows = guide(self.run.config, self.run.source)
                except (KeyError, IndexError, ValueError):  # what it needs is not recorded yet
                    rows = None
                self._guide_rows[number] = None if rows is None else (np.asarray(rows[0], float), np.asarray(rows[1]))
        return self._guide_rows

    def _draw_names(self, tracks: list[Track], paths: list[Path], levels: list[Path | None], floor: float) -> None:
        muted, beside = self.theme.muted, self.x_range[1]
        lines = [(t.symbol, self.readable(t.colour), p) for t, p in zip(tracks, paths, strict=True)]
        lines += [(line.label, muted, p) for line, p in zip(self.spec.lines, levels, strict=True) if p]
        guides = [(name, muted, p) for (name, _), p in zip(self.spec.guides, self._guide_rows, strict=True) if p]
        low, high = self._y
        names: list[tuple[str, str, float, float]] = []
        for rank, (symbol, colour, (step, value)) in enumerate([*lines, *guides]):
            shown = np.flatnonzero((step <= self.axis.high) & ~np.isnan(value))[-1:]
            if not len(shown):
                continue
            y = float(self.y_of(value[shown], floor)[0])
            if low <= y <= high:
                # a guide is named where it ends; a line in the margin, also where its next reading is still to come
                within = rank >= len(lines) and step[shown[0]] < self.axis.high and not step[shown[0] + 1 :].any()
                names.append((symbol, colour, float(self.x_of(step[shown])[0]) if within else beside, y))
        self.names.place(names, [(self.x_of(step), self.y_of(value, floor)) for step, value in paths])
        self.axis.need(self.names.width)
        area = self.box.geometry()
        self._count.setPos(area.left() + 2, area.top() - 2)

    # Crosshair.

    def values_at(self, step: int | None) -> list[tuple[Track, int, float]]:
        """The newest row of each line at or before ``step``; None: its last row."""
        found = []
        for track in self.tracks():
            row = track.raw.at(math.inf if step is None else step)
            if row is not None:
                found.append((track, *row))
        return found

    @property
    def reads_late(self) -> bool:
        return any(isinstance(track.raw, Distant) for tracks in self._tracks.values() for track in tracks)

    def _read_at(self, step: int | None) -> None:
        found = self.values_at(step)
        several = [track for tracks in self._tracks.values() if len(tracks) > 1 for track in tracks]
        found = [row for row in found if not (math.isnan(row[2]) and row[0] in several)]  # a branch that is not here
        texts = [
            f'<span style="color:{self.readable(track.colour)}">{rich(track.symbol)}&nbsp;{short(value)}</span>'
            for track, _, value in sorted(found, key=lambda row: self._stands_back(row[0]))  # a picked line's first
        ]
        self._read_out("&nbsp;&nbsp; ".join(texts))
        if step is None:
            found = [row for row in found if len(row[0].raw) == 1]  # a line of one row would not be seen
        if not found:
            if len(self._dots.getData()[0]):
                self._dots.clear()
            return
        x = self.x_of(np.array([row for _, row, _ in found], float))
        y = np.clip(self.y_of(np.array([value for _, _, value in found]), self._least), *self._y)
        kept = np.isfinite(y)
        brushes = [pg.mkBrush(track.colour) for (track, _, _), keep in zip(found, kept, strict=True) if keep]
        self._dots.setData(x[kept], y[kept], brush=brushes)

    # Colours, settings, numbers.

    def _paint(self) -> None:
        super()._paint()
        self._pen(self.tracks())
        muted = QColor(self.theme.muted)
        self._count.setDefaultTextColor(muted)
        for item in self._thresholds:
            item.setPen(pg.mkPen(muted, width=1, dash=[5, 4]))
        for item in self._guides:
            item.setPen(pg.mkPen(muted, width=1, dash=[1, 3]))

    @Slot()
    def _recolour(self) -> None:
        self._pen(self.tracks())
        self._later()

    def _pen(self, tracks: list[Track]) -> None:
        for track in tracks:
            track.colour, track.dash = self.colours.line(track.key, track.order, self.theme)
            faint = QColor(track.colour)
            faint.setAlpha(80)
            track.behind.setPen(pg.mkPen(faint, width=1))
            full = faint if self._stands_back(track) else QColor(track.colour)
            track.curve.setPen(pg.mkPen(full, width=1, **({"dash": list(track.dash)} if track.dash else {})))

    # The picked line of a vector series: the others stand back.

    def line_at(self, x: float, y: float) -> int | None:
        """Number, within its vector series, of the line within a few pixels of a place; None where there is none."""
        far: list[tuple[float, int]] = []
        for tracks in self._tracks.values():
            for track in tracks if len(tracks) > 1 else []:
                height = self._height_at(track, x)
                if math.isfinite(height):
                    far.append((abs(height - y) / self._pixel_height(), track.number))
        return min(far)[1] if far and min(far)[0] <= REACH_PX else None

    def _height_at(self, track: Track, x: float) -> float:
        """Where the line runs at ``x``, between its rows too; NaN where it does not."""
        before = track.raw.at(float(self.step_of(np.array(x))))
        if before is None:
            return math.nan
        row = int(track.raw.rows(np.array([before[0]], float))[0])
        steps, values = track.raw.part(row, row + 2)
        ends, heights = self.x_of(np.asarray(steps, float)), self.y_of(values, self._least)
        reached = np.isfinite(heights)
        return float(np.interp(x, ends[reached], heights[reached])) if reached[0] else math.nan

    def _pick_line(self, x: float, y: float) -> None:
        if any(len(tracks) > 1 for tracks in self._tracks.values()):
            line = self.line_at(x, y)
            self.selection.pick(self.kind, None if line is None else line + (self.spec.first or 0))

    def _picked_line(self) -> int | None:
        """Number of the picked line within its series, which may have none of it; None where nothing is picked."""
        picked = self.selection.picked(self.kind)
        return None if picked is None else picked - (self.spec.first or 0)

    def _show_picked(self, kind: str) -> None:
        if kind == self.kind:
            self._draw_the_picked()
            self._pen(self.tracks())

    def _stands_back(self, track: Track) -> bool:
        picked = self._picked_line()
        family = next((tracks for tracks in self._tracks.values() if track in tracks), [])
        return len(family) > 1 and picked in {one.number for one in family} and track.number != picked

    def marked_events(self) -> list[Event]:
        return marked(self.history.events, self.spec.events)

    @Slot(bool)
    def set_log(self, log: bool) -> None:
        """Make the vertical axis logarithmic or linear."""
        self._y_log, self._y_held = log, None
        self.canvas.left_axis.set_log(log)
        self.set_smoothing(self._smoothing)

    def set_smoothing(self, rows: int) -> None:
        """Draw the mean over the last ``rows`` rows, geometric on a logarithmic axis, with the raw line behind."""
        self._smoothing = rows
        for track in self.tracks():
            track.smooth_over(rows, self._y_log)
        self._later()

    @Slot(QAction)
    def _smoothing_chosen(self, action: QAction) -> None:
        self.set_smoothing(int(action.data()))

    def menu(self) -> QMenu:
        menu = super().menu()
        menu.addSeparator()
        log = QAction("Logarithmic values", menu, checkable=True, checked=self._y_log)
        log.toggled.connect(self.set_log)
        menu.addAction(log)
        smoothing = menu.addMenu("Smoothing")
        group = QActionGroup(smoothing)
        for rows in WINDOWS:
            text = f"Mean of {whole(rows)} rows" if rows else "Off"
            action = QAction(text, smoothing, checkable=True, checked=rows == self._smoothing)
            action.setData(rows)
            group.addAction(action)
            smoothing.addAction(action)
        group.triggered.connect(self._smoothing_chosen)
        self.colours.add_menu(menu, {track.key: track.symbol for track in self.tracks()}, self.theme)
        return menu

    def settings(self) -> dict[str, Any]:
        own = {"y_log": self._y_log, "smoothing": self._smoothing, "colours": self.colours.settings()}
        return {**own, **super().settings()}

    def restore(self, settings: dict[str, Any]) -> None:
        super().restore(settings)
        self.colours.restore(settings.get("colours"))
        if "y_log" in settings:
            self.set_log(bool(settings["y_log"]))
        if settings.get("smoothing") in WINDOWS:
            self.set_smoothing(settings["smoothing"])

    def numbers(self) -> str:
        lines = []
        for track in self.tracks():
            start, stop = track.raw.rows(np.array([self.axis.low, math.floor(self.axis.high) + 1]))
            lines.append(f"step\t{track.symbol}")
            rows = zip(*(part.tolist() for part in track.raw.part(start, stop)), strict=True)
            lines += [f"{step}\t{value!r}" for step, value in rows]
        return "\n".join(lines)


def _level(line: Any, config: Any) -> float:
    """A threshold under a config; NaN where the config gives none, so that nothing is drawn."""
    try:
        return line.at(config)
    except (AttributeError, ArithmeticError):
        return math.nan
