"""Long work on a terminal: a run or a study is carried out with progress and the time left, and Ctrl-C ends it well."""

from __future__ import annotations

import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.request import Request
from lab.studies.board import Board
from lab.studies.cells import Cell
from lab.studies.machine import worker_devices
from lab.studies.pool import RETRY_SECONDS, Pool, Workers
from lab.studies.study import Study

TALK_SECONDS = 10.0  # between lines that say how long it takes, when piped


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes:
        path: Its file; empty where it failed before there was one.
        state: Of the run. problem: One line where it failed.
        interrupted: Whether Ctrl-C came.
    """

    path: str
    state: str
    problem: str
    interrupted: bool


def carry_out_run(request: Request) -> Ending:
    """Run in this process with progress; Ctrl-C stops at the next step and keeps the file."""
    from lab.hosts.link import QueueLink
    from lab.hosts.run import execute  # brings torch, which a study leaves to its workers
    from lab.memory import keep_freed_memory

    keep_freed_memory()
    commands: queue.Queue[Any] = queue.Queue()
    interrupted: list[bool] = []

    def stop(*_: Any) -> None:
        if interrupted:
            raise KeyboardInterrupt  # the second time: now
        interrupted.append(True)
        commands.put(("stop",))

    before = signal.signal(signal.SIGINT, stop)
    progress = _RunProgress(retry=lambda: commands.put(("go",)))
    try:
        with progress:
            state, problem = execute(request, QueueLink(commands, progress.deliver))
    finally:
        signal.signal(signal.SIGINT, before)
    return Ending(progress.path, state, problem, bool(interrupted))


class _RunProgress:
    """A bar with remaining time on a terminal, a plain line now and then when piped."""

    def __init__(self, retry: Callable[[], None]) -> None:
        self._retry = retry
        self.path = ""
        self._total = 0
        self._bar: Any = None
        self._task: Any = None
        self._said = time.monotonic()

    def __enter__(self) -> _RunProgress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(stderr=True))
            self._bar.start()
            self._task = self._bar.add_task("preparing", total=None)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def deliver(self, messages: list[Any]) -> None:
        for message in messages:
            match message:
                case ("opened", path, header, config):
                    self.path, self._total = path, (config or {}).get("steps", self._total)
                    if self._bar is not None:
                        self._bar.update(self._task, description=str(header.get("experiment", "")), total=self._total)
                case ("progress", step, rate):
                    self._show(step, rate)
                case ("state", "paused", problem) if problem:
                    print(f"paused: {problem} Trying again every {RETRY_SECONDS:g} s; Ctrl-C stops.", file=sys.stderr)
                    timer = threading.Timer(RETRY_SECONDS, self._retry)
                    timer.daemon = True
                    timer.start()

    def _show(self, step: int, rate: float) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=step)
        elif time.monotonic() - self._said > TALK_SECONDS and rate:
            self._said = time.monotonic()
            left = (self._total - step) / rate
            print(f"step {step} of {self._total}, about {left:.0f} s left", file=sys.stderr, flush=True)


def list_points(study: Study, experiment: Any, folder: Path) -> None:
    """Print what would be run, one line a point."""
    points = study.points(experiment)
    for point in points:
        there = " (has a file)" if (folder / point.file_name).exists() else ""
        print(f"{point.label}{there}")
    print(f"{len(points)} runs in {folder}")


def carry_out_study(board: Board, *, workers: int | None, scheduler: str, retry: bool) -> int:
    """Run what is missing; exit 1 when a run failed, 130 when Ctrl-C stopped it.

    Raises:
        StudyError: No scheduler answers.
    """
    if retry:
        board.retry()
    todo = board.count("waiting", "elsewhere")
    print(f"{len(board.cells)} runs, {len(board.cells) - todo} of them done before; {board.folder}", flush=True)
    carriers = _carriers(board, workers, scheduler) if todo else None
    interrupted = carriers is not None and _watch(board, carriers)
    for cell in board.cells:
        if cell.state == "failed":
            print(f"failed: {cell.point.label}: {cell.problem}", file=sys.stderr)
    if interrupted:
        print(f"stopped; the same line goes on with the {board.count('waiting')} runs left", file=sys.stderr)
        return 130
    if carriers is not None and carriers.problem:
        print(f"{carriers.problem}; the same line goes on", file=sys.stderr)
        return 1
    return 1 if board.count("failed") else 0


def _carriers(board: Board, workers: int | None, scheduler: str) -> Workers:
    if scheduler:
        from lab.studies.cluster import Cluster

        return Cluster(board, scheduler)
    threads = max(cell.point.config.threads for cell in board.cells)
    return Pool(board, worker_devices(board.study.device, board.count("waiting"), threads=threads, workers=workers))


def _watch(board: Board, carriers: Workers) -> bool:
    """Show progress until the end; whether Ctrl-C came."""
    interrupted: list[bool] = []

    def stop(*_: Any) -> None:
        if interrupted:
            raise KeyboardInterrupt  # the second time: now
        interrupted.append(True)
        carriers.cut()

    before = signal.signal(signal.SIGINT, stop)
    carriers.start()
    try:
        with _StudyProgress(board, carriers.count) as progress:
            while not carriers.join(0.2):
                progress.show()
            progress.show()
    finally:
        signal.signal(signal.SIGINT, before)
    return bool(interrupted)


class _StudyProgress:
    """A bar with remaining time on a terminal; when piped, a line for each run that ends and now and then the time."""

    def __init__(self, board: Board, workers: int) -> None:
        self._board, self._workers = board, workers
        self._told = {cell.point.key for cell in board.cells if cell.state in ("finished", "failed")}
        self._said = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> _StudyProgress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
            self._bar = Progress(*columns, console=Console(stderr=True))
            self._bar.start()
            self._task = self._bar.add_task("starting workers", total=len(self._board.cells))
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self) -> None:
        board = self._board
        left, running, failed = board.seconds_left(), board.count("running"), board.count("failed")
        words = [f"{running} running", f"{failed} failed" if failed else "", f"{_time(left)} left" if left else ""]
        said = ", ".join(word for word in words if word)
        ended = [cell for cell in board.cells if cell.state in ("finished", "failed")]  # others may end meanwhile
        done = len(ended)
        if self._bar is not None:
            self._bar.update(self._task, completed=done, description=said)
            return
        for cell in ended:
            if cell.point.key not in self._told:
                self._told.add(cell.point.key)
                print(f"{done}/{len(board.cells)}  {_ending(cell)}", flush=True)
        if left and time.monotonic() - self._said > TALK_SECONDS:
            self._said = time.monotonic()
            print(f"{done}/{len(board.cells)} done, {said}", file=sys.stderr, flush=True)


def _ending(cell: Cell) -> str:
    return f"{cell.point.label}: {cell.outcome or cell.problem or 'finished'}"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
