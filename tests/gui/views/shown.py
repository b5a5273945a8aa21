"""Views on screen over made-up runs."""

from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPoint
from PySide6.QtGui import QImage, QPainter

from gui.theme import LIGHT
from gui.views import make_view
from gui.views.axes import StepAxis
from gui.views.raster import Raster
from lab.views import View
from tests.gui.runs import MadeUpRun


def show(qtbot, spec: View, source: object, *, axis: StepAxis | None = None, **state: Any) -> Any:
    view = make_view(spec, MadeUpRun(source, **state), LIGHT, axis)
    qtbot.addWidget(view)
    view.resize(520, 340)
    with qtbot.waitExposed(view):
        view.show()
    view.refresh()
    return view


def go(view: Any, step: int | None) -> None:
    """Move the slider and draw."""
    view.set_step(step)
    view.draw()


def pixel(view: Any, raster: Raster, x: float, y: float) -> list[int]:
    """Red, green, blue, alpha that a raster has at a place of the plot."""
    area = raster.mapRectToParent(raster.boundingRect())
    assert isinstance(raster.image, np.ndarray)
    height, width = raster.image.shape[:2]
    column = int((x - area.left()) / area.width() * width)
    row = int((y - area.top()) / area.height() * height)
    return raster.image[row, column].tolist()


def colour(view: Any, value: float) -> list[int]:
    """The colour that a view's bar gives a value."""
    return view.bar.colours[int(view.bar.colour_scale.shades(np.array(value)))].tolist()


def drag_box(view: Any) -> list[list[float]]:
    """Zoom into the middle of a plot as a wheel does; the stretch then shown."""
    view.box.scaleBy((0.5, 0.5))
    view.box.sigRangeChangedManually.emit([True, True])
    view.draw()
    return view.box.viewRange()


def data_of(item: pg.PlotCurveItem) -> tuple[list[float], list[float]]:
    x, y = item.getData()
    return [] if x is None else x.tolist(), [] if y is None else y.tolist()


def darkened(qtbot, item: pg.GraphicsObject, rate: int) -> np.ndarray:
    """Which pixels (100 rate, 100 rate) an item darkens where a point has so many; 0 to 10 across, -5 to 15 up."""
    canvas = pg.PlotWidget(background="w")
    qtbot.addWidget(canvas)
    canvas.resize(100, 100)
    canvas.addItem(item)
    canvas.hideAxis("left")
    canvas.hideAxis("bottom")
    canvas.getViewBox().setRange(xRange=(0, 10), yRange=(-5, 15), padding=0)
    image = QImage(100 * rate, 100 * rate, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(rate)
    with qtbot.waitExposed(canvas):
        canvas.show()
    painter = QPainter(image)
    canvas.viewport().render(painter, QPoint())
    painter.end()
    return np.array([[image.pixelColor(x, y).value() < 128 for x in range(100 * rate)] for y in range(100 * rate)])
