"""A live run: a QThread owns its host, carries commands to it and fills the buffer that the views pull from."""

import contextlib
import json
import queue
import time
from typing import Any, Literal

import numpy as np
from PySide6.QtCore import QObject, QThread, Signal, Slot

from gui.runs.open_run import OpenRun
from lab import registry
from lab.columns import WIDE
from lab.hosts.children import Spare
from lab.hosts.link import Command, Message, QueueLink
from lab.request import Request, in_force
from lab.stream import Event, MemoryRun, Rows
from storage.errors import RunFileError
from storage.reader import RunReader

HostKind = Literal["process", "thread"]
PATIENCE = 2.0  # seconds without a first row after which a run says what it is at


class RunThread(QThread):
    """Runs a request to its end on the chosen host. Rows go straight into ``buffer``; only states become signals."""

    opened = Signal(str, dict, object)  # path, header, the knobs it began with; None when it only moved
    state_came = Signal(str, str)  # state, problem
    config_came = Signal(dict)
    refused = Signal(str)
    instruments_came = Signal()  # an event that switched some
    ended = Signal(str, str)

    def __init__(self, request: Request, buffer: MemoryRun, host: HostKind, spare: Spare) -> None:
        super().__init__()
        self._request, self._buffer, self._host, self._spare = request, buffer, host, spare
        self.commands: queue.Queue[Command] = queue.Queue()
        self.step, self.rate = 0, 0.0  # read by timers of the window's thread
        self.reached = 0
        self.gave = False  # rows of its own
        self.checkpoints: list[int] = []
        self._last: dict[str, int] = {}  # of a resumed run: the last step that its file held of each series,
        self._known: set[str] = set()  # and its events: both are met again after its last checkpoint

    def run(self) -> None:
        if self._request.resume:
            try:
                self._recall()
            except (RunFileError, OSError) as error:
                self._deliver([("end", "failed", str(error))])
                return
        if self._host == "process":
            self._spare.take().run(self._request, self.commands, self._deliver)
        else:
            from lab.hosts.run import execute

            execute(self._request, QueueLink(self.commands, self._deliver))

    def _deliver(self, messages: list[Message]) -> None:
        for message in messages:
            match message:
                case ("rows", name, step, value):
                    if (last := self._last.get(name)) is not None:
                        step, value = step[step > last], value[step > last]
                    self._buffer.append(name, step, value)
                    self.gave = True
                case ("declare", name, attrs):
                    self._buffer.declare(name, attrs)
                case ("event", event) if _key(event) not in self._known:
                    self._buffer.event(event["step"], event["kind"], event["payload"], at=event["time"])
                    if event["kind"] == "instruments":
                        self.instruments_came.emit()
                case ("progress", step, rate):
                    self.step, self.rate = step, rate
                    self.reached = max(self.reached, step)
                case ("checkpoint", step):
                    self.checkpoints.append(step)
                case ("refused", why):
                    self.refused.emit(why)
                case ("log", line):
                    self._buffer.log(line)
                case ("opened", path, header, knobs):
                    self.opened.emit(path, header, knobs)
                case ("config", knobs):
                    self.config_came.emit(knobs)
                case ("state", state, problem):
                    self.state_came.emit(state, problem)
                case ("end", state, problem):
                    self.ended.emit(state, problem)

    def _recall(self) -> None:
        """Take in what the file of a resumed run holds."""
        with RunReader(self._request.out) as reader:
            for name in reader.names():
                self._buffer.declare(name, reader.attrs(name))
                step = reader.steps(name)
                if not len(step):
                    continue
                if reader.row(name, 0).nbytes >= WIDE:
                    self._buffer.lies_behind(name, step)
                else:
                    self._buffer.append(name, *reader.series(name))
                self._last[name] = int(step[-1])
            for event in reader.events():
                self._known.add(_key(event))
                self._buffer.event(event["step"], event["kind"], event["payload"], at=event["time"])
            self.checkpoints = reader.checkpoints()
        self.step = self.reached = max(self.checkpoints, default=0)


def _key(event: Event) -> str:
    return json.dumps([event["step"], event["kind"], event["payload"]], sort_keys=True, default=str)


class _RunFile:
    """The file of a live run, opened for each reading: only rows that left memory are read there."""

    def __init__(self, run: "LiveRun") -> None:
        self._run = run

    def series(self, name: str, start: int = 0) -> Rows:
        with RunReader(self._run.path) as reader:
            return reader.series(name, start)

    def row(self, name: str, index: int) -> np.ndarray:
        with RunReader(self._run.path) as reader:
            return reader.row(name, index)


