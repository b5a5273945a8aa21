"""Reads one run file, finished or still being written by another process: a source like any other."""

import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray

from . import lock, safe
from .columns import Columns
from .errors import RunFileError
from .layout import (
    CHECKPOINTS,
    CLOCK,
    CLOCK_TIME,
    CONFIG,
    ENVIRONMENT,
    EVENT_KIND,
    EVENT_PAYLOAD,
    EVENT_TIME,
    HEADER,
    LIVE_STATES,
    LOG,
    NO_STEP,
    NOTE,
    SERIES,
    STAR,
    STATES,
    STEP,
    TAGS,
    VERDICT,
    migrated,
)
from .opening import is_live
from .pages import PagedFile, signature

T = TypeVar("T")

_ATTEMPTS = 12  # to read one state of a file that is being written
_DIRECT = 4  # of them in place; then from a copy, which is made faster than most is read
_PATIENCE = 10.0  # seconds
_ALL = 1 << 62
_LAST = 8  # rows at the end among which one is whole
_TICK = 50_000_000  # nanoseconds; two changes that are nearer may leave the same time stamp


@dataclass(frozen=True)
class Labels:
    """What people say of a run, kept in its file."""

    star: bool = False
    tags: tuple[str, ...] = ()
    note: str = ""


class RunReader:
    """A run file as a source. Nothing is locked, so the writer never waits. Safe between threads.

    Raises:
        RunFileError: The file is missing, damaged, of a later version or no run file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = threading.RLock()
        self._pages: PagedFile | None = None
        self._file: h5py.File | None = None
        self._found: Columns | None = None
        self._seen: tuple[int, ...] = ()
        self._settled = False
        self.header  # noqa: B018 - a file that is no run is refused here and now

    def __enter__(self) -> "RunReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def header(self) -> dict[str, Any]:
        """format_version, run_id, created, state and what ``layout.HEADER`` lists; None where it does not apply."""
        return self._read(read_header)

    @property
    def state(self) -> str:
        """As recorded, but interrupted where a run should go on and its writer is gone."""
        return self._read(lambda file: actual_state(read_header(file)["state"], self._descriptor))

    @property
    def config(self) -> dict[str, Any]:
        return self._json(CONFIG)

    @property
    def also(self) -> tuple[str, ...]:
        """Instruments read beyond those that always are: NAME, or NAME=K where the user had it read every K steps."""
        return tuple(str(self.header["also"] or "").split())

    @property
    def environment(self) -> dict[str, Any]:
        return self._json(ENVIRONMENT)

    @property
    def verdict(self) -> dict[str, Any]:
        """The last verdict that was kept; empty where there is none yet."""
        return self._json(VERDICT)

    @property
    def labels(self) -> Labels:
        """The star, tags and note that the run was given."""
        return self._read(read_labels)

    def clock(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """When the run was where: steps (C,) and seconds since the epoch (C,), about one pair a second.

        A step that does not rise begins another session. Empty for files of versions that kept no clock.
        """

        def read(file: h5py.File) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
            if not safe.has(file, CLOCK):
                return np.empty(0, np.int64), np.empty(0)
            clock = safe.group(file, CLOCK)
            step, at = (safe.dataset(clock, name, self._size) for name in (STEP, CLOCK_TIME))
            count = min(len(step), len(at))
            return safe.numbers(step, 0, count), safe.numbers(at, 0, count)

        return self._read(read)

    @property
    def default_series(self) -> str:
        """The series that other HDF5 programs show first; empty where none is named."""
        path = self._read(lambda file: safe.attribute(file, "default"))
        return str(path or "").removeprefix(f"{SERIES}/")

    def names(self) -> list[str]:
        """Series that have rows."""
        return self._read(lambda _: self._columns.names())

    def scalars(self) -> tuple[dict[str, tuple[NDArray[np.int64], np.ndarray]], int | None]:
        """Steps (T,) and values (T,) of every scalar series, and the last step of any series; None before the first."""

        def read(_: h5py.File) -> tuple[dict[str, tuple[NDArray[np.int64], np.ndarray]], int | None]:
            found, last = {}, None
            for name in self._columns.every():
                if (columns := self._columns.of(name)) is None:
                    continue
                step, value, count = columns
                scalar = value.ndim == 1 and value.dtype.kind in "biuf"
                steps = step.steps(0 if scalar else count - 1, count)
                if scalar:
                    found[name] = steps, value.rows(0, len(steps))
                if len(steps):
                    last = max(last or 0, int(steps[-1]))
            return found, last

        return self._read(read)

    def attrs(self, name: str) -> Mapping[str, str]:
        """label, symbol, units, statistic, estimator: those that the series has."""
        return dict(self._read(lambda _: self._columns.attrs(name)))

    def series(self, name: str, start: int = 0) -> tuple[NDArray[np.int64], np.ndarray]:
        """Recorded steps, shape (T,), and values, shape (T, ...), from row ``start`` on.

        Raises:
            KeyError: There is no such series, or it has no row yet.
        """
        return self.part(name, start, _ALL)

    def part(self, name: str, start: int, stop: int) -> tuple[NDArray[np.int64], np.ndarray]:
        """The same of rows ``start`` up to and without ``stop``."""
        rows = self._read(lambda _: self._rows(name, start, stop))
        if rows is None:
            raise KeyError(name)
        return rows

    def steps(self, name: str, start: int = 0) -> NDArray[np.int64]:
        """Recorded steps, shape (T,), from row ``start`` on, without the values.

        Raises:
            KeyError: There is no such series, or it has no row yet.
        """

        def read(_: h5py.File) -> NDArray[np.int64] | None:
            found = self._columns.of(name)
            return None if found is None else found[0].steps(start, found[2])

        steps = self._read(read)
        if steps is None:
            raise KeyError(name)
        return steps

    def last_step(self) -> int:
        """The newest recorded step of any series, without reading any whole; 0 before the first."""

        def read(_: h5py.File) -> int:
            newest = 0
            for name in self._columns.every():
                if (found := self._columns.of(name)) is not None:
                    step, count = found[0], found[2]
                    ends = step.steps(max(count - _LAST, 0), count)
                    if not len(ends):  # rows that a crash left without their steps
                        ends = step.steps(0, count)
                    newest = max([newest, *ends[-1:].tolist()])
            return newest

        return self._read(read)

    def row(self, name: str, index: int) -> np.ndarray:
        """The values of one row, shape (...), without those of any other; not to be written into.

        Raises:
            KeyError: There is no such row.
        """

        def read(_: h5py.File) -> np.ndarray | None:
            found = self._columns.of(name)
            return None if found is None or not 0 <= index < found[2] else found[1].row(index)

        row = self._read(read)
        if row is None:
            raise KeyError(f"{name} has no row {index}")
        return row

    def last_numbers(self) -> dict[str, float]:
        """The last value of every scalar series that has rows, read at one go."""

        def read(_: h5py.File) -> dict[str, float]:
            found = {}
            for name in self._columns.every():
                columns = self._columns.of(name)
                if columns is not None and columns[1].ndim == 1:
                    found[name] = float(columns[1].rows(columns[2] - 1, columns[2])[0])
            return found

        return self._read(read)

    def events(self, start: int = 0) -> list[Any]:
        """What happened, from event ``start`` on: step, time, kind and payload of each."""
        return self._read(lambda _: self._events(start))

    def lines(self, start: int = 0) -> list[str]:
        """The log from line ``start`` on."""
        return self._read(lambda file: safe.texts(safe.dataset(file, LOG, self._size), start, _ALL, self._size))

    def checkpoints(self) -> list[int]:
        """Steps at which the whole state was kept, rising."""
        return self._read(
            lambda file: sorted(map(int, filter(str.isdecimal, safe.names(safe.group(file, CHECKPOINTS)))))
        )

    def checkpoint(self, step: int) -> dict[str, np.ndarray]:
        """The state kept at ``step``.

        Raises:
            KeyError: There is none at that step.
        """

        def read(file: h5py.File) -> dict[str, np.ndarray] | None:
            kept = safe.group(file, CHECKPOINTS)
            if not safe.has(kept, str(step)):
                return None
            return dict(safe.arrays(safe.group(kept, str(step)), self._size))

        state = self._read(read)
        if state is None:
            raise KeyError(step)
        return state

    def newest_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every array of the newest checkpoint, by its path; nothing where there is none."""

        def read(file: h5py.File) -> dict[str, tuple[int, ...]]:
            kept = safe.group(file, CHECKPOINTS)
            steps = sorted(filter(str.isdecimal, safe.names(kept)), key=int)
            if not steps:
                return {}
            return {path: found.shape for path, found in safe.datasets(safe.group(kept, steps[-1]), self._size)}

        return self._read(read)

    def check(self) -> None:
        """Look at everything that a writer would go on from.

        Raises:
            RunFileError: Some of it is damaged.
        """

        def read(file: h5py.File) -> None:
            for name in safe.names(safe.group(file, SERIES)):
                self._rows(name, 0, _ALL)
            for name in (CONFIG, ENVIRONMENT, VERDICT):
                safe.json_text(file, name, self._paged)
            safe.group(file, CHECKPOINTS)

        self._read(read)
        self.events()
        self.lines()

    def copy_into(self, target: h5py.File, without: Collection[str] = ()) -> None:
        """Copy everything into another file; the groups named in ``without`` stay empty."""

        def copy(file: h5py.File) -> None:
            for name in safe.names(file):
                if name in target:  # an earlier attempt met the writer's commit
                    del target[name]
                if name in without:
                    target.create_group(name)
                else:
                    file.copy(name, target)
            target.attrs.update(file.attrs)

        self._read(copy)

    def refresh(self) -> None:
        """Look at the file anew. Every read does so by itself when the file has changed."""
        with self._lock:
            self._drop()

    def close(self) -> None:
        """Let the file go; a later read opens it again."""
        self.refresh()

    @property
    def _paged(self) -> PagedFile:
        assert self._pages is not None
        return self._pages

    @property
    def _size(self) -> int:
        return self._paged.size

    @property
    def _columns(self) -> Columns:
        assert self._found is not None
        return self._found

    @property
    def _descriptor(self) -> int:
        return self._paged.descriptor

    def _json(self, name: str) -> dict[str, Any]:
        return self._read(lambda file: safe.json_text(file, name, self._paged))

    def _rows(self, name: str, start: int, stop: int) -> tuple[NDArray[np.int64], np.ndarray] | None:
        if (found := self._columns.of(name)) is None:
            return None
        step, value, count = found
        steps = step.steps(start, min(stop, count))
        return steps, value.rows(start, start + len(steps))

    def _events(self, start: int) -> list[Any]:
        columns = self._columns.events()
        count = min(len(column) for column in columns.values())
        if start >= count:
            return []
        steps = safe.numbers(columns[STEP], start, count)
        times = safe.numbers(columns[EVENT_TIME], start, count)
        kinds = safe.texts(columns[EVENT_KIND], start, count, self._size)
        payloads = safe.texts(columns[EVENT_PAYLOAD], start, count, self._size)
        return [
            {"step": int(step), "time": float(at), "kind": kind, "payload": safe.parsed(EVENT_PAYLOAD, payload)}
            for step, at, kind, payload in zip(steps, times, kinds, payloads, strict=True)
            if step != NO_STEP
        ]

    def _read(self, read: Callable[[h5py.File], T]) -> T:
        """``read`` from one state of the file, the newest. A read that met a commit is done again.

        Where commits leave no time for that, from a copy made across some: rows count once their steps are there.
        """
        with self._lock:
            give_up = time.monotonic() + _PATIENCE
            for attempt in itertools.count(1):
                try:
                    return read(self._current(aside=attempt > _DIRECT, torn=attempt > _ATTEMPTS))
                except RunFileError as error:
                    problem = error
                except (OSError, RuntimeError, ValueError, TypeError, KeyError, IndexError, MemoryError) as error:
                    problem = RunFileError(f"is damaged: {' '.join(str(error).split())}")
                changed = self._seen != _signature(self.path)
                self._drop()
                if not changed and (attempt >= _ATTEMPTS or not is_live(self.path)):
                    raise _blame(self.path, problem) from problem
                if time.monotonic() > give_up:
                    raise RunFileError(f"{self.path}: changes faster than it can be read; wait or pause the run")
                time.sleep(0.002 * min(attempt, _ATTEMPTS))
        raise AssertionError("unreachable")

    def _current(self, *, aside: bool = False, torn: bool = False) -> h5py.File:
        if self._file is not None and self._settled and _signature(self.path) == self._seen:
            return self._file
        self._drop()
        self._seen = _signature(self.path)
        self._settled = time.time_ns() - self._seen[0] > _TICK
        self._pages, self._file = safe.open_file(self.path, aside=aside, torn=torn)
        self._found = Columns(self._file, self._pages)
        return self._file

    def _drop(self) -> None:
        self._found = None
        if self._file is not None:
            self._file.close()
        if self._pages is not None:
            self._pages.close()
        self._file = self._pages = None


