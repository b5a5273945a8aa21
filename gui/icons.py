"""Our icons: one weight, drawn from resources/icons in the theme's colours, sharp at every scale."""

import functools
from importlib.resources import files

from PySide6.QtCore import QByteArray, QObject, QRectF, Qt
from PySide6.QtGui import QAction, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton

from gui.theme import Theme

SIZES = (16, 20, 24)  # logical pixels; each is drawn at scale 1, 2 and 3


@functools.cache
def _svg(name: str) -> str:
    return files("resources").joinpath("icons", f"{name}.svg").read_text(encoding="utf-8")


def pixmap(name: str, colour: str, size: int, scale: float = 1.0) -> QPixmap:
    """The icon in one colour, ``size`` logical pixels wide on a screen of that scale."""
    renderer = QSvgRenderer(QByteArray(_svg(name).replace("currentColor", colour).encode()))
    image = QPixmap(round(size * scale), round(size * scale))
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    renderer.render(painter, QRectF(0, 0, image.width(), image.height()))
    painter.end()
    image.setDevicePixelRatio(scale)
    return image


@functools.lru_cache(maxsize=512)
def icon(name: str, theme: Theme, colour: str = "text") -> QIcon:
    """The icon for buttons and menus: ``colour`` is a name of the theme's table; disabled ones are paler."""
    result = QIcon()
    ink = getattr(theme, colour)
    for size in SIZES:
        for scale in (1, 2, 3):
            result.addPixmap(pixmap(name, ink, size, scale), QIcon.Mode.Normal)
            result.addPixmap(pixmap(name, theme.field_edge, size, scale), QIcon.Mode.Disabled)
    return result


def put(target: QAction | QAbstractButton, name: str, theme: Theme, colour: str = "text") -> None:
    """Give a button or an action an icon that :func:`recolour` finds again."""
    target.setProperty("icon_name", name)
    target.setProperty("icon_colour", colour)
    target.setIcon(icon(name, theme, colour))


def recolour(root: QObject, theme: Theme) -> None:
    """Redraw every icon below ``root`` in another theme."""
    for kind in (QAction, QAbstractButton):
        for target in root.findChildren(kind):
            if name := target.property("icon_name"):
                target.setIcon(icon(name, theme, target.property("icon_colour")))
