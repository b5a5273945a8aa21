"""Copies of runs, whole or without the checkpoints that make most of their size."""

import os
from pathlib import Path

from .layout import CHECKPOINTS
from .opening import appearing, hdf5
from .reader import RunReader


def copy_run(source: str | os.PathLike[str], target: str | os.PathLike[str], *, checkpoints: bool = True) -> Path:
    """Copy a run into a new file, which appears under ``target`` once it is whole. A copy keeps the run's id.

    Args:
        source: The run. Of one that is still being written, what it holds now is copied; the copy is interrupted.
        target: The new file.
        checkpoints: False leaves them out; the copy shows everything, but nothing can go on or branch from it.

    Raises:
        RunFileError: The source is damaged, or the target exists.
        StorageFull: The target does not fit.
    """
    target = Path(target)
    with RunReader(source) as run, appearing(target) as pages:
        run.check()
        file = hdf5(pages, new=True)
        try:
            run.copy_into(file, without=() if checkpoints else (CHECKPOINTS,))
        finally:
            file.close()
        pages.commit()
    pages.close()
    return target
