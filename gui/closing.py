"""Closing the window while runs go on: it asks, stops them first, and closes when they have stopped."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer

from gui.lab.place import LabPlace

STOPPING = 10_000  # ms that runs get to stop before the window may be used again


class Closing(QObject):
    """Whether the window may close now.

    Args:
        close: Closes the window.
        say: Shows a passing message.
        ask: Asks before runs are stopped.
    """

    def __init__(
        self, lab: LabPlace, close: Callable[[], object], say: Callable[[str], None], ask: Callable[..., bool]
    ) -> None:
        super().__init__(lab)
        self._lab, self._close, self._say, self._ask = lab, close, say, ask
        self._stopping = False

    def may_close(self) -> bool:
        """Whether nothing goes on, or the user lets it be stopped where it is. Runs stop first: the window then
        closes by itself."""
        active = self._lab.active_runs()
        if not active:
            return self._lab.may_close()
        one = f"{len(active)} runs are" if len(active) > 1 else "A run is"
        text = "What is recorded stays in the run file, and the run can be resumed."
        if not self._stopping and self._ask(
            self._lab, f"{one} still going on. Stop and close?", text, "Stop and close"
        ):
            self._stop_all()
        return False

    def _stop_all(self) -> None:
        self._stopping = True
        self._say("Stopping …")
        for run in self._lab.active_runs():
            run.state_changed.connect(self._close_when_stopped)
            run.stop()
        QTimer.singleShot(STOPPING, self, self._give_up)
        self._close_when_stopped()

    def _close_when_stopped(self) -> None:
        if not self._lab.active_runs():
            QTimer.singleShot(0, self, self._close)

    def _give_up(self) -> None:
        """A run that does not stop must not keep the window: its file is whole without it."""
        self._stopping = False
        if self._lab.isVisible() and self._lab.active_runs():
            self._say("A run does not stop. Its file is safe; closing again will ask again.")
