"""Pictures of the window and of the run on screen: saved in a folder beside the runs, or copied."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QPixmap

from gui.theme import LIGHT

if TYPE_CHECKING:
    from gui.main_window import MainWindow


class WindowPictures:
    """Takes pictures of a window, and says where they went."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window

    def save_window(self) -> None:
        self._save(self._window.grab())

    def copy_window(self) -> None:
        self._copy(self._window.grab())

    def save_run(self) -> None:
        if (page := self._window.lab.tabs.currentWidget()) is not None:
            self._save(page.grab())

    def copy_run(self) -> None:
        if (page := self._window.lab.tabs.currentWidget()) is not None:
            self._copy(page.grab())

    def ask(self) -> None:
        """Ask what a picture shows, and take it."""
        from gui.picture import PictureDialog

        dialog = PictureDialog(self._window, self.take, self._window.lab.current() is not None)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def take(self, what: str, scale: int, light: bool, copy: bool) -> None:
        """Save or copy a picture of the window or of the run's views, ``scale`` pixels a point."""
        from gui.picture import widget_picture
        from gui.views.base import ViewWidget

        window, before = self._window, self._window.theme
        page = window.lab.tabs.currentWidget() if what == "run" else None
        if light and before.dark:
            window.set_theme(LIGHT)
            for view in window.findChildren(ViewWidget):
                if view.isVisible():
                    view.draw()  # at other times each draws itself a little later
        picture = QPixmap.fromImage(widget_picture(page or window, scale))
        if window.theme is not before:
            window.set_theme(before)
        self._copy(picture) if copy else self._save(picture)

    def _save(self, picture: QPixmap) -> None:
        folder = self._window.runs.folder / "pictures"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / time.strftime("%Y-%m-%d-%H%M%S.png")
        saved = picture.save(str(path))
        self._window.say(f"Picture saved: {path}" if saved else f"The picture could not be written to {path}")

    def _copy(self, picture: QPixmap) -> None:
        QGuiApplication.clipboard().setPixmap(picture)
        self._window.say("Picture copied")
