"""The runs of some folders, kept in SQLite so that thousands of them are listed at once.

The index is a cache and nothing else: it may be deleted at any time and is made again from the files. Only one thread
at a time uses it; several processes may.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .catalogue import RunEntry, entry, run_files
from .errors import RunFileError
from .layout import LIVE_STATES
from .numbers import Number, number_of
from .reader import RunReader

VERSION = 1
"""An index of another version is made again."""
BATCH = 50  # files read between two commits

_COLUMNS = tuple(field.name for field in fields(RunEntry) if field.name != "stamp")
_STORED = (*_COLUMNS, "changed", "bytes", "inode")
_SELECT = f"SELECT {', '.join(_STORED)} FROM runs"  # names are our own

Progress = Callable[[int, int], None]
"""Told how many of how many files have been read."""


@dataclass(frozen=True)
class Changes:
    """What :meth:`RunIndex.update` met: paths of files that are new, changed, moved here, or gone."""

    new: tuple[Path, ...] = ()
    changed: tuple[Path, ...] = ()
    moved: tuple[Path, ...] = ()
    gone: tuple[Path, ...] = ()
    left: int = 0
    """Files that were not read before the update was cancelled."""

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.moved or self.gone)


class RunIndex:
    """The index in the file ``path``.

    Args:
        path: The SQLite file; made if need be, replaced when it is damaged, and kept in memory where it cannot be
            written. None keeps it in memory.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = None if path is None else Path(path)
        self._database = self._open()

    def entries(self, folders: Iterable[str | os.PathLike[str]]) -> list[RunEntry]:
        """All known runs below the folders, newest first. Looks at no run file."""
        roots = [f"{Path(folder).absolute()}" for folder in folders]
        inside = " OR ".join(["path = ? OR substr(path, 1, ?) = ?"] * len(roots)) or "0"
        values = [value for root in roots for value in (root, len(root) + 1, root.rstrip(os.sep) + os.sep)]
        runs = [_entry(row) for row in self._database.execute(f"{_SELECT} WHERE {inside}", values)]
        runs.sort(key=lambda run: (run.created, run.run_id), reverse=True)  # SQLite would move whole rows about
        return runs

    def update(
        self,
        folders: Iterable[str | os.PathLike[str]],
        progress: Progress | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Changes:
        """Look at the folders, and read the files that are new or have changed since.

        A folder that is not there now, such as one of an unplugged disk, keeps its runs. Runs that another process
        writes are looked at every time: their writer may have gone without a trace.
        """
        folders = [Path(folder).absolute() for folder in folders]
        there = {path: study for folder in folders for path, study in run_files(folder)}
        known = {run.path: run for run in self.entries(folder for folder in folders if folder.exists())}
        gone = {path: run for path, run in known.items() if path not in there}
        moved, stale = self._moved(gone, there, known), []
        new, changed = [], []
        for path, study in there.items():
            run = known.get(path) or moved.get(path)
            if run is None:
                new.append(path)
                stale.append(path)
            elif run.stamp != _stamp(path) or run.state in LIVE_STATES:
                stale.append(path)
                if run.stamp != _stamp(path):
                    changed.append(path)
            elif run.study != study or run.path != path:
                self._put([_relocated(run, path, study)])
        self._remove(gone)
        batch: list[RunEntry] = []
        left = len(stale)
        for path in stale:
            if cancelled():
                break
            batch.append(entry(path, there[path]))
            left -= 1
            if progress is not None:
                progress(len(stale) - left, len(stale))
            if path in known and known[path].state != batch[-1].state:
                changed.append(path)
            if len(batch) == BATCH:
                self._put(batch)
                batch = []
        self._put(batch)
        vanished = tuple(path for path, run in gone.items() if run not in moved.values())
        return Changes(tuple(new), tuple(dict.fromkeys(changed)), tuple(moved), vanished, left)

    def read(self, path: str | os.PathLike[str]) -> RunEntry:
        """Read one file again now, as after its labels were changed."""
        path = Path(path).absolute()
        study = self._database.execute("SELECT study FROM runs WHERE path = ?", [str(path)]).fetchone()
        found = entry(path, study[0] if study else "")
        self._put([found])
        return found

    def compute(self, numbers: Sequence[Number], runs: Iterable[RunEntry], progress: Progress | None = None) -> bool:
        """Read numbers from the files of runs that have the series but not the number; whether any was read."""
        wanted = []
        for run in runs:
            missing = [n for n in numbers if n.series in run.numbers and run.number(n) is None]
            if missing:
                wanted.append((run, missing))
        for at, (run, missing) in enumerate(wanted):
            with contextlib.suppress(RunFileError), RunReader(run.path) as reader:
                text = run.with_numbers({number: number_of(reader, number) for number in missing})
                self._database.execute("UPDATE runs SET numbers_text = ? WHERE path = ?", [text, str(run.path)])
            if progress is not None:
                progress(at + 1, len(wanted))
        self._database.commit()
        return bool(wanted)

    def close(self) -> None:
        self._database.close()

    def _open(self) -> sqlite3.Connection:
        if self.path is not None:
            for _ in range(2):
                try:
                    self.path.parent.mkdir(parents=True, exist_ok=True)
                    return _connected(str(self.path))
                except (sqlite3.DatabaseError, OSError):
                    with contextlib.suppress(OSError):
                        self.path.unlink(missing_ok=True)
        return _connected(":memory:")

    def _moved(self, gone: dict[Path, RunEntry], there: Iterable[Path], known: Iterable[Path]) -> dict[Path, RunEntry]:
        """Runs whose very file has another path now."""
        by_stamp = {run.stamp: run for run in gone.values()}
        fresh = [path for path in there if path not in known] if by_stamp else []
        return {path: run for path in fresh if (run := by_stamp.get(_stamp(path))) is not None}

    def _put(self, runs: Iterable[RunEntry]) -> None:
        marks = ", ".join("?" * len(_STORED))
        self._database.executemany(f"INSERT OR REPLACE INTO runs VALUES ({marks})", map(_row, runs))
        self._database.commit()

    def _remove(self, paths: Iterable[Path]) -> None:
        self._database.executemany("DELETE FROM runs WHERE path = ?", [[str(path)] for path in paths])
        self._database.commit()


def _connected(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=10, check_same_thread=False)
    try:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            database.execute("DROP TABLE IF EXISTS runs")
            columns = ", ".join(f"{name} PRIMARY KEY" if name == "path" else name for name in _STORED)
            database.execute(f"CREATE TABLE runs ({columns})")
            database.execute(f"PRAGMA user_version = {VERSION}")
        database.execute("PRAGMA synchronous = OFF")  # a cache: after a power cut it is made again
        database.execute(f"{_SELECT} LIMIT 1").fetchone()
        database.commit()
    except BaseException:
        database.close()
        raise
    return database


def _row(run: RunEntry) -> list[Any]:
    values = dict(vars(run)) | {"path": str(run.path), "tags": "\n".join(run.tags)}
    return [*(values[name] for name in _COLUMNS), *run.stamp]


def _entry(row: Sequence[Any]) -> RunEntry:
    values: dict[str, Any] = dict(zip(_COLUMNS, row, strict=False))
    values["path"] = Path(values["path"])
    values["tags"] = tuple(values["tags"].split("\n")) if values["tags"] else ()
    values["star"] = bool(values["star"])
    return RunEntry(**values, stamp=(row[-3], row[-2], row[-1]))


def _relocated(run: RunEntry, path: Path, study: str) -> RunEntry:
    values = {name: getattr(run, name) for name in _COLUMNS} | {"path": path, "study": study}
    return RunEntry(**values, stamp=run.stamp)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return found.st_mtime_ns, found.st_size, found.st_ino