def read_header(file: h5py.File) -> dict[str, Any]:
    """The attributes of /, upgraded to this version.

    Raises:
        RunFileError: They are not those of a run.
    """
    known = ("format", "format_version", "run_id", "created", "state", *HEADER)
    header = migrated({name: safe.attribute(file, name) for name in known})
    if header["state"] not in STATES or not header["run_id"]:
        raise RunFileError(f"is damaged: its state is {header['state']!r}, its run_id {header['run_id']!r}")
    del header["format"]
    return {name: None if value in ("", NO_STEP) else value for name, value in header.items()}


def read_labels(file: h5py.File) -> Labels:
    """The star, tags and note among the attributes of /."""
    star, tags, note = (safe.attribute(file, name) for name in (STAR, TAGS, NOTE))
    try:
        listed = json.loads(str(tags)) if tags else []
    except (ValueError, RecursionError) as error:
        raise RunFileError(f"its tags are no JSON: {error}") from error
    if not isinstance(listed, list):
        raise RunFileError("its tags are no list")
    return Labels(bool(star), tuple(str(tag) for tag in listed), str(note or ""))


def actual_state(recorded: str, descriptor: int) -> str:
    """The recorded state, or interrupted where only a writer could make it true and none lives."""
    return "interrupted" if recorded in LIVE_STATES and not lock.held(descriptor) else recorded


def _signature(path: Path) -> tuple[int, ...]:
    """Changes with the file's content."""
    try:
        return signature(path.stat())
    except OSError:
        return (0,)


def _blame(path: Path, error: RunFileError) -> RunFileError:
    return error if str(path) in str(error) else RunFileError(f"{path}: {error}")
