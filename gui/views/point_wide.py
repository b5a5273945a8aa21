"""A line one point wide on every screen."""

from collections.abc import Callable

import pyqtgraph as pg
from PySide6.QtGui import QPainter, QTransform
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget


def point_wide(p: QPainter, paint: Callable[[], None]) -> None:
    """Paint with a pen of one pixel, and again to the right and below for every further pixel of a point.

    Where a point has two pixels such a line would be half a point wide, too thin to be seen from afar, and a pen of two
    pixels takes seven times as long as one. Copies along a diagonal would leave holes in lines across it.
    """
    paint()
    whole = p.worldTransform()
    rate = round(p.deviceTransform().m11() / (whole.m11() or 1.0))
    for pixel in range(1, rate):
        for right, down in ((pixel, 0), (0, pixel)):
            p.setWorldTransform(whole * QTransform.fromTranslate(right / rate, down / rate))
            paint()
    p.setWorldTransform(whole)


class PointWide(pg.PlotCurveItem):
    """A line of a pen of one pixel, one point wide."""

    def paint(self, p: QPainter, opt: QStyleOptionGraphicsItem, widget: QWidget | None) -> None:
        base = super().paint
        point_wide(p, lambda: base(p, opt, widget))
