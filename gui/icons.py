"""Our icons: one weight, drawn from resources/icons in the theme's colours, sharp at every scale."""

import functools
import itertools
from importlib.resources import files

from PySide6.QtCore import QByteArray, QObject, QRectF, Qt
from PySide6.QtGui import QAction, QGuiApplication, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton

from gui.theme import Theme

SIZES = (16, 20, 24)  # logical pixels
LARGEST_SCALE = 3.0  # for screens that come later; Qt makes it smaller where they need less


@functools.cache
def _svg(name: str) -> str:
    return files("resources").joinpath("icons", f"{name}.svg").read_text(encoding="utf-8")


def pixmap(name: str, colour: str, size: int, scale: float = 1.0) -> QPixmap:
    """The icon in one colour, ``size`` logical pixels wide on a screen of that scale."""
    return _drawn(_renderer(name, colour), size, scale)


def _renderer(name: str, colour: str) -> QSvgRenderer:
    return QSvgRenderer(QByteArray(_svg(name).replace("currentColor", colour).encode()))


def _drawn(renderer: QSvgRenderer, size: int, scale: float) -> QPixmap:
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
    scales = {screen.devicePixelRatio() for screen in QGuiApplication.screens()} | {LARGEST_SCALE}
    for mode, ink in ((QIcon.Mode.Normal, getattr(theme, colour)), (QIcon.Mode.Disabled, theme.field_edge)):
        renderer = _renderer(name, ink)
        for size, scale in itertools.product(SIZES, scales):
            result.addPixmap(_drawn(renderer, size, scale), mode)
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
