"""The one stream: what a run yields (sink) and where it can be read again (source).

A live buffer, a run file, a file that another process still writes and a made-up run in a test are all sources.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lab.columns import WIDE, Column, Newest

PART = 1 << 17
"""Rows that are read at a time: a megabyte of numbers, which memory in use can take in."""

Rows = tuple[NDArray[np.int64], np.ndarray]


class Event(TypedDict):
    """Something that happened at a step: a knob turned, a spike detected, a branch taken, a failure."""

    step: int
    time: float  # seconds since the epoch
    kind: str
    payload: dict[str, Any]


class Sink(Protocol):
    """Takes what a run yields. Every call is made at a step boundary, from the run's own thread."""

    def declare(self, name: str, attrs: Mapping[str, str]) -> None:
        """Announce a series before its first row. attrs: label, symbol, units, statistic, estimator."""

    def append(self, name: str, step: ArrayLike, value: ArrayLike) -> None:
        """Add rows: ``step`` (k,) rising, ``value`` (k, ...)."""

    def event(self, step: int, kind: str, payload: Mapping[str, Any]) -> None: ...

    def checkpoint(self, step: int, state: Mapping[str, np.ndarray]) -> None: ...

    def log(self, line: str) -> None: ...


class Source(Protocol):
    """Gives back what was recorded, from any row on, also while it grows."""

    def names(self) -> list[str]: ...

    def attrs(self, name: str) -> Mapping[str, str]: ...

    def series(self, name: str, start: int = 0) -> Rows:
        """Recorded steps (T,) and values (T, ...) from row ``start`` on; KeyError when there is no such series."""
        ...

    def events(self, start: int = 0) -> list[Event]: ...


def steps_of(source: Source, name: str, start: int = 0) -> NDArray[np.int64]:
    """Recorded steps (T,) of a series from row ``start`` on; KeyError when there is no such series.

    A source that can read steps without their values offers a method ``steps(name, start)``.
    """
    read = getattr(source, "steps", None)
    return read(name, start) if read is not None else source.series(name, start)[0]


def row_of(source: Source, name: str, index: int) -> np.ndarray:
    """The values (...) of one row of a series; KeyError or IndexError when there is no such row.

    A source that can read a row without the others offers a method ``row(name, index)``.
    """
    read = getattr(source, "row", None)
    return read(name, index) if read is not None else source.series(name, index)[1][0]


def parts_of(source: Source, name: str, start: int = 0) -> Iterator[Rows]:
    """Rows of a series from row ``start`` on, ``PART`` at a time; KeyError when there is no such series.

    A source that can read rows without those after them offers a method ``part(name, start, stop)``, and its rows
    always rise; of any other all come at once.
    """
    read = getattr(source, "part", None)
    if read is None:
        yield source.series(name, start)
        return
    count = PART
    while count == PART:
        step, value = read(name, start, start + PART)
        count = len(step)
        start += count
        yield step, value


