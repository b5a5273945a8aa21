"""A run file as an open run: finished long ago, or still being written by another process."""

from types import SimpleNamespace
from typing import Any

from PySide6.QtCore import QTimer

from gui.runs.open_run import OpenRun
from lab import registry
from lab.experiment import Experiment
from storage.layout import LIVE_STATES
from storage.reader import RunReader

PERIOD = 1000  # ms between looks at a file that another process writes


class StoredRun(OpenRun):
    """Shows a file and commands nothing.

    Raises:
        RunFileError: The file is missing, damaged, of a later version or no run file.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.source = self.reader = RunReader(path)
        self.header = self.reader.header
        self.experiment = _known(str(self.header["experiment"]))
        self.config = self._config()
        self.state = self.reader.state
        self.problem = self._failure() if self.state == "failed" else ""
        self._step, self._names = self.reader.last_step(), self.reader.names()
        self._checkpoints: list[int] | None = None  # those of a run that is over stay as they are
        self._timer = QTimer(self, interval=PERIOD)
        self._timer.timeout.connect(self._follow)
        if self.state in LIVE_STATES:
            self._timer.start()

    @property
    def step(self) -> int:
        return self.steps if self.state == "finished" else self._step  # its last row may belong to an earlier one

    @property
    def steps(self) -> int:
        return int(getattr(self.config, "steps", self._step))

    def checkpoints(self) -> list[int]:
        if self._checkpoints is None or self.state in LIVE_STATES:
            self._checkpoints = self.reader.checkpoints()
        return self._checkpoints

    def close(self) -> None:
        """Let the file go."""
        self._timer.stop()
        self.reader.close()

    def _config(self) -> Any:
        stored = self.reader.config
        if self.experiment is not None:
            try:
                return self.experiment.Config.parse(stored)
            except ValueError:  # knobs of an older version of the experiment: shown, not editable
                self.experiment = None
        return SimpleNamespace(**stored)

    def _failure(self) -> str:
        failures = [event for event in self.reader.events() if event["kind"] == "failure"]
        return str(failures[-1]["payload"].get("message", "")) if failures else ""

    def _follow(self) -> None:
        before, self.state = self.state, self.reader.state
        self._step, known = self.reader.last_step(), self._names
        self._names = self.reader.names()
        if self._names != known:
            self.also_changed.emit()
        if self.state not in LIVE_STATES:
            self._timer.stop()
        if self.state != before:
            self.state_changed.emit(self.state)


def _known(name: str) -> type[Experiment] | None:
    try:
        return registry.experiment(name)
    except (registry.UnknownName, ImportError):
        return None
