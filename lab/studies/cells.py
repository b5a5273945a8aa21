"""Runs that wait, go on and end: one cell each, filled by workers and read by whoever shows them.

The run files are the truth: what has become of a cell is read there, and one that was cut off goes on where it ends.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from lab.request import Request
    from lab.studies.study import Point

State = Literal["waiting", "running", "elsewhere", "finished", "failed"]

TRIES = 3  # starts of a run whose process dies; one that fails by itself is not tried again


@dataclass
class Cell:
    """A run to be made and what has become of it.

    Attributes:
        state: elsewhere: another process runs it.
        outcome: Its verdict, once it is finished.
        problem: One line, when it failed.
        begun: There is a file to go on from.
        seconds: What it took, or takes so far, batch companions sharing the time.
    """

    point: Point
    path: Path
    state: State = "waiting"
    outcome: str = ""
    problem: str = ""
    begun: bool = False
    tries: int = 0
    step: int = 0
    rate: float = 0.0
    seconds: float = 0.0


class Cells(ABC):
    """What workers see of a study or a queue. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._draining = False
        self._cells: dict[str, Cell] = {}

    @property
    def cells(self) -> tuple[Cell, ...]:
        with self._lock:
            return tuple(self._cells.values())

    def count(self, *states: State) -> int:
        return sum(cell.state in states for cell in self.cells)

    @property
    def draining(self) -> bool:
        """Nothing more is to be started."""
        return self._draining

    @property
    def over(self) -> bool:
        """Nothing is left to do, or nothing more is to be started."""
        open_states = ("running",) if self._draining else ("running", "waiting", "elsewhere")
        return not self.count(*open_states)

    @abstractmethod
    def request(self, cell: Cell, device: str) -> Request:
        """What a worker on ``device`` is to do for a cell."""

    @abstractmethod
    def _choose(self, waiting: list[Cell], workers: int) -> list[Cell]:
        """Those of the waiting cells, at least one of them, that the next worker runs together; under the lock."""

    # for workers

    def take(self, workers: int = 1) -> list[Cell]:
        """The next cells to run together, running from now on; none when nothing is to be started.

        Args:
            workers: Among how many the cells of a batch are to be shared.
        """
        while True:
            cells = self._next(workers)
            stale = [cell for cell in cells if cell.path.exists() and not cell.begun]
            for cell in stale:  # another process may have come first
                look(cell)
            cells = [cell for cell in cells if cell not in stale]
            if cells or not stale:
                return cells

    def _next(self, workers: int) -> list[Cell]:
        with self._lock:
            waiting = [] if self._draining else [cell for cell in self._cells.values() if cell.state == "waiting"]
            chosen = self._choose(waiting, workers) if waiting else []
            for cell in chosen:
                cell.state, cell.problem = "running", ""
                cell.tries += 1
            return chosen

    def progress(self, cells: Sequence[Cell], step: int, rate: float, seconds: float) -> None:
        with self._lock:
            for cell in cells:
                cell.step, cell.rate, cell.seconds = step, rate, seconds / len(cells)

    def done(self, cells: Iterable[Cell], problem: str = "", *, died: bool = False) -> None:
        """A worker is through with cells: what they have become is read from their files.

        Args:
            problem: What the worker said went wrong.
            died: It was the worker that went, not the run that failed; the run is tried again.
        """
        for cell in cells:
            look(cell)
            if cell.state == "waiting" and (died or problem) and (not died or cell.tries >= TRIES):
                cell.state, cell.problem = "failed", problem

    def look_elsewhere(self) -> None:
        """Look again at the cells that another process runs."""
        for cell in self.cells:
            if cell.state == "elsewhere":
                look(cell)

    # for whoever steers

    def drain(self) -> None:
        """Start nothing more."""
        self._draining = True

    def go_on(self) -> None:
        self._draining = False

    def retry(self, keys: Iterable[str] | None = None) -> None:
        """Let failed cells (all of them by default) wait again; each goes on from its last checkpoint."""
        chosen = None if keys is None else set(keys)
        for cell in self.cells:
            if cell.state == "failed" and (chosen is None or cell.point.key in chosen):
                cell.state, cell.tries = "waiting", 0


def look(cell: Cell) -> None:
    """Set a cell by its file."""
    from lab.hosts.files import examine

    found = examine(str(cell.path))
    cell.outcome, cell.problem = found.outcome, found.problem
    cell.begun = found.state not in ("", "damaged")
    states: dict[str, State] = {"finished": "finished", "running": "elsewhere", "paused": "elsewhere"}
    # a run that failed by itself says so among its events; one whose process died is only unfinished
    cell.state = "failed" if found.problem else states.get(found.state, "waiting")
