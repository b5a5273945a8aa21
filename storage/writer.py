"""Writes one run file while the run goes on: a sink whose rows reach the disk less than two seconds after they came.

Rows wait in memory and are written in blocks. Values go to disk in one commit, their steps in the next: a row counts
once its step is there, so no reader meets a step without its value.
"""

import contextlib
import json
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike

from . import checkpoint, safe
from .errors import RunFileError, StorageFull
from .layout import (
    CHECKPOINTS,
    CLOCK,
    CLOCK_TIME,
    CONFIG,
    ENVIRONMENT,
    EVENT_KIND,
    EVENT_PAYLOAD,
    EVENT_TIME,
    EVENTS,
    FORMAT,
    FORMAT_VERSION,
    HEADER,
    LOG,
    NO_STEP,
    SERIES,
    STATES,
    STEP,
    VALUE,
    VERDICT,
    dataset_at,
    group_at,
)
from .opening import appearing, blame, damage_named, hdf5, open_pages
from .pages import PagedFile
from .reader import RunReader
from .recover import recover
from .rows import SeriesRows, new_series, put_after, text_dataset

SERIES_TEXTS = ("label", "symbol", "units", "statistic", "estimator")
FLUSH_EVERY = 1.5
"""Seconds that a row waits in memory at most, as long as rows keep coming. A kill may cost two seconds of a run."""


