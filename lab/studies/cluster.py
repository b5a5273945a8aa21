"""Works through a study on the workers of a Dask scheduler. Files in the shared folder are all that has to last.

A worker runs one point (or one batch) at a time and writes its run files itself; this side only hands out points and
looks at files. So a worker, this process or the scheduler may go at any time: the same study again finds what is there.
"""

from __future__ import annotations

import dataclasses
import logging
import secrets
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.hosts.link import Command, Message
from lab.request import Request
from lab.studies.board import Board
from lab.studies.cells import Cell
from lab.studies.study import StudyError

LOOK_SECONDS = 1.0  # between looks at the files of running points, and for the stop file
CONNECT_SECONDS = 15

_one_at_a_time = threading.Lock()


def carry_out(requests: Sequence[Request], stop_file: str) -> str:
    """On a worker: run points, going on where files are; returns why one could not begin, if one could not.

    One call at a time in a process, however many threads it has: generators and thread counts are the process's own.
    """
    from lab.hosts.files import examine
    from lab.hosts.many import execute_many
    from lab.hosts.run import execute

    with _one_at_a_time:
        link = _FolderLink(Path(stop_file))
        fresh = [request for request in requests if not Path(request.out).exists()]
        begun = [request for request in requests if request not in fresh]
        if fresh:
            execute_many(fresh, link)
        for request in begun:
            if examine(request.out).state != "finished":
                execute(dataclasses.replace(request, resume=True), link)
        return link.problem


def lost(error: BaseException | None, scheduler: str) -> str:
    """One line that says what became of points that a worker did not give back."""
    first, _, _ = str(error).partition("\n")
    if "deserializ" in first or isinstance(error, ImportError):
        return (
            f"the scheduler at {scheduler} or its workers cannot load this app: "
            "start them in the environment that the app is installed in"
        )
    return f"the worker was lost: {first or type(error).__name__}"


class _FolderLink:
    """On a worker: told to stop by a file in the study's folder; tells by run files."""

    def __init__(self, stop_file: Path) -> None:
        self._stop_file = stop_file
        self._look_at = 0.0
        self.problem = ""

    def commands(self, wait: float) -> list[Command]:
        time.sleep(wait)
        if time.monotonic() < self._look_at:
            return []
        self._look_at = time.monotonic() + LOOK_SECONDS
        return [("stop",)] if self._stop_file.exists() else []

    def send(self, messages: list[Message]) -> None:
        for message in messages:
            if message[0] == "end":
                self.problem = message[2] or self.problem


class Cluster:
    """The workers of a Dask scheduler.

    Args:
        board: The study; its folder is one that the workers see under the same path.
        scheduler: ``tcp://HOST:PORT``, or the path of a scheduler file.

    Raises:
        StudyError: Dask is not installed, or nobody answers there.
    """

    def __init__(self, board: Board, scheduler: str) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise StudyError("a scheduler needs Dask: pip install 'training-dynamics-lab[cluster]'") from None
        for name in ("distributed", "distributed.client"):  # what goes wrong is told here, in one line
            logging.getLogger(name).setLevel(logging.CRITICAL)
        where: dict[str, Any] = {"scheduler_file": scheduler} if Path(scheduler).exists() else {"address": scheduler}
        try:
            self._client = Client(**where, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise StudyError(f"no scheduler answers at {scheduler}: {error}") from None
        self._board, self._scheduler = board, scheduler
        self.count = max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]))
        self.problem = ""
        self._stop_file = board.folder.resolve() / f".stop-{secrets.token_hex(4)}"
        self._futures: dict[Any, tuple[list[Cell], float]] = {}
        self._thread = threading.Thread(target=self._work, name="tdlab-cluster", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def cut(self) -> None:
        self._board.drain()
        self._stop_file.touch()

    def join(self, timeout: float | None = None) -> bool:
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
        try:
            while not self._board.over or self._futures:
                if self._client.status != "running":
                    self.problem = f"the scheduler at {self._scheduler} is gone; what its workers recorded is kept"
                    break
                self._collect()
                self._hand_out()
                self._look()
                time.sleep(LOOK_SECONDS / 4)
        finally:
            for cells, _ in self._futures.values():
                self._board.done(cells)
            self._client.close(timeout=2)
            self._stop_file.unlink(missing_ok=True)

    def _hand_out(self) -> None:
        """Keep as many points with the scheduler as there are workers: the rest can still be changed."""
        workers = len(self._client.scheduler_info(n_workers=-1)["workers"])
        self.count, self.problem = max(1, workers), "" if workers else "no worker is there, waiting for one"
        device = self._board.study.device
        needs = {"GPU": 1} if device.startswith("cuda") else None
        while len(self._futures) < self.count and (cells := self._board.take(self.count)):
            requests = [self._board.request(cell, device) for cell in cells]
            requests = [dataclasses.replace(r, out=str(Path(r.out).resolve())) for r in requests]
            future = self._client.submit(carry_out, requests, str(self._stop_file), pure=False, resources=needs)
            self._futures[future] = cells, time.monotonic()

    def _collect(self) -> None:
        for future in [future for future in self._futures if future.done()]:
            cells, _ = self._futures.pop(future)
            if future.status == "finished":
                self._board.done(cells, str(future.result()))
            else:
                self._board.done(cells, lost(future.exception(), self._scheduler), died=True)

    def _look(self) -> None:
        """How far running points are, by their files."""
        from lab.hosts.files import steps_taken

        now = time.monotonic()
        for cells, since in self._futures.values():
            for cell in cells:
                self._board.progress([cell], steps_taken(str(cell.path)), 0.0, now - since)
        self._board.look_elsewhere()
