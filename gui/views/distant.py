"""A long series that stays in its file: only its extremes are kept, and rows are read where they show."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from gui.views.pyramid import Pyramid, Steps
from lab.stream import PART

BLOCK = 64  # rows of which the extremes are kept: a thirtieth of what the rows take
Rows = tuple[NDArray[np.int64], np.ndarray]


class Distant:
    """Stands for a Pyramid whose rows can be read again, and always rise.

    A pixel column of less than two blocks is as exact as there. In wider ones a block counts as a whole in the column
    where it begins: nothing is hidden, and what stands out is drawn half a pixel aside at most.

    Args:
        read: Steps and values of the rows from one up to and without another.
        value: The value of one row.
    """

    def __init__(self, read: Callable[[int, int], Rows], value: Callable[[int], np.ndarray]) -> None:
        self._read, self._value = read, value
        self._step = Steps()
        self._low, self._high = Pyramid(), Pyramid()  # of each whole block, by its number
        self._rest = np.empty(0)  # the values after the last whole block
        self._near: tuple[int, Pyramid] = (0, Pyramid())  # the rows that were read last, and the first one's number

    def __len__(self) -> int:
        return self._step.count

    def append(self, step: NDArray[np.int64], value: np.ndarray) -> None:
        """Take note of the next rows: ``step`` (k,), ``value`` (k,)."""
        self._step.extend(step)
        value = np.concatenate([self._rest, value])
        count = len(value) // BLOCK
        if count:
            number, begin = len(self._low) + np.arange(count), BLOCK * np.arange(count)
            self._low.append(number, np.fmin.reduceat(value[: count * BLOCK], begin))
            self._high.append(number, np.fmax.reduceat(value[: count * BLOCK], begin))
        self._rest = value[count * BLOCK :].copy()

    def part(self, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Steps and values of the rows from ``start`` up to and without ``stop``."""
        begin, near = self._around(max(start, 0), min(stop, len(self)))
        return near.part(max(start, 0) - begin, max(stop - begin, 0))

    def parts(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Steps and values of all rows, some at a time."""
        for start in range(0, len(self), PART):
            step, value = self._read(start, min(start + PART, len(self)))
            yield step, value.astype(float, copy=False)

    def extremes(self, edges: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Minimum and maximum, each (n,), of the rows ``edges[i]`` up to and without ``edges[i + 1]``."""
        low, high = np.full(len(edges) - 1, np.nan), np.full(len(edges) - 1, np.nan)
        filled = np.flatnonzero(np.diff(edges))
        if not len(filled):
            return low, high
        # exact up to the last narrow column, in which blocks would be seen; the last of all ends where the data ends
        narrow = filled[:-1][np.diff(edges)[filled[:-1]] < 2 * BLOCK]
        cut = int(narrow[-1]) + 1 if len(narrow) else 0
        if cut:
            begin, near = self._around(int(edges[0]), int(edges[cut]))
            low[:cut], high[:cut] = near.extremes(edges[: cut + 1] - begin)
        # whole blocks, and the rows on either side of them
        first = min(-(-int(edges[cut]) // BLOCK) * BLOCK, int(edges[-1]))
        last = max(int(edges[-1]) // BLOCK * BLOCK, first)
        blocks = np.clip(edges[cut:], first, last) // BLOCK
        low[cut:], high[cut:] = self._low.extremes(blocks)[0], self._high.extremes(blocks)[1]
        for start, stop, column in ((edges[cut], first, filled[filled >= cut][0]), (last, edges[-1], filled[-1])):
            if stop > start:
                value = self.part(int(start), int(stop))[1]
                low[column] = np.fmin.reduce(value, initial=low[column])
                high[column] = np.fmax.reduce(value, initial=high[column])
        return low, high

    def rows(self, edges: NDArray[np.float64]) -> NDArray[np.int64]:
        """The first row at or after each of the steps ``edges`` (n,)."""
        return self._step.rows_at(edges)

    def at(self, step: float) -> tuple[int, float] | None:
        """The newest row at or before ``step``; None before the first."""
        row = self._step.newest(step)
        return None if row < 0 else (int(self._step.part(row, row + 1)[0]), float(self._value(row)))

    def _around(self, start: int, stop: int) -> tuple[int, Pyramid]:
        """Rows that hold those from ``start`` to ``stop``, and as many on either side for who moves on."""
        begin, near = self._near
        if not begin <= start <= stop <= begin + len(near):
            begin, near = max(start - (stop - start) // 2, 0), Pyramid()
            step, value = self._read(begin, min(stop + (stop - start) // 2, len(self)))
            near.append(step, value.astype(float, copy=False))
            self._near = begin, near
        return begin, near
