"""The one stream: what a run yields (sink) and where it can be read again (source).

A live buffer, a run file, a file that another process still writes and a made-up run in a test are all sources.
"""

import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

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


class _Column:
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


class MemoryRun:
    """A run in memory: sink for whoever computes, source for whoever shows. Safe between threads.

    Args:
        rows: Series to begin with, each ``(step, value)``; for made-up runs in tests.
    """

    def __init__(self, **rows: tuple[ArrayLike, ArrayLike]) -> None:
        self._lock = threading.Lock()
        self._columns: dict[str, _Column] = {}
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
            else:
                self._columns[name] = _Column(step, value)

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
            return list(self._columns)

    def attrs(self, name: str) -> Mapping[str, str]:
        return self._attrs.get(name, {})

    def series(self, name: str, start: int = 0) -> Rows:
        with self._lock:
            column = self._columns[name]
            return column.step[start : column.count], column.value[start : column.count]

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
