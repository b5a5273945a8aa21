"""The rows that two long series in a file have in common: what stands out is kept, the rest read where it shows."""

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from gui.views.pairs import Pairs
from gui.views.pyramid import Growing, Steps

BLOCK = 64  # pairs of which at most seven are kept
MOST_ROWS, MOST_READS = 1 << 16, 24  # that are read for one drawing: about 10 ms
Rows = tuple[NDArray[np.int64], np.ndarray]
Path = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]


class FarPairs:
    """Stands for ``Pairs`` of two series whose rows can be read again, and always rise.

    Of each block stay its ends, the smallest and the largest value of either series and where gaps begin, so a path
    through them reaches as far as the whole one on every side.

    Args:
        reads: For either series, steps and values of its rows from one up to and without another.
    """

    def __init__(self, reads: Sequence[Callable[[int, int], Rows]]) -> None:
        self._reads = reads
        self._steps = Steps(), Steps()  # of each series' rows
        self._rest = Pairs()  # after the last whole block
        self._kept = Growing(np.int64), Growing(np.float64), Growing(np.float64)
        self._firsts = Growing(np.int64)  # step at which each block begins
        self._boxes = Growing(np.float64), Growing(np.float64), Growing(np.float64), Growing(np.float64)
        self._end = np.nan, np.nan  # values of the last pair of the last block
        self._near: tuple[bytes, Path] | None = None  # the blocks that were read last

    def __len__(self) -> int:
        return self._firsts.count * BLOCK + len(self._rest)

    @property
    def rows(self) -> Path:
        """Steps and both values, each (T,), of the pairs that are kept."""
        steps, x, y = (np.append(kept.view(), rest) for kept, rest in zip(self._kept, self._rest.rows, strict=True))
        return steps, x, y

    def append(self, which: int, step: NDArray[np.int64], value: np.ndarray) -> None:
        """Take note of the next rows of the first series, 0, or of the second, 1: ``step`` (k,), ``value`` (k,)."""
        if len(step):
            self._steps[which].extend(step)
            self._rest.append(which, step, value)
            if whole := len(self._rest) // BLOCK * BLOCK:
                self._fold(*self._rest.take(whole))

    def _fold(self, step: NDArray[np.int64], x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        count = len(step) // BLOCK
        kept, block = np.zeros((count, BLOCK), bool), np.arange(count)
        kept[:, -1] = True
        for number, flat in enumerate((x, y)):
            values = flat.reshape(count, BLOCK)
            gap = np.isnan(values)
            kept[block, np.where(gap, np.inf, values).argmin(axis=1)] = True
            kept[block, np.where(gap, -np.inf, values).argmax(axis=1)] = True
            kept[block, gap.argmax(axis=1)] = True  # the first pair where there is no gap
            before = np.append(self._end[number], values[:-1, -1])  # the line from there belongs to the block
            self._boxes[2 * number].extend(np.fmin(np.fmin.reduce(values, axis=1), before))
            self._boxes[2 * number + 1].extend(np.fmax(np.fmax.reduce(values, axis=1), before))
        for column, values in zip(self._kept, (step, x, y), strict=True):
            column.extend(values[kept.reshape(-1)])
        self._firsts.extend(step[::BLOCK])
        self._end = float(x[-1]), float(y[-1])

    def near(self, x: Sequence[float], y: Sequence[float]) -> Path | None:
        """Every pair of the blocks that reach into a rectangle, with gaps between them; None where they are many."""
        left, right, bottom, top = (box.view() for box in self._boxes)
        hit = (left <= x[1]) & (right >= x[0]) & (bottom <= y[1]) & (top >= y[0])
        numbers = np.flatnonzero(hit)
        runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
        if len(numbers) * BLOCK > MOST_ROWS or len(runs) > MOST_READS:
            return None
        key = numbers.tobytes()
        if self._near is None or self._near[0] != key:
            pieces = [self._read(*self._stretch(int(run[0]), int(run[-1]))) for run in runs if len(run)]
            self._near = key, _apart(pieces)
        steps, *values = self._near[1]
        rest = self._rest.rows
        across, up = (np.append(part, more) for part, more in zip(values, rest[1:], strict=True))
        return np.append(steps, rest[0]), across, up

    def at(self, step: float) -> tuple[int, float, float] | None:
        """The newest pair at or before ``step``; None before the first."""
        if (found := self._rest.at(step)) is not None:
            return found
        kept = self._kept[0].view()
        place = int(np.searchsorted(kept, step, side="right")) - 1
        if place < 0:
            return None
        until = int(kept[place + 1]) if place + 1 < len(kept) else int(kept[place]) + 1
        steps, x, y = self._read(int(kept[place]), until if step >= until else int(step) + 1)
        return int(steps[-1]), float(x[-1]), float(y[-1])

    def parts(self) -> Iterator[Path]:
        """All pairs, some at a time."""
        blocks = MOST_ROWS // BLOCK
        for start in range(0, self._firsts.count, blocks):
            yield self._read(*self._stretch(start, min(start + blocks, self._firsts.count) - 1, before=0))
        yield self._rest.rows

    def _stretch(self, first: int, last: int, before: int = 1) -> tuple[int, int]:
        """Steps from the first block up to and without the one after the last, and from the last of those before."""
        firsts = self._firsts.view()
        begin = int(firsts[first])
        if before and first:
            kept = self._kept[0].view()
            begin = int(kept[np.searchsorted(kept, begin) - 1])
        return begin, int(firsts[last + 1]) if last + 1 < len(firsts) else int(self._kept[0].view()[-1]) + 1

    def _read(self, begin: int, end: int) -> Path:
        """The pairs with steps from ``begin`` up to and without ``end``."""
        found = Pairs()
        for which, (read, steps) in enumerate(zip(self._reads, self._steps, strict=True)):
            start, stop = steps.rows(np.array([begin, end])).tolist()
            found.append(which, *read(start, stop))
        return found.rows


def _apart(pieces: list[Path]) -> Path:
    """Pieces of a path after each other, none joined to the next."""
    if not pieces:
        return np.empty(0, np.int64), np.empty(0), np.empty(0)
    gaps = [(steps[-1:], np.array([np.nan]), np.array([np.nan])) for steps, _, _ in pieces]
    columns = zip(*itertools.chain.from_iterable(zip(pieces, gaps, strict=True)), strict=True)
    steps, x, y = (np.concatenate(column) for column in columns)
    return steps, x, y
