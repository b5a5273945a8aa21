"""Smallest and largest values of any stretch of a growing series, so that drawing it never hides a one-step spike."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

FACTOR = 8  # rows per block of the level above; a query looks at 2·FACTOR entries per level and pixel column


class Growing:
    """A float or int array that grows by doubling."""

    def __init__(self, dtype: type) -> None:
        self._data = np.empty(256, dtype)
        self.count = 0

    def extend(self, values: np.ndarray) -> None:
        end = self.count + len(values)
        if end > len(self._data):
            self._data = np.concatenate([self._data, np.empty(max(end, len(self._data)), self._data.dtype)])
        self._data[self.count : end] = values
        self.count = end

    def view(self) -> np.ndarray:
        return self._data[: self.count]


class Steps:
    """Rising steps. While they follow each other evenly only the first, the spacing and their count are kept."""

    def __init__(self) -> None:
        self.count = 0
        self._first, self._spacing = 0, 1
        self._listed: Growing | None = None

    def extend(self, steps: NDArray[np.int64]) -> None:
        if self._listed is None and not self._goes_on(steps):
            before = self.part(0, self.count)
            self._listed = Growing(np.int64)
            self._listed.extend(before)
        if self._listed is not None:
            self._listed.extend(steps)
        self.count += len(steps)

    def _goes_on(self, steps: NDArray[np.int64]) -> bool:
        """Whether the even row goes on with these; a row of one takes the spacing of what follows."""
        if self.count == 0:
            self._first = int(steps[0])
        if self.count <= 1 and self.count + len(steps) > 1:
            second = steps[0] if self.count else steps[1]
            self._spacing = int(second) - self._first
        if steps[0] != self._first + self._spacing * self.count:
            return False
        # rising whole numbers that reach no farther than their count leave none out
        reach = int(steps[-1] - steps[0])
        return reach == len(steps) - 1 if self._spacing == 1 else bool((np.diff(steps) == self._spacing).all())

    def truncate(self, count: int) -> None:
        self.count = count
        if self._listed is not None:
            self._listed.count = count

    def part(self, start: int, stop: int) -> NDArray[np.int64]:
        """Steps of the rows from ``start`` up to and without ``stop``."""
        if self._listed is not None:
            return self._listed.view()[start:stop]
        start, stop = min(max(start, 0), self.count), min(max(stop, 0), self.count)
        return self._first + self._spacing * np.arange(start, max(start, stop))

    def rows(self, steps: NDArray[np.int64]) -> NDArray[np.int64]:
        """The first row at or after each of ``steps`` (n,)."""
        if self._listed is not None:
            return np.searchsorted(self._listed.view(), steps)
        return np.clip(-(-(steps - self._first) // self._spacing), 0, self.count)

    def newest(self, step: float) -> int:
        """Number of the newest row at or before ``step``; -1 before the first."""
        if self._listed is not None:
            return int(np.searchsorted(self._listed.view(), step, side="right")) - 1
        if step >= self._first + self._spacing * (self.count - 1):
            return self.count - 1
        return max(int((step - self._first) // self._spacing), -1)

    def rows_at(self, places: NDArray[np.float64]) -> NDArray[np.int64]:
        """The first row at or after each of ``places`` (n,) between steps."""
        # whole numbers: for others numpy would first copy all steps into floats
        return self.rows(np.ceil(np.clip(places, -(2.0**62), 2.0**62)).astype(np.int64))


class Pyramid:
    """A scalar series against rising steps, with the minima and maxima of its blocks of 8, 64, 512, ... rows.

    Only whole blocks are kept, each written once: appending costs a seventh more than storing the rows. NaN counts as
    missing; infinities count as values. Where steps go back (a run that returned to a checkpoint), the rows taken
    again replace the earlier ones.
    """

    def __init__(self) -> None:
        self._step = Steps()
        self._value = Growing(np.float64)
        self._levels: list[tuple[Growing, Growing]] = []

    def __len__(self) -> int:
        return self._step.count

    @property
    def steps(self) -> NDArray[np.int64]:
        """Steps (T,), strictly rising."""
        return self._step.part(0, len(self))

    def part(self, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Steps and values of the rows from ``start`` up to and without ``stop``."""
        return self._step.part(start, stop), self.values[start:stop]

    def parts(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Steps and values of all rows."""
        yield self.part(0, len(self))

    @property
    def values(self) -> NDArray[np.float64]:
        """Values (T,)."""
        return self._value.view()

    def append(self, step: NDArray[np.int64], value: np.ndarray) -> None:
        """Add rows: ``step`` (k,), ``value`` (k,)."""
        if not len(step):
            return
        if not (step[1:] > step[:-1]).all():
            following = np.append(np.minimum.accumulate(step[::-1])[::-1][1:], np.iinfo(np.int64).max)
            kept = step < following
            step, value = step[kept], value[kept]
        if len(self) and step[0] <= self._step.part(len(self) - 1, len(self))[0]:
            self._truncate(int(self._step.rows(step[:1])[0]))
        self._step.extend(step)
        self._value.extend(value)
        self._complete_blocks()

    def _truncate(self, count: int) -> None:
        self._step.truncate(count)
        self._value.count = count
        for low, high in self._levels:
            count //= FACTOR
            low.count = high.count = count

    def _complete_blocks(self) -> None:
        low = high = self._value.view()
        for level in range(64):
            if len(low) < FACTOR:
                return
            if level == len(self._levels):
                self._levels.append((Growing(np.float64), Growing(np.float64)))
            lows, highs = self._levels[level]
            new = slice(lows.count * FACTOR, len(low) // FACTOR * FACTOR)
            if new.start == new.stop:
                return
            lows.extend(_reduced(np.fmin, low[new]))
            highs.extend(_reduced(np.fmax, high[new]))
            low, high = lows.view(), highs.view()

    def extremes(self, edges: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Exact minimum and maximum, each (n,), of the rows ``edges[i]`` up to and without ``edges[i + 1]``.

        Args:
            edges: Row numbers (n + 1,), not falling.

        Returns:
            Minima and maxima; NaN where a stretch has no number in it.
        """
        start, stop = edges[:-1].copy(), edges[1:].copy()
        low = np.full(len(start), np.nan)
        high = low.copy()
        levels = [(self._value, self._value), *self._levels]
        for level, (lows, highs) in enumerate(levels):
            if level == len(levels) - 1:
                self._include(lows, highs, start, stop, low, high)
                break
            # what sticks out of the blocks of the next level is read here, the rest there
            first = np.minimum(-(-start // FACTOR) * FACTOR, stop)
            last = np.maximum(stop // FACTOR * FACTOR, first)
            self._include(lows, highs, start, first, low, high)
            self._include(lows, highs, last, stop, low, high)
            start, stop = first // FACTOR, last // FACTOR
            stop = np.maximum(start, stop)
            if not (stop > start).any():
                break
        return low, high

    @staticmethod
    def _include(
        lows: Growing, highs: Growing, start: np.ndarray, stop: np.ndarray, low: np.ndarray, high: np.ndarray
    ) -> None:
        longest = int((stop - start).max(initial=0))
        if not longest:
            return
        # a stretch shorter than the longest meets its last entry again, which changes neither extreme
        entry = np.minimum(start + np.arange(longest)[:, None], stop - 1)
        empty = stop <= start
        for source, target, pick in ((lows, low, np.fmin), (highs, high, np.fmax)):
            found = pick.reduce(source.view().take(entry, mode="clip"), axis=0)
            found[empty] = np.nan
            pick(target, found, out=target)

    def columns(self, edges: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Minimum and maximum, each (n,), of the steps in each pixel column.

        Args:
            edges: Steps at which the columns begin, and where the last one ends (n + 1,); a column holds its left edge.
        """
        return self.extremes(self.rows(edges))

    def rows(self, edges: NDArray[np.float64]) -> NDArray[np.int64]:
        """The first row at or after each of the steps ``edges`` (n,)."""
        return self._step.rows_at(edges)

    def at(self, step: float) -> tuple[int, float] | None:
        """The newest row at or before ``step``; None before the first."""
        row = self._step.newest(step)
        return None if row < 0 else (int(self._step.part(row, row + 1)[0]), float(self.values[row]))


def _reduced(pick: np.ufunc, values: np.ndarray) -> np.ndarray:
    """``pick`` over each FACTOR values; by columns, which is ten times quicker than numpy's reduce over short rows."""
    columns = values.reshape(-1, FACTOR)
    found = columns[:, 0].copy()
    for number in range(1, FACTOR):
        pick(found, columns[:, number], out=found)
    return found