class RunWriter:
    """The sink that keeps a run. Used from the run's own thread; made by ``create`` or ``append_to``."""

    def __init__(self, path: Path, pages: PagedFile, file: h5py.File) -> None:
        self.path = path
        self._pages = pages
        self._file = file
        series = group_at(file, SERIES)
        self._series = {name: SeriesRows.existing(group_at(series, name)) for name in safe.names(series)}
        self._known_events: set[tuple[int, str, str]] = set()
        self._events: list[tuple[int, float, str, str]] = []
        self._event_count = len(dataset_at(group_at(file, EVENTS), STEP))
        self._lines: list[str] = []
        self._clock = _clock(file)
        self._due = time.monotonic() + FLUSH_EVERY
        self.pending = 0

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        header: Mapping[str, Any],
        config: Mapping[str, Any],
        environment: Mapping[str, Any],
        *,
        overwrite: bool = False,
    ) -> "RunWriter":
        """Begin a new run file; it appears under ``path`` at once and complete.

        Args:
            path: Where; its folder is made if need be.
            header: Any of ``layout.HEADER``; None where it does not apply.
            config: Every knob with its value.
            environment: Where the run computes.
            overwrite: Replace a file that no writer holds.

        Raises:
            RunFileError: The file exists, or header has an unknown name.
            StorageFull: The folder cannot be written.
        """
        path = Path(path)
        unknown = set(header) - set(HEADER)
        if unknown:
            raise RunFileError(f"{path}: unknown header {sorted(unknown)}; known are {', '.join(HEADER)}")
        with appearing(path, overwrite=overwrite) as pages:
            file = hdf5(pages, new=True)
            try:
                _fill(file, header, config, environment)
                file.flush()
                pages.commit()
            except BaseException:
                file.close()
                raise
        return cls(path, pages, file)

    @classmethod
    def append_to(cls, path: str | os.PathLike[str]) -> "RunWriter":
        """Continue a run that is interrupted, paused or over; its state is running again.

        Rows and events that it already holds are not added again, so a run that goes on from its last checkpoint may
        repeat what it recorded since.

        Raises:
            RunFileError: Another process is writing it, or it is damaged.
            StorageFull: The file may not be written.
        """
        path = Path(path)
        recover(path)
        with RunReader(path) as run:
            run.check()
            known = {(event["step"], event["kind"], to_json(event["payload"])) for event in run.events()}
        pages = open_pages(path)
        file = None
        try:
            with damage_named(path):
                file = hdf5(pages, new=False)
                writer = cls(path, pages, file)
                writer._known_events = known
                _look_at_clock(writer._clock, max((rows.last for rows in writer._series.values()), default=NO_STEP))
                writer.set_state("running")
        except BaseException:
            with contextlib.suppress(OSError, RuntimeError):  # closing a damaged file may fail once more
                if file is not None:
                    file.close()
            pages.close()
            raise
        return writer

    def __enter__(self) -> "RunWriter":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close("finished" if kind is None else "failed")

    @property
    def run_id(self) -> str:
        return str(self._file.attrs["run_id"])

    def names(self) -> list[str]:
        """Series that were declared or have rows."""
        return list(self._series)

    def declare(self, name: str, attrs: Mapping[str, str]) -> None:
        """Announce a series. attrs: label, symbol, units, statistic, estimator."""
        rows = self._rows(name)
        rows.declare({key: _text(value) for key, value in attrs.items()})

    def append(self, name: str, step: ArrayLike, value: ArrayLike) -> None:
        """Add rows: ``step`` (k,) rising, ``value`` (k, ...). Rows up to the last recorded step are left out.

        Raises:
            ValueError: The rows have another shape or kind than the first one had.
            StorageFull: The disk is full; the rows are kept in memory.
        """
        rows = self._series.get(name) or self._rows(name)
        if type(value) is float and rows.scalar and type(step) is int:
            if step <= rows.last:
                return
            rows.last = step
            rows.steps.append(step)
            rows.values.append(value)
        else:
            rows.add(step, value)
        self.pending += 1
        if time.monotonic() >= self._due:
            self.flush()

    def merge(self, name: str, step: ArrayLike, value: ArrayLike) -> None:
        """Put rows among those that a series already has; where both have a step, the new row holds. On disk at return.

        Raises:
            ValueError: The rows have another shape than those already there.
            StorageFull: The disk is full.
        """
        self.flush()
        steps, values = np.atleast_1d(np.asarray(step, np.int64)), np.asarray(value)
        group = group_at(self._file, f"{SERIES}/{name}") if name in self._series else None
        attrs = {} if group is None else {key: str(group.attrs[key]) for key in SERIES_TEXTS if key in group.attrs}
        if group is not None and STEP in group:
            steps = np.concatenate([dataset_at(group, STEP)[()], steps])
            values = np.concatenate([dataset_at(group, VALUE)[()], values])
        order = np.argsort(steps, kind="stable")
        last = np.append(steps[order][1:] != steps[order][:-1], True)
        if group is not None:
            del self._file[f"{SERIES}/{name}"], self._series[name]
        rows = self._rows(name)
        rows.declare(attrs)
        rows.add(steps[order][last], values[order][last])
        rows.write_values()
        self._commit()
        rows.write_steps()
        self._commit()

    def event(self, step: int, kind: str, payload: Mapping[str, Any], at: float | None = None) -> None:
        """Record what happened at ``step``, now or at the time ``at`` (seconds since the epoch)."""
        event = int(step), _text(kind), to_json(payload)
        if event in self._known_events:
            return
        self._events.append((event[0], time.time() if at is None else at, *event[1:]))
        self._tick()

    def log(self, line: str) -> None:
        self._lines.append(_text(line))
        self._tick()

    def checkpoint(self, step: int, state: Mapping[str, np.ndarray]) -> None:
        """Keep the whole state; on disk when this returns, with every row before it.

        Raises:
            ValueError: ``state`` holds something else than arrays of numbers.
            StorageFull: The disk is full; rows and state are kept in memory.
        """
        arrays = checkpoint.check_paths(state)
        if str(int(step)) not in group_at(self._file, CHECKPOINTS):
            self._write()
            checkpoint.write(self._file, step, arrays)
        self._commit()

    def set_state(self, state: str) -> None:
        if state not in STATES:
            raise ValueError(f"state {state!r} is none of {', '.join(STATES)}")
        self._file.attrs["state"] = state
        self.flush()

    def set_verdict(self, verdict: Mapping[str, Any]) -> None:
        dataset_at(self._file, VERDICT)[()] = to_json(verdict)
        self.flush()

    def set_default_view(self, names: Sequence[str]) -> None:
        """Let other HDF5 programs show the first of these series when they open the file."""
        for name in names[:1]:
            self._rows(name)
            self._file.attrs["default"] = f"{SERIES}/{name}"
            self._file[SERIES].attrs["default"] = name

    def flush(self) -> None:
        """Bring every row, event and line to disk.

        Raises:
            StorageFull: The disk is full; everything is kept, and the next flush tries again.
        """
        self._write()
        self._commit()

    def _write(self) -> None:
        """Put every row, event and line into the file; the next commit makes them count."""
        self._due = time.monotonic() + FLUSH_EVERY
        self.pending = 0
        waiting = [rows for rows in self._series.values() if rows.waiting]
        for rows in waiting:
            rows.write_values()
        self._write_events()
        self._write_lines()
        if waiting:
            _look_at_clock(self._clock, max(rows.last for rows in waiting))
        if waiting or self._events:
            with contextlib.suppress(StorageFull):  # the second commit brings both, or says so
                self._commit()
        for rows in waiting:
            rows.write_steps()
        if self._events:
            step = dataset_at(group_at(self._file, EVENTS), STEP)
            step.resize(self._event_count + len(self._events), axis=0)
            step[self._event_count :] = [event[0] for event in self._events]
            self._event_count += len(self._events)
            self._events.clear()

    def retry(self) -> None:
        """Try to write again what did not fit before."""
        self.flush()

    def relocate(self, path: str | os.PathLike[str]) -> None:
        """Go on in a new file, with everything recorded so far. The old file stays as it last was.

        Raises:
            RunFileError: The new file exists.
            StorageFull: It cannot be written either; the run is still where it was.
        """
        path = Path(path)
        with appearing(path) as copy:
            self._pages.copy_to(copy)
        self._pages.switch(copy)
        self.path = path
        self.flush()

    def close(self, state: str | None = None) -> None:
        """Write what is left, set the run's last state and let the file go.

        Raises:
            StorageFull: Something is not on disk yet; the writer stays open, free space or relocate and close again.
        """
        if not self._file:
            return
        if state is not None:
            self.set_state(state)
        self.flush()
        self._file.close()
        with contextlib.suppress(StorageFull):  # only HDF5's own tidying is left; without it the file is whole too
            self._pages.commit()
        os.fsync(self._pages.descriptor)
        self._pages.close()

    def _rows(self, name: str) -> SeriesRows:
        if name not in self._series:
            if not name or "/" in name or name in (".", ".."):
                raise ValueError(f"series name {name!r} is empty or has a slash")
            self._series[name] = new_series(group_at(self._file, SERIES), name)
        return self._series[name]

    def _tick(self) -> None:
        self.pending += 1
        if time.monotonic() >= self._due:
            self.flush()

    def _write_events(self) -> None:
        if not self._events:
            return
        group, start = group_at(self._file, EVENTS), self._event_count
        for column, name in enumerate((EVENT_TIME, EVENT_KIND, EVENT_PAYLOAD), start=1):
            texts = dataset_at(group, name)
            texts.resize(start + len(self._events), axis=0)
            texts[start:] = [event[column] for event in self._events]

    def _write_lines(self) -> None:
        if self._lines:
            log = dataset_at(self._file, LOG)
            count = len(log)
            log.resize(count + len(self._lines), axis=0)
            log[count:] = self._lines
            self._lines.clear()

    def _commit(self) -> None:
        self._file.flush()
        try:
            self._pages.commit()
        except StorageFull as error:
            raise blame(self.path, error) from error