class LiveRun(OpenRun):
    """A run that this window started.

    Args:
        request: What to run.
        spare: Where a warmed-up child comes from.
        host: "process" keeps the arithmetic off the window's interpreter lock; "thread" computes inside the QThread.
            The process is the default on every device: beside four live views on two idle cores it kept 0.93 of the
            bare loop's speed, the thread 0.50 (docs/benchmarks.md).
    """

    def __init__(
        self, request: Request, spare: Spare, host: HostKind = "process", parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.experiment = registry.experiment(request.experiment)
        self.config = self.experiment.Config.parse({} if request.parent else request.config)  # until the file is opened
        self._begun = self.config
        self.source = self.buffer = MemoryRun(_RunFile(self))
        for series in self.experiment.series().values():  # views name what will come before it does
            self.buffer.declare(series.name, series.attrs)
        self.header = {"experiment": request.experiment, "preset": request.preset, "arm": request.arm}
        self.header |= {"title": self.experiment.title, "device": request.device, "seed": self.config.seed}
        self.path, self.also = request.out, request.also
        self._asked, self._since = "", time.monotonic()  # what it has yet to obey; when that, or its state, began
        self._thread = RunThread(request, self.buffer, host, spare)
        self._thread.opened.connect(self._opened)
        self._thread.state_came.connect(self._came)
        self._thread.ended.connect(self._ended)
        self._thread.config_came.connect(self._configured)
        self._thread.instruments_came.connect(self._switched)
        self._thread.refused.connect(self.refused)

    def start(self) -> None:
        self._thread.start()

    @property
    def live(self) -> bool:
        return self.state in ("preparing", "running", "paused")

    @property
    def config_at_start(self) -> Any:
        return self._begun

    @property
    def steps(self) -> int:
        return int(self.config.steps)

    @property
    def step(self) -> int:
        return self._thread.step

    @property
    def reached(self) -> int:
        return self._thread.reached

    @property
    def rate(self) -> float:
        return self._thread.rate if self.state == "running" else 0.0

    @property
    def waits_for(self) -> str:
        preparing, waited = self.state == "preparing", time.monotonic() - self._since
        if not (preparing or self.state == "running"):
            return ""
        if self._asked:
            what = self._asked if preparing else f"{self._asked} after this step"
        elif self._thread.gave or waited < PATIENCE:
            return ""
        else:
            what = "Preparing" if preparing else "Computing the first step"
        return f"{what} … {waited:.0f} s"

    def checkpoints(self) -> list[int]:
        return sorted(self._thread.checkpoints)

    def wait(self, milliseconds: int = 30_000) -> bool:
        """Wait for the thread to end; False when it has not."""
        return self._thread.wait(milliseconds)

    def pause(self) -> None:
        self._ask("Pausing", ("pause",))

    def go(self) -> None:
        self._ask("", ("go",))

    def step_once(self, count: int = 1) -> None:
        self._thread.commands.put(("step", count))

    def slow(self, seconds: float) -> None:
        self._thread.commands.put(("slow", seconds))

    def stop(self) -> None:
        self._ask("Stopping", ("stop",))

    def _ask(self, what: str, command: Command) -> None:
        """Send a command that is obeyed at the next step boundary, which may take a while to come."""
        self._thread.commands.put(command)
        self._asked, self._since = what, time.monotonic()

    def set_knobs(self, values: dict[str, Any]) -> None:
        self._thread.commands.put(("set", values))

    def act(self, action: str, arguments: dict[str, Any]) -> None:
        self._thread.commands.put(("act", action, arguments))

    def switch_instruments(self, on: tuple[str, ...], off: tuple[str, ...]) -> None:
        self._thread.commands.put(("instruments", on, off))

    def checkpoint(self) -> None:
        self._thread.commands.put(("checkpoint",))

    def go_to(self, step: int) -> None:
        self._thread.commands.put(("goto", step))

    def relocate(self, path: str) -> None:
        self._thread.commands.put(("relocate", path))

    @Slot(str, dict, object)
    def _opened(self, path: str, header: dict[str, Any], begun: dict[str, Any] | None) -> None:
        self.path, self.header = path, header
        self._switched()
        if begun is not None:
            self._configured(begun)
            self._begun = self.config

    @Slot()
    def _switched(self) -> None:
        """What is on, by the file's own word: of a resumed run its own, of a branch its parent's."""
        before, begun = self.also, str(self.header.get("also") or "").split()
        self.also = in_force(begun, self.source.events())
        if self.also != before:
            self.also_changed.emit()

    @Slot(dict)
    def _configured(self, knobs: dict[str, Any]) -> None:
        assert self.experiment is not None
        with contextlib.suppress(ValueError):
            self.config = self.experiment.Config.parse(knobs)
        self.config_changed.emit()

    @Slot(str, str)
    def _came(self, state: str, problem: str) -> None:
        self.state, self.problem = state, problem
        if not self._asked or state not in ("preparing", "running"):
            self._asked, self._since = "", time.monotonic()
        self.state_changed.emit(state)

    @Slot(str, str)
    def _ended(self, state: str, problem: str) -> None:
        self._thread.wait()  # it has nothing left to do but return
        self._came(state, problem)
