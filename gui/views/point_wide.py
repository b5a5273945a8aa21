"""A line one point wide on every screen."""

import pyqtgraph as pg
from PySide6.QtGui import QPainter, QTransform
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget


class PointWide(pg.PlotCurveItem):
    """A line of a pen of one pixel, drawn again to the right and below for every further pixel of a point.

    Where a point has two pixels such a line would be half a point wide, too thin to be seen from afar, and a pen of two
    pixels takes seven times as long as one. Copies along a diagonal would leave holes in lines across it.
    """

    def paint(self, p: QPainter, opt: QStyleOptionGraphicsItem, widget: QWidget | None) -> None:
        super().paint(p, opt, widget)
        rate = round(p.deviceTransform().m11() / (p.worldTransform().m11() or 1.0))
        whole = p.worldTransform()
        for pixel in range(1, rate):
            for right, down in ((pixel, 0), (0, pixel)):
                p.setWorldTransform(whole * QTransform.fromTranslate(right / rate, down / rate))
                super().paint(p, opt, widget)
        p.setWorldTransform(whole)
