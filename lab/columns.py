"""Rows of one series in memory: all of them, or of large ones the newest."""

import time
from collections import deque

import numpy as np

WIDE = 4096  # bytes a row: from here on only the newest rows are kept, where the others can be read again
NEWEST = 48 * 2**20  # bytes of them
SETTLED = 3.0  # seconds after which a row is in the run file for certain; younger ones stay in memory


class Column:
    """Rows that grow by doubling, so that appending is cheap and reading gives a view without a copy."""

    def __init__(self, step: np.ndarray, value: np.ndarray) -> None:
        self.count = 0
        self.step = np.empty(max(256, len(step)), np.int64)
        self.value = np.empty((len(self.step), *value.shape[1:]), value.dtype)
        self.add(step, value)

    def add(self, step: np.ndarray, value: np.ndarray) -> None:
        end = self.count + len(step)
        if end > len(self.step):
            # new arrays, so that views handed out before keep their rows
            capacity = max(end, 2 * len(self.step))
            self.step = np.concatenate([self.step[: self.count], np.empty(capacity - self.count, np.int64)])
            rest = np.empty((capacity - self.count, *self.value.shape[1:]), self.value.dtype)
            self.value = np.concatenate([self.value[: self.count], rest])
        self.step[self.count : end] = step
        self.value[self.count : end] = value
        self.count = end


class Newest:
    """All steps of a series of large rows, and the newest of its values."""

    def __init__(self, step: np.ndarray) -> None:
        self._steps = Column(step, step)
        self._blocks: deque[tuple[float, int, np.ndarray]] = deque()  # when it came, its first row, its rows
        self.nbytes = 0

    @property
    def first(self) -> int:
        """The first row whose value is here."""
        return self._blocks[0][1] if self._blocks else self._steps.count

    @property
    def step(self) -> np.ndarray:
        return self._steps.step[: self._steps.count]

    def add(self, step: np.ndarray, value: np.ndarray) -> None:
        now = time.monotonic()
        self._blocks.append((now, self._steps.count, value))
        self._steps.add(step, step)
        self.nbytes += value.nbytes
        while self.nbytes > NEWEST and now - self._blocks[0][0] > SETTLED:
            self.nbytes -= self._blocks.popleft()[2].nbytes

    def row(self, index: int) -> np.ndarray | None:
        for _, first, rows in reversed(self._blocks):
            if index >= first:
                return rows[index - first]
        return None

    def rows(self, start: int) -> list[np.ndarray]:
        """Values from row ``start`` on, which is not before the first, in parts."""
        return [rows[max(0, start - first) :] for _, first, rows in self._blocks if first + len(rows) > start]
