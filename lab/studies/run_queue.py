"""Runs of any experiments that wait for their turn: in an order that can be changed, a few at once.

A pool carries it out as it does a study, so a run whose process dies is tried again from its last checkpoint.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from lab import registry
from lab.request import Request, new_path
from lab.studies.cells import Cell, Cells, look
from lab.studies.study import Point

OnFailure = Literal["hold", "skip"]


class RunQueue(Cells):
    """The cells of a queue, in their order. Safe between threads.

    Args:
        folder: Where its run files go.

    Attributes:
        limit: So many runs go on at once at most.
        on_failure: hold: nothing more starts after a run that failed; skip: the next one does.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.limit = 1
        self.on_failure: OnFailure = "hold"
        self._folder = folder
        self._requests: dict[str, Request] = {}
        self._leaving: set[str] = set()  # removed while they ran

    def add(self, request: Request) -> Cell:
        """Put a run at the end; one that has a file (``out``) goes on in it.

        Raises:
            ConfigError, UnknownName: There is no such run.
        """
        config = registry.experiment(request.experiment).Config.parse(request.config)
        key = secrets.token_hex(4)
        if not request.out:
            path = new_path(request.experiment, request.preset, request.arm, config.seed, self._folder)
            request = dataclasses.replace(request, out=str(path.with_stem(f"{path.stem}-{key}")))
        cell = Cell(Point(request.arm, {"seed": config.seed}, config, key), Path(request.out))
        look(cell)
        with self._lock:
            self._requests[key], self._cells[key] = request, cell
        return cell

    def title(self, cell: Cell) -> str:
        """The name of a cell's experiment, as people know it."""
        return registry.experiment(self._requests[cell.point.key].experiment).title

    def settings(self, cell: Cell) -> str:
        """What tells a cell from others of its experiment: preset, arm, seed."""
        request = self._requests[cell.point.key]
        return " – ".join(filter(None, (request.preset, request.arm, f"seed {cell.point.config.seed}")))

    def request(self, cell: Cell, device: str) -> Request:
        """What a worker is to do for a cell, on the device that was chosen with the run."""
        return dataclasses.replace(self._requests[cell.point.key], resume=cell.begun)

    def _choose(self, waiting: list[Cell], workers: int) -> list[Cell]:
        running = sum(cell.state == "running" for cell in self._cells.values())
        staying = [cell for cell in waiting if cell.point.key not in self._leaving]
        return staying[:1] if running < self.limit else []

    def done(self, cells: Iterable[Cell], problem: str = "", *, died: bool = False) -> None:
        cells = list(cells)
        super().done(cells, problem, died=died)
        with self._lock:
            for key in self._leaving & {cell.point.key for cell in cells}:
                self._leaving.discard(key)
                self._drop(key)
        if self.on_failure == "hold" and any(cell.state == "failed" for cell in cells):
            self.drain()

    def reorder(self, keys: Sequence[str]) -> None:
        """Let the cells stand in this order; those that are not named come after them."""
        with self._lock:
            named = [key for key in keys if key in self._cells]
            self._cells = {key: self._cells[key] for key in (*named, *self._cells)}

    def remove(self, cell: Cell) -> None:
        """Take a cell out; one that is running leaves once its worker has stopped it. Files stay."""
        with self._lock:
            if cell.state == "running":
                self._leaving.add(cell.point.key)
            else:
                self._drop(cell.point.key)

    def _drop(self, key: str) -> None:
        self._cells.pop(key, None)
        self._requests.pop(key, None)

    def saved(self) -> list[dict[str, Any]]:
        """What is not finished, as plain values for :meth:`restore`; what runs goes on from its file."""
        return [
            dataclasses.asdict(self._requests[cell.point.key])
            for cell in self.cells
            if cell.state != "finished" and cell.point.key not in self._leaving
        ]

    def restore(self, saved: Iterable[Mapping[str, Any]]) -> None:
        """Let runs of an earlier session wait again; those that this app cannot make any more are left out."""
        for values in saved:
            try:
                self.add(Request(**{**values, "also": tuple(values.get("also", ())), "replay": ()}))
            except (ValueError, TypeError, LookupError, ImportError):
                continue
