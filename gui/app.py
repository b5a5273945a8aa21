"""Opens the window: first what is seen, then what is heavy. The window's process never loads torch."""

import sys
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QSettings, Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QWidget

from gui.background import Background, InOrder
from gui.lab.transport import Transport
from gui.main_window import MainWindow
from gui.report import Reporter
from gui.runs.local import LocalRuns
from gui.runs.open_run import OpenRun
from gui.theme import LIGHT, THEMES, Theme

NAME = "training-dynamics-lab"


def make_page(run: OpenRun, theme: Theme, *, beside: Any = None) -> QWidget:
    from gui.lab.run_page import RunPage  # plots are loaded with the first run

    return RunPage(run, theme, beside=beside)


def open_window(paths: Sequence[str] = ()) -> int:
    """Show the window on these run files and stay until it is closed; the exit code."""
    import platformdirs

    config = platformdirs.user_config_path(NAME, appauthor=False)
    config.mkdir(parents=True, exist_ok=True)
    QGuiApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
    app = QApplication.instance() or QApplication(sys.argv[:1])
    app.setApplicationName(NAME)
    QGuiApplication.setApplicationDisplayName("Training Dynamics Lab")
    runs = LocalRuns(cache=platformdirs.user_cache_path(NAME, appauthor=False) / "runs.sqlite")
    reporter = Reporter(platformdirs.user_log_path(NAME, appauthor=False))
    crash = reporter.last_crash()
    reporter.install()
    settings = QSettings(str(config / "window.ini"), QSettings.Format.IniFormat)
    theme = THEMES.get(str(settings.value("theme", "")), LIGHT)
    window = MainWindow(runs, make_page, Transport(theme), settings)
    reporter.parent_window, reporter.saved = window, window.saved

    def fill() -> None:
        from gui.compare.recipe import is_recipe
        from lab.registry import discover

        window.set_experiments(*discover())
        if len(paths) == 1 and is_recipe(paths[0]):
            window.places.go_compare()
            window.places.comparison.open(paths[0])
        elif len(paths) > 1:
            window.places.compare(paths)
        else:
            window.open_paths(paths)
        window.lab.recent.refresh()
        if crash:
            window.say(f"The last session ended unexpectedly. Recorded runs are whole; the report is in {crash}")
        QTimer.singleShot(200, window, runs.prepare)

    window.appeared.connect(fill)
    window.show()
    try:
        return app.exec()
    finally:
        for background in (*window.findChildren(Background), *window.findChildren(InOrder)):
            background.wait()  # else its thread reports to a window that is gone
        runs.close()
        reporter.remove()