def to_json(value: Any) -> str:
    """JSON text of plain data; numpy's numbers and arrays become plain too."""
    return _text(json.dumps(value, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no JSON")


def _text(value: str) -> str:
    """HDF5 text has no NUL, and UTF-8 no lone surrogates."""
    return str(value).replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _fill(
    file: h5py.File, header: Mapping[str, Any], config: Mapping[str, Any], environment: Mapping[str, Any]
) -> None:
    now = datetime.now(UTC)
    file.attrs["format"] = FORMAT
    file.attrs["format_version"] = FORMAT_VERSION
    file.attrs["run_id"] = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    for name in HEADER:
        value = header.get(name)
        if name in ("seed", "parent_step"):
            file.attrs[name] = np.int64(NO_STEP if value is None else value)
        else:
            file.attrs[name] = "" if value is None else _text(value)
    file.attrs["state"] = "running"
    file.attrs["created"] = now.isoformat(timespec="seconds")
    file.attrs["NX_class"] = "NXroot"
    for name, value in ((CONFIG, config), (ENVIRONMENT, environment), (VERDICT, {})):
        file.create_dataset(name, data=to_json(value), dtype=h5py.string_dtype())
    text_dataset(file, LOG)
    file.create_group(SERIES).attrs["NX_class"] = "NXentry"
    file.create_group(CHECKPOINTS)
    events = file.create_group(EVENTS)
    events.create_dataset(STEP, (0,), np.int64, maxshape=(None,), chunks=(512,), fillvalue=NO_STEP)
    events.create_dataset(EVENT_TIME, (0,), np.float64, maxshape=(None,), chunks=(512,))
    text_dataset(events, EVENT_KIND)
    text_dataset(events, EVENT_PAYLOAD)
    _look_at_clock(_clock(file), 0)


def _clock(file: h5py.File) -> list[Any]:
    """Handles of the clock's steps and times; a file of an earlier version has none yet."""
    kinds = {STEP: np.int64, CLOCK_TIME: np.float64}
    if CLOCK not in file:
        clock = file.create_group(CLOCK)
        for name, kind in kinds.items():
            clock.create_dataset(name, (0,), kind, maxshape=(None,), chunks=(512,))
    clock = group_at(file, CLOCK)
    return [dataset_at(clock, name).id for name in kinds]


def _look_at_clock(clock: Sequence[Any], step: int) -> None:
    """Keep when the run was at ``step``; a session begins where the step does not rise."""
    for column, value in zip(clock, (np.array([step], np.int64), np.array([time.time()])), strict=True):
        put_after(column, column.shape[0], value)
