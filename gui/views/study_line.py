"""A study's number against one knob on screen: a line with its band over seeds, one for each arm or other value."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Signal, Slot
from PySide6.QtGui import QColor, QCursor
from PySide6.QtWidgets import QGraphicsItem, QLabel, QToolTip, QVBoxLayout, QWidget

from gui.theme import Theme
from gui.views.axes import Axis
from gui.views.plot import Canvas
from gui.views.scale import finite_range
from gui.views.step_plot import CRISP
from gui.views.text import rich, short, tip
from lab.experiment import Experiment
from lab.studies.diagram import is_log
from lab.studies.lines import StudyCurve
from lab.views import StudyLine

BAND = 60  # of 255: how dense a band is
NEAR_PX = 24  # from the pointer to the point that it reads


class StudyLineView(QWidget):
    """Means at the knob's true values; the pointer reads one, a click picks it."""

    picked = Signal(str, float)  # the line's label, and the knob's value

    def __init__(self, experiment: type[Experiment], theme: Theme) -> None:
        super().__init__()
        self._experiment, self._theme = experiment, theme
        self.spec: StudyLine | None = None
        self.curves: Sequence[StudyCurve] = ()
        self._levels: Sequence[tuple[str, float]] = ()
        self._log = False
        self.legend = QLabel(wordWrap=True)
        self.canvas = Canvas(Axis("bottom"), Axis("left"))
        self.canvas.set_gutter(16)
        self.canvas.box.setMouseEnabled(x=False, y=False)
        self.canvas.hovered.connect(self._hovered)
        scene = self.canvas.sceneObj
        assert scene is not None  # None only once the canvas is closed
        scene.sigMouseClicked.connect(self._clicked)
        self.setMinimumSize(280, 220)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.legend)
        layout.addWidget(self.canvas, 1)
        self._items: list[QGraphicsItem] = []
        self.set_theme(theme)

    def show_curves(self, spec: StudyLine, curves: Sequence[StudyCurve], levels: Sequence[tuple[str, float]]) -> None:
        """Show the lines, and reference lines by name and height."""
        self.spec, self.curves, self._levels = spec, curves, levels
        knob = self._experiment.Config.knobs()[spec.x]
        self._log = all(is_log(self._experiment, spec.x, curve.x) for curve in curves)
        self.canvas.bottom_axis.set_log(self._log)
        self.canvas.bottom_axis.setLabel(rich(knob.symbol or knob.label))
        self.canvas.left_axis.setLabel(rich(spec.y_label) or spec.number)
        self.setAccessibleName(f"Line over a knob: {spec.title}")
        self._draw()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.canvas.set_theme(theme)
        self._draw()

    # drawing

    def _draw(self) -> None:
        for item in self._items:
            self.canvas.box.removeItem(item)
        self._items = []
        if self.spec is None:
            self.legend.setText("The line fills as runs finish")
            return
        for number, curve in enumerate(self.curves):
            self._draw_curve(curve, self._theme.lines[number % len(self._theme.lines)])
        for _, height in self._levels:
            self._add(pg.InfiniteLine(height, angle=0, pen=pg.mkPen(self._theme.muted, style=Qt.PenStyle.DashLine)))
        self.legend.setText(self._legend())
        if self.curves:
            self.canvas.show_range(*self._ranges())

    def _draw_curve(self, curve: StudyCurve, colour: str) -> None:
        x, ink = self._places(curve.x), QColor(colour)
        ink.setAlpha(BAND)
        edges = [pg.PlotCurveItem(x, curve.mean + side * curve.spread) for side in (-1, 1)]
        self._add(pg.FillBetweenItem(*edges, brush=pg.mkBrush(ink)))
        self._add(pg.PlotCurveItem(x, curve.mean, pen=pg.mkPen(colour, width=2), antialias=True))
        self._add(pg.ScatterPlotItem(x, curve.mean, size=7, brush=pg.mkBrush(colour), **CRISP))

    def _add(self, item: QGraphicsItem) -> None:
        self._items.append(item)
        self.canvas.box.addItem(item, ignoreBounds=True)

    def _legend(self) -> str:
        names = [
            f'<span style="color: {self._theme.lines[number % len(self._theme.lines)]}">●</span> {escape(curve.label)}'
            for number, curve in enumerate(self.curves)
            if curve.label
        ]
        names += [f"- - {escape(label)}" for label, _ in self._levels]
        return "&nbsp;&nbsp; ".join(names) or "The line fills as runs finish" * (not self.curves)

    def _places(self, x: np.ndarray) -> np.ndarray:
        return np.log10(x) if self._log else x

    def _ranges(self) -> tuple[tuple[float, float], tuple[float, float]]:
        assert self.spec is not None
        ends = [curve.mean + side * curve.spread for curve in self.curves for side in (-1, 1)]
        y = self.spec.y_range or finite_range(np.concatenate([*ends, [height for _, height in self._levels]]))
        x = finite_range(np.concatenate([self._places(curve.x) for curve in self.curves]))
        wider = [(low - 0.04 * (high - low or 1.0), high + 0.04 * (high - low or 1.0)) for low, high in (x, y)]
        return wider[0], wider[1]

    # reading

    def place_of(self, curve: StudyCurve, index: int) -> QPointF:
        """Where a point of a line is, in the widget."""
        point = QPointF(float(self._places(curve.x)[index]), float(curve.mean[index]))
        return QPointF(self.canvas.mapTo(self, self.canvas.mapFromScene(self.canvas.box.mapViewToScene(point))))

    def nearest(self, at: QPointF) -> tuple[StudyCurve, int] | None:
        """The point of a line under a place of the widget."""
        found = [
            ((self.place_of(curve, index) - at).manhattanLength(), curve, index)
            for curve in self.curves
            for index in range(len(curve.x))
        ]
        far, curve, index = min(found, key=lambda entry: entry[0], default=(np.inf, None, 0))
        return (curve, index) if curve is not None and far <= NEAR_PX else None

    @Slot(float, float)
    def _hovered(self, x: float, y: float) -> None:
        at = QCursor.pos()
        found = self.nearest(QPointF(self.mapFromGlobal(at)))
        QToolTip.showText(at, tip(self.said(*found), self.spec.y_label) if found and self.spec else "", self)

    def said(self, curve: StudyCurve, index: int) -> str:
        """What a point says: the knob, the number and the spread over its runs."""
        assert self.spec is not None
        count = int(curve.count[index])
        spread = f" ± {short(float(curve.spread[index]))} over {count} runs" if count > 1 else ""
        where = f"{self.spec.x} {short(float(curve.x[index]))}" + f", {curve.label}" * bool(curve.label)
        return f"{where}\n{self.spec.y_label or self.spec.number} {short(float(curve.mean[index]))}{spread}"

    @Slot(object)
    def _clicked(self, event: Any) -> None:
        at = self.canvas.mapTo(self, self.canvas.mapFromScene(event.scenePos()))
        found = self.nearest(QPointF(at))
        if found and event.button() == Qt.MouseButton.LeftButton:
            self.picked.emit(found[0].label, float(found[0].x[found[1]]))
