"""The steps and values of the series in one open run file: found and checked once, long ones read in few reads.

HDF5 asks the file for each chunk by itself, which for a series of a million rows takes longer than the reading. Here
neighbouring chunks are read in one go, and steps that leave none out are counted instead of read.
"""

import functools
import itertools

import h5py
import numpy as np
from numpy.typing import NDArray

from . import safe
from .errors import RunFileError
from .layout import EVENT_KIND, EVENT_PAYLOAD, EVENT_TIME, EVENTS, SERIES, SERIES_ATTRS, STEP, VALUE
from .pages import PagedFile

_MANY = 1 << 14  # scalars from which on reading chunk by chunk is felt


class Column:
    """A dataset of numbers, one row after another.

    Args:
        found: It, checked.
        pages: Its file.
    """

    def __init__(self, found: h5py.Dataset, pages: PagedFile) -> None:
        self.dtype, self.ndim, self._count = found.dtype, found.ndim, len(found) if found.ndim else 0
        self._found, self._pages = found, pages
        self._chunk = found.chunks[0] if found.chunks else 0  # rows
        self._places: NDArray[np.int64] | None = None  # of the chunks in the file, once asked for
        self._row: tuple[int, np.ndarray] | None = None  # the last wide one: several views show the same step

    def __len__(self) -> int:
        return self._count

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Rows from ``start`` up to and without ``stop``."""
        start, stop = min(start, len(self)), min(stop, len(self))
        if self._places is None and stop - start >= _MANY:
            self._places = self._find_chunks()
        known = self._places is not None and len(self._places) > 0 and stop > start
        read = self._runs_of_chunks(start, stop) if known else None
        return safe.numbers(self._found, start, stop) if read is None else read

    def row(self, index: int) -> np.ndarray:
        """One row, not to be written into."""
        if self.ndim == 1:
            return self.rows(index, index + 1)[0]
        if self._row is None or self._row[0] != index:
            found = self.rows(index, index + 1)[0]
            found.flags.writeable = False
            self._row = index, found
        return self._row[1]

    def steps(self, start: int, stop: int) -> NDArray[np.int64]:
        """Rows of a column of steps, up to the first that was never written or does not rise: those that count."""
        stop = min(stop, len(self))
        if self._first is not None:
            return np.arange(self._first + start, self._first + stop)
        steps = self.rows(start, stop)
        return steps[: _whole(steps)]

    @functools.cached_property
    def _first(self) -> int | None:
        """The first of many steps that leave none out, as rising whole numbers do whose ends are their count apart."""
        if len(self) < _MANY or not self._chunk or self._found.id.get_num_chunks() < -(-len(self) // self._chunk):
            return None  # few, or a chunk was never written
        first, last = (int(self.rows(at, at + 1)[0]) for at in (0, len(self) - 1))
        return first if first >= 0 and last - first == len(self) - 1 else None

    def _find_chunks(self) -> NDArray[np.int64]:
        """Where each chunk of scalars lies; nothing where HDF5 has to fill in what was never written, or to convert."""
        plain = self._chunk and self.ndim == 1 and self.dtype.kind in safe.NUMBERS
        if not plain or self._found.id.get_create_plist().get_nfilters():
            return np.empty(0, np.int64)
        if self._found.id.get_type() != h5py.h5t.py_create(self.dtype, logical=True):
            return np.empty(0, np.int64)
        chunks: list[h5py.h5d.StoreInfo] = []
        self._found.id.chunk_iter(chunks.append)
        places = np.full(-(-len(self) // self._chunk), -1, np.int64)
        # unsigned: what a damaged file says may be larger than a row's number
        numbers = np.array([chunk.chunk_offset[0] for chunk in chunks], np.uint64) // self._chunk
        sizes = np.array([chunk.size for chunk in chunks], np.uint64)
        kept = (numbers < len(places)) & (sizes == self._chunk * self.dtype.itemsize)
        places[numbers[kept]] = np.array([chunk.byte_offset for chunk in chunks], np.uint64)[kept].astype(np.int64)
        return np.empty(0, np.int64) if (places < 0).any() else places

    def _runs_of_chunks(self, start: int, stop: int) -> np.ndarray | None:
        """Rows, neighbouring chunks in one go; None where the file is too short for them."""
        assert self._places is not None
        rows, item = self._chunk, self.dtype.itemsize
        first = start // rows
        places = self._places[first : -(-stop // rows)]
        cuts = (np.flatnonzero(np.diff(places) != rows * item) + 1).tolist() if len(places) > 1 else []
        values = np.empty(stop - start, self.dtype)
        target, at = values.view(np.uint8).data, start
        for begin, end in itertools.pairwise([0, *cuts, len(places)]):
            until = min((first + end) * rows, stop)
            part = target[(at - start) * item : (until - start) * item]
            self._pages.seek(int(places[begin]) + (at - (first + begin) * rows) * item)
            if self._pages.readinto(part) < len(part):
                return None
            at = until
        return values


class Columns:
    """The columns of every series, and of the events, of an open file as it is.

    Args:
        file: A file that nobody else writes by these handles.
        pages: What lies beneath it.
    """

    def __init__(self, file: h5py.File, pages: PagedFile) -> None:
        self._file, self._pages = file, pages
        self._found: dict[tuple[str, str], Column | None] = {}
        self._attrs: dict[str, dict[str, str]] = {}
        self._events: dict[str, h5py.Dataset] = {}

    def names(self) -> list[str]:
        """Series that have rows."""
        found = ((name, self._column(name, STEP)) for name in self.every())
        return [name for name, step in found if step is not None and len(step)]

    def every(self) -> list[str]:
        """Series with and without rows."""
        return safe.names(safe.group(self._file, SERIES))

    def of(self, name: str) -> tuple[Column, Column, int] | None:
        """The steps and values of a series, and how many rows both have; None without any."""
        step, value = self._column(name, STEP), self._column(name, VALUE)
        if step is None or value is None:
            return None
        if step.dtype != np.int64 or step.ndim != 1 or not value.ndim:
            raise RunFileError(f"series {name} has no steps")
        count = min(len(step), len(value))
        return (step, value, count) if count else None

    def attrs(self, name: str) -> dict[str, str]:
        """label, symbol, units, statistic, estimator: those that the series has."""
        if name not in self._attrs:
            parent = safe.group(self._file, SERIES)
            series = safe.group(parent, name) if safe.has(parent, name) else None
            found = [(key, None if series is None else safe.attribute(series, key)) for key in SERIES_ATTRS]
            self._attrs[name] = {key: str(value) for key, value in found if value is not None}
        return self._attrs[name]

    def events(self) -> dict[str, h5py.Dataset]:
        """step, time, kind and payload of what happened."""
        if not self._events:
            group = safe.group(self._file, EVENTS)
            names = (STEP, EVENT_TIME, EVENT_KIND, EVENT_PAYLOAD)
            self._events = {name: safe.dataset(group, name, self._pages.size) for name in names}
        return self._events

    def _column(self, name: str, which: str) -> Column | None:
        if (name, which) not in self._found:
            parent = safe.group(self._file, SERIES)
            series = safe.group(parent, name) if safe.has(parent, name) else None
            if series is not None and safe.has(series, which):
                found = Column(safe.dataset(series, which, self._pages.size), self._pages)
            else:
                found = None
            self._found[name, which] = found
        return self._found[name, which]


def _whole(steps: np.ndarray) -> int:
    """How many rows count: up to the first whose step was never written or does not rise."""
    if not len(steps):
        return 0
    if steps[0] >= 0 and (steps[1:] > steps[:-1]).all():
        return len(steps)
    broken = np.flatnonzero((np.diff(steps) <= 0) | (steps[1:] < 0))
    return 0 if steps[0] < 0 else int(broken[0]) + 1 if len(broken) else len(steps)
