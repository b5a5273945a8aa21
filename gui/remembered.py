"""What the window keeps from one session to the next: sizes, panels, folders, the queue."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt

if TYPE_CHECKING:
    from gui.main_window import MainWindow

FRAME = 40  # pixels that a window manager may put around a window


def restore(window: MainWindow) -> None:
    """Take back what the last session left; a first window that its screen cannot hold is maximised."""
    settings, lab = window.settings, window.lab
    if geometry := settings.value("geometry"):
        window.restoreGeometry(geometry)
    elif larger_than_its_screen(window):
        window.setWindowState(Qt.WindowState.WindowMaximized)
    if layout := settings.value("layout"):
        lab.restore_layout(layout)
    if library := settings.value("library"):
        window.library.restore_layout(json.loads(str(library)))
    watched = settings.value("watched") or []
    window.library.folder_menu.folders = [watched] if isinstance(watched, str) else list(watched)
    window.runs.watched = [Path(folder) for folder in window.library.folder_menu.folders]
    lab.studies.scheduler = str(settings.value("scheduler", ""))
    lab.studies.scheduler_chosen.connect(lambda place: settings.setValue("scheduler", place))
    with contextlib.suppress(ValueError):
        lab.queue.keep(json.loads(str(settings.value("queue", "[]"))))
    with contextlib.suppress(ValueError):
        lab.tabs.layouts = json.loads(str(settings.value("page_layouts", "{}")))


def remember(window: MainWindow) -> None:
    """Keep what :func:`restore` takes back."""
    settings, lab = window.settings, window.lab
    settings.setValue("geometry", window.saveGeometry())
    settings.setValue("layout", lab.layout_state())
    settings.setValue("library", json.dumps(window.library.layout_state()))
    settings.setValue("queue", json.dumps(lab.queue.saved()))
    settings.setValue("page_layouts", json.dumps(lab.tabs.layouts))
    settings.sync()


def larger_than_its_screen(window: MainWindow) -> bool:
    """Whether the frame around the window's first size would leave the screen, and the transport with it."""
    room = window.screen().availableSize()
    return room.width() < window.width() + FRAME or room.height() < window.height() + FRAME
