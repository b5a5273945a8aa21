"""Works through a study or a queue: worker processes of this machine, each with its runs one by one or in batches."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from typing import Protocol

from lab.hosts.children import Child, Died
from lab.hosts.link import Command, Message
from lab.studies.cells import Cell, Cells

LOOK_SECONDS = 0.5  # between looks for work, and at points that another process runs
RETRY_SECONDS = 10.0  # between looks for room on a full disk


class Workers(Protocol):
    """Whoever carries out a study's points. ``problem`` says what stands in the way, empty where nothing does."""

    count: int
    problem: str

    def start(self) -> None: ...

    def cut(self) -> None:
        """Stop what is running, now; every run keeps what it has and can go on later."""
        ...

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end; False when it has not come."""
        ...


class Pool:
    """Worker processes of this machine, one thread each that looks after it.

    Args:
        board: The runs of a study or a queue.
        devices: The device of each worker.
    """

    def __init__(self, board: Cells, devices: Sequence[str]) -> None:
        self._board = board
        self.count, self.problem = len(devices), ""
        self._cut = threading.Event()
        self._workers = [_Worker(board, device, self.count, self._cut) for device in devices]

    def start(self) -> None:
        for worker in self._workers:
            worker.start()

    def cut(self) -> None:
        self._board.drain()
        self._cut.set()
        for worker in self._workers:
            worker.commands.put(("stop",))

    def stop(self, cell: Cell) -> None:
        """Stop one run where it is; the others go on."""
        for worker in self._workers:
            if cell in worker.cells:
                worker.commands.put(("stop",))

    def join(self, timeout: float | None = None) -> bool:
        until = None if timeout is None else time.monotonic() + timeout
        for worker in self._workers:
            worker.join(None if until is None else max(0.0, until - time.monotonic()))
        return not any(worker.is_alive() for worker in self._workers)


class _Worker(threading.Thread):
    """One worker process and the cells that it is busy with."""

    def __init__(self, board: Cells, device: str, workers: int, cut: threading.Event) -> None:
        super().__init__(name="tdlab-study", daemon=True)
        self._board, self._device, self._among, self._cut = board, device, workers, cut
        self.commands: queue.Queue[Command] = queue.Queue()
        self.cells: list[Cell] = []  # those it is busy with
        self._child: Child | None = None
        self._problem = ""

    def run(self) -> None:
        try:
            while not self._cut.is_set() and not self._board.over:
                if cells := self._board.take(self._among):
                    self._carry_out_or_say(cells)
                else:  # a point of another worker may come back, and more may be added
                    self._cut.wait(LOOK_SECONDS)
                    self._board.look_elsewhere()
        finally:
            if self._child is not None:
                self._child.close()

    def _carry_out_or_say(self, cells: list[Cell]) -> None:
        try:
            self._carry_out(cells)
        except Exception as error:  # the thread's edge: cells left running would keep the study from ending
            self._board.done(cells, f"the worker could not go on: {type(error).__name__}: {error}")

    def _carry_out(self, cells: list[Cell]) -> None:
        if self._child is None:
            self._child = Child()
        self.cells, self.commands = cells, queue.Queue()  # a command that came too late was for earlier cells
        if self._cut.is_set():
            self.commands.put(("stop",))
        requests = [self._board.request(cell, self._device) for cell in cells]
        started = time.monotonic()
        self._problem, died = "", False

        def deliver(messages: list[Message]) -> None:
            self._heard(messages, cells, time.monotonic() - started)

        try:
            self._child.carry_out(requests, self.commands, deliver)
        except Died as error:
            self._problem, died = str(error), True
            self._child.close()
            self._child = None
        self.cells = []
        self._board.done(cells, self._problem, died=died)

    def _heard(self, messages: list[Message], cells: list[Cell], seconds: float) -> None:
        for message in messages:
            match message:
                case ("progress", step, rate):
                    self._board.progress(cells, step, rate, seconds)
                case ("state", "paused", problem):  # the disk is full
                    for cell in cells:
                        cell.problem = problem
                    timer = threading.Timer(RETRY_SECONDS, self.commands.put, [("go",)])
                    timer.daemon = True
                    timer.start()
                case ("state", "running", _):
                    for cell in cells:
                        cell.problem = ""
                case ("end", _, problem):
                    self._problem = problem
