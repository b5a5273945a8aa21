"""The rows that two growing series have in common, each met once."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gui.views.pyramid import Growing, Steps
from lab.stream import rising

Rows = tuple[NDArray[np.int64], NDArray[np.float64]]


class Pairs:
    """Steps with the values that both series have there.

    Rows of one series wait for those of the other. Where a series goes back (a run that returned to a checkpoint), its
    rows taken again replace the earlier ones, and the other's there wait anew.
    """

    def __init__(self) -> None:
        self._steps, self._values = Steps(), (Growing(np.float64), Growing(np.float64))
        self._waiting: list[Rows] = [(np.empty(0, np.int64), np.empty(0))] * 2
        self._last = [-1, -1]
        self._listed: NDArray[np.int64] | None = None  # the steps as they were asked for last

    def __len__(self) -> int:
        return self._steps.count

    @property
    def rows(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Steps (T,) and both values (T,)."""
        if self._listed is None:
            self._listed = self._steps.part(0, len(self))
        first, second = self._values
        return self._listed, first.view(), second.view()

    def at(self, step: float) -> tuple[int, float, float] | None:
        """The newest pair at or before ``step``; None before the first."""
        row = self._steps.newest(step) if len(self) else -1
        if row < 0:
            return None
        x, y = (float(column.view()[row]) for column in self._values)
        return int(self._steps.part(row, row + 1)[0]), x, y

    def parts(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]]:
        """All pairs."""
        yield self.rows

    def take(self, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """The first so many pairs, which are not kept any more."""
        taken, rest = zip(*((part[:count].copy(), part[count:].copy()) for part in self.rows), strict=True)
        self._steps, self._values, self._listed = Steps(), (Growing(np.float64), Growing(np.float64)), None
        if len(rest[0]):
            for column, part in zip((self._steps, *self._values), rest, strict=True):
                column.extend(part)
        return taken[0], taken[1], taken[2]

    def append(self, which: int, step: NDArray[np.int64], value: np.ndarray) -> None:
        """Add rows ``step`` (k,), ``value`` (k,) of the first series, 0, or of the second, 1."""
        if not len(step):
            return
        holding = rising(step)
        step, value = step[holding], np.asarray(value[holding], float)
        if step[0] <= self._last[which]:
            self._go_back(which, int(step[0]))
        steps, values = self._waiting[which]
        self._waiting[which] = np.append(steps, step), np.append(values, value)
        self._last[which] = int(step[-1])
        self._listed = None
        self._join()

    def _go_back(self, which: int, step: int) -> None:
        kept = int(self._steps.rows(np.array([step]))[0])
        other = 1 - which
        steps, values = self._waiting[other]
        tail = self._steps.part(kept, len(self)), self._values[other].view()[kept:]
        self._waiting[other] = np.append(tail[0], steps), np.append(tail[1], values)
        self._steps.truncate(kept)
        for column in self._values:
            column.count = kept
        steps, values = self._waiting[which]
        before = steps < step
        self._waiting[which] = steps[before], values[before]

    def _join(self) -> None:
        steps = [steps for steps, _ in self._waiting]
        both, *at = np.intersect1d(*steps, assume_unique=True, return_indices=True)
        if len(both):
            self._steps.extend(both)
            for column, (_, values), rows in zip(self._values, self._waiting, at, strict=True):
                column.extend(values[rows])
        newest = min(self._last)  # up to there both series have said what they have
        for which, (steps, values) in enumerate(self._waiting):
            later = steps > newest
            self._waiting[which] = steps[later], values[later]
