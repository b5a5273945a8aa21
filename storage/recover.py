"""Notices runs whose writer is gone, and makes their files whole and appendable again."""

import os
from pathlib import Path

import h5py

from . import safe
from .layout import LIVE_STATES, SERIES, STEP, VALUE, dataset_at, group_at
from .opening import is_live, rewriting
from .reader import RunReader, read_header


def recover(path: str | os.PathLike[str]) -> str:
    """Mark the run interrupted if it should go on and nobody writes it; its state, as it is then.

    A commit that was cut short is completed, values without a step are dropped. Safe to call at any time.

    Raises:
        RunFileError: The file is missing, damaged or no run file.
        StorageFull: It would have to be marked, but may not be written.
    """
    path = Path(path)
    with RunReader(path) as run:  # refuses what must not be opened for writing
        state = run.state
    if state != "interrupted" or is_live(path):
        return state
    with rewriting(path) as file:
        if read_header(file)["state"] in LIVE_STATES:
            _drop_loose_values(file)
            file.attrs["state"] = "interrupted"
    return state


def _drop_loose_values(file: h5py.File) -> None:
    parent = group_at(file, SERIES)
    for series in (group_at(parent, name) for name in safe.names(parent)):
        if STEP in series and VALUE in series:
            step, value = dataset_at(series, STEP), dataset_at(series, VALUE)
            if len(value) > len(step):
                value.resize(len(step), axis=0)
