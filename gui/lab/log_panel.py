"""What happened in a run, line by line: events with their step, and what the run logged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QTimer
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QPlainTextEdit

from gui.runs.open_run import OpenRun
from gui.views.text import changes

if TYPE_CHECKING:
    from lab.stream import Event

PERIOD = 500  # ms


def line_of(event: Event) -> str:
    """An event in one line: step, kind, payload."""
    return f"{event['step']:>6}  {event['kind']}  {changes(event['payload'])}".rstrip()


def _lines(source: Any, start: int) -> list[str]:
    """Log lines from ``start`` on: a list in memory, a method of a file's reader."""
    lines = getattr(source, "lines", [])
    return lines[start:] if isinstance(lines, list) else lines(start)


class LogPanel(QPlainTextEdit):
    """Follows the events and the log lines of the open run."""

    def __init__(self) -> None:
        super().__init__(readOnly=True)
        self.setAccessibleName("Log")
        self.setPlaceholderText("Events of the run appear here, newest last.")
        self.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.setMaximumBlockCount(10_000)
        self._run: OpenRun | None = None
        self._events = self._lines = 0
        self._timer = QTimer(self, interval=PERIOD)
        self._timer.timeout.connect(self.refresh)

    def set_run(self, run: OpenRun | None) -> None:
        self._run, self._events, self._lines = run, 0, 0
        self.clear()
        if run is None:
            self._timer.stop()
            return
        self._timer.start()
        self.refresh()

    def refresh(self) -> None:
        """Append what is new."""
        if self._run is None:
            return
        source = self._run.source
        lines = _lines(source, self._lines)
        events = source.events(self._events)
        self._lines += len(lines)
        self._events += len(events)
        if new := [*map(line_of, events), *lines]:
            self.appendPlainText("\n".join(new))
        if not self._run.live:
            self._timer.stop()