def rising(step: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows count (T,): a run that went back takes steps again, and the later row of a step holds."""
    return step < np.append(np.minimum.accumulate(step[::-1])[::-1][1:], np.iinfo(np.int64).max)


class Behind(Protocol):
    """Where rows that left memory can be read again: the run's file."""

    def series(self, name: str, start: int = 0) -> Rows: ...

    def row(self, name: str, index: int) -> np.ndarray: ...


class MemoryRun:
    """A run in memory: sink for whoever computes, source for whoever shows. Safe between threads.

    Args:
        behind: Where rows can be read again. Without it everything stays in memory; with it a series of large rows
            keeps only its newest ones, so that a long run with images does not fill the memory.
        rows: Series to begin with, each ``(step, value)``; for made-up runs in tests.
    """

    def __init__(self, behind: Behind | None = None, /, **rows: tuple[ArrayLike, ArrayLike]) -> None:
        self._lock = threading.Lock()
        self._behind = behind
        self._columns: dict[str, Column] = {}
        self._frames: dict[str, Newest] = {}
        self._attrs: dict[str, dict[str, str]] = {}
        self._events: list[Event] = []
        self.lines: list[str] = []
        self.checkpoints: dict[int, dict[str, np.ndarray]] = {}
        for name, (step, value) in rows.items():
            self.append(name, step, value)

    def declare(self, name: str, attrs: Mapping[str, str]) -> None:
        with self._lock:
            self._attrs[name] = dict(attrs)

    def append(self, name: str, step: ArrayLike, value: ArrayLike) -> None:
        step, value = np.atleast_1d(np.asarray(step, np.int64)), np.asarray(value)
        value = value.reshape(len(step), *value.shape[1:]) if value.ndim else value.reshape(1)
        with self._lock:
            if name in self._columns:
                self._columns[name].add(step, value)
            elif name in self._frames:
                self._frames[name].add(step, value)
            elif self._behind is not None and value[:1].nbytes >= WIDE:
                self._frames[name] = Newest(step[:0])
                self._frames[name].add(step, value)
            else:
                self._columns[name] = Column(step, value)

    def lies_behind(self, name: str, step: NDArray[np.int64]) -> None:
        """Begin a series of large rows with rows (k,) that are read from behind when they are asked for."""
        with self._lock:
            self._frames[name] = Newest(step)

    @property
    def nbytes(self) -> int:
        """Bytes of the values that are kept in memory."""
        with self._lock:
            return sum(c.value.nbytes for c in self._columns.values()) + sum(f.nbytes for f in self._frames.values())

    def event(self, step: int, kind: str, payload: Mapping[str, Any], *, at: float | None = None) -> None:
        when = time.time() if at is None else at
        with self._lock:
            self._events.append(Event(step=int(step), time=when, kind=kind, payload=dict(payload)))

    def checkpoint(self, step: int, state: Mapping[str, np.ndarray]) -> None:
        self.checkpoints[int(step)] = dict(state)

    def log(self, line: str) -> None:
        self.lines.append(line)

    def names(self) -> list[str]:
        with self._lock:
            return [*self._columns, *self._frames]

    def attrs(self, name: str) -> Mapping[str, str]:
        return self._attrs.get(name, {})

    def series(self, name: str, start: int = 0) -> Rows:
        with self._lock:
            if name not in self._frames:
                column = self._columns[name]
                return column.step[start : column.count], column.value[start : column.count]
            frames = self._frames[name]
            step, first, newest = frames.step[start:], frames.first, frames.rows(max(start, frames.first))
        if start < first and self._behind is not None:
            newest = [self._behind.series(name, start)[1][: first - start], *newest]
        return step, np.concatenate(newest) if newest else np.empty((0, 1))

    def steps(self, name: str, start: int = 0) -> NDArray[np.int64]:
        """Recorded steps (T,) of a series from row ``start`` on, without their values."""
        with self._lock:
            if name in self._frames:
                return self._frames[name].step[start:]
            column = self._columns[name]
            return column.step[start : column.count]

    def row(self, name: str, index: int) -> np.ndarray:
        """The values (...) of one row of a series."""
        with self._lock:
            frames = self._frames.get(name)
            found = None if frames is None else frames.row(index)
        if found is not None:
            return found
        if frames is not None and self._behind is not None:
            return self._behind.row(name, index)
        return self.series(name, index)[1][0]

    def events(self, start: int = 0) -> list[Event]:
        with self._lock:
            return self._events[start:]


def copy(source: Source, sink: Sink, names: Iterable[str] | None = None) -> None:
    """Append everything that ``source`` holds (or the named series) to ``sink``, events included."""
    for name in source.names() if names is None else names:
        sink.declare(name, source.attrs(name))
        sink.append(name, *source.series(name))
    for event in source.events():
        sink.event(event["step"], event["kind"], event["payload"])
