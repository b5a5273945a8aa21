"""The runs in a folder, by the facts that their headers state. Quick and tolerant: a damaged file is an entry too."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import RunFileError
from .reader import RunReader

SUFFIX = ".h5"


@dataclass(frozen=True)
class RunEntry:
    """What a list of runs shows of one file. ``problem`` says why the rest is missing."""

    path: Path
    run_id: str = ""
    experiment: str = ""
    title: str = ""
    preset: str | None = None
    arm: str | None = None
    state: str = ""
    created: str = ""
    seed: int | None = None
    device: str | None = None
    outcome: str | None = None
    size: int = 0
    parent_run: str | None = None
    problem: str | None = None


_known: dict[Path, tuple[tuple[int, int], RunEntry]] = {}


def scan(folder: str | os.PathLike[str]) -> list[RunEntry]:
    """Every run file below ``folder``, newest first, damaged ones last. Never raises."""
    entries = [entry(path) for path in _files(Path(folder))]
    entries.sort(key=lambda run: (run.created, run.run_id), reverse=True)
    return entries


def entry(path: str | os.PathLike[str]) -> RunEntry:
    """The facts of one file, read again only when it has changed."""
    path = Path(path)
    try:
        found = path.stat()
    except OSError as error:
        return RunEntry(path, problem=f"{path} cannot be read: {error.strerror}")
    stamp = found.st_mtime_ns, found.st_size
    known = _known.get(path)
    if known is not None and known[0] == stamp and known[1].state not in ("running", "paused"):
        return known[1]
    try:
        fresh = _read(path, found.st_size)
    except RunFileError as error:
        fresh = RunEntry(path, size=found.st_size, problem=str(error))
    _known[path] = stamp, fresh
    return fresh


def _read(path: Path, size: int) -> RunEntry:
    with RunReader(path) as run:
        header: dict[str, Any] = run.header
        outcome = run.verdict.get("outcome")
        return RunEntry(
            path=path,
            run_id=header["run_id"],
            experiment=header["experiment"] or "",
            title=header["title"] or "",
            preset=header["preset"],
            arm=header["arm"],
            state=run.state,
            created=header["created"] or "",
            seed=header["seed"],
            device=header["device"],
            outcome=outcome if isinstance(outcome, str) else None,
            size=size,
            parent_run=header["parent_run"],
        )


def _files(folder: Path) -> list[Path]:
    found = []
    for at, folders, names in os.walk(folder):  # links to folders are not followed
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(at, name) for name in names if name.endswith(SUFFIX) and not name.startswith(".")]
    return found
