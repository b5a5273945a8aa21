"""What the library does to run files: work for a thread of its own, which says in a line what happened."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QFile, QStandardPaths

Work = Callable[[], str]


def label(paths: Sequence[Path], change: dict[str, Any]) -> Work:
    """Give runs a star, tags or a note. With ``instead_of``, tags take the place of those alone; others stay."""

    def work() -> str:
        from storage.labels import set_labels
        from storage.reader import RunReader

        wanted = dict(change)
        replaced = wanted.pop("instead_of", ())
        for path in paths:
            if "tags" in wanted:
                with RunReader(path) as run:
                    kept = [tag for tag in run.labels.tags if tag not in replaced]
                set_labels(path, **{**wanted, "tags": [*kept, *change["tags"]]})
            else:
                set_labels(path, **wanted)
        return ""

    return _told(work)


def bin_files(paths: Sequence[Path]) -> Work:
    """Move files to the system's bin; those that a process writes stay."""

    def work() -> str:
        from storage.opening import is_live

        # the bin lies in the folder of the user's data, which a bare machine has yet to get
        home = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation)
        with contextlib.suppress(OSError):
            Path(home).mkdir(parents=True, exist_ok=True)
        kept = [path for path in paths if is_live(path) or not QFile.moveToTrash(str(path))]
        done = len(paths) - len(kept)
        said = f"{done} run{'s' if done != 1 else ''} moved to the bin." if done else ""
        if kept:
            said += f" {kept[0]} stays: it is being written, or the system has no bin for it."
        return said.strip()

    return _told(work)


def copy(paths: Sequence[Path], folder: Path, *, checkpoints: bool) -> Work:
    """Copy runs into a folder, with their checkpoints or without."""

    def work() -> str:
        from storage.copying import copy_run

        for path in paths:
            copy_run(path, folder / path.name, checkpoints=checkpoints)
        return f"{len(paths)} run{'s' if len(paths) != 1 else ''} copied to {folder}"

    return _told(work)


def _told(work: Work) -> Work:
    """The same work; what goes wrong with a file is said as it is, without the name of the error."""

    def told() -> str:
        from storage.errors import RunFileError

        try:
            return work()
        except RunFileError as error:
            return str(error)

    return told
