"""A matrix at the slider's step: cosine similarity, attention, embeddings; many heads as small multiples."""

from typing import Any

import numpy as np
import pyqtgraph as pg
from contourpy import contour_generator
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QMenu

from gui.runs.open_run import OpenRun
from gui.theme import Theme
from gui.views.axes import StepAxis
from gui.views.base import OUTSIDE_PX
from gui.views.colour_bar import ColourBar
from gui.views.index_axis import IndexAxis
from gui.views.text import rich, short
from gui.views.tiles import TiledPlot
from lab.views import Matrix


class MatrixView(TiledPlot[Matrix]):
    """A series of matrices (N, M), or of heads (H, N, M), or of layers of heads (L, H, N, M).

    Several matrices stand side by side; a click enlarges one, another click or Esc goes back.

    Attributes:
        enlarged: Layer and head that fill the view; None for all.
        reordered: Rows, and columns of square matrices, stand in the order that the view declares.
    """

    picked = Signal(str, int)  # "row" and its number, or "head" and layer · heads + head

    def __init__(self, spec: Matrix, run: OpenRun, theme: Theme, axis: StepAxis | None = None) -> None:
        stages = [stage.label for stage in spec.stages]
        bar = ColourBar(spec.z_label, log=spec.z_log, centre=spec.centre, fixed=spec.z_range, stages=stages)
        bar.marks = spec.contours
        super().__init__(spec, run, theme, axis, bar)
        self._contours, self._dashes = pg.PlotCurveItem(), pg.PlotCurveItem()
        self._dashes.setPen(pg.mkPen("#FFFFFF", width=3))
        self._dashes.setShadowPen(pg.mkPen("#14171C", width=5))
        for item in (self._contours, self._dashes):
            self.box.addItem(item, ignoreBounds=True)
        self.enlarged: tuple[int, int] | None = None
        self.reordered = spec.order is not None
        self._order = (np.empty(0, int), np.empty(0, int))
        self._things = np.empty(0, int)
        self._many = False
        self._axis_names = ("", "")
        self._outline = pg.PlotCurveItem()
        self._outline.setZValue(10)
        self.box.addItem(self._outline, ignoreBounds=True)
        self._paint()

    def matrices(self) -> np.ndarray | None:
        """What holds at the slider's step, as (L, H, N, M), in the series' own order."""
        value = self.moment.value(self.spec.series)
        if value is None or not value.size:
            return None
        if value.ndim not in (2, 3, 4):
            raise ValueError(f"{self.spec.series} has rows of shape {value.shape}; (N, M) to (L, H, N, M) can be shown")
        value = value if value.dtype.kind == "f" else value.astype(float)
        return value.reshape((1,) * (4 - value.ndim) + value.shape)

    def order(self, count: int) -> np.ndarray:
        """The order in which ``count`` rows are shown."""
        found = self.moment.value(self.spec.order) if self.spec.order and self.reordered else None
        if found is None:
            return np.arange(count)
        order = counted(found)
        if not np.array_equal(np.sort(order), np.arange(count)):
            raise ValueError(f"{self.spec.order} does not order the {count} rows of {self.spec.series}")
        return order

    def _draw(self) -> bool:
        matrices = self.matrices()
        if matrices is None:
            self.clear()
            return False
        layers, heads, count, width = matrices.shape
        rows = self.order(count)
        columns = rows if count == width else np.arange(width)
        self._order = (rows, columns)
        numbers = self.moment.value(self.spec.numbers) if self.spec.numbers else None
        self._things = np.arange(count) if numbers is None else counted(numbers)
        tiles = matrices if not (self.reordered and self.spec.order) else matrices[:, :, rows][..., columns]
        self._many = layers * heads > 1
        if self.enlarged is not None and (self.enlarged[0] >= layers or self.enlarged[1] >= heads):
            self.enlarged = None
        if self.enlarged is not None:
            layer, head = self.enlarged
            tiles = tiles[layer : layer + 1, head : head + 1]
        self.paint_tiles(tiles, locked=count == width and self.spec.rows is None)
        single = tiles.shape[:2] == (1, 1)
        self._name_axes(single=single)
        self._draw_contours(tiles[0, 0] if single else None)
        self._draw_dashes(width if single else 0)
        self._outline_picked()
        return True

    def coordinates(self, series: str | None) -> np.ndarray | None:
        """Coordinates (n,) of rows or columns; None where they are counted."""
        found = self.moment.value(series) if series else None
        return None if found is None else np.asarray(found, float).ravel()

    def _draw_contours(self, tile: np.ndarray | None) -> None:
        pieces: list[np.ndarray] = []
        if tile is not None and self.spec.contours and min(tile.shape) > 1:
            x, y = (np.arange(n) + 0.5 for n in tile.shape[::-1])
            lines = contour_generator(x, y, np.ma.masked_invalid(tile.astype(float)))
            pieces = [np.asarray(line) for level in self.spec.contours for line in lines.lines(level)]
        points = np.concatenate(pieces) if pieces else np.empty((0, 2))
        joined = np.ones(len(points), bool)
        joined[np.cumsum([len(piece) for piece in pieces], dtype=int) - 1] = False
        self._contours.setData(points[:, 0], points[:, 1], connect=joined)

    def _draw_dashes(self, width: int) -> None:
        """A dash across each row, at the column that ``marks`` names."""
        marks, columns = self.coordinates(self.spec.marks), self.coordinates(self.spec.columns)
        if marks is None or not width:
            self._dashes.setData([], [])
            return
        marks = marks[self._order[0]]
        middles = np.arange(width) + 0.5
        columns = np.arange(width) if columns is None else columns
        inside = np.flatnonzero((marks >= columns[0]) & (marks <= columns[-1]))
        across = np.repeat(np.interp(marks[inside], columns, middles), 2)
        down = (inside[:, None] + np.array([0.08, 0.92])).ravel()
        self._dashes.setData(across, down, connect="pairs")

    def _numbers(self) -> np.ndarray:
        """What each row shown is, as the other views of the run count it."""
        return self._things[self._order[0]]

    def outlined(self) -> list[tuple[float, float, float, float]]:
        """Left, top, width and height of the frames around the picked row, and column of a square matrix, per tile."""
        number = self.selection.picked(self.kind)
        if number is None or not self.tiles.size:
            return []
        found = np.flatnonzero(self._numbers() == number)
        if not len(found):
            return []
        place, (rows, columns, down, across) = int(found[0]), self.tiles.shape
        corners = [(c * self.period[1], r * self.period[0]) for r in range(rows) for c in range(columns)]
        frames = [(x, y + place, float(across), 1.0) for x, y in corners]
        if down == across:
            frames += [(x + place, y, 1.0, float(down)) for x, y in corners]
        return frames

    def _outline_picked(self) -> None:
        frames = np.array(self.outlined()).reshape(-1, 4)
        right, down = (OUTSIDE_PX * length for length in self.box.viewPixelSize())
        grown = frames + np.array([-right, -down, 2 * right, 2 * down])  # beside the cells, not over them
        x, y, wide, high = grown.T
        xs, ys = np.stack([x, x + wide, x + wide, x, x], 1), np.stack([y, y, y + high, y + high, y], 1)
        joined = np.ones(xs.shape, bool)
        joined[:, -1] = False
        self._outline.setData(xs.ravel(), ys.ravel(), connect=joined.ravel())

    def _show_picked(self, kind: str) -> None:
        if kind == self.kind:
            self._outline_picked()
        elif kind == "head" and (matrices := self.matrices()) is not None and matrices.shape[0] * matrices.shape[1] > 1:
            number, heads = self.selection.picked("head"), matrices.shape[1]
            self.enlarge(None if number is None else divmod(number, heads))

    def _name_axes(self, *, single: bool) -> None:
        bottom, left = self.canvas.bottom_axis, self.canvas.left_axis
        assert isinstance(bottom, IndexAxis)
        assert isinstance(left, IndexAxis)
        if single:
            left.name([self.label(i) for i in self._order[0]])
            bottom.name([self.label(j, down=False) for j in self._order[1]])
            square = len(self._order[0]) == len(self._order[1])
            names = (self._ordered(self.spec.x_label, moved=square), self._ordered(self.spec.y_label))
        else:
            down, across = self.centres()
            left.name([str(number) for number in range(len(down))], down)
            bottom.name([str(number) for number in range(len(across))], across)
            names = ("head", "layer") if len(down) > 1 else ("head", "")
        if names != self._axis_names:  # an axis that is named anew is drawn anew
            self._axis_names = names
            for axis, name in ((bottom, names[0]), (left, names[1])):
                axis.setLabel(rich(name) if name else None)
                axis.resizeEvent()  # it stands in the middle, by its width

    def _ordered(self, name: str, *, moved: bool = True) -> str:
        """The name of an axis, which says so where its rows or columns stand in another order than their own."""
        return f"{name}, ordered" if name and moved and self.reordered and self.spec.order else name

    def label(self, index: int, *, down: bool = True) -> str:
        """Name of a row, or of a column: its text, its coordinate, or the number of what it stands for."""
        if self.spec.labels:
            return self.spec.labels[index] if index < len(self.spec.labels) else str(index)
        coordinates = self.coordinates(self.spec.rows if down else self.spec.columns)
        if coordinates is not None and index < len(coordinates):
            return short(float(coordinates[index]))
        counts = down or len(self._order[0]) == len(self._order[1])
        return str(self._things[index] if counts and index < len(self._things) else index)

    def _paint(self) -> None:
        super()._paint()
        self._outline.setPen(pg.mkPen(self.theme.bad, width=2))
        # the cells may be of the frame's own colour
        self._outline.setShadowPen(pg.mkPen(self.theme.ground, width=2 * OUTSIDE_PX))
        light = self.spec.centre is None or self.theme.dark
        self._contours.setPen(pg.mkPen("#FFFFFF" if light else "#14171C", width=1))

    def _said(self) -> str:
        cell = self.cell_at(*self._pointer) if self._pointer else None
        if cell is None:
            return self._which(*self.enlarged) if self.enlarged else ""
        row, column, i, j = cell
        value = float(self.tiles[row, column, i, j])
        place = f"({self.label(self._order[0][i])}, {self.label(self._order[1][j], down=False)})"
        which = "&nbsp;&nbsp; " + self._which(*(self.enlarged or (row, column))) if self._many else ""
        stage = round(value) if np.isfinite(value) else 0
        known = self.spec.stages[stage - 1].label if 0 < stage <= len(self.spec.stages) else short(value)
        return f"{rich(self.spec.z_label or 'value')}&nbsp;{known}&nbsp;&nbsp; {rich(place)}{which}"

    def _which(self, layer: int, head: int) -> str:
        return f"layer&nbsp;{layer}&nbsp;head&nbsp;{head}"

    def _clicked(self, x: float, y: float) -> None:
        cell = self.cell_at(x, y)
        if self.enlarged is not None:
            self.enlarge(None)
            self.selection.pick("head", None)
        elif cell is not None and self._many:
            head = cell[0] * self.tiles.shape[1] + cell[1]
            self.enlarge((cell[0], cell[1]))
            self.selection.pick("head", head, layer=cell[0], head=cell[1])
            self.picked.emit("head", head)
        elif cell is not None:
            self.selection.pick(self.kind, int(self._numbers()[cell[2]]))
            self.picked.emit("row", int(self._order[0][cell[2]]))
        else:
            self.selection.pick(self.kind, None)

    def enlarge(self, which: tuple[int, int] | None) -> None:
        """Let one matrix, given by layer and head, fill the view; None shows all."""
        self.enlarged, self._held = which, False
        self._later()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.enlarged is not None:
            self.enlarge(None)
        else:
            super().keyPressEvent(event)

    @Slot(bool)
    def set_reordered(self, reordered: bool) -> None:
        """Show rows in the declared order, or as they are."""
        self.reordered = reordered
        self._later()

    def menu(self) -> QMenu:
        menu = super().menu()
        if self.spec.order:
            action = QAction("Reordered", menu, checkable=True, checked=self.reordered)
            action.toggled.connect(self.set_reordered)
            menu.addAction(action)
        return menu

    def settings(self) -> dict[str, Any]:
        return {"reordered": self.reordered, "enlarged": self.enlarged and list(self.enlarged), **super().settings()}

    def restore(self, settings: dict[str, Any]) -> None:
        super().restore(settings)
        self.set_reordered(bool(settings.get("reordered", self.reordered)))
        which = settings.get("enlarged")
        self.enlarge((int(which[0]), int(which[1])) if isinstance(which, list) and len(which) == 2 else None)

    def numbers(self) -> str:
        lines = [f"step\t{self.moment.step}"] if self.tiles.size else []
        for row, column in np.ndindex(*self.tiles.shape[:2]):
            layer, head = self.enlarged or (row, column)
            lines.append(f"layer {layer}\thead {head}" if self._many else "")
            lines.append("\t".join(["", *(self.label(j, down=False) for j in self._order[1])]))
            for i, values in zip(self._order[0], self.tiles[row, column].tolist(), strict=True):
                lines.append("\t".join([self.label(i), *map(repr, values)]))
        return "\n".join(line for line in lines if line)


def counted(values: np.ndarray) -> np.ndarray:
    """Recorded numbers of things as integers (n,); -1, which nothing has, for NaN and what is no count."""
    values = np.asarray(values, float).ravel()
    return np.where(np.abs(values) < 2.0**53, values, -1.0).astype(int)
