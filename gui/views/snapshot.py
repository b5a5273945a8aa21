"""A plot of the rows that hold at the slider's step."""

import math
import time
from typing import Any, Literal

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Slot

from gui.runs.open_run import OpenRun
from gui.theme import Theme
from gui.views.axes import Axis, StepAxis
from gui.views.base import Spec
from gui.views.plot import Plot
from gui.views.rows import Moment
from gui.views.text import whole, with_step
from lab.naming import symbols

FRAME = 0.033  # seconds between drawings at least, however fast the slider moves
NARROWEST = 1e-290  # a plot's transformation overflows on stretches like 1e-308
Stretch = tuple[float, float]


class SnapshotPlot(Plot[Spec]):
    """A plot that shows, of each of its series, the latest row at or before the slider's step.

    Attributes:
        grid_lines: Across the plot at every named value ("values"), at named places along it too ("both"), or none.
    """

    grid_lines: Literal["", "values", "both"] = ""

    def __init__(self, spec: Spec, run: OpenRun, theme: Theme, axis: StepAxis | None, bottom: Axis, left: Axis) -> None:
        super().__init__(spec, run, theme, axis, bottom, left)
        self.moment = Moment(run.source, spec.names)
        for plot_axis in (bottom, left):
            plot_axis.setZValue(self.box.zValue() - 1)  # grids behind bars and dots
        scene = self.canvas.sceneObj
        assert scene is not None  # None only once the canvas is closed
        scene.sigMouseClicked.connect(self._mouse_clicked)
        self._held = False
        self._stretch: tuple[Stretch, Stretch] | None = None
        self._drawn_at = -math.inf
        self._pointer: tuple[float, float] | None = None

    def _pull(self) -> bool:
        new = self.history.pull() | self.moment.pull(self.axis.cursor)
        self.axis.grow(self.moment.end)
        return new

    @Slot()
    def draw(self) -> None:
        self._drawn_at = time.monotonic()
        super().draw()

    @Slot()
    def _cursor_changed(self) -> None:
        if not self.moment.move(self.axis.cursor):
            return
        self._stale = True
        if self.isVisible() and not self._soon.isActive():
            self._soon.start(math.ceil(1000 * max(0.0, self._drawn_at + FRAME - time.monotonic())))

    @Slot()
    def _range_changed(self) -> None:
        """The stretch of steps on show changes nothing here."""

    def empty_text(self) -> str:
        return not_yet(self.moment, self.spec.names, self.axis.cursor) or super().empty_text()

    @property
    def config(self) -> Any:
        """The knobs in force at the step shown."""
        step = self.moment.step
        configs = self.history.configs()
        at = [config for first, config in configs if step is None or first <= step]
        return at[-1] if at else configs[0][1]

    def symbol(self, name: str) -> str:
        """How the field writes a series of this view."""
        return symbols(self.run.source, dict.fromkeys([name, *self.spec.names]))[name]

    # What is in sight.

    def show_all(self) -> None:
        self._held, self._stretch = False, None
        self._later()

    def follow(self) -> None:
        self.show_all()

    def _let_go(self) -> None:
        self._held, self._stretch = False, None

    def _held_by_hand(self) -> None:
        self._held = True
        self._later()

    def _fit(self, x: Stretch, y: Stretch) -> None:
        """Show these stretches unless the user has zoomed; small changes of the data do not move the axes."""
        if not self._held:
            if self._stretch is not None:
                x, y = _calm(self._stretch[0], x), _calm(self._stretch[1], y)
            self._stretch = (x, y)
            self.canvas.show_range(x, self.limited(y), rows=bool(self.grid_lines), columns=self.grid_lines == "both")
        elif self.grid_lines:
            self.canvas.show_range(*self.box.viewRange(), columns=self.grid_lines == "both")

    # The pointer.

    def _hovered(self, x: float, y: float) -> None:
        self._pointer = (x, y)
        self._move_cursor()

    @Slot()
    def _mouse_left(self) -> None:
        self._pointer = None
        super()._mouse_left()
        self._move_cursor()

    @Slot(object)
    def _mouse_clicked(self, event: Any) -> None:
        place = event.scenePos()
        if event.button() == Qt.MouseButton.LeftButton and self.box.sceneBoundingRect().contains(place):
            point = self.box.mapSceneToView(place)
            self._clicked(point.x(), point.y())

    def _clicked(self, x: float, y: float) -> None:
        """The user clicked at these box coordinates."""

    def _move_cursor(self) -> None:
        step = self.moment.step
        self._read_out("" if step is None else with_step(self._said(), step, self.theme, self.history.last_act(step)))

    def _said(self) -> str:
        """HTML of what is under the pointer."""
        return ""


def picked_line(box: pg.ViewBox) -> pg.InfiniteLine:
    """A line across a plot where the picked thing stands; hidden at first."""
    line = pg.InfiniteLine(angle=90, movable=False)
    line.setZValue(10)
    line.hide()
    box.addItem(line, ignoreBounds=True)
    return line


def not_yet(moment: Moment, names: tuple[str, ...], step: int | None) -> str:
    """When the first rows were read, where the slider stands before them; else empty."""
    if step is None or moment.begin is None or step >= moment.begin:
        return ""
    return f"{', '.join(names)}: first read at step {whole(moment.begin)}."


def _calm(old: Stretch, new: Stretch) -> Stretch:
    """``old`` while ``new`` lies within it and fills at least half of it."""
    inside = old[0] <= new[0] and new[1] <= old[1]
    return old if inside and new[1] - new[0] >= 0.5 * (old[1] - old[0]) else new


def stretch_of(*values: np.ndarray, margin: float = 0.06) -> Stretch:
    """A stretch that shows every finite value, with a margin; (0, 1) where there is none."""
    usable = [v[np.isfinite(v)] for v in values]
    usable = [v for v in usable if v.size]
    if not usable:
        return 0.0, 1.0
    low, high = float(min(v.min() for v in usable)), float(max(v.max() for v in usable))
    if not math.isfinite(high - low):
        low, high = low / 4, high / 4
    edge = max(margin * (high - low) or 0.5 * (abs(high) or 1.0), NARROWEST)
    return low - edge, high + edge


def flat(value: np.ndarray | None, what: str) -> np.ndarray | None:
    """A row as floats (K,); ValueError when it is no vector."""
    if value is None:
        return None
    if value.ndim > 1:
        raise ValueError(f"{what} has rows of shape {value.shape}; a vector is needed")
    return np.atleast_1d(value).astype(float, copy=False)
