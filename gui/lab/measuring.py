"""Reading instruments from the checkpoints of a stored run, in the background."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from gui.background import Background
from gui.runs.open_run import OpenRun
from gui.runs.runs import ACTIVE, Runs


class Measuring(QObject):
    """Asks what to read of a run, and lets it be read."""

    message = Signal(str)
    measured = Signal(object)  # the run, whose file holds more now

    def __init__(self, runs: Runs, parent: QWidget) -> None:
        super().__init__(parent)
        self._runs, self._window = runs, parent
        self.background = Background(self)
        self.background.done.connect(self._done)
        self.background.failed.connect(self.message)

    def ask(self, run: OpenRun | None, step: int) -> None:
        """Ask what to read of a run that is over: at all of its checkpoints, or at ``step``."""
        if run is None or run.experiment is None or run.state in ACTIVE or not run.checkpoints():
            over = run is None or run.state not in ACTIVE
            self.message.emit(
                "Only a run with checkpoints in its file can be measured afterwards."
                if over
                else "While a run goes on, switch instruments on under Also measure, below its knobs."
            )
            return
        if not any(item.optional for item in run.experiment.instruments()):
            self.message.emit(f"{run.experiment.title} can measure no more afterwards. {run.experiment.also_note}")
            return
        from gui.lab.measure_dialog import MeasureDialog  # the form's own types come with it

        dialog = MeasureDialog(run.experiment, len(run.checkpoints()), step, self._window)
        dialog.given.connect(lambda also, at: self._start(run, also, at))
        dialog.open()

    def _start(self, run: OpenRun, also: tuple[str, ...], at: tuple[int, ...]) -> None:
        self.message.emit("Measuring … the run opens again when it is done.")
        self.background.start(lambda: (run, self._runs.measure(run, also, at)))

    def _done(self, answer: tuple[OpenRun, str]) -> None:
        run, problem = answer
        if problem:
            self.message.emit(problem)
        else:
            self.measured.emit(run)
