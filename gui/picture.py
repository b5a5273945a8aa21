"""Pictures of views and of the window, at one to four pixels a point, on the light ground where that is wanted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QCheckBox, QComboBox, QDialog, QFormLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from gui.theme import Theme

SCALES = (1, 2, 3, 4)


def twin(view: Any, theme: Theme) -> Any:
    """A second widget of the same view, size, settings and step, in a theme of its own; never shown."""
    other = type(view)(view.spec, view.run, theme)
    other.resize(view.size())
    other.restore(view.settings())
    other.set_step(view.axis.cursor)
    other.pull()
    other.draw()
    return other


def view_picture(view: Any, scale: float, theme: Theme) -> QImage:
    """A view in a theme; the one on screen stays as it is."""
    if theme is view.theme:
        return view.picture(scale)
    other = twin(view, theme)
    try:
        return other.picture(scale)
    finally:
        other.deleteLater()


def widget_picture(widget: QWidget, scale: float, ground: str = "#FFFFFF") -> QImage:
    """Any widget as it is, drawn anew at the scale, so that text and lines are sharp, on a ground of this colour."""
    image = QImage(widget.size() * scale, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(scale)
    image.fill(QColor(ground))
    painter = QPainter(image)
    widget.render(painter, QPoint())
    painter.end()
    return image


def save(image: QImage, path: Path) -> None:
    """Write a PNG. Raises OSError with one clear line."""
    if not image.save(str(path), "PNG"):  # type: ignore[call-overload] - PySide's stubs want bytes where Qt takes text
        raise OSError(f"The picture could not be written to {path}; is the folder there and writable?")


class PictureDialog(QDialog):
    """Asks what the picture shows, how many pixels it has, and on which ground."""

    def __init__(self, parent: QWidget, take: Callable[[str, int, bool, bool], None], run: bool) -> None:
        super().__init__(parent)
        self.setWindowTitle("Take a picture")
        self._take = take
        self.what, self.scale, self.light = QComboBox(), QComboBox(), QCheckBox()
        self.what.addItem("The window", "window")
        if run:
            self.what.addItem("The run's views", "run")
        for scale in SCALES:
            self.scale.addItem(f"{scale}x", scale)
        self.scale.setCurrentIndex(1)
        form = QFormLayout()
        rows = (("Shows", self.what), ("Pixels a point", self.scale), ("Light ground", self.light))
        for label, widget in rows:
            widget.setAccessibleName(label)
            form.addRow(label, widget)
        self.copy, self.save = QPushButton("Copy"), QPushButton("Save")
        self.save.setProperty("primary", True)
        self.save.setDefault(True)
        self.copy.clicked.connect(lambda: self._done(copy=True))
        self.save.clicked.connect(lambda: self._done(copy=False))
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.copy)
        buttons.addWidget(self.save)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addLayout(buttons)

    def _done(self, *, copy: bool) -> None:
        self.accept()
        self._take(self.what.currentData(), self.scale.currentData(), self.light.isChecked(), copy)
