"""Rows of growing series by step: all of a narrow series, or single rows of one whose rows are large."""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from lab.stream import Source, rising, row_of, steps_of


class Rows:
    """Where the rows of a series lie on the step axis. Values are read one row at a time and not kept.

    Attributes:
        steps: Steps of the rows that count, rising (T,).
    """

    def __init__(self, source: Source, name: str) -> None:
        self._source, self._name = source, name
        self._forget()

    def _forget(self) -> None:
        self.steps = np.empty(0, np.int64)
        self._places = np.empty(0, np.int64)  # row of each step in the source
        self._taken = 0
        self._kept: tuple[int, np.ndarray] | None = None  # the row read last: many hold while the slider moves

    def pull(self) -> bool:
        """Read new steps; whether there were any."""
        try:
            new = steps_of(self._source, self._name, self._taken)
        except KeyError:  # not recorded yet
            return False
        if not len(new):
            return False
        place = self._taken + np.arange(len(new))
        self._taken += len(new)
        counts = rising(new)
        new, place = new[counts], place[counts]
        kept = int(np.searchsorted(self.steps, new[0]))
        self.steps = np.append(self.steps[:kept], new)
        self._places = np.append(self._places[:kept], place)
        return True

    def at(self, step: int | None) -> int | None:
        """Number of the latest row at or before ``step`` (None: the newest); None where there is none."""
        row = int(np.searchsorted(self.steps, math.inf if step is None else step, side="right")) - 1
        return row if row >= 0 else None

    def value(self, row: int) -> np.ndarray | None:
        """The values of a row; None where the source has lost it."""
        place = int(self._places[row])
        try:
            if self._kept is None or self._kept[0] != place:
                self._kept = place, np.asarray(row_of(self._source, self._name, place))
            return self._kept[1]
        except (KeyError, IndexError):  # the source has begun anew with fewer rows
            self._forget()
            return None

    def place(self, row: int) -> int:
        """The row's number in the source: the same number is the same values."""
        return int(self._places[row])


class Moment:
    """The rows of several series that hold at one step: of each the latest at or before it."""

    def __init__(self, source: Source, names: Iterable[str]) -> None:
        self._rows = {name: Rows(source, name) for name in names}
        self._step: int | None = None
        self._shown: dict[str, int | None] = {}

    def pull(self, step: int | None) -> bool:
        """Read new steps; whether other rows hold at ``step`` now."""
        for rows in self._rows.values():
            rows.pull()
        return self.move(step)

    def move(self, step: int | None) -> bool:
        """Go to ``step`` (None: the newest); whether other rows hold there."""
        self._step = step
        found = {name: rows.at(step) for name, rows in self._rows.items()}
        shown = {name: None if row is None else self._rows[name].place(row) for name, row in found.items()}
        changed, self._shown = shown != self._shown, shown
        return changed

    def value(self, name: str) -> np.ndarray | None:
        """The row of a series that holds; None where there is none yet."""
        rows = self._rows[name]
        row = rows.at(self._step)
        return None if row is None else rows.value(row)

    def first(self, name: str) -> np.ndarray | None:
        """The first row of a series."""
        rows = self._rows[name]
        return rows.value(0) if len(rows.steps) else None

    def count(self, name: str) -> int:
        """How many rows a series has."""
        return len(self._rows[name].steps)

    @property
    def step(self) -> int | None:
        """Step of the newest row that holds."""
        found = [rows.steps[row] for rows in self._rows.values() if (row := rows.at(self._step)) is not None]
        return int(max(found)) if found else None

    @property
    def begin(self) -> int | None:
        """The first step at which every series has a row; None while one has none."""
        firsts = [int(rows.steps[0]) for rows in self._rows.values() if len(rows.steps)]
        return max(firsts) if firsts and len(firsts) == len(self._rows) else None

    @property
    def end(self) -> int:
        """The newest step of any series."""
        return max((int(rows.steps[-1]) for rows in self._rows.values() if len(rows.steps)), default=0)


class Block:
    """All rows of a vector series in one growing array (T, K), in the precision in which they were recorded."""

    def __init__(self, source: Source, name: str) -> None:
        self._source, self._name = source, name
        self._taken = self._count = 0
        self._steps = np.empty(0, np.int64)
        self._values = np.empty((0, 0))

    @property
    def steps(self) -> NDArray[np.int64]:
        """Steps (T,), rising."""
        return self._steps[: self._count]

    @property
    def values(self) -> np.ndarray:
        """Values (T, K)."""
        return self._values[: self._count]

    def pull(self) -> np.ndarray:
        """Read new rows and give them back (k, K); k is 0 when there are none."""
        try:
            step, value = self._source.series(self._name, self._taken)
        except KeyError:  # not recorded yet
            return self._values[:0]
        count = min(len(step), len(value))
        if not count:
            return self._values[:0]
        value = np.asarray(value[:count])
        value = value.reshape(count, math.prod(value.shape[1:]))
        self._taken += count
        counts = rising(step[:count])
        step, value = (step[:count], value) if counts.all() else (step[:count][counts], value[counts])
        self._count = int(np.searchsorted(self.steps, step[0]))
        self._make_room(self._count + len(step), value)
        stop = self._count + len(step)
        self._steps[self._count : stop], self._values[self._count : stop] = step, value
        fresh, self._count = self._values[self._count : stop], stop
        return fresh

    def _make_room(self, rows: int, like: np.ndarray) -> None:
        if rows <= len(self._steps) and self._values.shape[1] == like.shape[1]:
            return
        room = max(rows, 2 * len(self._steps), 64)
        kind = like.dtype if like.dtype.kind == "f" else np.dtype(float)
        steps, values = np.empty(room, np.int64), np.empty((room, like.shape[1]), kind)
        if self._count:
            steps[: self._count], values[: self._count] = self.steps, self.values
        self._steps, self._values = steps, values
