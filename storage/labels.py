"""Stars, tags and notes of a run: written into its file, through the same journal as everything else."""

import json
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from .errors import RunFileError
from .layout import NOTE, STAR, TAGS
from .opening import rewriting
from .reader import Labels, RunReader

LONGEST = 30_000  # bytes: attributes of / lie in its header, which ends at 64 kB


def set_labels(
    path: str | os.PathLike[str],
    *,
    star: bool | None = None,
    tags: Iterable[str] | None = None,
    note: str | None = None,
) -> Labels:
    """Give a run a star, tags or a note; None leaves what is there.

    Returns:
        All labels as they are now.

    Raises:
        RunFileError: The file is damaged, no run file, or being written by a running process; or the text is too long.
        StorageFull: The file may not be written.
    """
    path = Path(path)
    with RunReader(path) as run:  # refuses what must not be opened for writing
        old = run.labels
    kept = old.tags if tags is None else tuple(dict.fromkeys(tag for text in tags if (tag := _line(text))))
    new = replace(old, star=old.star if star is None else star, tags=kept, note=old.note if note is None else note)
    for what, text in (("tags", _listed(new)), ("note", new.note)):
        if len(text.encode("utf-8", "replace")) > LONGEST:
            raise RunFileError(f"{path}: its {what} would be longer than {LONGEST} bytes; keep it in a file of its own")
    if new != old:
        _write(path, new)
    return new


def _write(path: Path, labels: Labels) -> None:
    with rewriting(path) as file:
        file.attrs[STAR] = int(labels.star)
        file.attrs[TAGS] = _listed(labels)
        file.attrs[NOTE] = _clean(labels.note)


def _listed(labels: Labels) -> str:
    return json.dumps([_clean(tag) for tag in labels.tags], ensure_ascii=False)


def _line(text: str) -> str:
    return " ".join(text.split())


def _clean(text: str) -> str:
    """HDF5 text has no NUL, and UTF-8 no lone surrogates."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
